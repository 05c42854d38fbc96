use curve25519_dalek::Scalar;
use num_bigint::BigUint;

use super::*;
use crate::lanes::on_every_lanes;
use crate::test_random::{Random, rounds};

fn order() -> BigUint {
    ORDER
        .iter()
        .rev()
        .fold(BigUint::ZERO, |sum, &word| (sum << 64) + word)
}

fn words<const N: usize>(x: &BigUint) -> [u64; N] {
    let digits = x.to_u64_digits();
    core::array::from_fn(|k| digits.get(k).copied().unwrap_or(0))
}

on_every_lanes! {
    residues_are_those_of_dalek(lanes) {
        let mut random = Random(10);
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
        for _ in 0..rounds(20_000) {
            let mut x: [u64; 8] = random.words();
            for word in &mut x {
                match random.below(8) {
                    0 => *word = 0,
                    1 => *word = u64::MAX,
                    _ => {}
                }
            }
            numbers.push(x);
        }
        for eight in numbers.as_chunks::<8>().0 {
            let reduced = reduce(lanes, core::array::from_fn(|k| lanes.load(&eight.map(|x| x[k]))))
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

    only_what_is_below_the_order_is(lanes) {
        let mut random = Random(11);
        let order = order();
        let one = BigUint::from(1_u8);
        let mut numbers: Vec<[u64; 4]> = vec![
            [0; 4],
            words(&(&order - &one)),
            words(&order),
            words(&(&order + &one)),
            words(&(&order << 1)),
            words(&(&one << 252)),
            [0, 0, 0, ORDER[3] + 1],
            [u64::MAX; 4],
        ];
        for _ in 0..rounds(800) {
            // Words of L and their neighbours, in every mixture.
            numbers.push(core::array::from_fn(|k| match random.below(4) {
                0 => ORDER[k].wrapping_sub(1),
                1 => ORDER[k].wrapping_add(1),
                _ => ORDER[k],
            }));
        }
        for eight in numbers.as_chunks::<8>().0 {
            let vectors = core::array::from_fn(|k| lanes.load(&eight.map(|x| x[k])));
            let below = below_order(lanes, vectors);
            for (l, x) in eight.iter().enumerate() {
                let value = x.iter().rev().fold(BigUint::ZERO, |sum, &word| (sum << 64) + word);
                assert_eq!((below >> l) & 1 == 1, value < order, "{x:x?}");
            }
        }
    }
}
