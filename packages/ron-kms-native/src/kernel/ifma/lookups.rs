//! Which table entries add up to a scalar's multiple, eight scalars or one at a time: digits as addresses.
//!
//! Eight scalars are recoded as [`Digits`] recodes one.

use std::{marker::PhantomData, ptr::with_exposed_provenance, slice};

use super::lanes::{Lanes, Vector};
use crate::{
    recoding::{Digits, Width},
    scalar::Scalar,
    tables::{Comb, Entry},
};

const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;
const _: () = assert!(ENTRY_BYTES == 128 && align_of::<Entry>() == 64);

const ROWS_MAX: usize = 2 * Width::MIN.windows();

/// Eight entries, one per lane: addresses, and 32 beyond for the opposite of an entry.
///
/// Only `Lookups` makes them: each address is that of an `Entry` in a comb, or 32 beyond.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row([u64; 8]);

/// The entries to add, row after row, in combs that live for `'t`.
#[derive(Debug)]
pub struct Lookups<'t> {
    rows: Vec<Row>,
    combs: PhantomData<&'t Comb>,
}

impl Row {
    #[inline(always)]
    pub fn addresses(&self) -> &[u64; 8] {
        &self.0
    }

    /// y + x
    #[inline(always)]
    pub fn plus(&self) -> [&[u8; 32]; 8] {
        self.coordinates::<0, 0>()
    }

    /// y − x
    #[inline(always)]
    pub fn minus(&self) -> [&[u8; 32]; 8] {
        self.coordinates::<0, 32>()
    }

    /// 2d·x·y
    #[inline(always)]
    pub fn product(&self) -> [&[u8; 32]; 8] {
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
                    // this is e + 0, 32, 64 or 96: 32 initialized bytes of a comb that was exposed
                    // and that `Lookups` borrows for longer than `self`.
                    unsafe { &*with_exposed_provenance::<[u8; 32]>(address) }
                }),*]
            };
        }
        lanes!(0 1 2 3 4 5 6 7)
    }
}

impl<'t> Lookups<'t> {
    pub fn new() -> Self {
        Self {
            rows: Vec::with_capacity(ROWS_MAX),
            combs: PhantomData,
        }
    }

    #[inline(always)]
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    #[inline(always)]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Eight scalars below L, in words, each in the comb of its lane; the combs are of one width.
    #[inline(always)]
    pub fn add<L: Lanes>(&mut self, lanes: L, scalars: [L::Vector; 4], combs: [&'t Comb; 8]) {
        let width = combs[0].width();
        // Else an address might leave its comb.
        assert!(combs.iter().all(|comb| comb.width() == width), "one width");
        let shifted = shift(lanes, scalars, width);
        let digit_bits = lanes.splat((1 << width.bits()) - 1);
        let half = lanes.splat(width.half() as u64);
        let thirty_two = lanes.splat(32);
        let step = lanes.splat((width.half() as u64 + 1) * ENTRY_BYTES);
        let mut window = lanes.load(&combs.map(|comb| address(comb.entries())));
        let top = width.windows() - 1;
        let mut bit = 0;
        for index in 0..=top {
            let (word, place) = (bit / 64 % 4, lanes.splat(bit as u64 % 64));
            let bits = shifted[word].funnel_by(shifted[word + 1], place) & digit_bits;
            let digit = if index == top { bits } else { bits - half };
            // A scalar below L has no greater digit than 2^(w−1). The minimum keeps the address in
            // its window for any other, too.
            let entry = window + digit.abs().min(half).shl::<{ ENTRY_BYTES.ilog2() }>();
            let row = entry.add_where(digit.negative(), thirty_two).store();
            self.rows.push(Row(row));
            window = window + step;
            bit += width.bits() as usize;
        }
    }

    /// One scalar, its terms dealt to the lanes in turn and fetched; the comb's neutral entry fills the last row.
    pub fn deal(&mut self, scalar: &Scalar, comb: &'t Comb) {
        let neutral = address(comb.entries());
        for (i, (entry, opposite)) in comb.terms(Digits::new(scalar, comb.width())).enumerate() {
            entry.prefetch();
            if i % 8 == 0 {
                self.rows.push(Row([neutral; 8]));
            }
            if let Some(row) = self.rows.last_mut() {
                row.0[i % 8] = address(slice::from_ref(entry)) + if opposite { 32 } else { 0 };
            }
        }
    }
}

/// The address of the first entry, by which any of them may be read.
#[inline(always)]
fn address(entries: &[Entry]) -> u64 {
    entries.as_ptr().expose_provenance() as u64
}

/// Scalar and offset, and a zero above. Both are below 2²⁵³, so the sum fits in four words.
#[inline(always)]
fn shift<L: Lanes>(lanes: L, scalars: [L::Vector; 4], width: Width) -> [L::Vector; 5] {
    let (zero, one) = (lanes.splat(0), lanes.splat(1));
    let offset = width.offset();
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

#[cfg(test)]
mod tests;
