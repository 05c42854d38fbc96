//! Eight elements of GF(2²⁵⁵ − 19), five limbs of 51 bits each.
//!
//! IFMA reads the low 52 bits of a factor and silently drops the rest, so a sum of two carried elements
//! is no factor. A product therefore stays uncarried, sums and differences are formed on the raw
//! limbs, and one carry comes after the sum. The two types keep these apart:
//!
//! | type | limbs | what it can do |
//! |---|---|---|
//! | `Field8` | < 2⁵¹ + 2¹⁵·³ | be a factor |
//! | `Wide8` | < 2⁶² | be added, subtracted, carried |
//!
//! Why 2¹⁵·³: a carry out of a limb below 2⁶² is below 2¹¹, and 19·2¹¹ < 2¹⁵·³.

use super::lanes::{Lanes, Vector};

/// Carried: every limb < 2⁵¹ + 2¹⁵·³.
#[derive(Clone, Copy)]
pub struct Field8<L: Lanes>([L::Vector; 5]);

/// Not carried: every limb < 2⁶².
#[derive(Clone, Copy)]
pub struct Wide8<L: Lanes>([L::Vector; 5]);

const LOW_51: u64 = (1 << 51) - 1;

/// 512·p, limb by limb: 2⁶⁰ − 9728, then 2⁶⁰ − 512. More than any limb of an unbiased product, so that
/// what is subtracted from a biased one leaves every limb positive.
const BIAS: [u64; 5] = [
    512 * ((1 << 51) - 19),
    512 * LOW_51,
    512 * LOW_51,
    512 * LOW_51,
    512 * LOW_51,
];

/// The expression for each limb, in an array. Straight lines, whatever the optimizer thinks of loops.
macro_rules! limbs {
    (|$i:ident| $limb:expr) => {
        [
            limbs!(@ $i 0 $limb),
            limbs!(@ $i 1 $limb),
            limbs!(@ $i 2 $limb),
            limbs!(@ $i 3 $limb),
            limbs!(@ $i 4 $limb),
        ]
    };
    (@ $i:ident $index:literal $limb:expr) => {{
        const $i: usize = $index;
        $limb
    }};
}

impl<L: Lanes> Field8<L> {
    /// `limbs` in every lane; each < 2⁵¹.
    #[inline(always)]
    pub(crate) fn constant(lanes: L, limbs: &[u64; 5]) -> Self {
        Self(limbs!(|I| lanes.splat(limbs[I])))
    }

    /// 1 in every lane.
    #[inline(always)]
    pub fn one(lanes: L) -> Self {
        Self::constant(lanes, &[1, 0, 0, 0, 0])
    }

    /// 256-bit numbers, of which bit 255 is kept: limb 4 < 2⁵², the others < 2⁵¹. For canonical
    /// coordinates, as in a table, limb 4 < 2⁵¹.
    #[inline(always)]
    pub fn from_words(lanes: L, words: [L::Vector; 4]) -> Self {
        let low_51 = lanes.splat(LOW_51);
        let [w0, w1, w2, w3] = words;
        Self([
            w0 & low_51,
            w0.funnel::<51>(w1) & low_51,
            w1.funnel::<38>(w2) & low_51,
            w2.funnel::<25>(w3) & low_51,
            w3.shr::<12>(),
        ])
    }

    /// The canonical representative, in 64-bit words.
    #[inline(always)]
    pub fn to_words(self, lanes: L) -> [L::Vector; 4] {
        let low_51 = lanes.splat(LOW_51);
        let nineteen = lanes.splat(19);
        let [a0, a1, a2, a3, a4] = self.0;
        // The value is below 2p, so the quotient by p is 0 or 1: it is bit 255 of value + 19.
        let mut quotient = (a0 + nineteen).shr::<51>();
        quotient = (a1 + quotient).shr::<51>();
        quotient = (a2 + quotient).shr::<51>();
        quotient = (a3 + quotient).shr::<51>();
        quotient = (a4 + quotient).shr::<51>();
        // − quotient·p = quotient·19 − quotient·2²⁵⁵; the last mask drops the 2²⁵⁵.
        let a0 = a0.madd_lo(quotient, nineteen);
        let a1 = a1 + a0.shr::<51>();
        let a2 = a2 + a1.shr::<51>();
        let a3 = a3 + a2.shr::<51>();
        let a4 = a4 + a3.shr::<51>();
        let [a0, a1, a2] = [a0 & low_51, a1 & low_51, a2 & low_51];
        let [a3, a4] = [a3 & low_51, a4 & low_51];
        [
            a0 | a1.shl::<51>(),
            a1.shr::<13>() | a2.shl::<38>(),
            a2.shr::<26>() | a3.shl::<25>(),
            a3.shr::<39>() | a4.shl::<12>(),
        ]
    }

    /// `self·other`, every limb < 2⁵⁸·⁹⁷.
    #[inline(always)]
    pub fn times(self, lanes: L, other: Self) -> Wide8<L> {
        let zero = lanes.splat(0);
        self.accumulate(lanes, other, [zero; 5])
    }

    /// `self·other + 512·p`, every limb between 2⁶⁰ − 2¹⁴ and 2⁶⁰ + 2⁵⁸·⁹⁷. The bias costs nothing: the
    /// accumulators start with it.
    #[inline(always)]
    pub fn times_biased(self, lanes: L, other: Self) -> Wide8<L> {
        // Accumulators 1 to 4 are doubled on the way, and 512·(2⁵¹ − 1) is even.
        let first = lanes.splat(BIAS[0]);
        let half = lanes.splat(BIAS[1] / 2);
        self.accumulate(lanes, other, [first, half, half, half, half])
    }

    /// `self·other`, carried.
    #[inline(always)]
    #[must_use]
    pub fn mul(self, lanes: L, other: Self) -> Self {
        self.times(lanes, other).carry(lanes)
    }

    /// `self·other` + 2·`bias` (1·`bias` for limb 0), in ten columns of 51 bits.
    ///
    /// Limbs < 2⁵¹ + 2¹⁵·³ make low halves < 2⁵² and high halves < 2⁵⁰ + 2¹⁵·⁴. A high half weighs 2⁵²,
    /// that is 2·2⁵¹: it counts twice in the column above. Column `k` thus holds at most
    /// `n(k)·2⁵² + n(k−1)·(2⁵¹ + 2¹⁶·⁴)` with `n` = 1, 2, 3, 4, 5, 4, 3, 2, 1. Folding column `k + 5`
    /// into `k` with 19, limb 0 is the largest: 2⁵²·(1 + 19·(4 + 5/2)) = 124.5·2⁵² < 2⁵⁸·⁹⁷.
    #[inline(always)]
    fn accumulate(self, lanes: L, other: Self, bias: [L::Vector; 5]) -> Wide8<L> {
        let (a, b) = (self.0, other.0);
        let zero = lanes.splat(0);
        let [t0, t1, t2, t3, t4] = bias;
        let mut t = [t0, t1, t2, t3, t4, zero, zero, zero, zero, zero];
        macro_rules! high {
            ($($i:literal * $j:literal),*) => {
                $(t[$i + $j + 1] = t[$i + $j + 1].madd_hi(a[$i], b[$j]);)*
            };
        }
        macro_rules! low {
            ($($i:literal * $j:literal),*) => {
                $(t[$i + $j] = t[$i + $j].madd_lo(a[$i], b[$j]);)*
            };
        }
        macro_rules! double {
            ($($k:literal),*) => {
                $(t[$k] = t[$k] + t[$k];)*
            };
        }
        // The order keeps products of one column apart, for the unit takes four cycles and starts one
        // in each; and the columns that 19 folds come first, so that the folding is not waited for.
        high!(
            0 * 4,
            1 * 4,
            2 * 4,
            3 * 4,
            4 * 4,
            1 * 3,
            2 * 3,
            3 * 3,
            4 * 3
        );
        high!(
            2 * 2,
            3 * 2,
            4 * 2,
            0 * 3,
            0 * 2,
            3 * 1,
            4 * 1,
            1 * 2,
            1 * 1,
            0 * 1
        );
        high!(4 * 0, 2 * 1, 2 * 0, 1 * 0, 0 * 0, 3 * 0);
        double!(5, 6, 7, 8, 9);
        low!(
            1 * 4,
            2 * 4,
            3 * 4,
            4 * 4,
            2 * 3,
            3 * 3,
            4 * 3,
            3 * 2,
            4 * 2,
            4 * 1
        );
        double!(1, 2, 3, 4);
        let nineteen = lanes.splat(19);
        let folded = limbs!(|I| t[I + 5].mul_lo(nineteen));
        low!(
            0 * 4,
            0 * 3,
            0 * 2,
            0 * 1,
            0 * 0,
            1 * 3,
            1 * 2,
            1 * 1,
            1 * 0
        );
        low!(2 * 2, 2 * 1, 2 * 0, 3 * 1, 3 * 0, 4 * 0);
        Wide8(limbs!(|I| t[I] + folded[I]))
    }

    /// The same limbs; each < 2⁵¹ + 2¹⁵·³.
    #[inline(always)]
    pub fn wide(self) -> Wide8<L> {
        Wide8(self.0)
    }

    /// Lane `l` receives lane `l ^ DISTANCE`.
    #[inline(always)]
    #[must_use]
    pub fn exchange<const DISTANCE: usize>(self) -> Self {
        Self(limbs!(|I| self.0[I].exchange::<DISTANCE>()))
    }
}

impl<L: Lanes> Wide8<L> {
    /// 512·p + `x` in every lane, for an `x` < 2⁵¹.
    #[inline(always)]
    pub fn biased(lanes: L, x: u64) -> Self {
        let bias = limbs!(|I| lanes.splat(BIAS[I]));
        let [t0, t1, t2, t3, t4] = bias;
        Self([t0 + lanes.splat(x), t1, t2, t3, t4])
    }

    /// The sum. The caller sees to it that every limb stays < 2⁶².
    #[inline(always)]
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(limbs!(|I| self.0[I] + other.0[I]))
    }

    /// The difference. The caller sees to it that no limb of `other` exceeds its partner.
    #[inline(always)]
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(limbs!(|I| self.0[I] - other.0[I]))
    }

    /// All five carries at once. Limbs < 2⁶² carry less than 2¹¹, so the result is < 2⁵¹ + 2¹⁵·³.
    #[inline(always)]
    pub fn carry(self, lanes: L) -> Field8<L> {
        let low_51 = lanes.splat(LOW_51);
        let kept = limbs!(|I| self.0[I] & low_51);
        let [c0, c1, c2, c3, c4] = limbs!(|I| self.0[I].shr::<51>());
        let [k0, k1, k2, k3, k4] = kept;
        Field8([
            k0.madd_lo(c4, lanes.splat(19)),
            k1 + c0,
            k2 + c1,
            k3 + c2,
            k4 + c3,
        ])
    }
}

#[cfg(test)]
mod tests;
