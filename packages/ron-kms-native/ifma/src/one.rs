//! One signature, its lookups spread over the eight lanes.

use sha2::{Digest, Sha512};

use crate::comb::Comb;
use crate::invert8::invert_first;
use crate::item::Item;
use crate::lanes::{Lanes, Vector};
use crate::lookups::Lookups;
use crate::point8::sum;
use crate::scalar8::{below_order, reduce};
use crate::verdicts::matches;

/// Whether `item` holds. `base` is the table of the base point; the widths may differ.
#[must_use]
pub fn verify_one<L: Lanes>(lanes: L, base: Comb, item: &Item) -> bool {
    lanes.outline(
        #[inline(always)]
        || verify(lanes, base, item),
    )
}

#[inline(always)]
fn verify<L: Lanes>(lanes: L, base: Comb, item: &Item) -> bool {
    let s = lanes.words([item.s; 8]);
    if below_order(lanes, s) == 0 {
        return false;
    }
    let mut lookups = Lookups::new(base.identity());
    lookups.deal(first(s), base);
    fetch(lanes, &lookups, 0); // while SHA-512 runs
    lookups.deal(first(digest(lanes, item)), item.table);
    fetch(lanes, &lookups, base.windows() / 8); // the row that was begun, and the new ones
    let point = lanes.outline(
        #[inline(always)]
        || sum(lanes, lookups.rows()),
    );
    let point = point.across(lanes);
    let z_inverse = invert_first(lanes, point.z);
    let accepted = matches(lanes, &point, z_inverse, lanes.words([item.r; 8]));
    accepted & 1 == 1
}

/// SHA-512(R ‖ A ‖ M) modulo L, in every lane.
#[inline(always)]
fn digest<L: Lanes>(lanes: L, item: &Item) -> [L::Vector; 4] {
    let digest = Sha512::new()
        .chain_update(item.r)
        .chain_update(item.key)
        .chain_update(item.message)
        .finalize();
    let mut words = [lanes.splat(0); 8];
    for (word, bytes) in words.iter_mut().zip(digest.as_chunks::<8>().0) {
        *word = lanes.splat(u64::from_le_bytes(*bytes));
    }
    reduce(lanes, words)
}

/// Lane 0.
#[inline(always)]
fn first<V: Vector>([w0, w1, w2, w3]: [V; 4]) -> [u64; 4] {
    [w0.store()[0], w1.store()[0], w2.store()[0], w3.store()[0]]
}

/// Begin to fetch the entries of every row from `row` on.
#[inline(always)]
fn fetch<L: Lanes>(lanes: L, lookups: &Lookups, row: usize) {
    for row in lookups.rows().iter().skip(row) {
        lanes.prefetch(row.addresses());
    }
}
