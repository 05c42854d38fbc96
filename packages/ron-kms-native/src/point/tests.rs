//! Points against dalek's.

use curve25519_dalek::{EdwardsPoint, Scalar, constants, edwards::CompressedEdwardsY};

use super::{Affine, D, Element, Extended, Projective, SQRT_MINUS_ONE};

fn sums(points: &[EdwardsPoint]) -> Vec<EdwardsPoint> {
    let mut total = EdwardsPoint::default();
    points
        .iter()
        .map(|point| {
            total += point;
            total
        })
        .collect()
}

#[test]
fn the_constants_are_what_they_are_called() {
    let small = |value: u64| Element([value, 0, 0, 0, 0]);
    assert_eq!(D * small(121_666), small(121_665).negate());
    assert_eq!(SQRT_MINUS_ONE.square(), Element::ONE.negate());
}

#[test]
fn decoding_agrees_with_dalek_on_edges_and_noise() {
    let mut encodings = Vec::new();
    for low in 0..=255u8 {
        for high in [0x00, 0x7f, 0x80, 0xff] {
            for fill in [0x00, 0xff] {
                let mut bytes = [fill; 32];
                (bytes[0], bytes[31]) = (low, high);
                encodings.push(bytes);
            }
        }
    }
    encodings.extend(
        constants::EIGHT_TORSION
            .iter()
            .map(|point| point.compress().0),
    );
    for encoding in encodings {
        let ours = Affine::decode(&encoding).map(|point| point.encode());
        let theirs = CompressedEdwardsY(encoding)
            .decompress()
            .map(|point| point.compress().0);
        assert_eq!(ours, theirs, "{encoding:x?}");
    }
}

#[test]
fn additions_are_complete() {
    let base = constants::ED25519_BASEPOINT_POINT;
    let seven = base * Scalar::from(7u8);
    // Equal, opposite and neutral ones, every torsion point, and mixed orders, one after the other.
    let mut points = vec![base, base, -base, -base, seven, EdwardsPoint::default()];
    points.extend(constants::EIGHT_TORSION);
    points.extend(constants::EIGHT_TORSION.map(|torsion| seven + torsion));
    points.extend(constants::EIGHT_TORSION);

    let mut total = Extended::NEUTRAL;
    let mut ours: Vec<Projective> = Vec::new();
    for point in &points {
        let point = Affine::decode(&point.compress().0).expect("a point");
        total = total.add(&point.addend());
        ours.push(total.point);
    }
    let ours: Vec<[u8; 32]> = Projective::to_affine(&ours)
        .iter()
        .map(Affine::encode)
        .collect();
    let theirs: Vec<[u8; 32]> = sums(&points)
        .iter()
        .map(|point| point.compress().0)
        .collect();
    assert_eq!(ours, theirs);
}
