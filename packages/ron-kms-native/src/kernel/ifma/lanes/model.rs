//! The eight lanes as plain integers: slow, and exactly what the instructions do.
//!
//! Nothing here inlines: eight times the code of the kernel in one function takes minutes to compile.

use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

use super::{Lanes, Mask, Vector};

/// Lanes that every machine has.
#[derive(Clone, Copy, Debug)]
pub struct Model;

/// Eight numbers in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words([u64; 8]);

const LOW_52: u64 = (1 << 52) - 1;

impl Words {
    fn map(self, f: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(f))
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|l| f(self.0[l], other.0[l])))
    }

    fn mask(self, f: impl Fn(u64) -> bool) -> Mask {
        (0..8).fold(0, |mask, l| mask | (Mask::from(f(self.0[l])) << l))
    }
}

/// The product of the low 52 bits of each.
fn product_52(a: u64, b: u64) -> u128 {
    u128::from(a & LOW_52) * u128::from(b & LOW_52)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(x: u128) -> u64 {
    x as u64
}

fn word(bytes: &[u8], k: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[8 * k..8 * k + 8]);
    u64::from_le_bytes(word)
}

impl Lanes for Model {
    type Vector = Words;

    #[inline(never)]
    fn splat(self, x: u64) -> Words {
        Words([x; 8])
    }

    #[inline(never)]
    fn load(self, x: &[u64; 8]) -> Words {
        Words(*x)
    }

    #[inline(never)]
    fn words(self, rows: [&[u8; 32]; 8]) -> [Words; 4] {
        std::array::from_fn(|k| Words(rows.map(|row| word(row, k))))
    }

    #[inline(never)]
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Words {
        Words(std::array::from_fn(|k| {
            word(if k < 4 { low } else { high }, k % 4)
        }))
    }

    #[inline(never)]
    fn padded(self, bytes: &[u8], at: usize) -> Words {
        let stream = |i: usize| match i.cmp(&bytes.len()) {
            std::cmp::Ordering::Less => bytes[i],
            std::cmp::Ordering::Equal => 0x80,
            std::cmp::Ordering::Greater => 0,
        };
        let chunk: [u8; 64] = std::array::from_fn(|i| stream(at + i));
        Words(std::array::from_fn(|k| word(&chunk, k)))
    }

    #[inline(never)]
    fn transpose(self, rows: [Words; 8]) -> [Words; 8] {
        std::array::from_fn(|k| Words(rows.map(|row| row.0[k])))
    }

    fn prefetch(self, _entries: &[u64; 8]) {}

    fn outline<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
}

impl Vector for Words {
    #[inline(never)]
    fn shl<const BITS: u32>(self) -> Self {
        self.map(|x| x << BITS)
    }

    #[inline(never)]
    fn shr<const BITS: u32>(self) -> Self {
        self.map(|x| x >> BITS)
    }

    #[inline(never)]
    fn sar<const BITS: u32>(self) -> Self {
        self.map(|x| (x.cast_signed() >> BITS).cast_unsigned())
    }

    #[inline(never)]
    fn ror<const BITS: i32>(self) -> Self {
        self.map(|x| x.rotate_right(BITS.cast_unsigned()))
    }

    #[inline(never)]
    fn funnel<const BITS: i32>(self, high: Self) -> Self {
        self.zip(high, |low_word, high_word| {
            low(((u128::from(high_word) << 64) | u128::from(low_word)) >> BITS)
        })
    }

    #[inline(never)]
    fn funnel_by(self, high: Self, bits: Self) -> Self {
        Self(std::array::from_fn(|l| {
            let both = (u128::from(high.0[l]) << 64) | u128::from(self.0[l]);
            low(both >> (bits.0[l] % 64))
        }))
    }

    #[inline(never)]
    fn madd_lo(self, a: Self, b: Self) -> Self {
        self + a.zip(b, |a, b| low(product_52(a, b)) & LOW_52)
    }

    #[inline(never)]
    fn madd_hi(self, a: Self, b: Self) -> Self {
        self + a.zip(b, |a, b| low(product_52(a, b) >> 52))
    }

    #[inline(never)]
    fn mul_lo(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_mul)
    }

    #[inline(never)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self ^ b ^ c
    }

    #[inline(never)]
    fn choose(self, yes: Self, no: Self) -> Self {
        (self & yes) | (self.map(|x| !x) & no)
    }

    #[inline(never)]
    fn majority(self, b: Self, c: Self) -> Self {
        (self & b) | (self & c) | (b & c)
    }

    #[inline(never)]
    fn swap_bytes(self) -> Self {
        self.map(u64::swap_bytes)
    }

    #[inline(never)]
    fn less_than(self, other: Self) -> Mask {
        self.zip(other, |a, b| u64::from(a < b)).mask(|x| x == 1)
    }

    #[inline(never)]
    fn equals(self, other: Self) -> Mask {
        (self ^ other).mask(|x| x == 0)
    }

    #[inline(never)]
    fn negative(self) -> Mask {
        self.mask(|x| x >> 63 == 1)
    }

    #[inline(never)]
    fn abs(self) -> Self {
        self.map(|x| x.cast_signed().unsigned_abs())
    }

    #[inline(never)]
    fn min(self, other: Self) -> Self {
        self.zip(other, u64::min)
    }

    #[inline(never)]
    fn add_where(self, mask: Mask, x: Self) -> Self {
        self.replace_where(mask, self + x)
    }

    #[inline(never)]
    fn replace_where(self, mask: Mask, x: Self) -> Self {
        Self(std::array::from_fn(|l| {
            if (mask >> l) & 1 == 1 {
                x.0[l]
            } else {
                self.0[l]
            }
        }))
    }

    #[inline(never)]
    fn exchange<const DISTANCE: usize>(self) -> Self {
        Self(std::array::from_fn(|l| self.0[l ^ DISTANCE]))
    }

    #[inline(never)]
    fn store(self) -> [u64; 8] {
        self.0
    }
}

impl Add for Words {
    type Output = Self;

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

impl Sub for Words {
    type Output = Self;

    #[inline(never)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }
}

impl BitAnd for Words {
    type Output = Self;

    #[inline(never)]
    fn bitand(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
}

impl BitOr for Words {
    type Output = Self;

    #[inline(never)]
    fn bitor(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
}

impl BitXor for Words {
    type Output = Self;

    #[inline(never)]
    fn bitxor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }
}
