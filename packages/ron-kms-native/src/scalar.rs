//! Scalars: integers below L, the order of the base point.

use curve25519_dalek::Scalar as Wide;
use sha2::{Digest, Sha512};

use crate::field::words;

/// L = 2²⁵² + 27742317777372353535851937790883648493, little-endian words.
const L: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];

/// An integer in 0 … L − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar([u8; 32]);

impl Scalar {
    /// Read a canonical scalar, or `None` for L and above.
    #[inline]
    #[must_use]
    pub fn from_canonical(bytes: &[u8; 32]) -> Option<Self> {
        let below = words(bytes).into_iter().rev().lt(L.into_iter().rev());
        below.then_some(Self(*bytes))
    }

    /// k = SHA-512(R ‖ A ‖ M) mod L (RFC 8032 §5.1.7), reduced to the integer below L.
    ///
    /// It is never written as k − L: under a key of mixed order that is another multiple.
    #[inline]
    #[must_use]
    pub fn challenge(commitment: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Self {
        let digest = Sha512::new()
            .chain_update(commitment)
            .chain_update(key)
            .chain_update(message)
            .finalize();
        Self(Wide::from_bytes_mod_order_wide(&digest.into()).to_bytes())
    }

    /// The 32 bytes, little-endian.
    #[inline]
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{L, Scalar};

    fn bytes(words: [u64; 4]) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (part, word) in bytes.chunks_exact_mut(8).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn the_last_scalar_is_one_below_l() {
        let [low, second, third, top] = L;
        assert!(Scalar::from_canonical(&bytes([low - 1, second, third, top])).is_some());
        assert!(Scalar::from_canonical(&bytes([0, second, 1, top - 1])).is_some());
        assert!(Scalar::from_canonical(&[0; 32]).is_some());
        assert!(Scalar::from_canonical(&bytes(L)).is_none());
        assert!(Scalar::from_canonical(&bytes([low + 1, second, third, top])).is_none());
        assert!(Scalar::from_canonical(&bytes([0, 0, 1, top])).is_none());
        assert!(Scalar::from_canonical(&[0xff; 32]).is_none());
    }
}
