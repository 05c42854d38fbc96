use num_bigint::BigUint;

use super::*;
use crate::kernel::ifma::lanes::on_every_lanes;
use crate::noise::Noise;

on_every_lanes! {
    each_lane_has_its_own_inverse(lanes) {
        let p: BigUint = (BigUint::from(1_u8) << 255) - 19_u8;
        let value = |words: [u64; 4]| {
            words.iter().rev().fold(BigUint::ZERO, |sum, &word| (sum << 64) + word)
        };
        let mut noise = Noise(15);
        for _ in 0..500 {
            let words: [[u64; 8]; 4] = noise.words::<4>().map(|_| noise.words());
            let z = Field8::from_words(lanes, words.map(|row| lanes.load(&row)));
            let inverses = invert(lanes, z).to_words(lanes).map(Vector::store);
            let first = invert_first(lanes, z).to_words(lanes).map(Vector::store);
            let z = z.to_words(lanes).map(Vector::store);
            for l in 0..8 {
                let (z, inverse) = (value(z.map(|row| row[l])), value(inverses.map(|row| row[l])));
                assert_eq!(z * inverse % &p, BigUint::from(1_u8));
                assert_eq!(first.map(|row| row[l]), inverses.map(|row| row[0]));
            }
        }
    }
}
