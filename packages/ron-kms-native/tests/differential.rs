//! A short run of the campaign: the engine against dalek's `verify_strict`. `examples/campaign.rs` is the long one.

mod support;

use support::campaign::{Kind, Tally, round};

#[test]
fn random_and_spoilt_signatures_get_dalek_s_verdicts() {
    let mut tally = Tally::default();
    for seed in 0..10 {
        tally.add(&round(Kind::Random, 1_200, seed));
    }
    assert_eq!(tally.differences, 0, "{tally:?}");
    assert!(tally.accepted > tally.cases / 7, "{tally:?}");
}

#[test]
fn what_an_attacker_makes_gets_dalek_s_verdicts() {
    let mut tally = Tally::default();
    for seed in 1_000..1_010 {
        tally.add(&round(Kind::Adversarial, 1_200, seed));
    }
    assert_eq!(tally.differences, 0, "{tally:?}");
    assert!(tally.accepted > tally.cases / 40, "{tally:?}");
}
