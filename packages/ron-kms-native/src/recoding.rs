//! Scalars to signed digits, one for each window of a comb.
//!
//! A digit of width w lies in −2^(w−1) … 2^(w−1), so that a table needs half the multiples. There is no carry
//! from digit to digit: 2^(w−1) is added to every window but the top one at once, as one constant, and taken
//! off again when the window is read:
//!
//! ```text
//! scalar + Σ 2^(w−1)·2^(wi) = Σ windowᵢ·2^(wi),   digitᵢ = windowᵢ − 2^(w−1)
//! ```
//!
//! The top window keeps what it is: below 2^(w−1) + 1, as the scalar is below L. For w = 11, whose 23 windows
//! are just 253 bits, it reaches 2¹⁰ only when bit 252 is set; the bits below, to 128, are then zero, and
//! no carry comes in.

use std::{array::IntoIter, iter::Take};

use crate::{field::words, scalar::Scalar};

/// Bits of a scalar: L is below 2²⁵³.
const SCALAR_BITS: u32 = 253;

/// How many bits a window of a comb has: 4 to 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Width(u8);

impl Width {
    /// The narrowest: 64 windows.
    pub const MIN: Self = Self(4);
    /// The widest: 22 windows.
    pub const MAX: Self = Self(12);

    /// A width of 4 to 12 bits, or `None`.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if Self::MIN.0 <= bits && bits <= Self::MAX.0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Every width, the narrowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::MIN.0..=Self::MAX.0).map(Self)
    }

    /// Bits in a window.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// Windows in a scalar: 64 for 4 bits, 32 for 8, 23 for 11, 22 for 12.
    #[must_use]
    pub const fn windows(self) -> usize {
        SCALAR_BITS.div_ceil(self.bits()) as usize
    }

    /// 2^(w−1), the largest digit.
    #[must_use]
    pub const fn half(self) -> usize {
        1 << (self.0 - 1)
    }

    /// Σ 2^(w−1)·2^(wi) over all windows but the top one. Its highest bit is below 252.
    pub(crate) const fn offset(self) -> [u64; 4] {
        let mut offset = [0; 4];
        let mut bit = self.bits() - 1;
        let mut window = 1;
        while window < self.windows() {
            offset[(bit / 64) as usize] |= 1 << (bit % 64);
            bit += self.bits();
            window += 1;
        }
        offset
    }
}

/// Most windows any width has.
const WINDOWS_MAX: usize = Width::MIN.windows();

/// The digits of one scalar, the lowest window first.
#[derive(Clone, Debug)]
pub struct Digits {
    digits: [i16; WINDOWS_MAX],
    windows: usize,
}

impl Digits {
    /// The digits of `scalar` in windows of `width`.
    #[inline]
    #[must_use]
    pub fn new(scalar: &Scalar, width: Width) -> Self {
        const MEDIUM: Width = Width(8);
        const WIDE: Width = Width(11);
        // The same function three times: with a width known beforehand it is a few shifts a digit.
        match width {
            MEDIUM => Self::read(scalar, MEDIUM),
            WIDE => Self::read(scalar, WIDE),
            _ => Self::read(scalar, width),
        }
    }

    #[inline(always)]
    fn read(scalar: &Scalar, width: Width) -> Self {
        let [w0, w1, w2, w3] = plus(words(scalar.as_bytes()), width.offset());
        let words = [w0, w1, w2, w3, 0];
        let (bits, windows) = (width.bits(), width.windows());
        let top = windows - 1;
        let mut digits = [0; WINDOWS_MAX];
        let mut bit = 0;
        for (window, digit) in digits[..windows].iter_mut().enumerate() {
            let word = bit as usize / 64;
            let pair = u128::from(words[word]) | u128::from(words[word + 1]) << 64;
            let added = if window < top { 1 << (bits - 1) } else { 0 };
            *digit = low(pair >> (bit % 64), bits).cast_signed() - added;
            bit += bits;
        }
        Self { digits, windows }
    }
}

impl IntoIterator for Digits {
    type Item = i16;
    type IntoIter = Take<IntoIter<i16, WINDOWS_MAX>>;

    /// One digit for each window, the lowest first.
    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.digits.into_iter().take(self.windows)
    }
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is wanted"
)]
fn low(value: u128, bits: u32) -> u16 {
    value as u16 & ((1 << bits) - 1)
}

/// The sum of a scalar (< 2²⁵³) and an offset (< 2²⁵²): it fits.
#[inline(always)]
fn plus(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut carry = false;
    let mut sum = [0; 4];
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        let (partial, first) = a.overflowing_add(b);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        (*sum, carry) = (total, first | second);
    }
    sum
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;

    use super::{Digits, Width};
    use crate::scalar::Scalar;

    fn edges() -> Vec<Scalar> {
        let l_minus_one = "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let mut edges = vec![[0; 32], [0x88; 32], [0xff; 32], [0x77; 32], [0xaa; 32]];
        let mut state = 7u64;
        for _ in 0..500 {
            edges.push([0; 32].map(|_: u8| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 56) as u8
            }));
        }
        for edge in &mut edges {
            edge[31] &= 0x0f;
        }
        for bit in 0..=252 {
            let mut one = [0; 32];
            one[bit / 8] = 1 << (bit % 8);
            edges.push(one);
        }
        let mut last = [0; 32];
        for (i, byte) in last.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&l_minus_one[2 * i..2 * i + 2], 16).expect("hexadecimal");
        }
        edges.push(last);
        edges
            .iter()
            .map(|edge| Scalar::from_canonical(edge).expect("below L"))
            .collect()
    }

    #[test]
    fn digits_add_up_to_the_scalar_and_stay_in_the_table() {
        for width in Width::all() {
            let half = i16::try_from(width.half()).expect("a digit");
            for scalar in edges() {
                let digits: Vec<i16> = Digits::new(&scalar, width).into_iter().collect();
                assert_eq!(digits.len(), width.windows());
                let mut sum = BigInt::ZERO;
                for digit in digits.into_iter().rev() {
                    assert!((-half..=half).contains(&digit));
                    sum = (sum << width.bits()) + digit;
                }
                let bytes = num_bigint::BigUint::from_bytes_le(scalar.as_bytes());
                assert_eq!(sum, bytes.into(), "width {width:?}");
            }
        }
    }

    #[test]
    fn widths_have_the_windows_of_253_bits() {
        let windows: Vec<usize> = Width::all().map(Width::windows).collect();
        assert_eq!(windows, [64, 51, 43, 37, 32, 29, 26, 23, 22]);
        assert!(Width::new(3).is_none() && Width::new(13).is_none());
    }
}
