//! The long comparison with dalek's `verify_strict`: every path, every width, batches of 1 to 513.
//!
//! `cargo run --release --example campaign -- --cases 10000000 --adversarial 1000000 [--seed N]`
//!
//! Prints counts, and fails when a verdict differs.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use ron_kms_native::{Path, Width};
use support::campaign::{Kind, Tally, round};

const ROUND_CASES: usize = 20_000;

fn main() -> ExitCode {
    let (random, adversarial) = (option("--cases", 100_000), option("--adversarial", 10_000));
    let seed = option("--seed", 20_261_122);
    let paths: Vec<&str> = Path::available().iter().map(|path| path.name()).collect();
    let (first, last) = (Width::MIN.bits(), Width::MAX.bits());
    println!("paths {paths:?}, widths {first} to {last}, seed {seed}");

    let differences = run(Kind::Random, random, seed) + run(Kind::Adversarial, adversarial, !seed);
    if differences == 0 {
        println!("zero differences");
        ExitCode::SUCCESS
    } else {
        println!("{differences} DIFFERENCES");
        ExitCode::FAILURE
    }
}

fn run(kind: Kind, cases: u64, seed: u64) -> usize {
    let start = Instant::now();
    let rounds = cases.div_ceil(ROUND_CASES as u64);
    let next = AtomicU64::new(0);
    let total = Mutex::new(Tally::default());
    let worker = || {
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= rounds {
                break;
            }
            let tally = round(kind, ROUND_CASES, seed.wrapping_add(number << 32));
            let mut total = total.lock().expect("no worker panics while it holds it");
            total.add(&tally);
            if number.is_multiple_of(20) {
                eprintln!("{kind:?}: {} of {cases}", total.cases);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let total = total.into_inner().expect("no worker panicked");
    let seconds = start.elapsed().as_secs();
    println!(
        "{kind:?}: {} cases, {} of them valid, {} answers compared, {} differences, {seconds} s",
        total.cases, total.accepted, total.answers, total.differences
    );
    total.differences
}

fn option(name: &str, otherwise: u64) -> u64 {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    let value = arguments.nth(1);
    value.map_or(otherwise, |value| value.parse().expect("a number"))
}
