//! The lanes against big integers, at the ends of every bound.

use std::arch::x86_64::{_mm256_extract_epi64, _mm256_set_epi64x};

use num_bigint::BigInt;

use super::{BIAS, LOW_51, Raw, Ready};

type Limbs = [i64; 5];

const READY_MAX: i64 = (1 << 51) + (1 << 16) - 1;
const CARRIED_MAX: i64 = (1 << 51) + 19 * (1 << 11);
/// 2⁵⁸·², rounded up, and −2⁵⁶·³, rounded down.
const RAW_MAX: i64 = 331_100_000_000_000_000;
const RAW_MIN: i64 = -88_900_000_000_000_000;

fn p() -> BigInt {
    (BigInt::from(1u8) << 255u8) - 19u8
}

/// The residue below p.
fn value(limbs: Limbs) -> BigInt {
    let value = limbs
        .iter()
        .rev()
        .fold(BigInt::ZERO, |value, &limb| (value << 51u8) + limb);
    ((value % p()) + p()) % p()
}

#[target_feature(enable = "avx2,fma")]
fn raw(lanes: [Limbs; 4]) -> Raw {
    Raw(std::array::from_fn(|i| {
        _mm256_set_epi64x(lanes[3][i], lanes[2][i], lanes[1][i], lanes[0][i])
    }))
}

#[target_feature(enable = "avx2,fma")]
fn lanes(raw: &Raw) -> [Limbs; 4] {
    [
        raw.0.map(|limb| _mm256_extract_epi64::<0>(limb)),
        raw.0.map(|limb| _mm256_extract_epi64::<1>(limb)),
        raw.0.map(|limb| _mm256_extract_epi64::<2>(limb)),
        raw.0.map(|limb| _mm256_extract_epi64::<3>(limb)),
    ]
}

/// Every choice of five from the ends, then noise, in fours.
fn extremes(ends: &[i64], max: i64) -> Vec<[Limbs; 4]> {
    let mut all = Vec::new();
    for code in 0..ends.len().pow(5) {
        let limb = |i: u32| ends[code / ends.len().pow(i) % ends.len()];
        all.push([limb(0), limb(1), limb(2), limb(3), limb(4)]);
    }
    let mut state = 3i64;
    for _ in 0..4_000 {
        all.push([0; 5].map(|_: i64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 1).rem_euclid(max + 1)
        }));
    }
    all.as_chunks().0.to_vec()
}

fn has_the_instructions() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[test]
fn products_of_extreme_limbs_are_exact_and_in_bounds() {
    #[target_feature(enable = "avx2,fma")]
    fn products(a: [Limbs; 4], b: [Limbs; 4]) -> [[Limbs; 4]; 2] {
        let (a, b) = (raw(a), raw(b));
        let (a, b) = (Ready::from_integers(a.0), Ready::from_integers(b.0));
        [lanes(&a.times::<false>(&b)), lanes(&a.times::<true>(&b))]
    }
    if !has_the_instructions() {
        return;
    }
    let half = 1 << 25; // half·half is where rounding of the high part turns, at 2⁵⁰
    let ends = [0, 1, half, LOW_51 - 18, LOW_51, LOW_51 + 1, READY_MAX];
    let all = extremes(&ends, READY_MAX);
    for (n, &a) in all.iter().enumerate() {
        for b in [all[n * 7_919 % all.len()], [[READY_MAX; 5]; 4], a] {
            // SAFETY: the processor has the instructions.
            let [plain, biased] = unsafe { products(a, b) };
            for lane in 0..4 {
                let expected = value(a[lane]) * value(b[lane]) % p();
                assert_eq!(value(plain[lane]), expected, "{:?} {:?}", a[lane], b[lane]);
                assert_eq!(value(biased[lane]), expected);
                for i in 0..5 {
                    assert!((RAW_MIN..=RAW_MAX).contains(&plain[lane][i]));
                    assert_eq!(biased[lane][i], plain[lane][i] + BIAS[i]);
                }
            }
        }
    }
}

#[test]
fn carries_of_extreme_limbs_are_exact_and_in_bounds() {
    #[target_feature(enable = "avx2,fma")]
    fn carried(a: [Limbs; 4]) -> [[Limbs; 4]; 2] {
        let a = raw(a);
        let carried = Raw(a.carried());
        // Times one, read back: the floats are the integers.
        let floats = Ready::from_integers(carried.0);
        let one = Ready::from_integers(Raw::small(1).0);
        [lanes(&carried), lanes(&floats.times::<false>(&one))]
    }
    if !has_the_instructions() {
        return;
    }
    let max = (1 << 62) - 1;
    let ends = [0, 1, LOW_51, LOW_51 + 1, 1 << 61, max - LOW_51, max];
    for a in extremes(&ends, max) {
        // SAFETY: the processor has the instructions.
        let [carried, floats] = unsafe { carried(a) };
        for lane in 0..4 {
            assert_eq!(value(carried[lane]), value(a[lane]));
            assert_eq!(value(floats[lane]), value(a[lane]));
            assert!(
                carried[lane]
                    .iter()
                    .all(|limb| (0..=CARRIED_MAX).contains(limb))
            );
        }
    }
}

#[test]
fn what_an_addition_forms_can_be_carried() {
    // See `Sums::add`: the least and the most of Y − X, Y + X, 2Z − C, 2Z + C, B − A, B + A and T.
    for bias in BIAS {
        let biased = (RAW_MIN + bias, RAW_MAX + bias);
        let least = [
            biased.0 - RAW_MAX,
            biased.0 + RAW_MIN,
            2 * biased.0 - RAW_MAX,
        ];
        let most = [
            biased.1 - RAW_MIN,
            biased.1 + RAW_MAX,
            2 * biased.1 + RAW_MAX,
        ];
        assert!(least.iter().all(|&limb| limb > 0));
        assert!(most.iter().all(|&limb| limb < 1 << 62));
    }
}
