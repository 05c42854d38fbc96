//! Eight points of the curve, and sums of table entries without doublings.
//!
//! Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z. The addition law is complete on this curve (a = −1
//! is a square, d is not), so there are no cases: Z is never 0, for identities and points of small
//! order neither.

use super::{
    field::{Field8, Wide8},
    lanes::{Lanes, Mask, Vector},
    lookups::Row,
};
use crate::point::D;

/// How many additions before its use an entry is fetched into the cache.
const FETCHED_AHEAD: usize = 3;

/// Eight points.
#[derive(Clone, Copy)]
pub struct Point8<L: Lanes> {
    pub x: Field8<L>,
    pub y: Field8<L>,
    pub z: Field8<L>,
    pub t: Field8<L>,
}

/// 1/d.
const D_INVERSE: [u64; 5] = [
    0x0000_f276_cdc9_f843,
    0x0003_084f_2a85_c4bc,
    0x0006_e73d_982d_775a,
    0x0007_2195_8b10_8a66,
    0x0004_0907_ed21_4d5c,
];

/// In each lane, the sum of its entries: seven products an entry.
#[inline(always)]
pub fn sum<L: Lanes>(lanes: L, rows: &[Row]) -> Point8<L> {
    lanes.outline(
        #[inline(always)]
        || total(lanes, rows),
    )
}

#[inline(always)]
fn total<L: Lanes>(lanes: L, rows: &[Row]) -> Point8<L> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return identity(lanes);
    };
    for row in rows.iter().take(FETCHED_AHEAD + 1) {
        lanes.prefetch(row.addresses());
    }
    let (mut x, mut y, mut z, mut t) = start(lanes, first);
    for (index, row) in rows.iter().enumerate().skip(1) {
        let ahead = rows.get(index + FETCHED_AHEAD).unwrap_or(last);
        lanes.prefetch(ahead.addresses());
        // In: x, t < 2^58.97; y, z between 2^60 − 2^14 and 2^60 + 2^58.97. Table limbs < 2^51.
        // The order below leaves every factor at least one product old when it is needed.
        let c = t.carry(lanes).times(lanes, load(lanes, row.product()));
        let a = y
            .minus(x)
            .carry(lanes)
            .times(lanes, load(lanes, row.minus()));
        let b = y
            .plus(x)
            .carry(lanes)
            .times_biased(lanes, load(lanes, row.plus()));
        let d = z.plus(z); // between 2^61 − 2^15 and 2^61 + 2^59.97
        let f = d.minus(c).carry(lanes);
        let g = d.plus(c).carry(lanes); // before the carry < 2^61 + 2^59.97 + 2^58.97 < 2^62
        z = f.times_biased(lanes, g);
        let e = b.minus(a).carry(lanes);
        let h = b.plus(a).carry(lanes); // before the carry < 2^60 + 2^59.97
        t = e.times(lanes, h);
        x = e.times(lanes, f);
        y = g.times_biased(lanes, h);
    }
    Point8 {
        x: x.carry(lanes),
        y: y.carry(lanes),
        z: z.carry(lanes),
        t: t.carry(lanes),
    }
}

/// The entries themselves as (2x : 2y : 2 : 2xy), within the bounds of the loop in `total`.
#[inline(always)]
fn start<L: Lanes>(lanes: L, row: &Row) -> (Wide8<L>, Wide8<L>, Wide8<L>, Wide8<L>) {
    let y_plus_x = load(lanes, row.plus()).wide();
    let y_minus_x = load(lanes, row.minus()).wide();
    let bias = Wide8::biased(lanes, 0);
    (
        bias.plus(y_plus_x).minus(y_minus_x).carry(lanes).wide(),
        bias.plus(y_plus_x).plus(y_minus_x),
        Wide8::biased(lanes, 2),
        load(lanes, row.product()).times(lanes, Field8::constant(lanes, &D_INVERSE)),
    )
}

#[inline(always)]
fn load<L: Lanes>(lanes: L, coordinates: [&[u8; 32]; 8]) -> Field8<L> {
    Field8::from_words(lanes, lanes.words(coordinates))
}

#[inline(always)]
fn identity<L: Lanes>(lanes: L) -> Point8<L> {
    let zero = Field8::constant(lanes, &[0; 5]);
    let one = Field8::one(lanes);
    Point8 {
        x: zero,
        y: one,
        z: one,
        t: zero,
    }
}

impl<L: Lanes> Point8<L> {
    /// The sum of all eight points, in every lane.
    #[inline(always)]
    #[must_use]
    pub fn across(self, lanes: L) -> Self {
        let pairs = self.plus_outlined(lanes, &self.exchange::<1>());
        let fours = pairs.plus_outlined(lanes, &pairs.exchange::<2>());
        fours.plus_outlined(lanes, &fours.exchange::<4>())
    }

    /// Three copies of nine products would only fill the instruction cache.
    #[inline(always)]
    fn plus_outlined(&self, lanes: L, other: &Self) -> Self {
        lanes.outline(
            #[inline(always)]
            || self.plus(lanes, *other),
        )
    }

    /// The sum, lane by lane.
    #[inline(always)]
    #[must_use]
    pub fn plus(self, lanes: L, other: Self) -> Self {
        let bias = Wide8::biased(lanes, 0);
        // Sums of two or three carried limbs and the bias: < 2^61.
        let [difference, sum] = [
            bias.plus(self.y.wide()).minus(self.x.wide()).carry(lanes),
            self.y.wide().plus(self.x.wide()).carry(lanes),
        ];
        let [other_difference, other_sum] = [
            bias.plus(other.y.wide()).minus(other.x.wide()).carry(lanes),
            other.y.wide().plus(other.x.wide()).carry(lanes),
        ];
        let a = difference.times(lanes, other_difference);
        let b = sum.times_biased(lanes, other_sum);
        let c = self.t.mul(lanes, other.t);
        let c = c.times(lanes, Field8::constant(lanes, &D.0));
        let c = c.plus(c); // < 2^59.97
        let d = self.z.times_biased(lanes, other.z);
        let d = d.plus(d); // between 2^61 − 2^15 and 2^61 + 2^59.97, so d + c < 2^61 + 2^60.97 < 2^62
        let e = b.minus(a).carry(lanes);
        let f = d.minus(c).carry(lanes);
        let g = d.plus(c).carry(lanes);
        let h = b.plus(a).carry(lanes);
        Self {
            x: e.mul(lanes, f),
            y: g.mul(lanes, h),
            z: f.mul(lanes, g),
            t: e.mul(lanes, h),
        }
    }

    /// The lanes in which the point, whose 1/Z is given, encodes to these bytes, in words (RFC 8032 §5.1.2).
    #[inline(always)]
    pub fn encodes_to(self, lanes: L, z_inverse: Field8<L>, expected: [L::Vector; 4]) -> Mask {
        let [sign, ..] = self.x.mul(lanes, z_inverse).to_words(lanes);
        let [y0, y1, y2, y3] = self.y.mul(lanes, z_inverse).to_words(lanes);
        let [r0, r1, r2, r3] = expected;
        let y3 = y3 | sign.shl::<63>(); // the lowest bit of x above the 255 bits of y
        y0.equals(r0) & y1.equals(r1) & y2.equals(r2) & y3.equals(r3)
    }

    /// Lane `l` receives lane `l ^ DISTANCE`.
    #[inline(always)]
    fn exchange<const DISTANCE: usize>(self) -> Self {
        Self {
            x: self.x.exchange::<DISTANCE>(),
            y: self.y.exchange::<DISTANCE>(),
            z: self.z.exchange::<DISTANCE>(),
            t: self.t.exchange::<DISTANCE>(),
        }
    }
}

#[cfg(test)]
mod tests;
