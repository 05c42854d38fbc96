use num_bigint::BigUint;

use super::*;
use crate::kernel::ifma::lanes::on_every_lanes;
use crate::noise::Noise;

/// 2⁵¹ + 2¹⁵·³: no carried limb reaches it.
const CARRIED: u64 = (1 << 51) + 40_342;
/// 2⁵⁸·⁹⁷: no limb of an unbiased product reaches it.
const PRODUCT: u64 = 564_597_361_568_202_304;
const WIDE: u64 = 1 << 62;

const EXTREMES: [u64; 7] = [0, 1, 18, LOW_51 - 18, LOW_51, 1 << 51, CARRIED - 1];

type Limbs = [u64; 5];

fn value(limbs: Limbs) -> BigUint {
    limbs
        .iter()
        .rev()
        .fold(BigUint::ZERO, |sum, &limb| (sum << 51) + limb)
}

fn prime() -> BigUint {
    (BigUint::from(1_u8) << 255) - 19_u8
}

fn load<L: Lanes>(lanes: L, limbs: &[Limbs; 8]) -> [L::Vector; 5] {
    std::array::from_fn(|k| lanes.load(&limbs.map(|limbs| limbs[k])))
}

fn store<V: Vector>(vectors: [V; 5]) -> [Limbs; 8] {
    let rows = vectors.map(Vector::store);
    std::array::from_fn(|l| rows.map(|row| row[l]))
}

fn words<V: Vector>(vectors: [V; 4]) -> [BigUint; 8] {
    let rows = vectors.map(Vector::store);
    std::array::from_fn(|l| {
        rows.iter()
            .rev()
            .fold(BigUint::ZERO, |sum, row| (sum << 64) + row[l])
    })
}

/// Limbs that are extreme one time in two.
fn some(noise: &mut Noise) -> [Limbs; 8] {
    std::array::from_fn(|_| {
        std::array::from_fn(|_| {
            let pick = noise.word();
            match EXTREMES.get((pick % 14) as usize) {
                Some(&extreme) => extreme,
                None => noise.word() % CARRIED,
            }
        })
    })
}

on_every_lanes! {
    products_of_extreme_limbs_stay_in_bounds_and_are_right(lanes) {
        let p = prime();
        let mut noise = Noise(1);
        let bias = value(BIAS);
        assert_eq!(&bias % &p, BigUint::ZERO);
        for round in 0..4000 {
            let (a, b) = if round == 0 {
                ([[CARRIED - 1; 5]; 8], [[CARRIED - 1; 5]; 8])
            } else {
                (some(&mut noise), some(&mut noise))
            };
            let (a8, b8) = (Field8(load(lanes, &a)), Field8(load(lanes, &b)));
            let plain = store(a8.times(lanes, b8).0);
            let biased = store(a8.times_biased(lanes, b8).0);
            let carried = store(a8.mul(lanes, b8).0);
            for l in 0..8 {
                let expected = value(a[l]) * value(b[l]) % &p;
                assert_eq!(value(plain[l]) % &p, expected);
                assert_eq!(value(carried[l]) % &p, expected);
                for k in 0..5 {
                    assert!(plain[l][k] < PRODUCT);
                    assert_eq!(biased[l][k], plain[l][k] + BIAS[k]);
                    assert!(carried[l][k] < CARRIED);
                }
            }
        }
    }

    carries_of_the_widest_sums_stay_in_bounds_and_are_right(lanes) {
        let p = prime();
        let mut noise = Noise(2);
        for round in 0..4000 {
            let wide: [Limbs; 8] = std::array::from_fn(|_| {
                std::array::from_fn(|_| match noise.below(4) {
                    _ if round == 0 => WIDE - 1,
                    0 => WIDE - 1,
                    1 => (noise.word() >> 53 << 51) | LOW_51,
                    _ => noise.word() % WIDE,
                })
            });
            let carried = store(Wide8::<_>(load(lanes, &wide)).carry(lanes).0);
            for l in 0..8 {
                assert_eq!(value(carried[l]) % &p, value(wide[l]) % &p);
                assert!(carried[l].iter().all(|&limb| limb < CARRIED));
            }
        }
    }

    words_are_canonical_and_come_back(lanes) {
        let p = prime();
        let mut noise = Noise(3);
        let split = |x: &BigUint| -> Limbs {
            std::array::from_fn(|k| {
                let limb: BigUint = (x >> (51 * k)) & BigUint::from(LOW_51);
                limb.try_into().expect("51 bits")
            })
        };
        let edges = [
            BigUint::ZERO,
            BigUint::from(1_u8),
            &p - 1_u8,
            p.clone(),
            &p + 1_u8,
            &p + 18_u8, // 2^255 − 1: the largest in 51-bit limbs
            &p - 19_u8,
            &p >> 1,
        ];
        for round in 0..4000 {
            let limbs = match round {
                0 => std::array::from_fn(|l| split(&edges[l])),
                1 => [[CARRIED - 1; 5]; 8],
                _ => some(&mut noise),
            };
            let words_8 = Field8(load(lanes, &limbs)).to_words(lanes);
            let back = store(Field8::from_words(lanes, words_8).0);
            for (l, word) in words(words_8).into_iter().enumerate() {
                assert_eq!(word, value(limbs[l]) % &p);
                assert_eq!(value(back[l]), word);
                assert!(back[l].iter().all(|&limb| limb <= LOW_51));
            }
        }
    }
}

#[test]
fn the_sums_of_a_point_addition_fit_between_zero_and_the_carry() {
    let largest_bias = 1_u64 << 60;
    let smallest_bias = BIAS.into_iter().min().expect("five limbs");
    assert!(PRODUCT < smallest_bias, "y − x, b − a");
    assert!(2 * smallest_bias > PRODUCT, "2z − c");
    assert!(2 * (largest_bias + PRODUCT) + PRODUCT < WIDE, "2z + c");
    assert!(largest_bias + 2 * PRODUCT < WIDE, "y + x, b + a");
}
