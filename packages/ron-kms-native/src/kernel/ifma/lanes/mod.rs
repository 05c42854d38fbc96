//! Eight 64-bit numbers at once, whoever computes them.
//!
//! `Lanes` is a token: who holds one may compute with its vectors. The token of an instruction set is
//! given out only where the CPU has it, and vectors come only from a token or from other vectors; that
//! is why the methods here are safe.
//!
//! Every function over `Lanes` is `#[inline(always)]`, up to a closure given to `Lanes::outline`, which
//! alone is compiled for the instruction set. An intrinsic inlines only into a function that enables
//! its features: left outside, each addition becomes a call.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(feature = "model")]
mod model;

use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(feature = "model")]
pub use model::Model;

/// One bit per lane, lane 0 lowest.
pub type Mask = u8;

/// The right to compute with eight lanes, and how values get into them.
pub trait Lanes: Copy {
    type Vector: Vector;

    /// `x` in every lane.
    fn splat(self, x: u64) -> Self::Vector;

    /// `x[l]` in lane `l`.
    fn load(self, x: &[u64; 8]) -> Self::Vector;

    /// Little-endian word `k` of `rows[l]` in lane `l` of vector `k`.
    fn words(self, rows: [&[u8; 32]; 8]) -> [Self::Vector; 4];

    /// The eight words of `low ‖ high`, one per lane.
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Self::Vector;

    /// The eight words of the 64 bytes that start at `at` in `bytes ‖ 0x80 ‖ 0 ‖ 0 ‖ …`, one per lane.
    fn padded(self, bytes: &[u8], at: usize) -> Self::Vector;

    /// Lane `l` of vector `k` becomes lane `k` of vector `l`.
    fn transpose(self, rows: [Self::Vector; 8]) -> [Self::Vector; 8];

    /// Begin to fetch the two cache lines of the table entry at each address. Never faults.
    fn prefetch(self, entries: &[u64; 8]);

    /// Run `work` as a function of its own, compiled for these lanes.
    fn outline<R>(self, work: impl FnOnce() -> R) -> R;
}

/// Eight unsigned 64-bit numbers. Sums and differences wrap.
pub trait Vector:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
{
    #[must_use]
    fn shl<const BITS: u32>(self) -> Self;
    #[must_use]
    fn shr<const BITS: u32>(self) -> Self;
    /// Shift right as a signed number.
    #[must_use]
    fn sar<const BITS: u32>(self) -> Self;
    /// Rotate right.
    #[must_use]
    fn ror<const BITS: i32>(self) -> Self;
    /// The low word of `(high‖self) >> BITS`, for `BITS < 64`.
    #[must_use]
    fn funnel<const BITS: i32>(self, high: Self) -> Self;
    /// The low word of `(high‖self) >> bits % 64`.
    #[must_use]
    fn funnel_by(self, high: Self, bits: Self) -> Self;

    /// `self` + the low 52 bits of `a·b`; only the low 52 bits of `a` and of `b` are read.
    #[must_use]
    fn madd_lo(self, a: Self, b: Self) -> Self;
    /// `self` + bits 52 to 103 of `a·b`; only the low 52 bits of `a` and of `b` are read.
    #[must_use]
    fn madd_hi(self, a: Self, b: Self) -> Self;
    /// The low word of the product.
    #[must_use]
    fn mul_lo(self, other: Self) -> Self;

    /// `self ^ b ^ c`.
    #[must_use]
    fn xor3(self, b: Self, c: Self) -> Self;
    /// Bit by bit: `yes` where `self` is 1, `no` where it is 0.
    #[must_use]
    fn choose(self, yes: Self, no: Self) -> Self;
    /// Bit by bit: what at least two of three say.
    #[must_use]
    fn majority(self, b: Self, c: Self) -> Self;
    /// The bytes of each word in reverse order.
    #[must_use]
    fn swap_bytes(self) -> Self;

    fn less_than(self, other: Self) -> Mask;
    fn equals(self, other: Self) -> Mask;
    /// Lanes that are negative as signed numbers.
    fn negative(self) -> Mask;
    /// The magnitude as a signed number.
    #[must_use]
    fn abs(self) -> Self;
    #[must_use]
    fn min(self, other: Self) -> Self;
    /// `self`, plus `x` in the lanes of `mask`.
    #[must_use]
    fn add_where(self, mask: Mask, x: Self) -> Self;
    /// `self`, but `x` in the lanes of `mask`.
    #[must_use]
    fn replace_where(self, mask: Mask, x: Self) -> Self;

    /// Lane `l` receives lane `l ^ DISTANCE`, for `DISTANCE` 1, 2 or 4.
    #[must_use]
    fn exchange<const DISTANCE: usize>(self) -> Self;

    fn store(self) -> [u64; 8];
}

/// Tests that run on the model and, where there is one, on the CPU's unit.
#[cfg(test)]
macro_rules! on_every_lanes {
    ($($name:ident($lanes:ident) $body:block)*) => {
        $(
            #[test]
            fn $name() {
                #[inline(always)]
                fn check<L: Lanes>($lanes: L) $body
                check(crate::kernel::ifma::lanes::Model);
                #[cfg(target_arch = "x86_64")]
                if let Some(lanes) = crate::kernel::ifma::lanes::Avx512::detect() {
                    lanes.outline(
                        #[inline(always)]
                        || check(lanes),
                    );
                }
            }
        )*
    };
}

#[cfg(test)]
pub(crate) use on_every_lanes;

#[cfg(test)]
mod tests;
