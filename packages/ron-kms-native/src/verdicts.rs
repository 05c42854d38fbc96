//! The strict rule, for one signature or many: a verdict for each, whatever stands beside it.
//!
//! A signature is valid if and only if all hold:
//!
//! 1. the signature is 64 bytes, S < L;
//! 2. the public key is 32 bytes, the canonical encoding of a curve point that is not of small order;
//! 3. R is not of small order;
//! 4. encode(S·B − k·A) is R, byte for byte, with k = SHA-512(R ‖ A ‖ M) mod L (cofactorless).
//!
//! [`Key::load`] sees to 2. Since 4 compares encodings, R is never decoded: R that passes is canonical, a point,
//! and its order can be told from its bytes.

use crate::{
    kernel::{Claim, Path},
    key::Key,
    scalar::Scalar,
    threads,
};

/// The key, the message, and the signature: any lengths.
pub type Item<'a> = (&'a Key, &'a [u8], &'a [u8]);

/// Signatures that share one inversion. More would save less than they cost in the caches.
const SHARED_MAX: usize = 256;

/// Whether the signature is valid.
#[must_use]
pub fn verify_one(key: &Key, message: &[u8], signature: &[u8], path: Path) -> bool {
    let mut verdict = [0];
    judge(&[(key, message, signature)], path, &mut verdict);
    verdict == [1]
}

/// 1 for each valid signature and 0 for each other, in order, on at most so many threads.
///
/// Every verdict is the one the item has alone.
#[must_use]
pub fn verify_many(items: &[Item], path: Path, threads: usize) -> Vec<u8> {
    let mut verdicts = vec![0; items.len()];
    let worth = items.len() / path.thread_items();
    let threads = threads.clamp(1, worth.max(1));
    let share = items.len().div_ceil(threads).next_multiple_of(8); // fills the lanes
    let share = share.clamp(8, SHARED_MAX);
    let work = items.chunks(share).zip(verdicts.chunks_mut(share));
    threads::share(threads, work, |(items, verdicts)| {
        judge(items, path, verdicts);
    });
    verdicts
}

/// Write a 1 for each valid signature. `verdicts` are as many as `items`, and all 0.
fn judge(items: &[Item], path: Path, verdicts: &mut [u8]) {
    for run in items.chunk_by(|(one, ..), (next, ..)| std::ptr::eq(*one, *next)) {
        run[0].0.count(run.len());
    }
    let mut claims: Vec<Claim> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| claim(index, item))
        .collect();
    claims.sort_by_key(|claim| claim.comb.width()); // lanes are of one width
    path.judge(&claims, verdicts);
}

/// What remains to be computed, or `None` for a signature whose form the rule refuses.
#[inline]
fn claim<'a>(index: usize, &(key, message, signature): &Item<'a>) -> Option<Claim<'a>> {
    let signature: &[u8; 64] = signature.try_into().ok()?;
    let (commitment, response) = signature.split_first_chunk::<32>()?;
    let response = Scalar::from_canonical(response.try_into().ok()?)?;
    let key = key.accepted()?;
    (!is_small_order(commitment)).then_some(Claim {
        index,
        commitment,
        response,
        key: key.encoded(),
        comb: key.comb(),
        message,
    })
}

/// Whether these are the canonical bytes of a point whose order divides 8: it has one of five y.
#[inline]
fn is_small_order(encoded: &[u8; 32]) -> bool {
    const Y: [[u8; 32]; 5] = small_order_y();
    let mut y = *encoded;
    y[31] &= 0x7f;
    Y.contains(&y)
}

/// 0 (order 4), 1 (order 1), −1 (order 2), and the two y of order 8.
const fn small_order_y() -> [[u8; 32]; 5] {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    [
        [0; 32],
        one,
        minus_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

    use super::is_small_order;

    #[test]
    fn torsion_is_known_by_its_bytes_and_nothing_else_is() {
        for torsion in EIGHT_TORSION {
            assert!(is_small_order(&torsion.compress().0));
            assert!(!is_small_order(
                &(ED25519_BASEPOINT_POINT + torsion).compress().0
            ));
        }
    }
}
