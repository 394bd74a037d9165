//! Waiting at queues: whom a send, a receive, a removal, an end wakes, and that no wake is lost.

use std::task::Poll;

use wasmpod_ipc::limits::MAX_WAITERS;
use wasmpod_ipc::{Errno, IpcLimits, OpenFlags, PodIpc};

use super::actors::Waiting;
use super::{CREATE, EXISTING, pod, receive, size};

#[test]
fn a_receiver_waits_for_a_message_and_a_sender_for_space() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(1, 8)).unwrap();
    assert_eq!(Waiting::begin(queue.wait_send()).err(), Some(Ok(())));
    let receiver = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    assert_eq!(receiver.end(), Ok(()));
    let sender = Waiting::new(queue.wait_send());
    receive(&queue).unwrap();
    assert_eq!(sender.end(), Ok(()));
}

#[test]
fn a_message_wakes_one_receiver_the_first() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let mut line: Vec<_> = (0..5).map(|_| Waiting::new(queue.wait_receive())).collect();
    for number in 0..5 {
        queue.try_send(b"x", 0).unwrap();
        let wakes: Vec<_> = line.iter().map(Waiting::wakes).collect();
        let expected: Vec<_> = (0..5).map(|i| usize::from(i <= number)).collect();
        assert_eq!(wakes, expected);
    }
    for waiting in line.drain(..) {
        assert_eq!(waiting.end(), Ok(()));
        receive(&queue).unwrap();
    }
}

#[test]
fn a_place_wakes_one_sender_the_first() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(2, 8)).unwrap();
    while queue.try_send(b"x", 0).is_ok() {}
    let (first, second) = (
        Waiting::new(queue.wait_send()),
        Waiting::new(queue.wait_send()),
    );
    receive(&queue).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(first.end(), Ok(()));
    queue.try_send(b"y", 0).unwrap();
    assert_eq!(second.wakes(), 0);
    receive(&queue).unwrap();
    assert_eq!(second.end(), Ok(()));
}

#[test]
fn a_waiter_that_gives_up_after_its_wake_passes_it_on() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let first = Waiting::new(queue.wait_receive());
    let second = Waiting::new(queue.wait_receive());
    let third = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    drop(second);
    assert_eq!((first.wakes(), third.wakes()), (1, 0));
    drop(first);
    assert_eq!(third.end(), Ok(()));
}

#[test]
fn a_waiter_that_was_robbed_keeps_its_place() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let mut first = Waiting::new(queue.wait_receive());
    let second = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    receive(&queue).unwrap();
    assert_eq!(first.poll(), Poll::Pending);
    queue.try_send(b"y", 0).unwrap();
    assert_eq!((first.is_woken(), second.is_woken()), (true, false));
}

#[test]
fn who_comes_later_does_not_take_the_turn_of_who_was_woken() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let first = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    let later = Waiting::new(queue.wait_receive());
    queue.try_send(b"y", 0).unwrap();
    assert_eq!(later.wakes(), 1);
    assert_eq!(first.end(), Ok(()));
    assert_eq!(later.end(), Ok(()));
}

#[test]
fn all_who_only_look_are_woken_and_take_nothing_from_others() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(1, 8)).unwrap();
    let lookers: Vec<_> = (0..3).map(|_| Waiting::new(queue.readable())).collect();
    let receiver = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    for looker in lookers {
        assert_eq!(looker.end(), Ok(()));
    }
    assert_eq!(receiver.end(), Ok(()));
    let lookers: Vec<_> = (0..3).map(|_| Waiting::new(queue.writable())).collect();
    receive(&queue).unwrap();
    for looker in lookers {
        assert_eq!(looker.end(), Ok(()));
    }
}

#[test]
fn a_wait_in_the_wrong_direction_is_refused() {
    let (_pod, container) = pod();
    let reader = container
        .mq_open("/q", OpenFlags::READ | OpenFlags::CREATE, size(1, 1))
        .unwrap();
    let writer = container.mq_open("/q", OpenFlags::WRITE, None).unwrap();
    let refused = Some(Err(Errno::BadDescriptor));
    for wait in [writer.wait_receive(), writer.readable()] {
        assert_eq!(Waiting::begin(wait).err(), refused);
    }
    for wait in [reader.wait_send(), reader.writable()] {
        assert_eq!(Waiting::begin(wait).err(), refused);
    }
}

#[test]
fn the_end_of_a_container_ends_its_waits_and_only_its() {
    let pod = PodIpc::new(IpcLimits::default());
    let (ends, stays) = (pod.attach("ends"), pod.attach("stays"));
    let queue = ends.mq_open("/q", CREATE, None).unwrap();
    let other = stays.mq_open("/q", EXISTING, None).unwrap();
    let waiting = Waiting::new(queue.wait_receive());
    let mut neighbour = Waiting::new(other.wait_receive());
    drop(ends);
    assert_eq!(waiting.end(), Err(Errno::BadDescriptor));
    assert_eq!(neighbour.poll(), Poll::Pending);
    assert_eq!(
        Waiting::begin(queue.wait_receive()).err(),
        Some(Err(Errno::BadDescriptor))
    );
    other.try_send(b"x", 0).unwrap();
    assert_eq!(neighbour.end(), Ok(()));
}

#[test]
fn a_container_that_dies_between_its_turn_and_the_message_passes_it_on() {
    let pod = PodIpc::new(IpcLimits::default());
    let (dies, stays) = (pod.attach("dies"), pod.attach("stays"));
    let first = dies.mq_open("/q", CREATE, None).unwrap();
    let second = stays.mq_open("/q", EXISTING, None).unwrap();
    let turn = Waiting::new(first.wait_receive());
    let waiting = Waiting::new(second.wait_receive());
    second.try_send(b"x", 0).unwrap();
    assert_eq!(turn.end(), Ok(()));
    assert_eq!(waiting.wakes(), 0);
    drop((first, dies));
    assert_eq!(waiting.end(), Ok(()));
}

#[test]
fn one_waiter_too_many_is_refused_and_harms_nobody() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let mut line: Vec<_> = (0..MAX_WAITERS)
        .map(|_| Waiting::new(queue.wait_receive()))
        .collect();
    assert_eq!(
        Waiting::begin(queue.wait_receive()).err(),
        Some(Err(Errno::NoMemory))
    );
    line.pop();
    let last = Waiting::new(queue.wait_receive());
    queue.try_send(b"x", 0).unwrap();
    assert_eq!((line[0].wakes(), last.wakes()), (1, 0));
}

#[test]
fn who_asked_is_told_once_of_a_message_into_the_empty_queue() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    queue.try_send(b"before", 0).unwrap();
    let told = Waiting::new(queue.notify().unwrap());
    assert_eq!(queue.notify().unwrap_err(), Errno::Busy);
    queue.try_send(b"not empty", 0).unwrap();
    assert_eq!(told.wakes(), 0);
    receive(&queue).unwrap();
    receive(&queue).unwrap();
    let receiver = Waiting::new(queue.wait_receive());
    queue.try_send(b"somebody waits for it", 0).unwrap();
    assert_eq!(told.wakes(), 0);
    assert_eq!(receiver.end(), Ok(()));
    receive(&queue).unwrap();
    queue.try_send(b"tell", 0).unwrap();
    assert_eq!(told.end(), Ok(()));
    // The place is free again, and so when a registration is given up.
    drop(queue.notify().unwrap());
    assert!(queue.notify().is_ok());
}

#[test]
fn a_registration_ends_with_its_container() {
    let pod = PodIpc::new(IpcLimits::default());
    let (ends, stays) = (pod.attach("ends"), pod.attach("stays"));
    let queue = ends.mq_open("/q", CREATE, None).unwrap();
    let other = stays.mq_open("/q", EXISTING, None).unwrap();
    let told = Waiting::new(queue.notify().unwrap());
    assert_eq!(
        pod.list().message_queues[0].notifies.as_deref(),
        Some("ends")
    );
    drop(ends);
    assert_eq!(told.end(), Err(Errno::BadDescriptor));
    assert!(other.notify().is_ok());
}
