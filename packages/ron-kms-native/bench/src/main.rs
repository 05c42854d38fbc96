//! The engine and other people's, on the same signatures: `scripts/bench_native.py` asks and draws the table.
//!
//! `cargo run --release [--features rivals] -- KEYS MESSAGE_BYTES [--rounds N]`
//!
//! With the feature it is the others, without it the engine, so that each is built as it is when it is used: the engine
//! with the flag of its `.cargo/config.toml`, which does others no good.
//!
//! For each line on stdin (or so many times) every cell verifies the next 512 of 8,192 distinct valid signatures under
//! warm keys. One line a cell, "name<TAB>µs of CPU for one signature", then an empty one.

#[cfg_attr(feature = "rivals", path = "rivals.rs")]
#[cfg_attr(not(feature = "rivals"), path = "engine.rs")]
mod verifiers;
mod workload;

use std::{
    env,
    hint::black_box,
    io::{Write, stdin, stdout},
    ops::Range,
};

use cpu_time::ThreadTime;
use workload::{SIGNATURES, Workload};

/// Signatures in one timed sample.
const SAMPLE: usize = 512;

/// Signatures verified before it, so that what was there before is out of the caches.
const WARMING: usize = 256;

struct Cell<'a> {
    name: String,
    batch: usize,
    /// Verify the signatures of this range; whether all hold.
    verify: Box<dyn FnMut(Range<usize>) -> bool + 'a>,
}

fn main() {
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let &[keys, message_bytes, ref rounds @ ..] = &numbers[..] else {
        panic!("usage: KEYS MESSAGE_BYTES [--rounds N]");
    };
    let workload = Workload::new(keys, message_bytes);
    let mut cells = verifiers::cells(&workload);
    let rounds: Box<dyn Iterator<Item = ()>> = match rounds.first() {
        Some(&rounds) => Box::new((0..rounds).map(|_| ())),
        None => Box::new(stdin().lines().map(|_| ())),
    };
    for (round, ()) in rounds.enumerate() {
        for cell in &mut cells {
            let us = sample_us(cell, SAMPLE * (1 + round % (SIGNATURES / SAMPLE - 1)));
            println!("{}\t{us:.3}", cell.name);
        }
        println!();
        stdout().flush().expect("somebody reads");
    }
}

fn sample_us(cell: &mut Cell, start: usize) -> f64 {
    let mut all_hold = true;
    let mut begun = ThreadTime::now();
    for from in (start - WARMING..start + SAMPLE).step_by(cell.batch) {
        if from == start {
            begun = ThreadTime::now();
        }
        all_hold &= black_box((cell.verify)(black_box(from..from + cell.batch)));
    }
    let taken = begun.elapsed();
    assert!(all_hold, "{} refused a valid signature", cell.name);
    let samples = u32::try_from(SAMPLE).expect("a small number");
    taken.as_secs_f64() * 1e6 / f64::from(samples)
}

fn cell<'a>(name: &str, batch: usize, verify: impl FnMut(Range<usize>) -> bool + 'a) -> Cell<'a> {
    let name = match batch {
        1 => format!("{name}, alone"),
        _ => format!("{name}, batch of {batch}"),
    };
    Cell {
        name,
        batch,
        verify: Box::new(verify),
    }
}
