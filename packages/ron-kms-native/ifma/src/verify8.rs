//! Many signatures, eight at a time.

use crate::comb::Comb;
use crate::field8::Field8;
use crate::invert8::invert;
use crate::item::Item;
use crate::lanes::{Lanes, Mask};
use crate::lookups::Lookups;
use crate::point8::{Point8, sum};
use crate::scalar8::{below_order, reduce};
use crate::sha512x8::digests;
use crate::verdicts::matches;

/// Items that share one inversion. It costs about one microsecond, so that more would gain nothing; and
/// what is kept until then, 1.3 kB for each eight, stays in the cache.
const ITEMS_PER_INVERSION: usize = 512;

/// Eight items or fewer, of which everything is known but 1/Z.
struct Group<'g, 'a, L: Lanes> {
    items: &'g [Item<'a>],
    point: Point8<L>,
    /// The product of Z over this group and all before it.
    z_product: Field8<L>,
    /// The lanes with s < L.
    in_order: Mask,
}

/// Write 1 into `verdicts` for each item that holds and 0 for each that does not, in order.
///
/// `base` is the table of the base point. Tables of items may differ in width, but eight items go
/// together only if neighbours have the same: sort by width. A verdict without an item is 0, an item
/// without a verdict is passed over.
pub fn verify_many<L: Lanes>(lanes: L, base: Comb, items: &[Item], verdicts: &mut [u8]) {
    verdicts.fill(0);
    let count = items.len().min(verdicts.len());
    let items = items[..count].chunks(ITEMS_PER_INVERSION);
    let verdicts = verdicts[..count].chunks_mut(ITEMS_PER_INVERSION);
    for (items, verdicts) in items.zip(verdicts) {
        lanes.outline(
            #[inline(always)]
            || verify_batch(lanes, base, items, verdicts),
        );
    }
}

/// As `verify_many`, with one inversion, for as many verdicts as items.
#[inline(always)]
fn verify_batch<L: Lanes>(lanes: L, base: Comb, items: &[Item], verdicts: &mut [u8]) {
    let mut lookups = Lookups::new(base.identity());
    let mut groups: Vec<Group<L>> = Vec::with_capacity(items.len().div_ceil(8));
    for same_width in items.chunk_by(|a, b| a.table.width() == b.table.width()) {
        for items in same_width.chunks(8) {
            let before = groups.last().map(|group| group.z_product);
            let (point, in_order) = add_up(lanes, base, &eight(items), &mut lookups);
            let z_product = match before {
                None => point.z,
                Some(product) => product.mul(lanes, point.z),
            };
            groups.push(Group {
                items,
                point,
                z_product,
                in_order,
            });
        }
    }

    // Montgomery's trick, backwards: `inverse` is that of the product up to the group at hand.
    let Some(last) = groups.last() else {
        return;
    };
    let mut inverse = invert(lanes, last.z_product);
    let mut verdicts_left = verdicts;
    for index in (0..groups.len()).rev() {
        let group = &groups[index];
        let z_inverse = match index.checked_sub(1) {
            None => inverse,
            Some(before) => {
                let z_inverse = inverse.mul(lanes, groups[before].z_product);
                inverse = inverse.mul(lanes, group.point.z);
                z_inverse
            }
        };
        let r = lanes.words(eight(group.items).map(|item| item.r));
        let accepted = group.in_order & matches(lanes, &group.point, z_inverse, r);
        let verdicts;
        (verdicts_left, verdicts) =
            verdicts_left.split_at_mut(verdicts_left.len() - group.items.len());
        for (l, verdict) in verdicts.iter_mut().enumerate() {
            *verdict = (accepted >> l) & 1;
        }
    }
}

/// `[s]B + [h](−A)` for eight items whose tables have one width, and where s < L.
#[inline(always)]
fn add_up<'t, L: Lanes>(
    lanes: L,
    base: Comb<'t>,
    items: &[&Item<'t>; 8],
    lookups: &mut Lookups<'t>,
) -> (Point8<L>, Mask) {
    let h = reduce(lanes, digests(lanes, items));
    let s = lanes.words(items.map(|item| item.s));
    let in_order = below_order(lanes, s);
    lookups.clear();
    lookups.add(lanes, s, &[base; 8]);
    lookups.add(lanes, h, &items.map(|item| item.table));
    let point = lanes.outline(
        #[inline(always)]
        || sum(lanes, lookups.rows()),
    );
    (point, in_order)
}

/// The items, the last one repeated to fill the lanes.
#[inline(always)]
fn eight<'g, 'a>(items: &'g [Item<'a>]) -> [&'g Item<'a>; 8] {
    let last = items.len() - 1;
    core::array::from_fn(|l| &items[l.min(last)])
}
