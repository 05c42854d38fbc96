//! The engine beside other people's: one process, interleaved, medians.
//!
//! `taskset -c 1 cargo run --release -- [--rounds 31] [--quick]`
//!
//! Every cell walks through 8,192 distinct valid signatures, 512 at a time; the cells take turns, so that a
//! slow moment of the machine falls on all of them. Microseconds for one signature.

mod workload;

use std::{env, hint::black_box, time::Instant};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use ed25519_zebra::{VerificationKeyBytes, batch};
use ron_kms_native::{Item, Key, Path, Width, verify_many, verify_one};
use workload::{SIGNATURES, Workload};

/// Signatures in one timed sample.
const SAMPLE: usize = 512;

struct Cell<'a> {
    name: String,
    keys: usize,
    message_bytes: usize,
    batch: usize,
    /// Verify the signatures of this range; whether all hold.
    verify: Box<dyn FnMut(std::ops::Range<usize>) -> bool + 'a>,
    samples_us: Vec<f64>,
}

fn main() {
    let quick = env::args().any(|argument| argument == "--quick");
    let rounds = env::args()
        .skip_while(|argument| argument != "--rounds")
        .nth(1)
        .map_or(31, |rounds| rounds.parse().expect("a number"));

    let workloads: Vec<Workload> = [
        (1, 64),
        (10, 64),
        (100, 64),
        (1, 300),
        (10, 300),
        (100, 300),
    ]
    .into_iter()
    .filter(|&(keys, bytes)| !quick || (keys, bytes) == (1, 64))
    .map(|(keys, bytes)| Workload::new(keys, bytes))
    .collect();
    let loaded: Vec<(usize, u8, Vec<Key>)> = workloads
        .iter()
        .enumerate()
        .flat_map(|(i, workload)| [8, 11].map(|bits| (i, bits, load(workload, bits))))
        .filter(|(i, bits, _)| workloads[*i].keys.len() < 100 || *bits == 8)
        .collect();

    let mut cells = Vec::new();
    for workload in &workloads {
        rivals(workload, &mut cells);
    }
    for (i, bits, keys) in &loaded {
        ours(&workloads[*i], keys, *bits, &mut cells);
    }
    for round in 0..rounds {
        for cell in &mut cells {
            sample(cell, round * SAMPLE % SIGNATURES);
        }
    }
    cells.sort_by_key(|cell| (cell.message_bytes, cell.keys));
    println!("| what | batch | keys | message bytes | median us | best us |");
    println!("|---|---|---|---|---|---|");
    for mut cell in cells {
        cell.samples_us.sort_by(f64::total_cmp);
        let (median, best) = (cell.samples_us[rounds / 2], cell.samples_us[0]);
        println!(
            "| {} | {} | {} | {} | {median:.2} | {best:.2} |",
            cell.name, cell.batch, cell.keys, cell.message_bytes
        );
    }
}

fn sample(cell: &mut Cell, start: usize) {
    let begun = Instant::now();
    let mut all_hold = true;
    for from in (start..start + SAMPLE).step_by(cell.batch) {
        all_hold &= black_box((cell.verify)(black_box(from..from + cell.batch)));
    }
    let taken = begun.elapsed();
    assert!(all_hold, "{} refused a valid signature", cell.name);
    let samples = u32::try_from(SAMPLE).expect("a small number");
    cell.samples_us
        .push(taken.as_secs_f64() * 1e6 / f64::from(samples));
}

fn cell<'a>(
    name: &str,
    workload: &Workload,
    batch: usize,
    verify: impl FnMut(std::ops::Range<usize>) -> bool + 'a,
) -> Cell<'a> {
    Cell {
        name: name.to_owned(),
        keys: workload.keys.len(),
        message_bytes: workload.messages[0].len(),
        batch,
        verify: Box::new(verify),
        samples_us: Vec::new(),
    }
}

fn load(workload: &Workload, bits: u8) -> Vec<Key> {
    let width = Width::new(bits).expect("a width");
    let keys = workload.keys.iter();
    keys.map(|key| Key::load_with_width(key.as_bytes(), width))
        .collect()
}

fn ours<'a>(workload: &'a Workload, keys: &'a [Key], bits: u8, cells: &mut Vec<Cell<'a>>) {
    let signatures: Vec<[u8; 64]> = workload
        .signatures
        .iter()
        .map(ed25519_dalek::Signature::to_bytes)
        .collect();
    for &path in Path::available() {
        for batch in [1, 8, 64, 256] {
            let signatures = signatures.clone();
            let name = format!("ours, {}, key width {bits}", path.name());
            cells.push(cell(&name, workload, batch, move |range| {
                let item = |i: usize| -> Item {
                    let key = &keys[workload.signers[i]];
                    (key, &workload.messages[i], &signatures[i])
                };
                if batch == 1 {
                    let (key, message, signature) = item(range.start);
                    return verify_one(key, message, signature, path);
                }
                let items: Vec<Item> = range.map(item).collect();
                verify_many(&items, path, 1)
                    .iter()
                    .all(|&verdict| verdict == 1)
            }));
        }
    }
}

fn rivals<'a>(workload: &'a Workload, cells: &mut Vec<Cell<'a>>) {
    let Workload {
        keys,
        verifying,
        messages,
        signatures,
        ..
    } = workload;
    cells.push(cell(
        "ed25519-dalek 2 verify_strict",
        workload,
        1,
        |range| {
            let i = range.start;
            verifying[i]
                .verify_strict(&messages[i], &signatures[i])
                .is_ok()
        },
    ));
    for batch in [64, 256] {
        cells.push(cell(
            "ed25519-dalek 2 verify_batch",
            workload,
            batch,
            |range| {
                let messages: Vec<&[u8]> = messages[range.clone()].iter().map(|m| &m[..]).collect();
                let (signatures, keys) = (&signatures[range.clone()], &verifying[range]);
                ed25519_dalek::verify_batch(&messages, signatures, keys).is_ok()
            },
        ));
    }
    if keys.len() == 1 {
        let key = VerificationKeyBytes::from(keys[0].to_bytes());
        cells.push(cell(
            "ed25519-zebra 4 batch of one key",
            workload,
            64,
            move |range| {
                let mut verifier = batch::Verifier::new();
                for i in range {
                    let signature = ed25519_zebra::Signature::from(signatures[i].to_bytes());
                    verifier.queue((key, signature, &messages[i]));
                }
                verifier.verify(rand::thread_rng()).is_ok()
            },
        ));
    }
    cells.push(cell("aws-lc-rs 1", workload, 1, |range| {
        let i = range.start;
        let key = UnparsedPublicKey::new(&ED25519, verifying[i].as_bytes());
        key.verify(&messages[i], &signatures[i].to_bytes()).is_ok()
    }));
}
