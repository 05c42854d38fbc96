//! The verdicts are those of ed25519-dalek's `verify_strict`, at every width and batch size.

mod support;

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signer, SigningKey};
use ifma::{Comb, Item, Model, verify_many, verify_one};
use sha2::{Digest, Sha512};
use support::{Case, Random, Table, Tables, rounds};

const WIDTHS: std::ops::RangeInclusive<u32> = 4..=12;

/// The verdicts on the model and, where there is one, on the CPU's unit: they must agree.
fn verdicts(base: Comb, items: &[Item]) -> Vec<u8> {
    let mut verdicts = vec![7; items.len()];
    verify_many(Model, base, items, &mut verdicts);
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = ifma::Avx512::detect() {
        let mut native = vec![7; items.len()];
        verify_many(lanes, base, items, &mut native);
        assert_eq!(native, verdicts);
    }
    verdicts
}

/// As `verdicts`, for one signature spread over the lanes.
fn verdict_alone(base: Comb, item: &Item) -> u8 {
    let verdict = verify_one(Model, base, item);
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = ifma::Avx512::detect() {
        assert_eq!(verify_one(lanes, base, item), verdict);
    }
    u8::from(verdict)
}

fn ones(verdicts: &[u8]) -> usize {
    verdicts.iter().map(|&verdict| usize::from(verdict)).sum()
}

fn base(width: u32) -> Table {
    Table::new(ED25519_BASEPOINT_POINT, width)
}

fn keys(random: &mut Random, count: usize) -> Vec<SigningKey> {
    (0..count)
        .map(|_| SigningKey::from_bytes(&random.bytes()))
        .collect()
}

/// A signature that holds, or was spoiled in one of several ways.
fn signed(random: &mut Random, key: &SigningKey, bytes_max: u64) -> Case {
    let bytes = random.below(bytes_max + 1);
    let message: Vec<u8> = (0..bytes).map(|_| random.word().to_le_bytes()[0]).collect();
    let public = key.verifying_key().to_bytes();
    let mut case = Case::new(public, key.sign(&message).to_bytes(), &message);
    let bit = 1 << random.below(8);
    let byte = random.index(32);
    match random.below(8) {
        0 => case.r[byte] ^= bit,
        1 => case.s[byte] ^= bit, // often beyond L
        2 => match case.message.last_mut() {
            Some(last) => *last ^= bit,
            None => case.message.push(0),
        },
        3 => case.s = random.bytes(),
        _ => {}
    }
    case
}

#[test]
fn random_signatures_at_every_width_and_batch_size() {
    let mut random = Random(100);
    let keys = keys(&mut random, 4);
    let cases: Vec<Case> = (0..rounds(2400))
        .map(|i| signed(&mut random, &keys[i % 4], 600))
        .collect();
    let expected: Vec<u8> = cases.iter().map(|case| u8::from(case.strict())).collect();
    assert!((rounds(1000)..rounds(1800)).contains(&ones(&expected)));
    for width in WIDTHS {
        let base = base(4 + (width + 3) % 9);
        let mut tables = Tables::default();
        for key in &keys {
            assert!(tables.load(key.verifying_key().to_bytes(), width));
        }
        let items: Vec<Item> = cases.iter().map(|case| case.item(&tables, width)).collect();
        let mut at = 0;
        let larger: &[usize] = match width {
            4 | 8 | 11 => &[0, 127, 513, 1100],
            _ => &[0, 65, 128, 129],
        };
        for size in (1..=70).chain(larger.iter().copied()).take(rounds(200)) {
            at = if at + size > items.len() { 0 } else { at };
            let range = at..at + size;
            assert_eq!(
                verdicts(base.comb(), &items[range.clone()]),
                expected[range],
                "width {width}, {size} items"
            );
            at += size % 97;
        }
        for (item, &expected) in items.iter().zip(&expected).take(rounds(300)) {
            assert_eq!(verdict_alone(base.comb(), item), expected, "width {width}");
        }
    }
}

/// Signatures whose R and A have components of small order: some hold, for their equation holds exactly.
#[test]
fn torsion_in_key_and_r() {
    let mut random = Random(101);
    let base = base(8);
    let mut tables = Tables::default();
    let mut cases = Vec::new();
    for key in 0..rounds(24).max(8) {
        let secret = Scalar::from_bytes_mod_order_wide(&random.bytes());
        let public = ED25519_BASEPOINT_POINT * secret + EIGHT_TORSION[key % 8];
        let public = public.compress().to_bytes();
        assert!(tables.load(public, 5));
        for _ in 0..rounds(60) {
            let nonce = Scalar::from_bytes_mod_order_wide(&random.bytes());
            let r = ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[random.index(8)];
            let r = r.compress().to_bytes();
            let message = random.bytes::<20>();
            let h = Sha512::new()
                .chain_update(r)
                .chain_update(public)
                .chain_update(message);
            let h = Scalar::from_bytes_mod_order_wide(&h.finalize().into());
            cases.push(Case {
                key: public,
                r,
                s: (nonce + h * secret).to_bytes(),
                message: message.into(),
            });
        }
    }
    let items: Vec<Item> = cases.iter().map(|case| case.item(&tables, 5)).collect();
    let expected: Vec<u8> = cases.iter().map(|case| u8::from(case.strict())).collect();
    assert!((cases.len() / 16..cases.len() / 2).contains(&ones(&expected)));
    assert_eq!(verdicts(base.comb(), &items), expected);
    for (item, &expected) in items.iter().zip(&expected) {
        assert_eq!(verdict_alone(base.comb(), item), expected);
    }
}

/// R of small order is refused though the equation holds: h·A and s·B are chosen to leave just it.
#[test]
fn small_order_r() {
    let mut random = Random(102);
    let base = base(8);
    let mut tables = Tables::default();
    let mut cases = Vec::new();
    for torsion in EIGHT_TORSION {
        for _ in 0..rounds(40) {
            let secret = Scalar::from_bytes_mod_order_wide(&random.bytes());
            let public = (ED25519_BASEPOINT_POINT * secret + torsion)
                .compress()
                .to_bytes();
            assert!(tables.load(public, 4));
            for r in EIGHT_TORSION {
                let r = r.compress().to_bytes();
                let h = Sha512::new()
                    .chain_update(r)
                    .chain_update(public)
                    .finalize();
                let h = Scalar::from_bytes_mod_order_wide(&h.into());
                cases.push(Case {
                    key: public,
                    r,
                    s: (h * secret).to_bytes(),
                    message: vec![],
                });
            }
        }
    }
    let items: Vec<Item> = cases.iter().map(|case| case.item(&tables, 4)).collect();
    assert!(cases.iter().all(|case| !case.strict()));
    assert!(
        verdicts(base.comb(), &items)
            .iter()
            .all(|&verdict| verdict == 0)
    );
    assert!(
        items
            .iter()
            .all(|item| verdict_alone(base.comb(), item) == 0)
    );
    // The equation does hold for many of them.
    let holds = |case: &Case| {
        let [r, a] = [case.r, case.key].map(|bytes| {
            curve25519_dalek::edwards::CompressedEdwardsY(bytes)
                .decompress()
                .expect("a point")
        });
        let h = Sha512::new()
            .chain_update(case.r)
            .chain_update(case.key)
            .finalize();
        let h = Scalar::from_bytes_mod_order_wide(&h.into());
        let s = Scalar::from_canonical_bytes(case.s).expect("below L");
        let a_torsion = a * Scalar::from_bytes_mod_order([0; 32]) == EdwardsPoint::default();
        a_torsion && ED25519_BASEPOINT_POINT * s - a * h == r
    };
    assert!(cases.iter().filter(|case| holds(case)).count() > rounds(100));
}

#[test]
fn s_of_the_order_or_more_is_refused_beside_others_that_hold() {
    let mut random = Random(103);
    let base = base(11);
    let keys = keys(&mut random, 1);
    let mut tables = Tables::default();
    tables.load(keys[0].verifying_key().to_bytes(), 11);
    let order = -Scalar::ONE; // L − 1
    let mut cases: Vec<Case> = Vec::new();
    for index in 0..64 {
        let message = random.bytes::<64>();
        let signature = keys[0].sign(&message).to_bytes();
        let mut case = Case::new(keys[0].verifying_key().to_bytes(), signature, &message);
        if index % 3 == 0 {
            let mut carry = 1; // s + (L − 1) + 1
            for (byte, order) in case.s.iter_mut().zip(order.to_bytes()) {
                carry += u16::from(*byte) + u16::from(order);
                [*byte, _] = carry.to_le_bytes();
                carry >>= 8;
            }
        } else if index % 3 == 1 && index % 2 == 1 {
            case.s = [0xff; 32];
        }
        cases.push(case);
    }
    let items: Vec<Item> = cases.iter().map(|case| case.item(&tables, 11)).collect();
    let expected: Vec<u8> = cases.iter().map(|case| u8::from(case.strict())).collect();
    assert_eq!(ones(&expected), 31);
    assert_eq!(verdicts(base.comb(), &items), expected);
    for (item, &expected) in items.iter().zip(&expected) {
        assert_eq!(verdict_alone(base.comb(), item), expected);
    }
}

#[test]
fn widths_may_differ_within_a_batch() {
    let mut random = Random(104);
    let base = base(7);
    let keys = keys(&mut random, 3);
    let mut tables = Tables::default();
    for key in &keys {
        for width in [4, 6, 9] {
            tables.load(key.verifying_key().to_bytes(), width);
        }
    }
    let cases: Vec<Case> = (0..700)
        .map(|i| signed(&mut random, &keys[i * i % 3], 200))
        .collect();
    let items: Vec<Item> = cases
        .iter()
        .map(|case| case.item(&tables, [4, 6, 6, 6, 6, 6, 9][random.index(7)]))
        .collect();
    let expected: Vec<u8> = cases.iter().map(|case| u8::from(case.strict())).collect();
    assert_eq!(verdicts(base.comb(), &items), expected);
}

#[test]
fn verdicts_without_items_are_noes_and_items_without_verdicts_are_passed_over() {
    let mut random = Random(105);
    let base = base(4);
    let keys = keys(&mut random, 1);
    let mut tables = Tables::default();
    tables.load(keys[0].verifying_key().to_bytes(), 4);
    let case = Case::new(
        keys[0].verifying_key().to_bytes(),
        keys[0].sign(b"").to_bytes(),
        b"",
    );
    let items = [case.item(&tables, 4); 9];
    let mut more = [7; 12];
    verify_many(Model, base.comb(), &items, &mut more);
    assert_eq!(more, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    let mut fewer = [7; 4];
    verify_many(Model, base.comb(), &items, &mut fewer);
    assert_eq!(fewer, [1; 4]);
}

/// The vectors in a file, if it is there.
fn vectors(file: &str) -> Option<Vec<serde_json::Value>> {
    let folder = std::env::var("VECTORS").unwrap_or_else(|_| "/work/shared/vectors".to_owned());
    let path = std::path::Path::new(&folder).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("a JSON list"))
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().expect("hexadecimal");
    (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

/// The accepted indices, at one width; alone and together. Keys that are no points are refused at load.
fn accepted(cases: &[Case], width: u32) -> Vec<usize> {
    let base = base(width);
    let mut tables = Tables::default();
    let small: Vec<_> = EIGHT_TORSION
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect();
    let canonical = |key: &[u8; 32]| {
        curve25519_dalek::edwards::CompressedEdwardsY(*key)
            .decompress()
            .is_some_and(|point| point.compress().to_bytes() == *key)
    };
    let loaded: Vec<(usize, &Case)> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| canonical(&case.key) && !small.contains(&case.key))
        .filter(|(_, case)| tables.load(case.key, width))
        .collect();
    let items: Vec<Item> = loaded
        .iter()
        .map(|(_, case)| case.item(&tables, width))
        .collect();
    let verdicts = verdicts(base.comb(), &items);
    for (item, &verdict) in items.iter().zip(&verdicts) {
        assert_eq!(verdict_alone(base.comb(), item), verdict);
    }
    let accepted = loaded.iter().zip(verdicts);
    accepted
        .filter(|(_, verdict)| *verdict == 1)
        .map(|((index, _), _)| *index)
        .collect()
}

#[test]
fn speccheck_accepts_case_3_alone() {
    let Some(vectors) = vectors("ed25519_speccheck.json") else {
        return;
    };
    let cases: Vec<Case> = vectors
        .iter()
        .map(|vector| {
            let array = |name: &str| bytes(&vector[name]);
            let key = array("pub_key").try_into().expect("32 bytes");
            let signature = array("signature").try_into().expect("64 bytes");
            Case::new(key, signature, &array("message"))
        })
        .collect();
    assert_eq!(cases.len(), 12);
    for width in WIDTHS {
        assert_eq!(accepted(&cases, width), [3], "width {width}");
    }
}

#[test]
fn cctv_accepts_the_43_without_a_refused_flag() {
    const REFUSED: [&str; 6] = [
        "low_order_A",
        "low_order_R",
        "non_canonical_A",
        "non_canonical_R",
        "low_order_residue",
        "reencoded_k",
    ];
    let Some(vectors) = vectors("ed25519_cctv.json") else {
        return;
    };
    let cases: Vec<Case> = vectors
        .iter()
        .map(|vector| {
            let key = bytes(&vector["key"]).try_into().expect("32 bytes");
            let signature = bytes(&vector["sig"]).try_into().expect("64 bytes");
            Case::new(
                key,
                signature,
                vector["msg"].as_str().expect("text").as_bytes(),
            )
        })
        .collect();
    assert_eq!(cases.len(), 914);
    let refused = |vector: &serde_json::Value| {
        let flags = vector["flags"].as_array();
        flags.is_some_and(|flags| {
            flags
                .iter()
                .any(|flag| REFUSED.iter().any(|name| flag == name))
        })
    };
    let expected: Vec<usize> = (0..914).filter(|&i| !refused(&vectors[i])).collect();
    assert_eq!(expected.len(), 43);
    for width in [4, 7, 8, 11].into_iter().take(rounds(4)) {
        assert_eq!(accepted(&cases, width), expected, "width {width}");
    }
}
