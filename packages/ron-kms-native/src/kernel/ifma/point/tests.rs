use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};

use super::*;
use crate::{
    kernel::ifma::{inverses::invert, lanes::on_every_lanes, lookups::Lookups},
    noise::Noise,
    point::Affine,
    recoding::Width,
    scalar,
    tables::Comb,
};

/// The encodings of eight points.
fn encodings<L: Lanes>(lanes: L, points: Point8<L>) -> [[u8; 32]; 8] {
    let z_inverse = invert(lanes, points.z);
    let x = points
        .x
        .mul(lanes, z_inverse)
        .to_words(lanes)
        .map(Vector::store);
    let y = points
        .y
        .mul(lanes, z_inverse)
        .to_words(lanes)
        .map(Vector::store);
    // xy = T/Z
    let xy = points
        .x
        .mul(lanes, points.y)
        .to_words(lanes)
        .map(Vector::store);
    let tz = points
        .t
        .mul(lanes, points.z)
        .to_words(lanes)
        .map(Vector::store);
    assert_eq!(xy, tz);
    std::array::from_fn(|l| {
        let mut bytes = [0; 32];
        for (chunk, row) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(y) {
            *chunk = row[l].to_le_bytes();
        }
        bytes[31] |= x[0][l].to_le_bytes()[0] << 7;
        bytes
    })
}

fn comb(point: EdwardsPoint, bits: u8) -> Comb {
    let point = Affine::decode(&point.compress().0).expect("a point");
    Comb::new(&point, Width::new(bits).expect("a width"))
}

fn words(scalar: Scalar) -> [u64; 4] {
    let bytes = scalar.to_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|k| u64::from_le_bytes(words[k]))
}

on_every_lanes! {
    sums_of_entries_are_those_of_dalek(lanes) {
        let mut noise = Noise(16);
        let points = [
            ED25519_BASEPOINT_POINT,
            ED25519_BASEPOINT_POINT * Scalar::from(7_u8) + EIGHT_TORSION[1],
            EIGHT_TORSION[3],
            EIGHT_TORSION[4],
            EdwardsPoint::default(),
        ];
        for width in [4, 5, 8, 11] {
            let combs = points.map(|point| comb(point, width));
            for round in 0..6 {
                let scalars: [Scalar; 8] = std::array::from_fn(|l| match (round, l) {
                    (0, 0) => Scalar::ZERO,
                    (0, 1) => Scalar::ONE,
                    (0, 2) => -Scalar::ONE,
                    _ => Scalar::from_bytes_mod_order_wide(&noise.array()),
                });
                let chosen: [usize; 8] = std::array::from_fn(|_| noise.below(5));
                let vectors = scalars.map(words);
                let mut lookups = Lookups::new();
                lookups.add(
                    lanes,
                    std::array::from_fn(|k| lanes.load(&vectors.map(|words| words[k]))),
                    chosen.map(|pick| &combs[pick]),
                );
                let sums = encodings(lanes, sum(lanes, lookups.rows()));
                for l in 0..8 {
                    // dalek's own product takes a scalar modulo L; the torsion needs the integer.
                    let expected = integer_times(scalars[l], points[chosen[l]]);
                    assert_eq!(sums[l], expected.compress().to_bytes());
                }
            }
        }
    }

    the_sum_across_is_in_every_lane(lanes) {
        let mut noise = Noise(17);
        let point = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        let comb = comb(point, 6);
        for _ in 0..20 {
            let scalar = Scalar::from_bytes_mod_order_wide(&noise.array());
            let mut lookups = Lookups::new();
            let below_l = scalar::Scalar::from_canonical(scalar.as_bytes()).expect("below L");
            lookups.deal(&below_l, &comb);
            let sums = encodings(lanes, sum(lanes, lookups.rows()).across(lanes));
            assert_eq!(sums, [integer_times(scalar, point).compress().to_bytes(); 8]);
        }
    }

    nothing_adds_up_to_the_identity(lanes) {
        let identity = EdwardsPoint::default().compress().to_bytes();
        assert_eq!(encodings(lanes, sum(lanes, &[])), [identity; 8]);
    }
}

/// Doublings and additions, bit by bit.
fn integer_times(scalar: Scalar, point: EdwardsPoint) -> EdwardsPoint {
    let words = words(scalar);
    (0..256).rev().fold(EdwardsPoint::default(), |sum, bit| {
        let doubled = sum + sum;
        if (words[bit / 64] >> (bit % 64)) & 1 == 1 {
            doubled + point
        } else {
            doubled
        }
    })
}
