//! Rounds of cases, judged and then asked of the engine in every way it can be asked.

use std::collections::BTreeMap;

use ron_kms_native::{Item, Key, Path, Width, verify_many, verify_one};

use super::{
    Case, Noise, Signer, adversarial_cases,
    judges::{Dalek, Sodium},
    paths, random_cases,
};

/// Largest batch a round asks for.
pub const BATCH_MAX: usize = 513;

/// What a campaign saw.
#[derive(Debug, Default)]
pub struct Tally {
    pub cases: usize,
    pub accepted: usize,
    /// Cases by what was done and by the sort of key.
    pub sorts: BTreeMap<(&'static str, &'static str), Count>,
    /// Answers of the engine that were compared, several a case: by path, and width of the key's table. A key
    /// that the rule refuses has none.
    pub answers: BTreeMap<(&'static str, Option<u32>), usize>,
    /// How many batches there were of each size.
    pub batches: BTreeMap<usize, usize>,
    /// Bytes of the longest message.
    pub longest: usize,
    /// Cases that libsodium judged too.
    pub judged_twice: usize,
    /// Cases that the judges do not agree on, and answers that are not the judges'.
    pub differences: usize,
}

/// Cases of a sort.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub cases: usize,
    pub accepted: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.accepted += other.accepted;
        for (&sort, count) in &other.sorts {
            let total = self.sorts.entry(sort).or_default();
            total.cases += count.cases;
            total.accepted += count.accepted;
        }
        for (&place, count) in &other.answers {
            *self.answers.entry(place).or_default() += count;
        }
        for (&size, count) in &other.batches {
            *self.batches.entry(size).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
        self.judged_twice += other.judged_twice;
        self.differences += other.differences;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Valid signatures and spoilt ones.
    Random,
    /// Torsion, second encodings, small orders, S + L, cancelling pairs.
    Adversarial,
}

/// Judge at least `count` cases of a kind under some sixteen keys, combs of all widths among them.
pub fn round(kind: Kind, count: usize, seed: u64) -> Tally {
    round_with(kind, count, seed, None)
}

/// [`round`], with libsodium for a second judge.
pub fn round_with(kind: Kind, count: usize, seed: u64, sodium: Option<&Sodium>) -> Tally {
    let mut noise = Noise(seed);
    let signers = signers(&mut noise, kind);
    let mut cases = Vec::new();
    while cases.len() < count {
        cases.extend(match kind {
            Kind::Random => random_cases(&mut noise, &signers),
            Kind::Adversarial => adversarial_cases(&mut noise, &signers),
        });
    }
    let judges = signers.iter().map(|signer| Dalek::new(&signer.public_key));
    let judges: Vec<Dalek> = judges.collect();
    let mut tally = Tally {
        cases: cases.len(),
        ..Tally::default()
    };
    let expected: Vec<u8> = cases
        .iter()
        .map(|case| {
            let signer = &signers[case.signer];
            let holds = judge(case, signer, &judges[case.signer], sodium, &mut tally);
            u8::from(holds)
        })
        .collect();

    let widths: Vec<Width> = Width::all().collect();
    let keys: Vec<Asked> = signers
        .iter()
        .zip(judges)
        .map(|(signer, judge)| {
            let width = *noise.pick(&widths);
            Asked {
                key: Key::load_with_width(&signer.public_key, width),
                width: judge.accepts_key().then_some(width.bits()),
            }
        })
        .collect();
    for path in paths() {
        ask(path, &mut noise, &keys, &cases, &expected, &mut tally);
    }
    tally
}

fn signers(noise: &mut Noise, kind: Kind) -> Vec<Signer> {
    let mut signers: Vec<Signer> = (0..8).map(|_| Signer::honest(noise)).collect();
    if kind == Kind::Adversarial {
        signers.truncate(3);
        signers.extend((0..8).map(|torsion| Signer::mixed(noise, torsion)));
        signers.extend((0..5).map(|_| Signer::odd(noise)));
    }
    signers
}

fn judge(
    case: &Case,
    signer: &Signer,
    dalek: &Dalek,
    sodium: Option<&Sodium>,
    tally: &mut Tally,
) -> bool {
    let holds = dalek.holds(&case.message, &case.signature);
    if let Some(sodium) = sodium {
        tally.judged_twice += 1;
        if sodium.holds(&signer.public_key, &case.message, &case.signature) != holds {
            tally.differences += 1;
            let key = &signer.public_key;
            eprintln!("libsodium, but not dalek ({holds}): {key:x?} {case:x?}");
        }
    }
    tally.longest = tally.longest.max(case.message.len());
    let count = tally.sorts.entry((case.what, signer.sort)).or_default();
    count.cases += 1;
    count.accepted += usize::from(holds);
    tally.accepted += usize::from(holds);
    holds
}

/// A key as the engine holds it, and the width of its table if the rule accepts it.
struct Asked {
    key: Key,
    width: Option<u32>,
}

fn ask(
    path: Path,
    noise: &mut Noise,
    keys: &[Asked],
    cases: &[Case],
    expected: &[u8],
    tally: &mut Tally,
) {
    let mut start = 0;
    while start < cases.len() {
        let size = 1 + noise.below(BATCH_MAX.min(cases.len() - start));
        let size = if noise.below(4) == 0 {
            size.min(9)
        } else {
            size
        };
        let (batch, expected) = (&cases[start..start + size], &expected[start..start + size]);
        let items: Vec<Item> = batch
            .iter()
            .map(|case| {
                (
                    &keys[case.signer].key,
                    &case.message[..],
                    &case.signature[..],
                )
            })
            .collect();
        let mut compare = |i: usize, verdict: u8| {
            let width = keys[batch[i].signer].width;
            *tally.answers.entry((path.name(), width)).or_default() += 1;
            if verdict != expected[i] {
                tally.differences += 1;
                let name = path.name();
                eprintln!("{name}, width {width:?}: {verdict}: {:x?}", batch[i]);
            }
        };
        let verdicts = verify_many(&items, path, 1 + noise.below(3));
        assert_eq!(verdicts.len(), size);
        for (i, verdict) in verdicts.into_iter().enumerate() {
            compare(i, verdict);
        }
        let alone = noise.below(size);
        let (key, message, signature) = items[alone];
        let verdict = verify_one(key, message, signature, path);
        compare(alone, u8::from(verdict));

        *tally.batches.entry(size).or_default() += 1;
        start += size;
    }
}
