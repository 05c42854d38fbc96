use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};

use super::*;
use crate::comb::windows;
use crate::invert8::invert;
use crate::lanes::{Vector, on_every_lanes};
use crate::lookups::Lookups;
use crate::test_random::Random;
use crate::test_tables::Table;

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
    core::array::from_fn(|l| {
        let mut bytes = [0; 32];
        for (chunk, row) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(y) {
            *chunk = row[l].to_le_bytes();
        }
        bytes[31] |= x[0][l].to_le_bytes()[0] << 7;
        bytes
    })
}

fn words(scalar: Scalar) -> [u64; 4] {
    let bytes = scalar.to_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|k| u64::from_le_bytes(words[k]))
}

on_every_lanes! {
    sums_of_entries_are_those_of_dalek(lanes) {
        let mut random = Random(16);
        let points = [
            ED25519_BASEPOINT_POINT,
            ED25519_BASEPOINT_POINT * Scalar::from(7_u8) + EIGHT_TORSION[1],
            EIGHT_TORSION[3],
            EIGHT_TORSION[4],
            EdwardsPoint::default(),
        ];
        for width in [4, 5, 8, 11] {
            let tables = points.map(|point| Table::new(point, width));
            for round in 0..6 {
                let scalars: [Scalar; 8] = core::array::from_fn(|l| match (round, l) {
                    (0, 0) => Scalar::ZERO,
                    (0, 1) => Scalar::ONE,
                    (0, 2) => -Scalar::ONE,
                    _ => Scalar::from_bytes_mod_order_wide(&random.bytes()),
                });
                let chosen: [usize; 8] = core::array::from_fn(|_| random.index(5));
                let vectors = scalars.map(words);
                let mut lookups = Lookups::new(tables[0].comb().identity());
                lookups.add(
                    lanes,
                    core::array::from_fn(|k| lanes.load(&vectors.map(|words| words[k]))),
                    &chosen.map(|pick| tables[pick].comb()),
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
        let mut random = Random(17);
        let point = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        let table = Table::new(point, 6);
        for _ in 0..20 {
            let scalar = Scalar::from_bytes_mod_order_wide(&random.bytes());
            let mut lookups = Lookups::new(table.comb().identity());
            lookups.deal(words(scalar), table.comb());
            assert_eq!(lookups.rows().len(), windows(6).div_ceil(8));
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
