//! Four sums side by side, for processors with AVX2 and FMA.
//!
//! Four signatures take a lane each; one alone has its terms dealt to the lanes.

mod field;

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_load_si256, _mm256_or_si256, _mm256_permute2x128_si256,
    _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_store_si256,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
};

use self::field::{Raw, Ready};
use super::{Prepared, portable::THREAD_ITEMS as PORTABLE_THREAD_ITEMS};
use crate::{
    field::Element,
    point::{Extended, Projective},
    recoding::Digits,
    tables::{Comb, Entry},
};

/// See `Path::thread_items`.
pub(super) const THREAD_ITEMS: usize = 2 * PORTABLE_THREAD_ITEMS;

const LANES: usize = 4;

/// How many additions before its use an entry is fetched from memory.
const FETCHED_AHEAD: usize = 4;

/// A term of a sum: an entry, and 1 if it is to be taken opposite.
type Term<'a> = (&'a Entry, usize);

/// What the four lanes add in one step.
type Step<'a> = [Term<'a>; LANES];

/// Four running sums. Y, Z and T are biased.
struct Sums {
    x: Raw,
    y: Raw,
    z: Raw,
    t: Raw,
}

/// See `by_sums`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn sums(items: &[Prepared]) -> Vec<Projective> {
    let base = Comb::of_base_point();
    let mut sums = Vec::with_capacity(items.len());
    let mut steps = Vec::new();
    for same_width in items.chunk_by(|one, next| one.key.width() == next.key.width()) {
        for group in same_width.chunks(LANES) {
            steps.clear();
            if let [alone] = group {
                deal(base, alone, &mut steps);
                let [first, rest @ ..] = total(&steps);
                let total = rest.iter().fold(first, |total, lane| total.plus(lane));
                sums.push(total.point);
            } else {
                side_by_side(base, group, &mut steps);
                sums.extend(total(&steps)[..group.len()].iter().map(|lane| lane.point));
            }
        }
    }
    sums
}

/// The steps of two to four items, a lane for each. Lanes without an item repeat the last.
fn side_by_side<'a>(base: &'a Comb, group: &[Prepared<'a>], steps: &mut Vec<Step<'a>>) {
    let neutral = (&base.entries()[0], 0);
    for (lane, item) in (0..LANES).map(|lane| (lane, &group[lane.min(group.len() - 1)])) {
        for (i, term) in terms(base, item).enumerate() {
            if i == steps.len() {
                steps.push([neutral; LANES]);
            }
            steps[i][lane] = term;
        }
    }
}

/// The steps of one item whose terms are dealt to the lanes.
fn deal<'a>(base: &'a Comb, item: &Prepared<'a>, steps: &mut Vec<Step<'a>>) {
    let neutral = (&base.entries()[0], 0);
    for (i, term) in terms(base, item).enumerate() {
        if i % LANES == 0 {
            steps.push([neutral; LANES]);
        }
        steps[i / LANES][i % LANES] = term;
    }
}

fn terms<'a>(base: &'a Comb, item: &Prepared<'a>) -> impl Iterator<Item = Term<'a>> {
    let (s, h) = (
        Digits::new(&item.s, base.width()),
        Digits::new(&item.h, item.key.width()),
    );
    let key = item.key;
    base.terms(s)
        .chain(key.terms(h))
        .map(|(entry, opposite)| (entry, usize::from(opposite)))
}

#[target_feature(enable = "avx2,fma")]
fn total(steps: &[Step]) -> [Extended; LANES] {
    for step in &steps[..FETCHED_AHEAD.min(steps.len())] {
        fetch(step);
    }
    let mut sums = Sums {
        x: Raw::small(0),
        y: Raw::small(1).biased(),
        z: Raw::small(1).biased(),
        t: Raw::small(0).biased(),
    };
    for (i, step) in steps.iter().enumerate() {
        if let Some(ahead) = steps.get(i + FETCHED_AHEAD) {
            fetch(ahead);
        }
        sums.add(step);
    }
    sums.lanes()
}

fn fetch(step: &Step) {
    for (entry, _) in step {
        entry.prefetch();
    }
}

impl Sums {
    /// The complete mixed addition of `Extended::add`, in all lanes.
    #[expect(clippy::many_single_char_names, reason = "they are the formula's own")]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add(&mut self, step: &Step) {
        let Self { x, y, z, t } = self;
        let c = t.ready().times::<false>(&coordinate(step, 2));
        let a = y.minus(x).ready().times::<false>(&coordinate(step, 1));
        let b = y.plus(x).ready().times::<true>(&coordinate(step, 0));
        let twice_z = z.plus(z); // biased twice, < 2⁶¹ + 2⁵⁹·²
        let (f, g) = (twice_z.minus(&c).ready(), twice_z.plus(&c).ready());
        self.z = f.times::<true>(&g);
        let (e, h) = (b.minus(&a).ready(), b.plus(&a).ready());
        self.t = e.times::<true>(&h);
        self.x = e.times::<false>(&f);
        self.y = g.times::<true>(&h);
    }

    #[target_feature(enable = "avx2,fma")]
    fn lanes(&self) -> [Extended; LANES] {
        let [x, y, z, t] = [self.x.biased(), self.y, self.z, self.t].map(|raw| elements(&raw));
        std::array::from_fn(|i| Extended {
            point: Projective {
                x: x[i],
                y: y[i],
                z: z[i],
            },
            t: t[i],
        })
    }
}

/// One coordinate of each lane's entry: y + x (0), y − x (1) or 2d·x·y (2), or as the opposite has it.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn coordinate(step: &Step, which: usize) -> Ready {
    let row = |lane: usize| {
        let (entry, opposite) = step[lane];
        let bytes: &[u8; 32] = &entry.coordinates[which ^ opposite];
        // SAFETY: 32 bytes to read, aligned to 32: an entry is to 64, and a coordinate stands at a multiple of 32.
        unsafe { _mm256_load_si256(bytes.as_ptr().cast()) }
    };
    let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
    let (even_01, odd_01) = (_mm256_unpacklo_epi64(r0, r1), _mm256_unpackhi_epi64(r0, r1));
    let (even_23, odd_23) = (_mm256_unpacklo_epi64(r2, r3), _mm256_unpackhi_epi64(r2, r3));
    let w0 = _mm256_permute2x128_si256::<0x20>(even_01, even_23);
    let w1 = _mm256_permute2x128_si256::<0x20>(odd_01, odd_23);
    let w2 = _mm256_permute2x128_si256::<0x31>(even_01, even_23);
    let w3 = _mm256_permute2x128_si256::<0x31>(odd_01, odd_23);

    let low = |word: __m256i| _mm256_and_si256(word, _mm256_set1_epi64x((1 << 51) - 1));
    let join = |low: __m256i, high: __m256i| _mm256_or_si256(low, high);
    Ready::from_integers([
        low(w0),
        low(join(
            _mm256_srli_epi64::<51>(w0),
            _mm256_slli_epi64::<13>(w1),
        )),
        low(join(
            _mm256_srli_epi64::<38>(w1),
            _mm256_slli_epi64::<26>(w2),
        )),
        low(join(
            _mm256_srli_epi64::<25>(w2),
            _mm256_slli_epi64::<39>(w3),
        )),
        _mm256_srli_epi64::<12>(w3), // < 2⁵¹, as coordinates are below p
    ])
}

/// The element in each lane, of limbs 0 ≤ limb < 2⁶².
#[target_feature(enable = "avx2,fma")]
fn elements(raw: &Raw) -> [Element; LANES] {
    #[repr(align(32))]
    struct Aligned([u64; LANES]);

    let limbs = raw.carried().map(|limb| {
        let mut lanes = Aligned([0; LANES]);
        // SAFETY: 32 bytes to write, aligned to 32.
        unsafe { _mm256_store_si256(lanes.0.as_mut_ptr().cast(), limb) };
        lanes.0
    });
    std::array::from_fn(|lane| Element::from_limbs(limbs.map(|limb| limb[lane])))
}
