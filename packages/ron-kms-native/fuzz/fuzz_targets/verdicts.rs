//! Recipes for keys and batches: every verdict is dalek's, and the one that the item has alone.
//!
//! ```text
//! path | width | threads | split | repeat | keys, less 1 | key … | item, item, … to the end
//! ```
//!
//! A recipe of zeros is a valid signature, so what the fuzzer changes starts out accepted.

#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use curve25519_dalek::Scalar;
use libfuzzer_sys::fuzz_target;
use ron_kms_native::{Item, Key, Path, Width, verify_many, verify_one};
use ron_kms_native_fuzz::Lot;
use support::{BEYOND_P, L, Noise, SMALL_ORDERS, Signer, add, judges::Dalek, point};

const KEYS_MAX: usize = 4;
const ITEMS_MAX: usize = 24;
/// Largest batch, and more than share one inversion.
const BATCH_MAX: usize = 300;

struct Asked {
    signer: Signer,
    judge: Dalek,
    key: Arc<Key>,
}

#[derive(Clone)]
struct Made {
    key: usize,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let mut lot = Lot(data);
    let paths: Vec<Path> = Path::available()
        .iter()
        .copied()
        .chain([Path::MODEL])
        .collect();
    let path = *lot.pick(&paths);
    let widths: Vec<Width> = Width::all().collect();
    let width = *lot.pick(&widths);
    let (threads, split, repeat) = (lot.below(5), lot.byte(), lot.byte());
    let keys: Vec<Asked> = (0..=lot.below(KEYS_MAX))
        .map(|_| asked(&mut lot, width))
        .collect();
    let mut items: Vec<Made> = Vec::new();
    while items.is_empty() || (!lot.is_empty() && items.len() < ITEMS_MAX) {
        let made = item(&mut lot, &keys, items.last());
        items.push(made);
    }

    let expected: Vec<u8> = items
        .iter()
        .map(|item| {
            let holds = keys[item.key].judge.holds(&item.message, &item.signature);
            u8::from(holds)
        })
        .collect();
    let batch: Vec<Item> = items
        .iter()
        .map(|item| (&*keys[item.key].key, &item.message[..], &item.signature[..]))
        .collect();
    assert_eq!(verify_many(&batch, path, threads), expected, "together");
    for ((key, message, signature), expected) in batch.iter().zip(&expected) {
        let alone = verify_one(key, message, signature, path);
        assert_eq!(u8::from(alone), *expected, "alone");
    }
    let (before, after) = batch.split_at(usize::from(split) % (batch.len() + 1));
    let halves = [before, after].map(|part| verify_many(part, path, threads));
    assert_eq!(halves.concat(), expected, "in two parts");

    if repeat >= 0xe0 {
        let times = BATCH_MAX / batch.len();
        let verdicts = verify_many(&batch.repeat(times), path, threads);
        assert_eq!(verdicts, expected.repeat(times), "many times");
    }
});

/// Two secrets with each torsion, whose combs of any width are kept; or a key of any bytes, with a narrow comb.
fn asked(lot: &mut Lot, width: Width) -> Asked {
    let (signer, width) = match lot.below(20) {
        choice @ 0..16 => (signer(choice), width),
        16 => (odd(lot.pick(&SMALL_ORDERS).to_vec()), Width::MIN),
        17 => (odd(lot.pick(&BEYOND_P).to_vec()), Width::MIN),
        18 => (odd(lot.array::<32>().to_vec()), Width::MIN),
        _ => {
            let length = lot.below(70);
            (odd(lot.bytes(length)), Width::MIN)
        }
    };
    let judge = Dalek::new(&signer.public_key);
    let key = loaded(&signer, width);
    Asked { signer, judge, key }
}

fn signer(choice: usize) -> Signer {
    Signer::mixed(&mut Noise(choice as u64 / 8), choice % 8)
}

fn odd(public_key: Vec<u8>) -> Signer {
    Signer {
        sort: "odd",
        secret: Scalar::ZERO,
        public_key,
    }
}

fn loaded(signer: &Signer, width: Width) -> Arc<Key> {
    type Kept = Mutex<BTreeMap<(Vec<u8>, Width), Arc<Key>>>;
    static KEPT: LazyLock<Kept> = LazyLock::new(Mutex::default);
    let load = || Arc::new(Key::load_with_width(&signer.public_key, width));
    if signer.sort == "odd" {
        return load();
    }
    let place = (signer.public_key.clone(), width);
    let mut kept = KEPT.lock().expect("nobody panics while holding it");
    kept.entry(place).or_insert_with(load).clone()
}

/// A signature, and what is done to it.
fn item(lot: &mut Lot, keys: &[Asked], before: Option<&Made>) -> Made {
    let how = lot.byte();
    let key = lot.below(keys.len());
    let length = match lot.byte() {
        short @ 0..224 => usize::from(short),
        long => usize::from(long - 223) * 157, // to 5,024
    };
    let mut noise = Noise(u64::from(lot.byte()));
    let message = noise.bytes(length);
    let r = noise.scalar();
    let signer = &keys[key].signer;
    let mut made = Made {
        key,
        signature: signer.sign(&message, &r, point(&r, 0).compress().0),
        message,
    };
    let sign = |r: &Scalar, commitment| signer.sign(&made.message, r, commitment);
    match how % 16 {
        0 => {}
        1 => made.signature[lot.below(64)] ^= lot.byte(),
        2 => made.signature[..32].copy_from_slice(&lot.array::<32>()),
        3 => made.signature[32..].copy_from_slice(&lot.array::<32>()),
        4 => (0..=lot.below(14)).for_each(|_| add(&mut made.signature[32..], &L)),
        5 => made.signature = sign(&r, point(&r, lot.below(8)).compress().0),
        6 => made.signature = sign(&Scalar::ZERO, *lot.pick(&SMALL_ORDERS)),
        7 => made.signature = sign(&r, *lot.pick(&BEYOND_P)),
        8 => made.signature.truncate(lot.below(64)),
        9 => {
            let length = lot.below(8);
            made.signature.extend(lot.bytes(length));
        }
        10 => {
            let length = lot.below(64);
            made.message.extend(lot.bytes(length));
        }
        11 => made.key = lot.below(keys.len()),
        12 => made.signature = lot.bytes(64),
        // Faults in S, which may cancel those of others.
        13 | 14 => {
            let fault = Scalar::from(lot.byte());
            let s: [u8; 32] = made.signature[32..].try_into().expect("32 bytes");
            let s = Scalar::from_bytes_mod_order(s);
            let s = if how % 16 == 13 { s + fault } else { s - fault };
            made.signature[32..].copy_from_slice(s.as_bytes());
        }
        _ => made = before.unwrap_or(&made).clone(),
    }
    made
}
