//! Integers modulo p = 2²⁵⁵ − 19, in five limbs of 51 bits.
//!
//! ```text
//! value = l₀ + l₁·2⁵¹ + l₂·2¹⁰² + l₃·2¹⁵³ + l₄·2²⁰⁴  (mod p)
//! ```
//!
//! Two types carry the bounds, so that no sum of sums can slip into a product:
//!
//! | type | every limb is | comes from |
//! |---|---|---|
//! | [`Element`] | < 2⁵¹ + 2¹³ | bytes, products |
//! | [`Sum`] | < 2⁵⁴ | sums and differences; a product takes it |
//!
//! Nothing here runs in constant time: a verifier sees public data only.

use std::ops::{Add, Mul, Sub};

use crate::inverse::inverse;

const LOW_51: u64 = (1 << 51) - 1;

/// 2p, limb by limb. Each limb is above every limb of an [`Element`], so `limb + TWICE_P - element` is never negative.
const TWICE_P: [u64; 5] = [
    2 * (LOW_51 - 18),
    2 * LOW_51,
    2 * LOW_51,
    2 * LOW_51,
    2 * LOW_51,
];

/// A residue whose limbs are below 2⁵¹ + 2¹³. It is below 2p, yet not the only form of its value.
#[derive(Clone, Copy, Debug)]
pub struct Element(pub(crate) [u64; 5]);

/// A residue whose limbs are below 2⁵⁴: what a product takes.
#[derive(Clone, Copy, Debug)]
pub struct Sum([u64; 5]);

impl Element {
    /// 0.
    pub const ZERO: Self = Self([0; 5]);
    /// 1.
    pub const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// Limbs below 2⁵⁴, carried.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[must_use]
    pub(crate) fn from_limbs(limbs: [u64; 5]) -> Self {
        Sum(limbs).carry()
    }

    /// Read 255 bits, little-endian. Bit 255 is not read, and p and above are read modulo p.
    #[inline(always)]
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; 32]) -> Self {
        let [w0, w1, w2, w3] = words(bytes);
        Self([
            w0 & LOW_51,
            ((w0 >> 51) | (w1 << 13)) & LOW_51,
            ((w1 >> 38) | (w2 << 26)) & LOW_51,
            ((w2 >> 25) | (w3 << 39)) & LOW_51,
            (w3 >> 12) & LOW_51,
        ])
    }

    /// The canonical 32 bytes: the residue below p, little-endian.
    #[inline]
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        let [l0, l1, l2, l3, l4] = self.0;
        // The value is below (2⁵¹ + 2¹³)·(1 + 2⁵¹ + … + 2²⁰⁴) < 2p, so p fits in it once or not at all:
        // once exactly when value + 19 reaches 2²⁵⁵.
        let mut fits = (l0 + 19) >> 51;
        fits = (l1 + fits) >> 51;
        fits = (l2 + fits) >> 51;
        fits = (l3 + fits) >> 51;
        fits = (l4 + fits) >> 51;

        let l0 = l0 + 19 * fits;
        let l1 = l1 + (l0 >> 51);
        let l2 = l2 + (l1 >> 51);
        let l3 = l3 + (l2 >> 51);
        let l4 = l4 + (l3 >> 51);
        let (l0, l1, l2, l3) = (l0 & LOW_51, l1 & LOW_51, l2 & LOW_51, l3 & LOW_51);
        let l4 = l4 & LOW_51; // drops 2²⁵⁵: with the 19 above, p
        bytes([
            l0 | (l1 << 51),
            (l1 >> 13) | (l2 << 38),
            (l2 >> 26) | (l3 << 25),
            (l3 >> 39) | (l4 << 12),
        ])
    }

    /// −self.
    #[inline]
    #[must_use]
    pub fn negate(self) -> Self {
        (Self::ZERO - self).carry()
    }

    /// self².
    #[inline(always)]
    #[must_use]
    pub fn square(self) -> Self {
        // Below, a limb counts as the < 2⁵² it is.
        let [a0, a1, a2, a3, a4] = self.0;
        let (d0, d1, d2, d3) = (2 * a0, 2 * a1, 2 * a2, 2 * a3); // < 2⁵³
        let (a3_19, a4_19) = (19 * a3, 19 * a4); // < 2⁵⁷
        reduce([
            wide(a0, a0) + wide(d1, a4_19) + wide(d2, a3_19), // < 2¹¹²
            wide(d0, a1) + wide(d2, a4_19) + wide(a3, a3_19),
            wide(d0, a2) + wide(a1, a1) + wide(d3, a4_19),
            wide(d0, a3) + wide(d1, a2) + wide(a4, a4_19),
            wide(d0, a4) + wide(d1, a3) + wide(a2, a2), // < 2¹⁰⁸, as `reduce` asks of the top
        ])
    }

    /// 1/self; 0 for 0.
    #[must_use]
    pub fn invert(self) -> Self {
        Self::from_bytes(&bytes(inverse(words(&self.to_bytes()))))
    }

    /// self to the power (p − 5)/8, the core of a square root.
    #[must_use]
    pub(crate) fn power_p58(self) -> Self {
        let to_2 = self.square();
        let to_9 = to_2.square_times(2) * self;
        let to_11 = to_9 * to_2;
        let ones_5 = to_11.square() * to_9; // 2⁵ − 1 = 22 + 9
        let ones_10 = ones_5.square_times(5) * ones_5;
        let ones_20 = ones_10.square_times(10) * ones_10;
        let ones_40 = ones_20.square_times(20) * ones_20;
        let ones_50 = ones_40.square_times(10) * ones_10;
        let ones_100 = ones_50.square_times(50) * ones_50;
        let ones_200 = ones_100.square_times(100) * ones_100;
        let all_ones = ones_200.square_times(50) * ones_50;
        all_ones.square_times(2) * self // (2²⁵⁰ − 1)·2² + 1
    }

    fn square_times(self, times: u32) -> Self {
        (0..times).fold(self, |power, _| power.square())
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Element {}

impl From<Element> for Sum {
    #[inline(always)]
    fn from(element: Element) -> Self {
        Self(element.0)
    }
}

impl Add for Element {
    type Output = Sum;

    /// Limbs < 2⁵² + 2¹⁴.
    #[inline(always)]
    fn add(self, other: Self) -> Sum {
        Sum(limbs(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for Element {
    type Output = Sum;

    /// Limbs < 2⁵¹ + 2¹³ + 2⁵².
    #[inline(always)]
    fn sub(self, other: Self) -> Sum {
        Sum(limbs(|i| self.0[i] + TWICE_P[i] - other.0[i]))
    }
}

impl Sum {
    /// Twice an element, plus another: limbs < 3·2⁵¹ + 3·2¹³ < 2⁵³.
    #[inline(always)]
    #[must_use]
    pub(crate) fn twice_plus(doubled: Element, other: Element) -> Self {
        Self(limbs(|i| 2 * doubled.0[i] + other.0[i]))
    }

    /// Twice an element, less another: limbs < 2⁵² + 2¹⁴ + 2⁵² < 2⁵⁴.
    #[inline(always)]
    #[must_use]
    pub(crate) fn twice_less(doubled: Element, other: Element) -> Self {
        Self(limbs(|i| 2 * doubled.0[i] + TWICE_P[i] - other.0[i]))
    }

    /// The same residue as an [`Element`].
    #[inline]
    #[must_use]
    pub fn carry(self) -> Element {
        reduce(self.0.map(u128::from))
    }
}

impl<T: Into<Sum>> Mul<T> for Element {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: T) -> Self {
        Sum::from(self) * other
    }
}

impl<T: Into<Self>> Mul<T> for Sum {
    type Output = Element;

    #[inline(always)]
    fn mul(self, other: T) -> Element {
        let [a0, a1, a2, a3, a4] = self.0;
        let [b0, b1, b2, b3, b4] = other.into().0;
        // 2²⁵⁵ = 19: what leaves at the top comes back 19 times. 19·2⁵⁴ < 2⁵⁹ fits.
        let (b1_19, b2_19, b3_19, b4_19) = (19 * b1, 19 * b2, 19 * b3, 19 * b4);
        reduce([
            // At most 1 + 4·19 = 77 times 2¹⁰⁸, so < 2¹¹⁵.
            wide(a0, b0) + wide(a1, b4_19) + wide(a2, b3_19) + wide(a3, b2_19) + wide(a4, b1_19),
            wide(a0, b1) + wide(a1, b0) + wide(a2, b4_19) + wide(a3, b3_19) + wide(a4, b2_19),
            wide(a0, b2) + wide(a1, b1) + wide(a2, b0) + wide(a3, b4_19) + wide(a4, b3_19),
            wide(a0, b3) + wide(a1, b2) + wide(a2, b1) + wide(a3, b0) + wide(a4, b4_19),
            // Five times 2¹⁰⁸.
            wide(a0, b4) + wide(a1, b3) + wide(a2, b2) + wide(a3, b1) + wide(a4, b0),
        ])
    }
}

/// One pass of carries: limbs < 2¹¹⁵, the top one ≤ 5·2¹⁰⁸, become an [`Element`].
#[inline(always)]
fn reduce(product: [u128; 5]) -> Element {
    let [p0, p1, p2, p3, p4] = product;
    // Every carry is < 2¹¹⁵ / 2⁵¹ = 2⁶⁴ and fits a word.
    let p1 = p1 + (p0 >> 51);
    let p2 = p2 + (p1 >> 51);
    let p3 = p3 + (p2 >> 51);
    let p4 = p4 + (p3 >> 51);
    // The last one is < (5·2¹⁰⁸ + 2⁶⁴) / 2⁵¹ < 2⁵⁹·³³; 19 times that and a limb are < 2⁶³·⁶.
    let l0 = low(p0) + 19 * word(p4 >> 51);
    let l1 = low(p1) + (l0 >> 51); // < 2⁵¹ + 2¹²·⁶
    Element([l0 & LOW_51, l1, low(p2), low(p3), low(p4)])
}

#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the callers' bounds are < 2⁶⁴"
)]
fn word(carry: u128) -> u64 {
    debug_assert!(carry >> 64 == 0);
    carry as u64
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 51 bits are what is wanted"
)]
fn low(limb: u128) -> u64 {
    limb as u64 & LOW_51
}

#[inline(always)]
fn limbs(limb: impl Fn(usize) -> u64) -> [u64; 5] {
    [limb(0), limb(1), limb(2), limb(3), limb(4)]
}

/// 32 bytes as four words, little-endian.
#[inline(always)]
pub(crate) const fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (parts, _) = bytes.as_chunks::<8>();
    [
        u64::from_le_bytes(parts[0]),
        u64::from_le_bytes(parts[1]),
        u64::from_le_bytes(parts[2]),
        u64::from_le_bytes(parts[3]),
    ]
}

#[inline]
const fn bytes(words: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (parts, _) = bytes.as_chunks_mut::<8>();
    parts[0] = words[0].to_le_bytes();
    parts[1] = words[1].to_le_bytes();
    parts[2] = words[2].to_le_bytes();
    parts[3] = words[3].to_le_bytes();
    bytes
}

#[cfg(test)]
mod tests;
