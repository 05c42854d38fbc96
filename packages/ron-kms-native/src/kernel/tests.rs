//! Kernels that give sums against dalek, at the ends of scalars and on every kind of point.

use curve25519_dalek::{EdwardsPoint, Scalar as Wide, constants};

#[cfg(target_arch = "x86_64")]
use super::{Path, avx2};
use super::{Prepared, portable};
use crate::{
    point::{Affine, Projective},
    recoding::Width,
    scalar::Scalar,
    tables::Comb,
};

const BASE: EdwardsPoint = constants::ED25519_BASEPOINT_POINT;

fn scalars() -> Vec<Wide> {
    let mut scalars = vec![
        Wide::ZERO,
        Wide::ONE,
        -Wide::ONE, // L − 1
        -Wide::from(8u8),
    ];
    for byte in [0x11, 0x55, 0x7f, 0x80, 0x88, 0xaa, 0xff] {
        let mut pattern = [byte; 32];
        pattern[31] &= 0x0f;
        scalars.push(Wide::from_bytes_mod_order(pattern));
    }
    let mut power = Wide::ONE;
    for _ in 0..=252 {
        power += power;
        scalars.push(power);
    }
    scalars
}

fn ours(scalar: &Wide) -> Scalar {
    Scalar::from_canonical(scalar.as_bytes()).expect("below L")
}

type Sums = fn(&[Prepared]) -> Vec<Projective>;

fn kernels() -> Vec<Sums> {
    let kernels: [Option<Sums>; _] = [
        Some(portable::sums),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the path is there only where the processor has both.
        Path::named("avx2").map(|_| -> Sums { |items| unsafe { avx2::sums(items) } }),
    ];
    kernels.into_iter().flatten().collect()
}

#[test]
fn every_kernel_and_width_sums_as_dalek_does() {
    let torsion = constants::EIGHT_TORSION[1];
    // −A as it may be, and as no key is: the kernel is complete anyway.
    let points = [
        BASE,
        -BASE,
        BASE * Wide::from(1_000_003u32) + torsion,
        torsion,
        EdwardsPoint::default(),
    ];
    let scalars = scalars();
    for (i, width) in Width::all().enumerate() {
        let point = points[i % points.len()];
        let other = points[(i + 2) % points.len()];
        let comb = |point: EdwardsPoint, width| {
            Comb::new(
                &Affine::decode(&point.compress().0).expect("a point"),
                width,
            )
        };
        let combs = [comb(point, width), comb(other, Width::MIN)];
        let mut items = Vec::new();
        let mut expected = Vec::new();
        for (j, s) in scalars.iter().enumerate() {
            let h = &scalars[(j * 7 + i) % scalars.len()];
            let which = usize::from(j % 11 > 6);
            items.push(Prepared {
                s: ours(s),
                h: ours(h),
                key: &combs[which],
            });
            expected.push((BASE * s + [point, other][which] * h).compress().0);
        }
        for (kernel, sums_of) in kernels().into_iter().enumerate() {
            for batch in [1, 2, 3, 5, items.len()] {
                let mut sums = Vec::new();
                for items in items.chunks(batch) {
                    sums.extend(sums_of(items));
                }
                let sums: Vec<[u8; 32]> = Projective::to_affine(&sums)
                    .iter()
                    .map(Affine::encode)
                    .collect();
                assert_eq!(sums, expected, "{kernel} at {width:?}, by {batch}");
            }
        }
    }
}
