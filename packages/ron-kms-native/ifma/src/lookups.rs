//! Which table entries add up to a scalar's multiple: digits of scalars, as addresses.
//!
//! A scalar is read in windows of w bits with digits from −2^(w−1) to 2^(w−1). Adding 2^(w−1) to every
//! window but the top one, all at once, and then taking it from each digit again makes the digits
//! signed without a carry from window to window.

use core::marker::PhantomData;
use core::ptr::with_exposed_provenance;

use crate::comb::{Comb, Entry, WIDTH_MAX, WIDTH_MIN, WINDOWS_MAX, windows};
use crate::lanes::{Lanes, Vector};

/// How many additions before its use an entry is fetched into the cache.
pub const PREFETCH_AHEAD: usize = 3;

const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;
const ROWS_MAX: usize = 2 * WINDOWS_MAX;

/// Eight entries, one per lane: addresses, and 32 beyond for the negative of an entry.
///
/// Only `Lookups` makes them: each address is that of an `Entry` in a table, or 32 beyond.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Row([u64; 8]);

/// The entries to add, row after row, in tables that live for `'t`.
#[derive(Debug)]
pub struct Lookups<'t> {
    rows: [Row; ROWS_MAX],
    filled: usize,
    tables: PhantomData<&'t [Entry]>,
}

impl Row {
    #[inline(always)]
    pub(crate) fn addresses(&self) -> &[u64; 8] {
        &self.0
    }

    #[inline(always)]
    pub(crate) fn y_plus_x(&self) -> [&[u8; 32]; 8] {
        self.coordinates::<0, 0>()
    }

    #[inline(always)]
    pub(crate) fn y_minus_x(&self) -> [&[u8; 32]; 8] {
        self.coordinates::<0, 32>()
    }

    #[inline(always)]
    pub(crate) fn xy2d(&self) -> [&[u8; 32]; 8] {
        self.coordinates::<64, 0>()
    }

    /// The coordinates in pair `PAIR` (0 or 64), the other one of the pair when `SWAP` is 32.
    #[inline(always)]
    fn coordinates<const PAIR: u64, const SWAP: u64>(&self) -> [&[u8; 32]; 8] {
        macro_rules! lanes {
            ($($l:literal)*) => {
                [$({
                    #[expect(clippy::cast_possible_truncation, reason = "addresses fit in usize")]
                    let address = ((self.0[$l] ^ SWAP) + PAIR) as usize;
                    // SAFETY: `Row` holds e or e + 32 for a 64-byte aligned entry e of 128 bytes, so
                    // this is e + 0, 32, 64 or 96: 32 initialized bytes of a table that was exposed
                    // and that `Lookups` borrows for longer than `self`.
                    unsafe { &*with_exposed_provenance::<[u8; 32]>(address) }
                }),*]
            };
        }
        lanes!(0 1 2 3 4 5 6 7)
    }
}

impl<'t> Lookups<'t> {
    /// No lookups yet. `filler` takes the place of those that a last row lacks.
    #[must_use]
    pub fn new(filler: &'t Entry) -> Self {
        let address = core::ptr::from_ref(filler).expose_provenance() as u64;
        Self {
            rows: [Row([address; 8]); ROWS_MAX],
            filled: 0,
            tables: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    #[inline(always)]
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows[..self.filled.div_ceil(8)]
    }

    /// Eight scalars below L, in words, each in the table of its lane; whole rows.
    ///
    /// # Panics
    ///
    /// When the tables are not all of one width, or `rows` has no room for their windows.
    #[inline(always)]
    pub(crate) fn add<L: Lanes>(
        &mut self,
        lanes: L,
        scalars: [L::Vector; 4],
        tables: &[Comb<'t>; 8],
    ) {
        let [table, ..] = *tables;
        let width = table.width();
        assert!(
            tables.iter().all(|other| other.width() == width),
            "one width"
        );
        let shifted = shift(lanes, scalars, width);
        let digit_bits = lanes.splat((1 << width) - 1);
        let half = lanes.splat(half(width));
        let thirty_two = lanes.splat(32);
        let step = lanes.splat(table.window_bytes());
        let mut window = lanes.load(&tables.map(Comb::address));
        let first = self.filled.div_ceil(8);
        let rows = &mut self.rows[first..first + table.windows()];
        let top = rows.len() - 1;
        for (index, row) in rows.iter_mut().enumerate() {
            let (word, bit) = place(index, width);
            let bits = shifted[word].funnel_by(shifted[word + 1], lanes.splat(bit)) & digit_bits;
            let digit = if index == top { bits } else { bits - half };
            // A scalar below L has no greater digit than 2^(w−1). The minimum keeps the address in
            // its window for any other, too.
            let entry = window + digit.abs().min(half).shl::<{ ENTRY_BYTES.ilog2() }>();
            row.0 = entry.add_where(digit.negative(), thirty_two).store();
            window = window + step;
        }
        self.filled = 8 * (first + table.windows());
    }

    /// One scalar below L, in words: its lookups dealt to the lanes in turn.
    ///
    /// # Panics
    ///
    /// When `rows` has no room for them.
    pub(crate) fn deal(&mut self, scalar: [u64; 4], table: Comb<'t>) {
        let width = table.width();
        let half = half(width);
        let shifted = add_256(scalar, OFFSETS[width as usize]);
        let top = table.windows() - 1;
        let mut window = table.address();
        for index in 0..=top {
            let (word, bit) = place(index, width);
            let bits = funnel(shifted[word], shifted.get(word + 1), bit) & ((1 << width) - 1);
            let taken = if index == top { 0 } else { half };
            let entry = window + bits.abs_diff(taken).min(half) * ENTRY_BYTES;
            let sign = if bits < taken { 32 } else { 0 };
            self.rows[self.filled / 8].0[self.filled % 8] = entry + sign;
            self.filled += 1;
            window += table.window_bytes();
        }
    }
}

/// 2^(w−1): the largest digit, and what is added to each window but the top one.
const fn half(width: u32) -> u64 {
    1 << (width - 1)
}

/// Where window `index` begins: which of a scalar's four words, which bit.
#[inline(always)]
fn place(index: usize, width: u32) -> (usize, u64) {
    let bit = index * width as usize;
    (bit / 64 % 4, bit as u64 % 64)
}

/// For each width: 2^(w−1) in every window but the top one.
static OFFSETS: [[u64; 4]; WIDTH_MAX as usize + 1] = {
    let mut offsets = [[0; 4]; WIDTH_MAX as usize + 1];
    let mut width = WIDTH_MIN;
    while width <= WIDTH_MAX {
        let mut index = 0;
        while index + 1 < windows(width) {
            let bit = (index + 1) * width as usize - 1;
            offsets[width as usize][bit / 64] |= 1 << (bit % 64);
            index += 1;
        }
        width += 1;
    }
    offsets
};

/// Scalar and offset, and a zero above. Both are below 2²⁵³, so the sum fits in four words.
#[inline(always)]
fn shift<L: Lanes>(lanes: L, scalars: [L::Vector; 4], width: u32) -> [L::Vector; 5] {
    let (zero, one) = (lanes.splat(0), lanes.splat(1));
    let offset = OFFSETS[width as usize];
    let mut sums = [zero; 5];
    let mut carry = 0;
    macro_rules! add_word {
        ($($k:literal)*) => {
            $(
                let addend = lanes.splat(offset[$k]);
                let sum = scalars[$k] + addend;
                sums[$k] = sum.add_where(carry, one);
                carry = sum.less_than(addend) | (carry & sums[$k].equals(zero));
            )*
        };
    }
    add_word!(0 1 2 3);
    let _ = carry;
    sums
}

fn add_256(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut carry = false;
    core::array::from_fn(|k| {
        let sum;
        (sum, carry) = a[k].carrying_add(b[k], carry);
        sum
    })
}

/// The low word of `(high‖low) >> bits`.
fn funnel(low: u64, high: Option<&u64>, bits: u64) -> u64 {
    let both = u128::from(low) | (u128::from(high.copied().unwrap_or(0)) << 64);
    #[expect(clippy::cast_possible_truncation, reason = "the low word is meant")]
    return (both >> bits) as u64;
}

#[cfg(test)]
mod tests;
