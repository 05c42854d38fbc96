//! Rounds of cases, judged and then asked of the engine in every way it can be asked.

use ron_kms_native::{Item, Key, Path, Width, verify_many, verify_one};

use super::{Case, Noise, Signer, adversarial_cases, judge, random_cases};

/// Largest batch a round asks for.
const BATCH_MAX: usize = 513;

/// What a campaign saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub cases: usize,
    pub accepted: usize,
    /// Answers of the engine that were compared: several a case.
    pub answers: usize,
    pub differences: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.accepted += other.accepted;
        self.answers += other.answers;
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
    let mut noise = Noise(seed);
    let signers = signers(&mut noise, kind);
    let mut cases = Vec::new();
    while cases.len() < count {
        cases.extend(match kind {
            Kind::Random => random_cases(&mut noise, &signers),
            Kind::Adversarial => adversarial_cases(&mut noise, &signers),
        });
    }
    let expected: Vec<u8> = cases
        .iter()
        .map(|case| {
            let key = &signers[case.signer].public_key;
            u8::from(judge(key, &case.message, &case.signature))
        })
        .collect();
    let mut tally = Tally {
        cases: cases.len(),
        accepted: expected.iter().map(|&verdict| usize::from(verdict)).sum(),
        ..Tally::default()
    };
    let widths: Vec<Width> = Width::all().collect();
    let keys: Vec<Key> = signers
        .iter()
        .map(|signer| Key::load_with_width(&signer.public_key, *noise.pick(&widths)))
        .collect();
    for &path in Path::available() {
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

fn ask(
    path: Path,
    noise: &mut Noise,
    keys: &[Key],
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
            .map(|case| (&keys[case.signer], &case.message[..], &case.signature[..]))
            .collect();
        let verdicts = verify_many(&items, path, 1 + noise.below(3));
        assert_eq!(verdicts.len(), size);
        let alone = noise.below(size);
        let (key, message, signature) = items[alone];
        let lone = u8::from(verify_one(key, message, signature, path));

        for (i, (verdict, expected)) in verdicts.iter().zip(expected).enumerate() {
            if verdict != expected || (i == alone && lone != *expected) {
                tally.differences += 1;
                let key = &batch[i].signer;
                eprintln!(
                    "{}: {verdict}, not {expected}: {key} {:x?}",
                    path.name(),
                    batch[i]
                );
            }
        }
        tally.answers += size + 1;
        start += size;
    }
}
