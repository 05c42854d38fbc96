//! Combs: the multiples of a point that make every scalar a sum of table entries.
//!
//! For a point P and windows of w bits, table i holds j·2^(wi)·P for j = 0 … 2^(w−1). Then s·P is one entry of
//! each table, added up; nothing is doubled.
//!
//! An entry is 128 bytes, aligned to 64, of four canonical little-endian coordinates:
//!
//! ```text
//! offset 0        32       64        96
//!        | y + x  | y − x  | 2d·x·y | −2d·x·y |
//! ```
//!
//! The opposite point is the same entry read with the halves of each pair exchanged (address ^ 32), so a
//! negative digit costs nothing. Entry 0 of a table is the neutral element, (1, 1, 0, 0).

use std::sync::OnceLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;

use crate::{
    field::Element,
    point::{Addend, Affine, Extended, Projective},
    policy,
    recoding::{Digits, Width},
};

/// One prepared multiple of a point, as kernels read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Entry {
    /// y + x, y − x, 2d·x·y, −2d·x·y: canonical, little-endian.
    pub coordinates: [[u8; 32]; 4],
}

impl Entry {
    fn new(point: &Affine) -> Self {
        let Addend {
            plus,
            minus,
            product,
        } = point.addend();
        let coordinates = [plus, minus, product, product.negate()];
        Self {
            coordinates: coordinates.map(Element::to_bytes),
        }
    }

    /// The point, or its opposite.
    #[inline(always)]
    #[must_use]
    pub fn addend(&self, opposite: bool) -> Addend {
        let exchanged = usize::from(opposite);
        let read = |i: usize| Element::from_bytes(&self.coordinates[i ^ exchanged]);
        Addend {
            plus: read(0),
            minus: read(1),
            product: read(2),
        }
    }

    /// Ask for both cache lines before they are needed.
    #[inline(always)]
    pub fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let [first, _, second, _] = &self.coordinates;
            // SAFETY: a prefetch reads nothing; the instruction is in every x86-64.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(first.as_ptr().cast());
                _mm_prefetch::<_MM_HINT_T0>(second.as_ptr().cast());
            }
        }
    }
}

/// The tables of one point.
#[derive(Debug)]
pub struct Comb {
    width: Width,
    entries: Box<[Entry]>,
}

impl Comb {
    /// Bytes that a comb of `width` takes: 516 KiB for 8 bits, 2,947 KiB for 11.
    #[must_use]
    pub const fn bytes(width: Width) -> usize {
        width.windows() * (width.half() + 1) * size_of::<Entry>()
    }

    /// Compute the multiples of `point`: about a millisecond for a width of 8.
    #[must_use]
    pub fn new(point: &Affine, width: Width) -> Self {
        let mut entries = Vec::with_capacity(Self::bytes(width) / size_of::<Entry>());
        let mut base = *point; // 2^(wi)·P
        for _ in 0..width.windows() {
            let multiples = multiples(&base, width.half());
            entries.push(Entry::new(&Affine::NEUTRAL));
            entries.extend(multiples.iter().map(Entry::new));
            if let Some(half) = multiples.last() {
                let twice = Extended::from(*half).add(&half.addend());
                base = Projective::to_affine(&[twice.point])[0];
            }
        }
        Self {
            width,
            entries: entries.into_boxed_slice(),
        }
    }

    /// The comb of the base point, shared by all keys and threads; built when it is first asked for.
    #[must_use]
    pub fn of_base_point() -> &'static Self {
        static BASE: OnceLock<Comb> = OnceLock::new();
        BASE.get_or_init(|| {
            let base = Affine::decode(ED25519_BASEPOINT_COMPRESSED.as_bytes());
            Self::new(&base.unwrap_or(Affine::NEUTRAL), policy::BASE_WIDTH)
        })
    }

    /// Bits in a window.
    #[inline]
    #[must_use]
    pub const fn width(&self) -> Width {
        self.width
    }

    /// All tables, one after the other; each is [`Width::half`] + 1 entries.
    #[inline]
    #[must_use]
    pub const fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that add up to the scalar with these digits, and whether each is taken opposite.
    ///
    /// `digits` are of this comb's width.
    #[inline(always)]
    pub fn terms(&self, digits: Digits) -> impl Iterator<Item = (&Entry, bool)> {
        let tables = self.entries.chunks_exact(self.width.half() + 1);
        tables
            .zip(digits)
            .map(|(table, digit)| (&table[usize::from(digit.unsigned_abs())], digit < 0))
    }
}

/// 1 to `count` times `point`.
fn multiples(point: &Affine, count: usize) -> Vec<Affine> {
    let step = point.addend();
    let mut total = Extended::from(*point);
    let sums: Vec<Projective> = (0..count)
        .map(|_| {
            let sum = total.point;
            total = total.add(&step);
            sum
        })
        .collect();
    Projective::to_affine(&sums)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::{EdwardsPoint, Scalar, constants};

    use super::{Affine, Comb, Entry};
    use crate::recoding::Width;

    fn affine(point: EdwardsPoint) -> Affine {
        Affine::decode(&point.compress().0).expect("a point")
    }

    #[test]
    fn every_entry_is_the_multiple_its_place_says() {
        let mixed =
            constants::ED25519_BASEPOINT_POINT * Scalar::from(9u8) + constants::EIGHT_TORSION[1];
        for width in [Width::MIN, Width::new(7).expect("a width")] {
            let comb = Comb::new(&affine(mixed), width);
            assert_eq!(size_of_val(comb.entries()), Comb::bytes(width));
            let mut base = mixed;
            for table in comb.entries().chunks_exact(width.half() + 1) {
                let mut multiple = EdwardsPoint::default();
                for entry in table {
                    assert_eq!(entry, &Entry::new(&affine(multiple)));
                    multiple += base;
                }
                base = (0..width.bits()).fold(base, |base, _| base + base);
            }
        }
    }

    #[test]
    fn an_entry_read_opposite_is_the_opposite_point() {
        let point = affine(constants::ED25519_BASEPOINT_POINT);
        let (read, made) = (
            Entry::new(&point).addend(true),
            Entry::new(&point.negate()).addend(false),
        );
        assert_eq!(
            (read.plus, read.minus, read.product),
            (made.plus, made.minus, made.product)
        );
    }

    #[test]
    fn the_neutral_entry_is_one_one_zero_zero() {
        let [mut one, zero] = [[0; 32]; 2];
        one[0] = 1;
        let neutral = Entry {
            coordinates: [one, one, zero, zero],
        };
        assert_eq!(Entry::new(&Affine::NEUTRAL), neutral);
    }
}
