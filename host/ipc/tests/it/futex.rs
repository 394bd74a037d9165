//! Waiting at addresses, and the mutex that a C library builds on it.

use std::sync::Arc;
use std::task::Poll;
use std::thread;

use wasmpod_ipc::{AtomicOp, Errno, Segment};

use super::actors::Waiting;
use super::stress::block_on;
use super::{CREATE, pod};

fn segment(bytes: u64) -> Arc<Segment> {
    let (_pod, container) = pod();
    let object = container.shm_open("/m", CREATE).unwrap();
    object.truncate(bytes).unwrap();
    Arc::clone(object.segment().unwrap())
}

#[test]
fn a_wait_begins_only_where_the_expected_value_is() {
    let segment = segment(8);
    let table = [
        (0, 1, Err(Errno::Again)),
        (2, 0, Err(Errno::Invalid)),
        (8, 0, Err(Errno::Fault)),
    ];
    for (offset, expected, answer) in table {
        let wait = segment.futex_wait(offset, expected);
        assert_eq!(Waiting::begin(wait).err(), Some(answer), "{offset}");
    }
    let mut waiting = Waiting::new(segment.futex_wait(0, 0));
    segment.update_u32(0, AtomicOp::Store(1)).unwrap();
    assert_eq!(waiting.poll(), Poll::Pending);
    assert_eq!(segment.futex_wake(0, 1), Ok(1));
    assert_eq!(waiting.end(), Ok(()));
}

#[test]
fn a_wake_is_for_the_oldest_at_its_address() {
    let segment = segment(8);
    let here: Vec<_> = (0..4)
        .map(|_| Waiting::new(segment.futex_wait(0, 0)))
        .collect();
    let elsewhere = Waiting::new(segment.futex_wait(4, 0));
    assert_eq!(segment.futex_wake(0, 0), Ok(0));
    assert_eq!(segment.futex_wake(0, 2), Ok(2));
    let wakes: Vec<_> = here.iter().map(Waiting::wakes).collect();
    assert_eq!((wakes, elsewhere.wakes()), (vec![1, 1, 0, 0], 0));
    assert_eq!(segment.futex_wake(0, u32::MAX), Ok(2));
    assert_eq!(segment.futex_wake(0, u32::MAX), Ok(0));
    assert_eq!(segment.futex_wake(4, 1), Ok(1));
    for waiting in here {
        assert_eq!(waiting.end(), Ok(()));
    }
    assert_eq!(elsewhere.end(), Ok(()));
}

#[test]
fn a_wake_for_one_who_gave_up_goes_to_the_next_at_the_address() {
    let segment = segment(8);
    let first = Waiting::new(segment.futex_wait(0, 0));
    let elsewhere = Waiting::new(segment.futex_wait(4, 0));
    let second = Waiting::new(segment.futex_wait(0, 0));
    assert_eq!(segment.futex_wake(0, 1), Ok(1));
    drop(first);
    assert_eq!((second.wakes(), elsewhere.wakes()), (1, 0));
    drop(second);
    assert_eq!(elsewhere.wakes(), 0);
}

/// The mutex of three states that C libraries have: free, locked, locked with waiters.
fn lock(segment: &Arc<Segment>) {
    let taken = AtomicOp::CompareExchange {
        expected: 0,
        new: 1,
    };
    if segment.update_u32(0, taken) == Ok(0) {
        return;
    }
    while segment.update_u32(0, AtomicOp::Exchange(2)) != Ok(0) {
        match block_on(segment.futex_wait(0, 2)) {
            Ok(()) | Err(Errno::Again) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

fn unlock(segment: &Arc<Segment>) {
    if segment.update_u32(0, AtomicOp::Exchange(0)) == Ok(2) {
        segment.futex_wake(0, 1).unwrap();
    }
}

#[test]
fn a_mutex_on_a_word_keeps_threads_apart() {
    const ROUNDS: u64 = 3_000;
    let segment = segment(64);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    lock(&segment);
                    // Not atomic as a whole: without the mutex increments are lost.
                    let mut bytes = [0; 8];
                    segment.read(9, &mut bytes);
                    let number = u64::from_le_bytes(bytes) + 1;
                    segment.write(9, &number.to_le_bytes()).unwrap();
                    unlock(&segment);
                }
            });
        }
    });
    let mut bytes = [0; 8];
    segment.read(9, &mut bytes);
    assert_eq!(u64::from_le_bytes(bytes), 4 * ROUNDS);
}

#[test]
fn neighbours_in_a_word_do_not_disturb_each_other() {
    let segment = segment(8);
    thread::scope(|scope| {
        for place in 0..4_u64 {
            let segment = &segment;
            scope.spawn(move || {
                for value in 0..20_000_u32 {
                    segment.write(place, &[value as u8]).unwrap();
                    let mut byte = [0];
                    segment.read(place, &mut byte);
                    assert_eq!(byte, [value as u8]);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20_000 {
                segment.update_u32(4, AtomicOp::Add(1)).unwrap();
            }
        });
    });
    assert_eq!(segment.update_u32(4, AtomicOp::Load), Ok(20_000));
}
