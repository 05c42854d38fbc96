//! Eight signatures in the eight lanes of AVX-512 IFMA.
//!
//! Everything is written once over [`Lanes`]. [`Avx512`] computes with the processor's instructions, [`Model`] with
//! plain integers, so that machines without AVX-512 test the same code.
//!
//! A batch shares its inversion, across the lanes too. A signature that is left over alone has its terms dealt to the
//! eight lanes.

#![expect(
    clippy::many_single_char_names,
    reason = "the letters are those of the formulas"
)]

mod field;
mod inverses;
mod lanes;
mod lookups;
mod point;
mod scalar;
mod sha512;

#[cfg(target_arch = "x86_64")]
pub(super) use self::lanes::Avx512;
#[cfg(feature = "model")]
pub(super) use self::lanes::Model;
use self::{
    field::Field8,
    inverses::{invert, invert_first},
    lanes::Lanes,
    lookups::Lookups,
    point::{Point8, sum},
};
use super::Claim;
use crate::tables::Comb;

/// See `Path::thread_items`.
#[cfg(target_arch = "x86_64")]
pub(super) const THREAD_ITEMS: usize = 8 * super::portable::THREAD_ITEMS;

/// When so few are left over, each goes alone: without the shared inversion it takes some 2 µs, and eight side by
/// side, however many of them are wanted, 6 to 8.
const ALONE_MAX: usize = 3;

/// Eight claims or fewer, of which everything is known but 1/Z. A lone one has every lane.
struct Group<'g, 'a, L: Lanes> {
    claims: &'g [Claim<'a>],
    point: Point8<L>,
    /// The product of Z over all groups before it.
    before: Field8<L>,
}

/// See `Path::judge`.
pub(super) fn judge<L: Lanes>(lanes: L, claims: &[Claim], verdicts: &mut [u8]) {
    lanes.outline(
        #[inline(always)]
        || judge_inlined(lanes, claims, verdicts),
    );
}

#[inline(always)]
fn judge_inlined<L: Lanes>(lanes: L, claims: &[Claim], verdicts: &mut [u8]) {
    let mut lookups = Lookups::new();
    let mut groups: Vec<Group<L>> = Vec::with_capacity(claims.len().div_ceil(8) + ALONE_MAX);
    let mut product = Field8::one(lanes);
    for same_width in claims.chunk_by(|one, next| one.comb.width() == next.comb.width()) {
        for eight in same_width.chunks(8) {
            let together = if eight.len() > ALONE_MAX { 8 } else { 1 };
            for claims in eight.chunks(together) {
                lookups.clear();
                let point = match claims {
                    [alone] => deal(lanes, alone, &mut lookups),
                    _ => side_by_side(lanes, claims, &mut lookups),
                };
                let before = product;
                product = before.mul(lanes, point.z);
                groups.push(Group {
                    claims,
                    point,
                    before,
                });
            }
        }
    }
    let are_alone = groups.iter().all(|group| group.claims.len() == 1);
    let mut inverse = if are_alone {
        invert_first(lanes, product) // the lanes are all the same
    } else {
        invert(lanes, product)
    };
    for group in groups.iter().rev() {
        let z_inverse = inverse.mul(lanes, group.before);
        inverse = inverse.mul(lanes, group.point.z);
        let commitments = lanes.words(fill(group.claims).map(|claim| claim.commitment));
        let held = group.point.encodes_to(lanes, z_inverse, commitments);
        for (lane, claim) in group.claims.iter().enumerate() {
            verdicts[claim.index] = (held >> lane) & 1;
        }
    }
}

/// `[s]B + [h](−A)` for claims whose combs have one width, a lane for each.
#[inline(always)]
fn side_by_side<'t, L: Lanes>(
    lanes: L,
    claims: &[Claim<'t>],
    lookups: &mut Lookups<'t>,
) -> Point8<L> {
    let claims = fill(claims);
    let s = lanes.words(claims.map(|claim| claim.response.as_bytes()));
    let h = scalar::reduce(lanes, sha512::digests(lanes, &claims));
    lookups.add(lanes, s, [Comb::of_base_point(); 8]);
    lookups.add(lanes, h, claims.map(|claim| claim.comb));
    sum(lanes, lookups.rows())
}

/// `[s]B + [h](−A)` in every lane, its terms dealt to the lanes.
#[inline(always)]
fn deal<'t, L: Lanes>(lanes: L, claim: &Claim<'t>, lookups: &mut Lookups<'t>) -> Point8<L> {
    lookups.deal(&claim.response, Comb::of_base_point()); // fetched while SHA-512 runs
    lookups.deal(&claim.challenge(), claim.comb);
    sum(lanes, lookups.rows()).across(lanes)
}

/// The claims, the last one repeated to fill the lanes.
#[inline(always)]
fn fill<'g, 'a>(claims: &'g [Claim<'a>]) -> [&'g Claim<'a>; 8] {
    std::array::from_fn(|lane| &claims[lane.min(claims.len() - 1)])
}
