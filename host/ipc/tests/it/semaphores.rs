//! POSIX semaphores: the sentences of `sem_open(3)` and its companions, and their waits.

use std::task::Poll;

use wasmpod_ipc::limits::SEM_VALUE_MAX;
use wasmpod_ipc::{Errno, IpcLimits, OpenFlags as F, PodIpc};

use super::actors::Waiting;
use super::pod;

#[test]
fn create_and_exclusive_decide_about_missing_and_present_semaphores() {
    let table = [
        (F::READ, false, Err(Errno::NoEntry)),
        (F::READ, true, Ok(5)),
        (F::CREATE, false, Ok(1)),
        (F::CREATE, true, Ok(5)),
        (F::CREATE | F::EXCLUSIVE, false, Ok(1)),
        (F::CREATE | F::EXCLUSIVE, true, Err(Errno::Exist)),
        (F::EXCLUSIVE, true, Ok(5)),
        (F::TRUNCATE, true, Err(Errno::Invalid)),
    ];
    for (flags, present, expected) in table {
        let (_pod, container) = pod();
        if present {
            container.sem_open("/s", F::CREATE, 5).unwrap();
        }
        let opened = container.sem_open("/s", flags, 1);
        assert_eq!(opened.map(|s| s.value()), expected, "{flags:?} {present}");
    }
}

#[test]
fn the_value_of_a_new_semaphore_has_31_bits() {
    let (_pod, container) = pod();
    let greatest = container.sem_open("/s", F::CREATE, SEM_VALUE_MAX).unwrap();
    assert_eq!(greatest.post(), Err(Errno::Overflow));
    assert_eq!(greatest.value(), SEM_VALUE_MAX);
    greatest.try_wait().unwrap();
    greatest.post().unwrap();
    for value in [SEM_VALUE_MAX + 1, u32::MAX] {
        let refused = container.sem_open("/t", F::CREATE, value);
        assert_eq!(refused.unwrap_err(), Errno::Invalid);
    }
}

#[test]
fn a_semaphore_outlives_its_name_and_its_container() {
    let pod = PodIpc::new(IpcLimits::default());
    let first = pod.attach("main");
    first.sem_open("/s", F::CREATE, 3).unwrap();
    drop(first);
    let second = pod.attach("main");
    let open = second.sem_open("/s", F::READ, 0).unwrap();
    assert_eq!(open.value(), 3);
    second.sem_unlink("s").unwrap();
    assert_eq!(second.sem_unlink("/s"), Err(Errno::NoEntry));
    assert_eq!(second.sem_unlink("/"), Err(Errno::NoEntry));
    open.try_wait().unwrap();
    let other = second.sem_open("/s", F::CREATE, 9).unwrap();
    assert_eq!((open.value(), other.value()), (2, 9));
    drop(open);
    assert_eq!(pod.list().semaphores.len(), 1);
    drop(second);
    assert_eq!(other.post(), Err(Errno::BadDescriptor));
    assert_eq!(other.try_wait(), Err(Errno::BadDescriptor));
}

#[test]
fn units_go_to_those_who_wait_first_come_first() {
    let (pod, container) = pod();
    let semaphore = container.sem_open("/s", F::CREATE, 0).unwrap();
    assert_eq!(semaphore.try_wait(), Err(Errno::Again));
    let first = Waiting::new(semaphore.wait());
    let second = Waiting::new(semaphore.wait());
    assert_eq!(pod.list().semaphores[0].waiting, 2);
    semaphore.post().unwrap();
    // Given to the first: nobody who comes now gets it.
    assert_eq!((semaphore.value(), second.wakes()), (0, 0));
    assert_eq!(semaphore.try_wait(), Err(Errno::Again));
    assert_eq!(first.end(), Ok(()));
    semaphore.post().unwrap();
    assert_eq!(second.end(), Ok(()));
    semaphore.post().unwrap();
    assert_eq!(semaphore.value(), 1);
    assert_eq!(Waiting::begin(semaphore.wait()).err(), Some(Ok(())));
}

#[test]
fn a_unit_that_was_given_to_one_who_gave_up_is_not_lost() {
    let (_pod, container) = pod();
    let semaphore = container.sem_open("/s", F::CREATE, 0).unwrap();
    let first = Waiting::new(semaphore.wait());
    let second = Waiting::new(semaphore.wait());
    semaphore.post().unwrap();
    drop(first);
    assert_eq!(second.wakes(), 1);
    drop(second);
    assert_eq!(semaphore.value(), 1);
}

#[test]
fn who_only_looks_sees_a_unit_and_leaves_it() {
    let (_pod, container) = pod();
    let semaphore = container.sem_open("/s", F::CREATE, 0).unwrap();
    let mut lookers: Vec<_> = (0..3).map(|_| Waiting::new(semaphore.ready())).collect();
    let taker = Waiting::new(semaphore.wait());
    semaphore.post().unwrap();
    assert!(lookers.iter().all(|looker| looker.wakes() == 0));
    assert_eq!(taker.end(), Ok(()));
    semaphore.post().unwrap();
    for looker in lookers.drain(..) {
        assert_eq!(looker.end(), Ok(()));
    }
    assert_eq!(semaphore.value(), 1);
    semaphore.try_wait().unwrap();
    assert_eq!(semaphore.try_wait(), Err(Errno::Again));
}

#[test]
fn the_end_of_a_container_ends_its_waits() {
    let pod = PodIpc::new(IpcLimits::default());
    let (ends, stays) = (pod.attach("ends"), pod.attach("stays"));
    let semaphore = ends.sem_open("/s", F::CREATE, 0).unwrap();
    let other = stays.sem_open("/s", F::READ, 0).unwrap();
    let waiting = Waiting::new(semaphore.wait());
    let given = Waiting::new(semaphore.wait());
    let mut neighbour = Waiting::new(other.wait());
    drop(waiting);
    other.post().unwrap();
    drop(ends);
    // It was given a unit, but is not there any more to have it.
    assert_eq!(given.end(), Err(Errno::BadDescriptor));
    assert_eq!(neighbour.poll(), Poll::Ready(Ok(())));
}

#[test]
fn one_semaphore_too_many_is_enospc() {
    let pod = PodIpc::new(IpcLimits {
        max_semaphores: 1,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    container.sem_open("/1", F::CREATE, 0).unwrap();
    let refused = container.sem_open("/2", F::CREATE, 0);
    assert_eq!(refused.unwrap_err(), Errno::NoSpace);
    container.sem_unlink("/1").unwrap();
    assert!(container.sem_open("/2", F::CREATE, 0).is_ok());
}

#[test]
fn handles_of_one_semaphore_are_the_same_and_those_of_its_name_s_next_one_are_not() {
    let (pod, container) = pod();
    let other = pod.attach("other");
    let open =
        |container: &wasmpod_ipc::ContainerIpc| container.sem_open("/s", F::CREATE, 0).unwrap();
    let (first, again) = (open(&container), open(&other));
    assert!(first.is_same(&again) && first.is_same(&first.clone()));
    container.sem_unlink("/s").unwrap();
    assert!(first.is_same(&again));
    assert!(!first.is_same(&open(&container)));
}
