//! Scalars: what is read is below L, a challenge is reduced, and digits of every width add up.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use num_bigint::{BigInt, BigUint};
use ron_kms_native::{Width, recoding::Digits, scalar::Scalar};
use ron_kms_native_fuzz::Lot;
use sha2::{Digest, Sha512};

static L: LazyLock<BigUint> = LazyLock::new(|| {
    let low = 27_742_317_777_372_353_535_851_937_790_883_648_493_u128;
    (BigUint::from(1u8) << 252u8) + low
});

fuzz_target!(|data: &[u8]| {
    let mut lot = Lot(data);
    let bytes = near(&mut lot);
    let value = BigUint::from_bytes_le(&bytes);
    let scalar = Scalar::from_canonical(&bytes);
    assert_eq!(scalar.is_some(), value < *L);
    if let Some(scalar) = scalar {
        assert_eq!(scalar.as_bytes(), &bytes);
        digits(&scalar);
    }

    let (commitment, key) = (lot.array(), lot.array());
    let digest = Sha512::new()
        .chain_update(commitment)
        .chain_update(key)
        .chain_update(lot.0)
        .finalize();
    let challenge = Scalar::challenge(&commitment, &key, lot.0);
    let expected = BigUint::from_bytes_le(&digest) % &*L;
    assert_eq!(BigUint::from_bytes_le(challenge.as_bytes()), expected);
    digits(&challenge);
});

/// Any 32 bytes, or a number near a multiple of L or a power of 2.
fn near(lot: &mut Lot) -> [u8; 32] {
    let start = match lot.below(4) {
        0 => return lot.array(),
        1 => lot.below(16) * &*L,
        2 => BigUint::from(1u8) << lot.byte(),
        _ => (BigUint::from(1u8) << 253u8) - (BigUint::from(1u8) << lot.below(253)),
    };
    let off = lot.word() >> lot.below(64);
    let number = if lot.below(2) == 0 || start < BigUint::from(off) {
        start + off
    } else {
        start - off
    };
    let mut bytes = [0; 32];
    let digits = number.to_bytes_le();
    let length = digits.len().min(32);
    bytes[..length].copy_from_slice(&digits[..length]);
    bytes
}

fn digits(scalar: &Scalar) {
    for width in Width::all() {
        let half = i16::try_from(width.half()).expect("a digit");
        let digits: Vec<i16> = Digits::new(scalar, width).into_iter().collect();
        assert_eq!(digits.len(), width.windows());
        assert!(digits.iter().all(|digit| (-half..=half).contains(digit)));
        let from_top = digits.iter().rev();
        let sum = from_top.fold(BigInt::ZERO, |sum, digit| (sum << width.bits()) + digit);
        let expected = BigUint::from_bytes_le(scalar.as_bytes());
        assert_eq!(sum, BigInt::from(expected), "width {width:?}");
    }
}
