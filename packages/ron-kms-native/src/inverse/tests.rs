use num_bigint::BigUint;

use super::inverse;
use crate::noise::Noise;

fn value(words: [u64; 4]) -> BigUint {
    words
        .iter()
        .rev()
        .fold(BigUint::ZERO, |sum, &word| (sum << 64) + word)
}

#[test]
fn a_number_times_its_inverse_is_one() {
    let p: BigUint = (BigUint::from(1_u8) << 255) - 19_u8;
    let words = |x: &BigUint| -> [u64; 4] {
        let digits = x.to_u64_digits();
        std::array::from_fn(|k| digits.get(k).copied().unwrap_or(0))
    };
    let mut noise = Noise(12);
    let mut numbers: Vec<[u64; 4]> = Vec::new();
    for k in 0..255 {
        let power = BigUint::from(1_u8) << k;
        numbers.extend([
            words(&power),
            words(&(&p - &power)),
            words(&(&power + 1_u8)),
        ]);
        numbers.push(words(&((&power * 3_u8) % &p)));
    }
    numbers.extend((0..20_000).map(|_| words(&(value(noise.words()) % &p))));
    for x in numbers {
        if x == [0; 4] {
            continue;
        }
        let inverse = value(inverse(x));
        assert!(inverse < p);
        assert_eq!(value(x) * inverse % &p, BigUint::from(1_u8), "{x:x?}");
    }
}

#[test]
fn zero_has_zero() {
    assert_eq!(inverse([0; 4]), [0; 4]);
}
