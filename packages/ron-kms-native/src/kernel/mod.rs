//! The two computations that instruction sets make faster, and the choice of who does them.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
#[cfg(test)]
mod tests;

use crate::{key::Accepted, point::Projective, scalar::Scalar, tables::Comb};

/// A signature whose form is right: what a challenge is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// Where its verdict goes.
    pub index: usize,
    /// R, as it was sent.
    pub commitment: &'a [u8; 32],
    /// S, below L.
    pub response: Scalar,
    pub key: &'a Accepted,
    /// The comb of −A to use: the same one all along, whatever becomes of the key's.
    pub comb: &'a Comb,
    pub message: &'a [u8],
}

/// What one sum `[s]B + [h](−A)` is made of.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<'a> {
    /// s
    pub s: Scalar,
    /// h, the challenge
    pub h: Scalar,
    /// The comb of −A.
    pub key: &'a Comb,
}

/// An instruction set that this machine has. All give the same verdicts; some are faster.
///
/// There is no other way to a path than `PORTABLE`, `best`, `available` and `named`, so whoever holds one may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    /// Made only where the processor has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Path {
    /// Plain Rust, one signature after the other.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// Every path that works on this machine, the fastest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return &[Self(Kind::Avx2), Self::PORTABLE];
        }
        &[Self::PORTABLE]
    }

    /// The fastest path on this machine.
    #[must_use]
    pub fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::PORTABLE)
    }

    /// The path of this name, or `None` where it does not work.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut paths = Self::available().iter().copied();
        paths.find(|path| path.name() == name)
    }

    /// What versions and attestations call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
        }
    }

    /// Signatures that a further thread must find to be worth starting.
    pub(crate) const fn thread_items(self) -> usize {
        match self.0 {
            Kind::Portable => portable::THREAD_ITEMS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::THREAD_ITEMS,
        }
    }

    /// The challenge of each claim, in order.
    pub(crate) fn challenges(self, claims: &[Claim]) -> Vec<Scalar> {
        match self.0 {
            Kind::Portable => portable::challenges(claims),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => portable::challenges(claims),
        }
    }

    /// `[s]B + [h](−A)` for each item, in order. Items of equal width stand together.
    pub(crate) fn sums(self, items: &[Prepared]) -> Vec<Projective> {
        match self.0 {
            Kind::Portable => portable::sums(items),
            // SAFETY: `available` makes this path only where the processor has both.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::sums(items) },
        }
    }
}
