//! Strict Ed25519 verification for few, long-lived keys.
//!
//! A token service verifies under a handful of keys that live for weeks. So each key gets what the base point
//! has everywhere: tables of its multiples, made once. Then S·B − k·A is a few dozen additions, without a
//! doubling; a batch shares its one inversion; and the encodings are compared, as the strict rule of
//! [`verdicts`] says. There is no randomness, and no item can change another's verdict.
//!
//! ```
//! use ron_kms_native::{Key, Path, verify_many};
//!
//! let key = Key::load(&[0; 32]); // y = 0 has order 4: this key refuses everything
//! assert_eq!(verify_many(&[(&key, b"message", &[0; 64])], Path::best(), 1), [0]);
//! ```
//!
//! No secret comes here, so nothing runs in constant time. The Python module can sign as well, through a door of its own.

#![deny(unsafe_op_in_unsafe_fn)]
#![allow(
    clippy::inline_always,
    reason = "a product that is called costs a third more"
)]

#[cfg(feature = "python")]
mod face;
#[cfg(feature = "python")]
mod signing;

pub mod field;
mod inverse;
pub mod kernel;
pub mod key;
#[cfg(test)]
mod noise;
pub mod point;
pub mod policy;
pub mod recoding;
pub mod scalar;
mod seats;
pub mod tables;
mod threads;
pub mod verdicts;

pub use kernel::Path;
pub use key::Key;
pub use recoding::Width;
pub use verdicts::{Item, verify_many, verify_one};
