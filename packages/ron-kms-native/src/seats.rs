//! A number of seats that are taken and come free again.

use std::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Relaxed},
};

/// So many seats and no more.
#[derive(Debug)]
pub(crate) struct Seats {
    free: AtomicUsize,
}

/// One seat, taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(&'static Seats);

impl Seats {
    pub(crate) const fn new(seats: usize) -> Self {
        Self {
            free: AtomicUsize::new(seats),
        }
    }

    /// Take a seat if one is free.
    pub(crate) fn take(&'static self) -> Option<Seat> {
        let taken = self
            .free
            .fetch_update(AcqRel, Relaxed, |free| free.checked_sub(1));
        taken.is_ok().then(|| Seat(self)) // not then_some: a seat that is made is given back
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Seats;

    #[test]
    fn a_seat_comes_free_when_it_is_dropped() {
        static SEATS: Seats = Seats::new(2);
        let (first, second) = (SEATS.take(), SEATS.take());
        assert!(first.is_some() && second.is_some() && SEATS.take().is_none());
        drop(first);
        let third = SEATS.take();
        assert!(third.is_some() && SEATS.take().is_none());
    }
}
