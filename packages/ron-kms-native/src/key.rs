//! A public key, loaded once and verified under many times.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use curve25519_dalek::edwards::CompressedEdwardsY;

use crate::{
    point::Affine,
    policy::{CROWDED_WIDTH, HOT_KEYS_MAX, HOT_USES, HOT_WIDTH, KEY_WIDTH, MEDIUM_KEYS_MAX},
    recoding::Width,
    seats::{Seat, Seats},
    tables::Comb,
};

static MEDIUM_KEYS: Seats = Seats::new(MEDIUM_KEYS_MAX);
static HOT_KEYS: Seats = Seats::new(HOT_KEYS_MAX);

/// A public key with its combs, or one that refuses everything.
///
/// Threads share it; its memory goes when it is dropped. See [`crate::policy`] for how much that is.
#[derive(Debug)]
pub struct Key(Option<Arc<Accepted>>);

/// A key that the rule accepts.
#[derive(Debug)]
pub(crate) struct Accepted {
    encoded: [u8; 32],
    opposite: Affine,
    comb: Comb,
    hot: OnceLock<Hot>,
    uses: AtomicU64,
    is_warming: AtomicBool,
    _seat: Option<Seat>,
}

#[derive(Debug)]
struct Hot {
    comb: Comb,
    _seat: Seat,
}

impl Key {
    /// Load the canonical encoding of a point that is not of small order. Anything else loads too, as a
    /// key that refuses everything.
    ///
    /// Takes about a millisecond, and ten more for the first one in a process, which builds the base
    /// point's comb.
    #[must_use]
    pub fn load(public_key: &[u8]) -> Self {
        let seat = MEDIUM_KEYS.take();
        let width = if seat.is_some() {
            KEY_WIDTH
        } else {
            CROWDED_WIDTH
        };
        Self::new(public_key, width, seat)
    }

    /// [`Key::load`] with a comb of this width, which stays: for tests and measurements.
    #[must_use]
    pub fn load_with_width(public_key: &[u8], width: Width) -> Self {
        let key = Self::new(public_key, width, None);
        if let Some(accepted) = &key.0 {
            accepted.is_warming.store(true, Relaxed); // for ever: never replaced
        }
        key
    }

    fn new(public_key: &[u8], width: Width, seat: Option<Seat>) -> Self {
        Self(accept(public_key).map(|(encoded, opposite)| {
            let _ = Comb::of_base_point(); // now, and not in the first verification
            Arc::new(Accepted {
                encoded,
                opposite,
                comb: Comb::new(&opposite, width),
                hot: OnceLock::new(),
                uses: AtomicU64::new(0),
                is_warming: AtomicBool::new(false),
                _seat: seat,
            })
        }))
    }

    /// Bytes that its combs take now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |accepted| {
            let hot = accepted.hot.get();
            Comb::bytes(accepted.comb.width()) + hot.map_or(0, |hot| Comb::bytes(hot.comb.width()))
        })
    }

    /// The key, unless it refuses everything.
    #[inline]
    pub(crate) fn accepted(&self) -> Option<&Accepted> {
        self.0.as_deref()
    }

    /// Count signatures, and see to the wide comb when there were many. Never waits for it.
    #[inline]
    pub(crate) fn count(&self, uses: usize) {
        if let Some(accepted) = &self.0 {
            let before = accepted.uses.fetch_add(uses as u64, Relaxed);
            if before / HOT_USES != (before + uses as u64) / HOT_USES {
                warm(accepted);
            }
        }
    }
}

impl Accepted {
    /// A, as the challenge hashes it.
    #[inline]
    pub(crate) fn encoded(&self) -> &[u8; 32] {
        &self.encoded
    }

    /// The widest comb of −A there is at the moment.
    #[inline]
    pub(crate) fn comb(&self) -> &Comb {
        self.hot.get().map_or(&self.comb, |hot| &hot.comb)
    }
}

/// The bytes and −A, if the rule accepts the key.
///
/// curve25519-dalek judges; a second decoder, which finds x, has to agree.
fn accept(public_key: &[u8]) -> Option<([u8; 32], Affine)> {
    let encoded = CompressedEdwardsY(public_key.try_into().ok()?);
    let point = encoded.decompress()?;
    if point.compress() != encoded || point.is_small_order() {
        return None;
    }
    let affine = Affine::decode(encoded.as_bytes())?;
    (affine.encode() == encoded.0).then_some((encoded.0, affine.negate()))
}

/// Build the wide comb on a thread of its own, if there is a seat for it.
fn warm(key: &Arc<Accepted>) {
    if key.is_warming.swap(true, Relaxed) {
        return;
    }
    let started = HOT_KEYS.take().is_some_and(|seat| {
        let (weak, opposite) = (Arc::downgrade(key), key.opposite);
        let build = move || finish(&weak, Comb::new(&opposite, HOT_WIDTH), seat);
        let thread = thread::Builder::new().name("ron-kms-comb".to_owned());
        thread.spawn(build).is_ok()
    });
    if !started {
        key.is_warming.store(false, Relaxed); // later, perhaps
    }
}

/// Hand the wide comb over, unless the key has gone.
fn finish(key: &Weak<Accepted>, comb: Comb, seat: Seat) {
    if let Some(key) = key.upgrade() {
        let _ = key.hot.set(Hot { comb, _seat: seat });
    }
}
