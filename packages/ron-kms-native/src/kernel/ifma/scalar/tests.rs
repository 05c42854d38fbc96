use curve25519_dalek::Scalar;
use num_bigint::BigUint;

use super::*;
use crate::kernel::ifma::lanes::on_every_lanes;
use crate::noise::Noise;

fn order() -> BigUint {
    BigUint::from_bytes_le((-Scalar::ONE).as_bytes()) + 1_u8
}

fn words<const N: usize>(x: &BigUint) -> [u64; N] {
    let digits = x.to_u64_digits();
    std::array::from_fn(|k| digits.get(k).copied().unwrap_or(0))
}

on_every_lanes! {
    residues_are_those_of_dalek(lanes) {
        let mut noise = Noise(10);
        let one = BigUint::from(1_u8);
        let mut numbers: Vec<[u64; 8]> = Vec::new();
        // Both sides of every multiple of L and power of two that the folding meets.
        for shift in [0, 1, 2, 51, 52, 124, 125, 127, 128, 132, 133, 251, 252, 258, 259, 260] {
            let middles: [BigUint; 3] = [order() << shift, &one << shift, &one << (252 + shift)];
            for middle in &middles {
                for near in [middle - &one, middle.clone(), middle + &one] {
                    if near.bits() <= 512 {
                        numbers.push(words(&near));
                    }
                }
            }
        }
        numbers.push([u64::MAX; 8]);
        for _ in 0..20_000 {
            let mut x: [u64; 8] = noise.words();
            for word in &mut x {
                match noise.below(8) {
                    0 => *word = 0,
                    1 => *word = u64::MAX,
                    _ => {}
                }
            }
            numbers.push(x);
        }
        for eight in numbers.as_chunks::<8>().0 {
            let reduced = reduce(lanes, std::array::from_fn(|k| lanes.load(&eight.map(|x| x[k]))))
                .map(Vector::store);
            for (l, x) in eight.iter().enumerate() {
                let mut bytes = [0; 64];
                for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(x) {
                    *chunk = word.to_le_bytes();
                }
                let expected = Scalar::from_bytes_mod_order_wide(&bytes).to_bytes();
                let residue: Vec<u8> =
                    reduced.iter().flat_map(|row| row[l].to_le_bytes()).collect();
                assert_eq!(residue, expected, "{x:x?}");
            }
        }
    }
}
