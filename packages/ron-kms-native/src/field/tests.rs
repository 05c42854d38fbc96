//! The field against big integers, at the ends of every bound.

use num_bigint::BigUint;

use super::{Element, LOW_51, Sum};

const ELEMENT_MAX: u64 = (1 << 51) + (1 << 13) - 1;
const SUM_MAX: u64 = (1 << 54) - 1;

fn p() -> BigUint {
    (BigUint::from(1u8) << 255u8) - 19u8
}

fn integer(limbs: [u64; 5]) -> BigUint {
    limbs
        .iter()
        .rev()
        .fold(BigUint::ZERO, |value, &limb| (value << 51u8) + limb)
}

fn value(element: Element) -> BigUint {
    for limb in element.0 {
        assert!(limb <= ELEMENT_MAX, "a limb of {limb} is out of bounds");
    }
    let canonical = BigUint::from_bytes_le(&element.to_bytes());
    assert_eq!(
        canonical,
        integer(element.0) % p(),
        "to_bytes is the residue below p"
    );
    canonical
}

/// Every choice of limbs from the ends of the bound and the odd ones between, then noise.
fn extremes(max: u64) -> Vec<[u64; 5]> {
    let ends = [0, 1, LOW_51 - 19, LOW_51 - 18, LOW_51, LOW_51 + 1, max];
    let mut all = Vec::new();
    for code in 0..ends.len().pow(5) {
        let limb = |i: u32| ends[code / ends.len().pow(i) % ends.len()];
        all.push([limb(0), limb(1), limb(2), limb(3), limb(4)]);
    }
    let mut state = 1u64;
    for _ in 0..2_000 {
        all.push([0; 5].map(|_: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 3) % (max + 1)
        }));
    }
    all
}

#[test]
fn products_of_extreme_limbs_are_exact() {
    let p = p();
    let all = extremes(SUM_MAX);
    let partners = [[SUM_MAX; 5], [0, SUM_MAX, 0, SUM_MAX, 0]];
    for (i, &a) in all.iter().enumerate() {
        for b in [partners[0], partners[1], all[(i * 7_919) % all.len()]] {
            assert_eq!(
                value(Sum(a) * Sum(b)),
                integer(a) * integer(b) % &p,
                "{a:?} times {b:?}"
            );
        }
        assert_eq!(
            value(Sum(a).carry()),
            integer(a) % &p,
            "{a:?} after its carry"
        );
    }
}

#[test]
fn squares_sums_and_differences_of_extreme_limbs_are_exact() {
    let p = p();
    let all = extremes(ELEMENT_MAX);
    for (i, &a) in all.iter().enumerate() {
        let b = all[(i * 7_919) % all.len()];
        let (x, y) = (Element(a), Element(b));
        let (vx, vy) = (integer(a) % &p, integer(b) % &p);
        let cases = [
            (x + y, &vx + &vy),
            (x - y, &p + &vx - &vy),
            (Sum::twice_plus(x, y), 2u8 * &vx + &vy),
            (Sum::twice_less(x, y), &p + 2u8 * &vx - &vy),
        ];
        for (sum, expected) in cases {
            assert!(sum.0.iter().all(|&limb| limb <= SUM_MAX));
            assert_eq!(integer(sum.0) % &p, expected % &p);
        }
        assert_eq!(value(x.square()), &vx * &vx % &p, "{a:?} squared");
        assert_eq!(value(x.negate()), (&p - &vx) % &p, "{a:?} negated");
    }
}

#[test]
fn inverses_and_roots_follow_their_exponents() {
    let p = p();
    for a in extremes(ELEMENT_MAX).into_iter().step_by(97) {
        let v = integer(a) % &p;
        assert_eq!(value(Element(a).invert()), v.modpow(&(&p - 2u8), &p));
        assert_eq!(
            value(Element(a).power_p58()),
            v.modpow(&((&p - 5u8) / 8u8), &p)
        );
    }
}

#[test]
fn bytes_are_read_modulo_p_and_written_canonically() {
    let p = p();
    let edges = [
        &p - 1u8,
        p.clone(),
        &p + 1u8,
        &p + 18u8,
        BigUint::ZERO,
        BigUint::from(1u8) << 254u8,
    ];
    for edge in edges {
        let mut bytes = [0; 32];
        let digits = edge.to_bytes_le();
        bytes[..digits.len()].copy_from_slice(&digits);
        assert_eq!(value(Element::from_bytes(&bytes)), &edge % &p);
        bytes[31] |= 0x80;
        assert_eq!(
            value(Element::from_bytes(&bytes)),
            &edge % &p,
            "bit 255 is not read"
        );
    }
}
