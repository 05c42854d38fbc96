use sha2::{Digest, Sha512};

use super::*;
use crate::kernel::ifma::lanes::on_every_lanes;
use crate::{noise::Noise, point::Affine, recoding::Width, scalar::Scalar, tables::Comb};

on_every_lanes! {
    digests_are_those_of_sha2_for_any_eight_lengths(lanes) {
        let mut noise = Noise(9);
        let comb = Comb::new(&Affine::NEUTRAL, Width::MIN);
        let rows: [[u8; 32]; 8] = std::array::from_fn(|_| noise.array());
        let text = noise.array::<1500>();
        for round in 0..900_usize {
            let messages: [Box<[u8]>; 8] = std::array::from_fn(|l| {
                let bytes = match round {
                    0..300 => round,         // eight of one length
                    300..600 => round - 300 + 64 * l,
                    _ => noise.below(1500),
                };
                text[l..][..bytes.min(1400)].into()
            });
            let claims: [Claim; 8] = std::array::from_fn(|l| Claim {
                index: l,
                commitment: &rows[l],
                response: Scalar::from_canonical(&[0; 32]).expect("below L"),
                key: &rows[(l + 1) % 8],
                comb: &comb,
                message: &messages[l],
            });
            let words = digests(lanes, &claims.each_ref()).map(Vector::store);
            for (l, claim) in claims.iter().enumerate() {
                let expected = Sha512::new()
                    .chain_update(claim.commitment)
                    .chain_update(claim.key)
                    .chain_update(claim.message)
                    .finalize();
                let digest: Vec<u8> = words.iter().flat_map(|row| row[l].to_le_bytes()).collect();
                assert_eq!(digest, expected.as_slice(), "{} bytes", claim.message.len());
            }
        }
    }
}
