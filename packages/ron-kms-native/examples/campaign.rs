//! The long comparison with dalek's `verify_strict` and libsodium: every path, every width, batches of 1 to 513.
//!
//! `cargo run --release --example campaign -- --cases=10000000 --adversarial=1000000 [--seed=N]`
//!
//! Prints what was compared as Markdown, and fails when a verdict differs. `scripts/campaign_native.py` keeps it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    env,
    io::{IsTerminal, stderr},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use ron_kms_native::Width;
use support::{
    campaign::{Count, Kind, Tally, round_with},
    judges::Sodium,
};

/// Each round has keys of its own. Tables for eight honest ones take as long as some thousand cases.
const ROUND_CASES: usize = 20_000;

/// The keys that an attacker makes are of more sorts, and most have no tables.
const ROUND_CASES_ADVERSARIAL: usize = 5_000;

fn main() -> ExitCode {
    let (random, adversarial) = (
        option("--cases=", 100_000),
        option("--adversarial=", 10_000),
    );
    let seed = option("--seed=", 20_261_122);
    let Some(sodium) = Sodium::find() else {
        eprintln!("campaign: error: libsodium is not installed");
        eprintln!("campaign: hint: apt-get install libsodium-dev");
        return ExitCode::from(2);
    };
    let paths: Vec<&str> = support::paths().iter().map(|path| path.name()).collect();
    println!(
        "Paths {}; table widths {} to {}; seed {seed}; judges ed25519-dalek 2 and libsodium {}.",
        paths.join(", "),
        Width::MIN.bits(),
        Width::MAX.bits(),
        sodium.version
    );
    let mut differences = 0;
    for (kind, cases, seed) in [
        (Kind::Random, random, seed),
        (Kind::Adversarial, adversarial, !seed),
    ] {
        let begun = Instant::now();
        let total = run(kind, cases, seed, &sodium);
        report(kind, &total, begun.elapsed().as_secs());
        differences += total.differences;
    }
    if differences == 0 {
        println!("\n**Zero differences.**");
        ExitCode::SUCCESS
    } else {
        println!("\n**{differences} DIFFERENCES.**");
        ExitCode::FAILURE
    }
}

fn run(kind: Kind, cases: u64, seed: u64, sodium: &Sodium) -> Tally {
    let round_cases = match kind {
        Kind::Random => ROUND_CASES,
        Kind::Adversarial => ROUND_CASES_ADVERSARIAL,
    };
    let rounds = cases.div_ceil(round_cases as u64);
    let next = AtomicU64::new(0);
    let total = Mutex::new(Tally::default());
    let worker = || {
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= rounds {
                break;
            }
            if stderr().is_terminal() {
                eprint!("\r{kind:?}: round {number} of {rounds} ");
            }
            let seed = seed.wrapping_add(number << 32);
            let tally = round_with(kind, round_cases, seed, Some(sodium));
            let mut total = total.lock().expect("no worker panics while it holds it");
            total.add(&tally);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    if stderr().is_terminal() {
        eprintln!();
    }
    total.into_inner().expect("no worker panicked")
}

fn report(kind: Kind, total: &Tally, seconds: u64) {
    let answers: usize = total.answers.values().sum();
    let batches: usize = total.batches.values().sum();
    let (fewest, most) = (total.batches.keys().min(), total.batches.keys().max());
    println!(
        "\n### {kind:?}: {} cases, {} of them valid, {seconds} s\n\n\
         Dalek judged all, libsodium {} of them; {answers} answers of the engine were compared; {} differences. \
         {batches} batches of {} to {} signatures, {} sizes among them, on one to three threads; messages of 0 to {} bytes.",
        total.cases,
        total.accepted,
        total.judged_twice,
        total.differences,
        fewest.unwrap_or(&0),
        most.unwrap_or(&0),
        total.batches.len(),
        total.longest
    );
    let cell = |count: &Count| format!("{} ({})", count.cases, count.accepted);
    table("cases (valid), by key", &total.sorts.iter(), cell);
    let answers: Vec<_> = total
        .answers
        .iter()
        .map(|((path, width), count)| {
            let width = width.map_or("no table".to_owned(), |bits| format!("width {bits:2}"));
            ((width, *path), *count)
        })
        .collect();
    let answers = answers.iter().map(|(place, count)| (place, count));
    table("answers, by path", &answers, usize::to_string);
}

/// One row for each first half of a place, one column for each second half.
fn table<'a, Row: Ord + AsRef<str> + 'a, T: 'a>(
    corner: &str,
    cells: &(impl Iterator<Item = (&'a (Row, &'static str), &'a T)> + Clone),
    show: impl Fn(&T) -> String,
) {
    let rows: BTreeSet<&Row> = cells.clone().map(|((row, _), _)| row).collect();
    let columns: BTreeSet<&str> = cells.clone().map(|((_, column), _)| *column).collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    println!("\n| {corner} | {} |", columns.join(" | "));
    println!("|---|{}", "---:|".repeat(columns.len()));
    for row in rows {
        let at = |column: &&str| {
            let mut found = cells
                .clone()
                .filter(|(at, _)| at.0 == *row && at.1 == *column);
            found
                .next()
                .map_or("–".to_owned(), |(_, value)| show(value))
        };
        let texts: Vec<String> = columns.iter().map(at).collect();
        println!("| {} | {} |", row.as_ref(), texts.join(" | "));
    }
}

fn option(name: &str, otherwise: u64) -> u64 {
    let value = env::args().find_map(|argument| Some(argument.strip_prefix(name)?.to_owned()));
    value.map_or(otherwise, |value| value.parse().expect("a number"))
}
