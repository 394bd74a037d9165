//! System V semaphore sets: the sentences of `semget(2)`, `semop(2)` and `semctl(2)`, and their waits.

use std::task::Poll;

use wasmpod_ipc::limits::SystemVLimits;
use wasmpod_ipc::sysv::semaphore_set::{SemOp, SemaphoreSet};
use wasmpod_ipc::sysv::{GetFlags, IPC_PRIVATE};
use wasmpod_ipc::{ContainerIpc, Errno, IpcLimits, PodIpc};

use super::actors::Waiting;
use super::pod;

const CREATE: GetFlags = GetFlags::CREATE;

fn op(number: u16, change: i16) -> SemOp {
    SemOp {
        number,
        change,
        no_wait: false,
        undo: false,
    }
}

fn undo(number: u16, change: i16) -> SemOp {
    SemOp {
        undo: true,
        ..op(number, change)
    }
}

fn no_wait(number: u16, change: i16) -> SemOp {
    SemOp {
        no_wait: true,
        ..op(number, change)
    }
}

fn set(container: &ContainerIpc, count: i32) -> SemaphoreSet {
    let id = container.sem_get(1, count, CREATE).unwrap();
    container.semaphore_set(id).unwrap()
}

#[test]
fn a_set_is_asked_for_by_key_and_number_of_semaphores() {
    let (_pod, container) = pod();
    let get = |key, count, flags| container.sem_get(key, count, flags);
    for count in [0, -1, 32_001] {
        assert_eq!(get(5, count, CREATE), Err(Errno::Invalid), "{count}");
    }
    assert_eq!(get(5, 1, GetFlags::default()), Err(Errno::NoEntry));
    assert_eq!(get(5, 40_000, GetFlags::default()), Err(Errno::Invalid));
    let id = get(5, 2, CREATE).unwrap();
    assert_eq!(get(5, 0, GetFlags::default()), Ok(id));
    assert_eq!(get(5, 1, GetFlags::default()), Ok(id));
    assert_eq!(get(5, 3, GetFlags::default()), Err(Errno::Invalid));
    assert_eq!(get(5, 2, CREATE | GetFlags::EXCLUSIVE), Err(Errno::Exist));
    assert_ne!(get(IPC_PRIVATE, 2, CREATE), Ok(id));
    assert!(get(6, 32_000, CREATE).is_ok());
}

#[test]
fn operations_are_done_all_or_none_and_in_their_order() {
    type Row<'a> = (&'a [SemOp], Result<(), Errno>, [u16; 2]);
    let table: [Row<'_>; 14] = [
        (&[], Err(Errno::Invalid), [2, 0]),
        (&[op(2, 1)], Err(Errno::FileTooBig), [2, 0]),
        (&[op(0, 1), op(2, 1)], Err(Errno::FileTooBig), [2, 0]),
        (&[op(0, -2)], Ok(()), [0, 0]),
        (&[op(0, -3)], Err(Errno::Again), [2, 0]),
        (&[op(0, -1), op(1, -1)], Err(Errno::Again), [2, 0]),
        (&[op(1, 1), op(1, -1), op(1, 0)], Ok(()), [2, 0]),
        (&[op(1, -1), op(1, 1)], Err(Errno::Again), [2, 0]),
        (&[op(0, 0)], Err(Errno::Again), [2, 0]),
        (&[op(0, -2), op(0, 0), op(0, 5)], Ok(()), [5, 0]),
        (&[op(0, 32_765)], Ok(()), [32_767, 0]),
        (&[op(1, 1), op(0, 32_766)], Err(Errno::Range), [2, 0]),
        (&[undo(0, -2), undo(1, 9)], Ok(()), [0, 9]),
        (&[op(0, 1); 501], Err(Errno::TooBig), [2, 0]),
    ];
    for (ops, expected, values) in table {
        let (_pod, container) = pod();
        let set = set(&container, 2);
        set.set_values(&[2, 0]).unwrap();
        assert_eq!(set.try_operate(ops), expected, "{ops:?}");
        assert_eq!(set.values().unwrap(), values, "{ops:?}");
    }
}

#[test]
fn only_the_operation_that_blocks_decides_about_waiting() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    let begin = |ops: &[SemOp]| Waiting::begin(set.operate(ops)).err();
    let refused = Some(Err(Errno::Again));
    assert_eq!(begin(&[no_wait(0, -1)]), refused);
    assert_eq!(begin(&[op(0, 1), no_wait(1, -1)]), refused);
    assert_eq!(begin(&[no_wait(0, 1), op(1, -1)]), None);
    // It waits for the first semaphore, and is refused when that is there and the second is not.
    let waiting = Waiting::new(set.operate(&[op(0, -1), no_wait(1, -1)]));
    set.try_operate(&[op(0, 1)]).unwrap();
    assert_eq!(waiting.end(), Err(Errno::Again));
    assert_eq!(set.values().unwrap(), [1, 0]);
}

#[test]
fn a_change_serves_as_many_as_it_suffices_for_in_one_go() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    let two = Waiting::new(set.operate(&[op(0, -2)]));
    let one = Waiting::new(set.operate(&[op(0, -1)]));
    let both = Waiting::new(set.operate(&[op(0, -1), op(1, -1)]));
    assert_eq!(set.waiting_for_increase(0), Ok(3));
    set.try_operate(&[op(0, 1)]).unwrap();
    assert_eq!((two.wakes(), both.wakes()), (0, 0));
    assert_eq!(one.end(), Ok(()));
    set.try_operate(&[op(0, 1)]).unwrap();
    assert_eq!((two.wakes(), both.wakes()), (0, 0));
    assert_eq!(set.waiting_for_increase(1), Ok(1));
    set.try_operate(&[op(1, 1)]).unwrap();
    assert_eq!(two.wakes(), 0);
    assert_eq!(both.end(), Ok(()));
    set.try_operate(&[op(0, 2)]).unwrap();
    assert_eq!(two.end(), Ok(()));
    assert_eq!(set.values().unwrap(), [0, 0]);
}

#[test]
fn what_one_that_was_served_gives_serves_the_next() {
    let (_pod, container) = pod();
    let set = set(&container, 3);
    let last = Waiting::new(set.operate(&[op(2, -1)]));
    let middle = Waiting::new(set.operate(&[op(1, -1), op(2, 1)]));
    let zero = {
        set.set_value(0, 1).unwrap();
        Waiting::new(set.operate(&[op(0, 0), op(1, 1)]))
    };
    assert_eq!(set.waiting_for_zero(0), Ok(1));
    set.try_operate(&[op(0, -1)]).unwrap();
    for waiting in [zero, middle, last] {
        assert_eq!(waiting.end(), Ok(()));
    }
    assert_eq!(set.values().unwrap(), [0, 0, 0]);
}

#[test]
fn an_operation_done_for_one_who_gave_up_is_taken_back() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    let first = Waiting::new(set.operate(&[op(0, -1)]));
    let second = Waiting::new(set.operate(&[op(0, -1)]));
    set.try_operate(&[op(0, 1)]).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!(second.end(), Ok(()));
    // What it gave cannot be taken back when others have used it up: then it stays done.
    let gives = Waiting::new(set.operate(&[op(0, -1), op(1, 1)]));
    let uses = Waiting::new(set.operate(&[op(1, -1)]));
    set.try_operate(&[op(0, 1)]).unwrap();
    assert_eq!(uses.end(), Ok(()));
    drop(gives);
    assert_eq!(set.values().unwrap(), [0, 0]);
}

#[test]
fn the_end_of_a_container_takes_back_what_it_did_with_undo() {
    let pod = PodIpc::new(IpcLimits::default());
    let (keeper, killed) = (pod.attach("keeper"), pod.attach("killed"));
    let mine = set(&keeper, 4);
    let its = killed.semaphore_set(mine.id()).unwrap();
    mine.set_values(&[1, 5, 3, 0]).unwrap();
    its.try_operate(&[undo(0, -1), op(1, -1), undo(2, 4)])
        .unwrap();
    its.try_operate(&[undo(3, 2)]).unwrap();
    // Others use some of what it gave: the value cannot go below 0.
    mine.try_operate(&[op(3, -1)]).unwrap();
    let waiting = Waiting::new(mine.operate(&[op(0, -1)]));
    drop(killed);
    assert_eq!(waiting.end(), Ok(()));
    assert_eq!(mine.values().unwrap(), [0, 4, 3, 0]);
    assert_eq!(its.try_operate(&[op(0, 1)]), Err(Errno::BadDescriptor));
}

#[test]
fn setting_a_value_forgets_what_was_to_be_taken_back() {
    let pod = PodIpc::new(IpcLimits::default());
    let (keeper, killed) = (pod.attach("keeper"), pod.attach("killed"));
    let mine = set(&keeper, 2);
    let its = killed.semaphore_set(mine.id()).unwrap();
    its.try_operate(&[undo(0, 3), undo(1, 3)]).unwrap();
    mine.set_value(0, 7).unwrap();
    drop(killed);
    assert_eq!(mine.values().unwrap(), [7, 0]);
}

#[test]
fn adjustments_stay_within_their_range() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    set.try_operate(&[undo(0, 32_767)]).unwrap();
    set.try_operate(&[op(0, -32_767)]).unwrap();
    set.try_operate(&[undo(0, 1)]).unwrap();
    set.try_operate(&[op(0, -1)]).unwrap();
    assert_eq!(set.try_operate(&[op(1, 1), undo(0, 1)]), Err(Errno::Range));
    assert_eq!(set.values().unwrap(), [0, 0]);
}

#[test]
fn a_container_that_ends_while_it_waits_takes_nothing() {
    let pod = PodIpc::new(IpcLimits::default());
    let (keeper, killed) = (pod.attach("keeper"), pod.attach("killed"));
    let mine = set(&keeper, 1);
    let its = killed.semaphore_set(mine.id()).unwrap();
    let waits = Waiting::new(its.operate(&[undo(0, -1)]));
    let served = Waiting::new(its.operate(&[undo(0, -1)]));
    mine.try_operate(&[op(0, 1)]).unwrap();
    drop(killed);
    // Its end has given the unit back; giving up the wait must not give it once more.
    assert_eq!(mine.value(0), Ok(1));
    drop(waits);
    assert_eq!(served.end(), Err(Errno::BadDescriptor));
    assert_eq!(mine.value(0), Ok(1));
}

#[test]
fn control_reads_and_sets_values_within_their_range() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    for (value, expected) in [
        (-1, Err(Errno::Range)),
        (32_768, Err(Errno::Range)),
        (32_767, Ok(())),
        (0, Ok(())),
    ] {
        assert_eq!(set.set_value(0, value), expected, "{value}");
    }
    assert_eq!(set.set_value(2, 1), Err(Errno::Invalid));
    assert_eq!(set.set_value(1 << 16, 1), Err(Errno::Invalid));
    assert_eq!(set.value(2), Err(Errno::Invalid));
    assert_eq!(set.set_values(&[1, 32_768]), Err(Errno::Range));
    assert_eq!(set.set_values(&[1]), Err(Errno::Invalid));
    let waiting = Waiting::new(set.operate(&[op(0, -1), op(1, -2)]));
    set.set_values(&[3, 2]).unwrap();
    assert_eq!(waiting.end(), Ok(()));
    assert_eq!(set.values().unwrap(), [2, 0]);
    assert_eq!(set.last_pid(0), Ok(container.pid()));
    set.set_mode(0o640).unwrap();
    assert_eq!(set.stat().unwrap().mode, 0o640);
}

#[test]
fn a_removal_ends_all_waits() {
    let (_pod, container) = pod();
    let set = set(&container, 1);
    let waiting = Waiting::new(set.operate(&[op(0, -1)]));
    set.remove().unwrap();
    assert_eq!(waiting.end(), Err(Errno::Removed));
    let late = Waiting::begin(set.operate(&[op(0, 1)]));
    assert_eq!(late.err(), Some(Err(Errno::Removed)));
    assert_eq!(set.remove(), Err(Errno::Invalid));
    assert_eq!(set.try_operate(&[op(0, 1)]), Err(Errno::Invalid));
    assert_eq!(set.value(0), Err(Errno::Invalid));
    assert!(container.semaphore_set(set.id()).is_err());
}

#[test]
fn sets_semaphores_and_adjustments_are_bounded_for_the_pod() {
    let system_v = SystemVLimits {
        semmns: 1000,
        semmni: 3,
        max_bytes: 20_000,
        ..SystemVLimits::default()
    };
    let pod = PodIpc::new(IpcLimits {
        system_v,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    let set = set(&container, 900);
    assert_eq!(container.sem_get(2, 101, CREATE), Err(Errno::NoSpace));
    assert!(container.sem_get(2, 50, CREATE).is_ok());
    assert!(container.sem_get(3, 50, CREATE).is_ok());
    assert_eq!(container.sem_get(4, 1, CREATE), Err(Errno::NoSpace));
    let full = (0..900).find_map(|number| set.try_operate(&[undo(number, 1)]).err());
    assert_eq!(full, Some(Errno::NoMemory));
    set.remove().unwrap();
    drop(set);
    assert!(container.sem_get(4, 900, CREATE).is_ok());
}

#[test]
fn who_waits_alone_is_not_woken_by_what_does_not_concern_it() {
    let (_pod, container) = pod();
    let set = set(&container, 2);
    let mut waiting = Waiting::new(set.operate(&[op(0, -5)]));
    for _ in 0..4 {
        set.try_operate(&[op(0, 1), op(1, 1)]).unwrap();
    }
    assert_eq!((waiting.wakes(), waiting.poll()), (0, Poll::Pending));
}
