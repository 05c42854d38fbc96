//! What tests need around the kernel: tables, keys, signatures and a generator of numbers.

#![allow(dead_code, reason = "each test file uses its part")]

mod tables;
#[path = "../../src/test_random.rs"]
mod test_random;

pub use tables::Table;
pub use test_random::{Random, rounds};

use std::collections::HashMap;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ifma::comb::{window_entries, windows};
use ifma::{Comb, Entry, Item};

/// Tables of −A by key and width.
#[derive(Default)]
pub struct Tables(HashMap<([u8; 32], u32), Table>);

impl Tables {
    /// Build the table for `key`, if it is the encoding of a point.
    pub fn load(&mut self, key: [u8; 32], width: u32) -> bool {
        let Some(point) = CompressedEdwardsY(key).decompress() else {
            return false;
        };
        self.0
            .entry((key, width))
            .or_insert_with(|| Table::new(-point, width));
        true
    }

    pub fn of(&self, key: &[u8; 32], width: u32) -> Comb<'_> {
        self.0[&(*key, width)].comb()
    }
}

/// A signature to verify, with what it needs.
#[derive(Clone, Debug)]
pub struct Case {
    pub key: [u8; 32],
    pub r: [u8; 32],
    pub s: [u8; 32],
    pub message: Vec<u8>,
}

impl Case {
    pub fn new(key: [u8; 32], signature: [u8; 64], message: &[u8]) -> Self {
        let (r, s) = signature.split_at(32);
        let array = |half: &[u8]| half.try_into().expect("32 bytes");
        Self {
            key,
            r: array(r),
            s: array(s),
            message: message.to_vec(),
        }
    }

    pub fn item<'a>(&'a self, tables: &'a Tables, width: u32) -> Item<'a> {
        Item {
            r: &self.r,
            s: &self.s,
            key: &self.key,
            message: &self.message,
            table: tables.of(&self.key, width),
        }
    }

    /// What ed25519-dalek's `verify_strict` says.
    pub fn strict(&self) -> bool {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&self.r);
        signature[32..].copy_from_slice(&self.s);
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        ed25519_dalek::VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }
}
