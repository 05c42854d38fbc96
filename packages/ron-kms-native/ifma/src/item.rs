//! What is verified.

use crate::comb::Comb;

/// A signature `r ‖ s` over `message` under `key`, whose table is at hand.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub r: &'a [u8; 32],
    /// Refused when not below the group's order.
    pub s: &'a [u8; 32],
    /// The encoding of A: what was hashed when it signed.
    pub key: &'a [u8; 32],
    pub message: &'a [u8],
    /// The multiples of −A.
    pub table: Comb<'a>,
}
