//! One signature after the other, in plain Rust.

use crate::{
    kernel::Prepared,
    point::{Extended, Projective},
    recoding::Digits,
    tables::{Comb, Entry},
};

/// See `Path::thread_items`: a millisecond of work. Half of that finished no sooner on two threads, and took a fifth more.
pub(super) const THREAD_ITEMS: usize = 128;

/// How many additions before its use an entry is fetched from memory.
const FETCHED_AHEAD: usize = 4;

/// See `by_sums`.
pub(super) fn sums(items: &[Prepared]) -> Vec<Projective> {
    let base = Comb::of_base_point();
    let mut terms = Vec::new();
    items
        .iter()
        .map(|item| {
            terms.clear();
            terms.extend(base.terms(Digits::new(&item.s, base.width())));
            terms.extend(item.key.terms(Digits::new(&item.h, item.key.width())));
            total(&terms)
        })
        .collect()
}

fn total(terms: &[(&Entry, bool)]) -> Projective {
    for (entry, _) in &terms[..FETCHED_AHEAD.min(terms.len())] {
        entry.prefetch();
    }
    let mut total = Extended::NEUTRAL;
    for (i, (entry, opposite)) in terms.iter().enumerate() {
        if let Some((ahead, _)) = terms.get(i + FETCHED_AHEAD) {
            ahead.prefetch();
        }
        total = total.add(&entry.addend(*opposite));
    }
    total.point
}
