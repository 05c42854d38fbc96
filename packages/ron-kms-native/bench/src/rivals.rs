//! Other people's engines.

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use ed25519_dalek3 as dalek3;
use ed25519_zebra::{VerificationKeyBytes, batch};

use crate::{Cell, cell, workload::Workload};

pub fn cells(workload: &Workload) -> Vec<Cell<'_>> {
    let Workload {
        keys,
        signers,
        messages,
        signatures,
    } = workload;
    let every = |i: usize| (signers[i], &messages[i][..], &signatures[i]);
    let mut cells = Vec::new();

    let signature = |bytes: &[u8; 64]| ed25519_dalek::Signature::from_bytes(bytes);
    cells.push(cell("ed25519-dalek 2 verify_strict", 1, move |range| {
        let (signer, message, bytes) = every(range.start);
        keys[signer]
            .verify_strict(message, &signature(bytes))
            .is_ok()
    }));
    for batch in [64, 256] {
        cells.push(cell("ed25519-dalek 2 verify_batch", batch, move |range| {
            let (messages, (signatures, keys)): (Vec<_>, (Vec<_>, Vec<_>)) = range
                .map(every)
                .map(|(signer, message, bytes)| (message, (signature(bytes), keys[signer])))
                .unzip();
            ed25519_dalek::verify_batch(&messages, &signatures, &keys).is_ok()
        }));
    }

    // Its AVX-512 backend is built in (see `scripts/bench_native.py`), and taken where the processor has the instructions.
    let name = format!("ed25519-dalek 3 ({})", dalek3_backend());
    let parsed = keys
        .iter()
        .map(|key| dalek3::VerifyingKey::from_bytes(key.as_bytes()));
    let keys3: Vec<_> = parsed.map(|key| key.expect("a key")).collect();
    let signature = |bytes: &[u8; 64]| dalek3::Signature::from_bytes(bytes);
    let keys = keys3.clone();
    cells.push(cell(&format!("{name} verify_strict"), 1, move |range| {
        let (signer, message, bytes) = every(range.start);
        keys[signer]
            .verify_strict(message, &signature(bytes))
            .is_ok()
    }));
    for batch in [64, 256] {
        let keys = keys3.clone();
        cells.push(cell(&format!("{name} verify_batch"), batch, move |range| {
            let (messages, (signatures, keys)): (Vec<_>, (Vec<_>, Vec<_>)) = range
                .map(every)
                .map(|(signer, message, bytes)| (message, (signature(bytes), keys[signer])))
                .unzip();
            dalek3::verify_batch(&messages, &signatures, &keys).is_ok()
        }));
    }

    let zebra: Vec<VerificationKeyBytes> = workload
        .keys
        .iter()
        .map(|key| key.to_bytes().into())
        .collect();
    cells.push(cell("ed25519-zebra 4 batch", 64, move |range| {
        let mut verifier = batch::Verifier::new();
        for (signer, message, bytes) in range.map(every) {
            verifier.queue((zebra[signer], (*bytes).into(), &message));
        }
        verifier.verify(rand::thread_rng()).is_ok()
    }));

    let parsed = workload
        .keys
        .iter()
        .map(|key| ParsedPublicKey::new(&ED25519, key.as_bytes()));
    let aws: Vec<ParsedPublicKey> = parsed.map(|key| key.expect("a key")).collect();
    cells.push(cell("aws-lc-rs 1", 1, move |range| {
        let (signer, message, bytes) = every(range.start);
        aws[signer].verify_sig(message, bytes).is_ok()
    }));
    cells
}

/// What curve25519-dalek 5 takes on this processor.
fn dalek3_backend() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vl") {
            return "avx512";
        }
        if is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "serial"
}
