//! Strict Ed25519 verification, eight signatures in the eight lanes of AVX-512 IFMA.
//!
//! For keys that live long: both the base point and every −A have a comb table, so that
//! `R' = [s]B + [h](−A)` is mixed additions only, and a batch shares one inversion. Each item has a
//! verdict of its own: 1 if and only if `encode(R') == R` and R is not of small order. Whether A is
//! canonical and not of small order was settled when its table was built.
//!
//! Everything is written once over `Lanes`. `Avx512` computes with the CPU's instructions, `Model`
//! with plain integers, so that machines without AVX-512 test the same code. No secret enters here:
//! running time and addresses depend on the inputs.

#![deny(unsafe_op_in_unsafe_fn)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        reason = "tests cut words out of longer numbers"
    )
)]

pub mod comb;
pub mod field8;
pub mod inverse;
pub mod invert8;
pub mod item;
pub mod lanes;
pub mod lookups;
pub mod one;
pub mod point8;
pub mod scalar8;
pub mod sha512x8;
pub mod verdicts;
pub mod verify8;

pub use comb::{Comb, Entry};
pub use item::Item;
#[cfg(target_arch = "x86_64")]
pub use lanes::avx512::Avx512;
pub use lanes::{Lanes, model::Model};
pub use one::verify_one;
pub use verify8::verify_many;

/// Whether this CPU, and the system on it, can run `Avx512`.
#[must_use]
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return Avx512::detect().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(test)]
mod test_random;
#[cfg(test)]
#[path = "../tests/support/tables.rs"]
mod test_tables;
#[cfg(test)]
use comb::{window_entries, windows};
