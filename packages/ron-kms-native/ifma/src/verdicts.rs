//! The comparison that decides.

use crate::field8::Field8;
use crate::lanes::{Lanes, Mask, Vector};
use crate::point8::Point8;

/// The y coordinates of the eight points of small order, in words.
const SMALL_ORDER_Y: [[u64; 4]; 5] = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0xffff_ffff_ffff_ffec, u64::MAX, u64::MAX, u64::MAX >> 1], // −1
    [
        0x4fd8_4d3d_706a_17c7,
        0x0f67_100d_760b_3cba,
        0xc6cc_392c_fa53_202a,
        0x7a03_ac92_77fd_c74e,
    ],
    [
        0xb027_b2c2_8f95_e826,
        0xf098_eff2_89f4_c345,
        0x3933_c6d3_05ac_dfd5,
        0x05fc_536d_8802_38b1,
    ],
];

/// The lanes in which `points` encodes to `expected` (words) and is not of small order.
#[inline(always)]
pub fn matches<L: Lanes>(
    lanes: L,
    points: &Point8<L>,
    z_inverse: Field8<L>,
    expected: [L::Vector; 4],
) -> Mask {
    let [sign, ..] = points.x.mul(lanes, z_inverse).to_words(lanes);
    let [y0, y1, y2, y3] = points.y.mul(lanes, z_inverse).to_words(lanes);
    let mut small = 0;
    for order in &SMALL_ORDER_Y {
        let first = y0.equals(lanes.splat(order[0]));
        // Almost never: only an R of small order agrees in 64 bits.
        if first != 0 {
            small |= first
                & y1.equals(lanes.splat(order[1]))
                & y2.equals(lanes.splat(order[2]))
                & y3.equals(lanes.splat(order[3]));
        }
    }
    // RFC 8032 §5.1.2: the lowest bit of x above the 255 bits of y.
    let y3 = y3 | sign.shl::<63>();
    let [r0, r1, r2, r3] = expected;
    !small & y0.equals(r0) & y1.equals(r1) & y2.equals(r2) & y3.equals(r3)
}
