//! How wide combs are, and how much memory they may take.
//!
//! | what | width | bytes |
//! |---|---|---|
//! | the base point, once in a process | [`BASE_WIDTH`] | 3,017,600 |
//! | a key when it is loaded, the first [`MEDIUM_KEYS_MAX`] alive | [`KEY_WIDTH`] | 528,384 |
//! | a key beyond those | [`CROWDED_WIDTH`] | 73,728 |
//! | a key among the hottest, beside its own | [`HOT_WIDTH`] | 3,017,600 more |
//!
//! So one key takes at most [`KEY_BYTES_MAX`], and `n` keys at most [`bytes_max`]`(n)`.

use crate::{recoding::Width, tables::Comb};

/// The base point's comb: wider ones lose in the caches what they save in additions.
pub const BASE_WIDTH: Width = width(11);

/// A key's comb when it is loaded: built in about a millisecond.
pub const KEY_WIDTH: Width = width(8);

/// A key's comb when [`MEDIUM_KEYS_MAX`] keys are alive already: slower by a half, a seventh of the memory.
pub const CROWDED_WIDTH: Width = width(4);

/// The second comb of a key that is used much.
pub const HOT_WIDTH: Width = width(11);

/// Keys alive at a time that get a comb of [`KEY_WIDTH`]: 129 MiB of them.
pub const MEDIUM_KEYS_MAX: usize = 256;

/// Keys alive at a time that may have a comb of [`HOT_WIDTH`] too: the wide combs of more leave the caches.
pub const HOT_KEYS_MAX: usize = 4;

/// Signatures under a key before it asks for its wide comb, and again whenever it was refused one.
///
/// Building the comb takes as long as it saves over about as many.
pub const HOT_USES: u64 = 8_192;

/// Most bytes that the combs of one key take.
pub const KEY_BYTES_MAX: usize = Comb::bytes(KEY_WIDTH) + Comb::bytes(HOT_WIDTH);

/// Most bytes that all combs take while `keys` keys are alive.
#[must_use]
pub const fn bytes_max(keys: usize) -> usize {
    let medium = if keys < MEDIUM_KEYS_MAX {
        keys
    } else {
        MEDIUM_KEYS_MAX
    };
    let hot = if keys < HOT_KEYS_MAX {
        keys
    } else {
        HOT_KEYS_MAX
    };
    Comb::bytes(BASE_WIDTH)
        + medium * Comb::bytes(KEY_WIDTH)
        + (keys - medium) * Comb::bytes(CROWDED_WIDTH)
        + hot * Comb::bytes(HOT_WIDTH)
}

const fn width(bits: u8) -> Width {
    match Width::new(bits) {
        Some(width) => width,
        None => panic!("no such width"), // while compiling
    }
}

#[cfg(test)]
mod tests {
    use super::{Comb, HOT_WIDTH, KEY_BYTES_MAX, KEY_WIDTH, bytes_max};

    #[test]
    fn memory_is_what_the_table_says() {
        assert_eq!(Comb::bytes(KEY_WIDTH), 528_384);
        assert_eq!(Comb::bytes(HOT_WIDTH), 3_017_600);
        assert_eq!(Comb::bytes(super::CROWDED_WIDTH), 73_728);
        assert_eq!(KEY_BYTES_MAX, 3_545_984);
        assert_eq!(bytes_max(0), 3_017_600);
        assert_eq!(
            bytes_max(257) - bytes_max(256),
            Comb::bytes(super::CROWDED_WIDTH)
        );
    }
}
