//! The inverses of eight elements for the price of one.

use super::{
    field::Field8,
    lanes::{Lanes, Vector},
};
use crate::inverse::inverse;

/// 1/z in each lane; all zero if one of them is zero.
///
/// Three rounds of products with the lane at distance 1, 2 and 4 leave the product of all eight in
/// every lane; its inverse, times what the partners brought, is each lane's own.
#[inline(always)]
pub fn invert<L: Lanes>(lanes: L, z: Field8<L>) -> Field8<L> {
    let neighbour = z.exchange::<1>();
    let of_two = z.mul(lanes, neighbour);
    let other_two = of_two.exchange::<2>();
    let of_four = of_two.mul(lanes, other_two);
    let other_four = of_four.exchange::<4>();
    let of_eight = of_four.mul(lanes, other_four);
    invert_first(lanes, of_eight)
        .mul(lanes, other_four)
        .mul(lanes, other_two)
        .mul(lanes, neighbour)
}

/// The inverse of lane 0, in every lane; zero for zero.
#[inline(always)]
pub fn invert_first<L: Lanes>(lanes: L, z: Field8<L>) -> Field8<L> {
    let [w0, w1, w2, w3] = z.to_words(lanes);
    let first = [w0.store()[0], w1.store()[0], w2.store()[0], w3.store()[0]];
    let [w0, w1, w2, w3] = inverse(first);
    let words = [
        lanes.splat(w0),
        lanes.splat(w1),
        lanes.splat(w2),
        lanes.splat(w3),
    ];
    Field8::from_words(lanes, words)
}

#[cfg(test)]
mod tests;
