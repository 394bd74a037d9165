//! The only lock-free part of this crate, a semaphore's count, under many interleavings of its steps.
//!
//! The file itself is compiled here once more, on primitives that hand control to a scheduler before
//! each step. What hangs or loses a unit in any interleaving that is tried fails, with a schedule to
//! repeat it. Everything else is under a mutex each, and is tested with a scripted executor.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy.toml allows it in test functions, not in what they share"
)]

#[expect(dead_code, reason = "this test uses a part of it")]
#[path = "../../semaphore/count.rs"]
mod count;

#[expect(dead_code, reason = "this test uses a part of it")]
#[path = "../../semaphore/number.rs"]
mod number;

/// Numbers that guests map are an atomic operation each, as a number of the semaphore's own is: there are none here.
mod numbers {
    use wasmpod_ipc::AtomicOp;

    #[derive(Debug)]
    pub(crate) enum Slot {}

    impl Slot {
        pub(crate) fn update(&self, _: AtomicOp<u32>) -> u32 {
            match *self {}
        }
    }
}

#[expect(dead_code, reason = "this test uses a part of it")]
#[path = "../../wait/list.rs"]
mod list;

mod lock {
    use std::sync::PoisonError;

    use crate::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

mod wait {
    pub(crate) use crate::list::{Look, Ticket, WaitList, Wakes};
}

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::future::block_on;
use shuttle::sync::atomic::AtomicU32;
use shuttle::thread;
use wasmpod_ipc::{AtomicOp, Errno, limits};

use count::Count;
use number::Number;

const SCHEDULES: usize = 5_000;
/// Changes of priority that a schedule has at unlikely places.
const DEPTH: usize = 4;

fn check(scenario: fn()) {
    shuttle::check_random(scenario, SCHEDULES);
    shuttle::check_pct(scenario, SCHEDULES, DEPTH);
}

fn empty() -> Count {
    Count::new(Number::Own(AtomicU32::new(0)))
}

fn take(count: &Count) {
    let mut seat = None;
    block_on(poll_fn(|cx| count.poll_take(&mut seat, cx))).unwrap();
}

/// Takes a unit if there is one at once; else lines up and gives up.
fn take_or_give_up(count: &Count) -> bool {
    let mut seat = None;
    let mut cx = Context::from_waker(Waker::noop());
    match count.poll_take(&mut seat, &mut cx) {
        Poll::Ready(result) => result.is_ok(),
        Poll::Pending => {
            count.leave(seat.unwrap());
            false
        }
    }
}

#[test]
fn every_unit_that_is_posted_is_taken_and_no_taker_hangs() {
    check(|| {
        let count = Arc::new(empty());
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let count = Arc::clone(&count);
                thread::spawn(move || take(&count))
            })
            .collect();
        let poster = {
            let count = Arc::clone(&count);
            thread::spawn(move || count.post().unwrap())
        };
        count.post().unwrap();
        for thread in takers {
            thread.join().unwrap();
        }
        poster.join().unwrap();
        assert_eq!((count.value(), count.waiting()), (0, 0));
    });
}

#[test]
fn a_unit_for_one_who_gives_up_is_not_lost() {
    check(|| {
        let count = Arc::new(empty());
        let fickle = {
            let count = Arc::clone(&count);
            thread::spawn(move || take_or_give_up(&count))
        };
        let taker = {
            let count = Arc::clone(&count);
            thread::spawn(move || take(&count))
        };
        count.post().unwrap();
        count.post().unwrap();
        taker.join().unwrap();
        let taken = u32::from(fickle.join().unwrap());
        assert_eq!((count.value(), count.waiting()), (1 - taken, 0));
    });
}

#[test]
fn one_who_looks_sees_a_unit_while_others_take_and_post() {
    check(|| {
        let count = Arc::new(empty());
        let looker = {
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let mut seat = None;
                block_on(poll_fn(|cx| count.poll_positive(&mut seat, cx))).unwrap();
            })
        };
        let taker = {
            let count = Arc::clone(&count);
            thread::spawn(move || take_or_give_up(&count))
        };
        for _ in 0..2 {
            count.post().unwrap();
        }
        looker.join().unwrap();
        let taken = u32::from(taker.join().unwrap());
        assert_eq!((count.value(), count.waiting()), (2 - taken, 0));
        // Nobody is in the line: the fast path is open again.
        assert_eq!(count.try_take(), Ok::<(), Errno>(()));
        assert!(count.value() <= limits::SEM_VALUE_MAX);
    });
}
