//! Field operations on any limbs within their documented bounds, beside big integers; and the bounds of what comes out.

#![no_main]

use std::{mem::transmute, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use num_bigint::BigUint;
use ron_kms_native::field::{Element, Sum};
use ron_kms_native_fuzz::Lot;

/// Largest limb of an element, and of a sum.
const ELEMENT_MAX: u64 = (1 << 51) + (1 << 13) - 1;
const SUM_MAX: u64 = (1 << 54) - 1;

static P: LazyLock<BigUint> = LazyLock::new(|| (BigUint::from(1u8) << 255u8) - 19u8);

fuzz_target!(|data: &[u8]| {
    let mut lot = Lot(data);
    let mut known = [(Element::ZERO, BigUint::ZERO), (Element::ONE, 1u8.into())];
    while !lot.is_empty() {
        let (a, b) = (known[0].clone(), known[1].clone());
        let (place, how) = (lot.below(2), lot.below(12));
        let ((x, vx), (y, vy)) = (a, b);
        known[place] = match how {
            0 => {
                let limbs = limbs(&mut lot, ELEMENT_MAX);
                (element(limbs), integer(limbs))
            }
            1 => {
                let bytes = lot.array();
                let bits = BigUint::from_bytes_le(&bytes) % (BigUint::from(1u8) << 255u8);
                (Element::from_bytes(&bytes), bits)
            }
            2 => (x * y, vx * vy),
            3 => ((x + y).carry(), vx + vy),
            4 => ((x - y).carry(), vx + &*P - vy),
            5 => (x.square(), vx.pow(2)),
            6 => (x.negate(), &*P - vx),
            7 => ((x + y) * (x - y), (&vx + &vy) * (&vx + &*P - &vy)),
            8 => (x * (x + y), &vx * (&vx + &vy)),
            9 => {
                let (one, two) = (limbs(&mut lot, SUM_MAX), limbs(&mut lot, SUM_MAX));
                (sum(one) * sum(two), integer(one) * integer(two))
            }
            10 => {
                let limbs = limbs(&mut lot, SUM_MAX);
                (sum(limbs).carry(), integer(limbs))
            }
            _ => (x.invert(), vx.modpow(&(&*P - 2u8), &P)),
        };
        let (found, expected) = &mut known[place];
        *expected = &*expected % &*P;
        let limbs = limbs_of(*found);
        assert!(limbs.iter().all(|&limb| limb <= ELEMENT_MAX), "{limbs:?}");
        let canonical = BigUint::from_bytes_le(&found.to_bytes());
        assert_eq!(canonical, *expected, "operation {how}");
        assert_eq!(known[0].0 == known[1].0, known[0].1 == known[1].1);
    }
});

/// Limbs at both ends of a bound, around 2⁵¹, or anywhere.
fn limbs(lot: &mut Lot, max: u64) -> [u64; 5] {
    let ends = [
        0,
        max,
        1,
        (1 << 51) - 1,
        1 << 51,
        (1 << 51) - 19,
        (1 << 51) - 20,
        max - 1,
    ];
    [0; 5].map(|_: u64| match lot.below(12) {
        end @ 0..8 => ends[end],
        8 | 9 => max - u64::from(lot.byte()),
        _ => lot.word() % (max + 1),
    })
}

fn integer(limbs: [u64; 5]) -> BigUint {
    let parts = limbs.iter().rev();
    parts.fold(BigUint::ZERO, |value, &limb| (value << 51u8) + limb)
}

// The fields are private, since nobody but the crate keeps to the bounds.

fn element(limbs: [u64; 5]) -> Element {
    // SAFETY: an element is five words and nothing else; any words are sound.
    unsafe { transmute(limbs) }
}

fn sum(limbs: [u64; 5]) -> Sum {
    // SAFETY: as above.
    unsafe { transmute(limbs) }
}

fn limbs_of(element: Element) -> [u64; 5] {
    // SAFETY: as above.
    unsafe { transmute(element) }
}
