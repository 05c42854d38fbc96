//! Tables of multiples of one point, as the kernel reads them.
//!
//! For a point P and a width w there are ⌈253/w⌉ windows of 2^(w−1) + 1 entries. Entry j of window i is
//! j·2^(wi)·P in affine coordinates, so entry 0 is the identity.
//!
//! ```text
//!     offset 0        32       64       96       128
//!            |  y + x |  y − x |  2dxy  | −2dxy  |    canonical, little-endian
//! ```
//!
//! −P is the same entry with each pair swapped: read it at the address `^ 32`.

/// An entry: `y + x`, `y − x`, `2dxy`, `−2dxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Entry(pub [[u8; 32]; 4]);

const _: () = assert!(size_of::<Entry>() == 128 && align_of::<Entry>() == 64);

/// A scalar below L, the group's order, has at most 253 bits.
pub const SCALAR_BITS: u32 = 253;
pub const WIDTH_MIN: u32 = 4;
pub const WIDTH_MAX: u32 = 12;
/// Windows of the narrowest table.
pub const WINDOWS_MAX: usize = SCALAR_BITS.div_ceil(WIDTH_MIN) as usize;

/// A whole table of one point, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Comb<'t> {
    width: u32,
    entries: &'t [Entry],
}

impl<'t> Comb<'t> {
    /// `entries` as a table of `width`, if they are as many as that takes.
    #[must_use]
    pub fn new(width: u32, entries: &'t [Entry]) -> Option<Self> {
        let fits = (WIDTH_MIN..=WIDTH_MAX).contains(&width)
            && entries.len() == windows(width) * window_entries(width);
        fits.then_some(Self { width, entries })
    }

    #[must_use]
    pub fn width(self) -> u32 {
        self.width
    }

    /// Entry 0 of window 0, the identity.
    #[must_use]
    pub fn identity(self) -> &'t Entry {
        &self.entries[0]
    }

    #[must_use]
    pub fn windows(self) -> usize {
        windows(self.width)
    }

    /// The address of entry 0 of window 0. Every other entry may be reached from it.
    pub(crate) fn address(self) -> u64 {
        self.entries.as_ptr().expose_provenance() as u64
    }

    /// From an entry to the same one in the next window.
    pub(crate) fn window_bytes(self) -> u64 {
        (window_entries(self.width) * size_of::<Entry>()) as u64
    }
}

/// Windows of a table of `width`.
#[must_use]
pub const fn windows(width: u32) -> usize {
    SCALAR_BITS.div_ceil(width) as usize
}

/// Entries in each window of a table of `width`.
#[must_use]
pub const fn window_entries(width: u32) -> usize {
    (1 << (width - 1)) + 1
}
