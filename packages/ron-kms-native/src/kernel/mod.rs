//! The computation that instruction sets make faster, and the choice of who does it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(any(target_arch = "x86_64", feature = "model"))]
mod ifma;
mod portable;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

#[cfg(target_arch = "x86_64")]
use self::ifma::Avx512;
use crate::{point::Projective, scalar::Scalar, tables::Comb};

/// A signature whose form is right: it holds if `[s]B + [h](−A)` encodes to R, h being the challenge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// Where its verdict goes.
    pub index: usize,
    /// R, as it was sent; not of small order.
    pub commitment: &'a [u8; 32],
    /// s
    pub response: Scalar,
    /// A, as it was loaded.
    pub key: &'a [u8; 32],
    /// The comb of −A to use: the same one all along, whatever becomes of the key's.
    pub comb: &'a Comb,
    pub message: &'a [u8],
}

impl Claim<'_> {
    #[inline]
    fn challenge(&self) -> Scalar {
        Scalar::challenge(self.commitment, self.key, self.message)
    }
}

/// What one sum `[s]B + [h](−A)` is made of.
#[derive(Clone, Copy, Debug)]
struct Prepared<'a> {
    s: Scalar,
    h: Scalar,
    /// The comb of −A.
    key: &'a Comb,
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
    #[cfg(target_arch = "x86_64")]
    Ifma(Avx512),
    #[cfg(feature = "model")]
    Model,
}

impl Path {
    /// Plain Rust, one signature after the other.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// For tests: the code of `avx512ifma`, with plain integers for its instructions. It is very slow.
    #[cfg(feature = "model")]
    pub const MODEL: Self = Self(Kind::Model);

    /// Every path that works on this machine, the fastest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        static AVAILABLE: LazyLock<Vec<Path>> = LazyLock::new(|| {
            let paths = [
                #[cfg(target_arch = "x86_64")]
                Avx512::detect().map(|lanes| Path(Kind::Ifma(lanes))),
                #[cfg(target_arch = "x86_64")]
                (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                    .then_some(Path(Kind::Avx2)),
                Some(Path::PORTABLE),
            ];
            paths.into_iter().flatten().collect()
        });
        &AVAILABLE
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
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma(_) => "avx512ifma",
            #[cfg(feature = "model")]
            Kind::Model => "model",
        }
    }

    /// Signatures that a further thread must find to be worth starting.
    pub(crate) const fn thread_items(self) -> usize {
        match self.0 {
            Kind::Portable => portable::THREAD_ITEMS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::THREAD_ITEMS,
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma(_) => ifma::THREAD_ITEMS,
            #[cfg(feature = "model")]
            Kind::Model => 1,
        }
    }

    /// Write a 1 for each claim that holds. Claims of equal width stand together; `verdicts` are all 0.
    pub(crate) fn judge(self, claims: &[Claim], verdicts: &mut [u8]) {
        match self.0 {
            Kind::Portable => by_sums(portable::sums, claims, verdicts),
            // SAFETY: `available` makes this path only where the processor has both.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => by_sums(|items| unsafe { avx2::sums(items) }, claims, verdicts),
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma(lanes) => ifma::judge(lanes, claims, verdicts),
            #[cfg(feature = "model")]
            Kind::Model => ifma::judge(ifma::Model, claims, verdicts),
        }
    }
}

/// See `Path::judge`; `sums` gives `[s]B + [h](−A)` for each item, in order.
fn by_sums(
    sums: impl FnOnce(&[Prepared]) -> Vec<Projective>,
    claims: &[Claim],
    verdicts: &mut [u8],
) {
    let prepared: Vec<Prepared> = claims
        .iter()
        .map(|claim| Prepared {
            s: claim.response,
            h: claim.challenge(),
            key: claim.comb,
        })
        .collect();
    let recovered = Projective::to_affine(&sums(&prepared));
    for (claim, recovered) in claims.iter().zip(recovered) {
        verdicts[claim.index] = u8::from(recovered.encode() == *claim.commitment);
    }
}
