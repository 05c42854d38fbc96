//! Any 32 bytes as a point: decoded, encoded, added and divided as dalek does it.

#![no_main]

use curve25519_dalek::{
    EdwardsPoint,
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
};
use libfuzzer_sys::fuzz_target;
use ron_kms_native::point::{Affine, Extended, Projective};
use ron_kms_native_fuzz::Lot;

fuzz_target!(|data: &[u8]| {
    let mut lot = Lot(data);
    let mut theirs = EdwardsPoint::default();
    let mut ours = Extended::NEUTRAL;
    let mut sums: Vec<(Projective, EdwardsPoint)> = Vec::new();
    while !lot.is_empty() && sums.len() < 64 {
        let Some((point, dalek_s)) = point(&mut lot) else {
            continue;
        };
        let how = lot.byte();
        let (point, dalek_s) = if how & 1 == 1 {
            (point.negate(), -dalek_s)
        } else {
            (point, dalek_s)
        };
        ours = match how >> 1 & 3 {
            0 | 1 => ours.add(&point.addend()),
            2 => ours.plus(&Extended::from(point)),
            _ => ours.plus(&ours).add(&point.addend()),
        };
        theirs = if how >> 1 & 3 == 3 {
            theirs + theirs + dalek_s
        } else {
            theirs + dalek_s
        };
        sums.push((ours.point, theirs));
    }
    let divided: Vec<Projective> = sums.iter().map(|(sum, _)| *sum).collect();
    for (affine, (_, dalek_s)) in Projective::to_affine(&divided).iter().zip(&sums) {
        assert_eq!(affine.encode(), dalek_s.compress().0);
    }
});

/// A point of the input's choice, if both decoders find one; they find the same.
fn point(lot: &mut Lot) -> Option<(Affine, EdwardsPoint)> {
    let bytes = match lot.below(4) {
        0 => lot.array(),
        1 => lot.pick(&EIGHT_TORSION).compress().0,
        2 => {
            (ED25519_BASEPOINT_POINT + lot.pick(&EIGHT_TORSION))
                .compress()
                .0
        }
        _ => {
            let mut beyond_p = [0xff; 32];
            (beyond_p[0], beyond_p[31]) = (lot.byte(), lot.byte());
            beyond_p
        }
    };
    let (ours, theirs) = (
        Affine::decode(&bytes),
        CompressedEdwardsY(bytes).decompress(),
    );
    assert_eq!(ours.is_some(), theirs.is_some(), "{bytes:x?}");
    let (ours, theirs) = (ours?, theirs?);
    assert_eq!(ours.encode(), theirs.compress().0, "{bytes:x?}");
    Some((ours, theirs))
}
