//! Work shared by a few threads that live as long as the work.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// Do all of `work`, on the calling thread and up to `threads` − 1 others. Returns when it is done.
///
/// Where the system has no thread to give, the others do its share.
pub(crate) fn share<T: Send>(
    threads: usize,
    work: impl Iterator<Item = T> + Send,
    job: impl Fn(T) + Sync,
) {
    if threads <= 1 {
        return work.for_each(job);
    }
    let work = Mutex::new(work);
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while let Some(piece) = take() {
            job(piece);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        worker();
    });
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn all_the_work_is_done_once() {
        for threads in [0, 1, 2, 7] {
            let mut done = vec![0; 100];
            share(threads, done.iter_mut(), |piece| *piece += 1);
            assert_eq!(done, [1; 100]);
        }
    }
}
