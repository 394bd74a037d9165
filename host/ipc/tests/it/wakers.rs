//! Waiting: whom a send, a receive, a close wakes, and that no wake is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasmpod_ipc::limits::MAX_WAITERS;
use wasmpod_ipc::{IpcLimits, OpenFlags, PodIpc};

use super::{CREATE, EXISTING, pod, receive, size};

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        (Arc::clone(&counter), Waker::from(counter))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_receiver_waits_for_a_message_and_a_sender_for_space() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, size(1, 8)).unwrap();
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);

    assert_eq!(queue.poll_send_ready(&mut cx), Poll::Ready(()));
    assert_eq!(queue.poll_receive_ready(&mut cx), Poll::Pending);
    queue.try_send(b"x", 0).unwrap();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(queue.poll_receive_ready(&mut cx), Poll::Ready(()));

    assert_eq!(queue.poll_send_ready(&mut cx), Poll::Pending);
    receive(&queue).unwrap();
    assert_eq!(counter.wakes(), 2);
    assert_eq!(queue.poll_send_ready(&mut cx), Poll::Ready(()));
}

#[test]
fn one_wait_is_one_wake() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let (counter, waker) = Counter::new();
    for _ in 0..3 {
        assert!(
            queue
                .poll_receive_ready(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    queue.try_send(b"1", 0).unwrap();
    queue.try_send(b"2", 0).unwrap();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_waiter_that_gave_up_does_not_swallow_the_wake_of_the_next() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let (_, gone) = Counter::new();
    assert!(
        queue
            .poll_receive_ready(&mut Context::from_waker(&gone))
            .is_pending()
    );
    let (counter, waker) = Counter::new();
    assert!(
        queue
            .poll_receive_ready(&mut Context::from_waker(&waker))
            .is_pending()
    );
    queue.try_send(b"x", 0).unwrap();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_wait_in_the_wrong_direction_ends_at_once() {
    let (_pod, container) = pod();
    let reader = container
        .mq_open("/q", OpenFlags::READ | OpenFlags::CREATE, size(1, 1))
        .unwrap();
    let writer = container.mq_open("/q", OpenFlags::WRITE, None).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(writer.poll_receive_ready(&mut cx).is_ready());
    writer.try_send(b"x", 0).unwrap();
    assert!(reader.poll_send_ready(&mut cx).is_ready());
}

#[test]
fn the_end_of_a_container_wakes_who_waits_for_it() {
    let pod = PodIpc::new(IpcLimits::default());
    let container = pod.attach("main");
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(queue.poll_receive_ready(&mut cx).is_pending());
    drop(container);
    assert_eq!(counter.wakes(), 1);
    assert!(queue.poll_receive_ready(&mut cx).is_ready());
    assert!(queue.poll_send_ready(&mut cx).is_ready());
}

#[test]
fn a_wait_that_was_given_up_does_not_outlive_its_descriptor() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let given_up = container.mq_open("/q", EXISTING, None).unwrap();
    let (counter, waker) = Counter::new();
    assert!(
        given_up
            .poll_receive_ready(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 2);
    drop(given_up);
    assert_eq!(Arc::strong_count(&counter), 1);
    drop(queue);
}

#[test]
fn more_waiters_than_the_list_holds_are_woken_and_not_forgotten() {
    let (_pod, container) = pod();
    let queue = container.mq_open("/q", CREATE, None).unwrap();
    let waiters: Vec<_> = (0..MAX_WAITERS + 1).map(|_| Counter::new()).collect();
    for (_, waker) in &waiters {
        assert!(
            queue
                .poll_receive_ready(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    queue.try_send(b"x", 0).unwrap();
    assert!(waiters.iter().all(|(counter, _)| counter.wakes() == 1));
}

#[test]
fn late_wakes_come_at_half_empty() {
    let pod = PodIpc::new(IpcLimits::default());
    let (producer, consumer) = (
        pod.attach("producer"),
        pod.attach_with_late_wakes("consumer"),
    );
    let tx = producer.mq_open("/q", CREATE, size(8, 8)).unwrap();
    let rx = consumer.mq_open("/q", EXISTING, None).unwrap();
    let (counter, waker) = Counter::new();
    for _ in 0..3 {
        while tx.try_send(b"x", 0).is_ok() {}
        let before = counter.wakes();
        assert!(
            tx.poll_send_ready(&mut Context::from_waker(&waker))
                .is_pending()
        );
        for _ in 0..3 {
            receive(&rx).unwrap();
            assert_eq!(counter.wakes(), before);
        }
        receive(&rx).unwrap();
        assert_eq!(counter.wakes(), before + 1);
    }
}

#[test]
fn late_wakes_come_when_the_receiver_settles_or_ends_before_half_empty() {
    let pod = PodIpc::new(IpcLimits::default());
    let (producer, consumer) = (
        pod.attach("producer"),
        pod.attach_with_late_wakes("consumer"),
    );
    let tx = producer.mq_open("/q", CREATE, size(8, 8)).unwrap();
    let rx = consumer.mq_open("/q", EXISTING, None).unwrap();
    let (counter, waker) = Counter::new();
    let fill_and_wait = || {
        while tx.try_send(b"x", 0).is_ok() {}
        assert!(
            tx.poll_send_ready(&mut Context::from_waker(&waker))
                .is_pending()
        );
    };
    for round in 1..=3 {
        fill_and_wait();
        receive(&rx).unwrap();
        consumer.settle();
        consumer.settle();
        assert_eq!(counter.wakes(), round);
    }
    fill_and_wait();
    receive(&rx).unwrap();
    assert_eq!(counter.wakes(), 3);
    drop(consumer);
    assert_eq!(counter.wakes(), 4);
}

#[test]
fn a_container_that_wakes_at_once_does_not_rely_on_one_that_wakes_late() {
    let pod = PodIpc::new(IpcLimits::default());
    let (late, prompt) = (pod.attach_with_late_wakes("late"), pod.attach("prompt"));
    let tx = prompt.mq_open("/q", CREATE, size(8, 8)).unwrap();
    let rx_late = late.mq_open("/q", EXISTING, None).unwrap();
    while tx.try_send(b"x", 0).is_ok() {}
    let (counter, waker) = Counter::new();
    assert!(
        tx.poll_send_ready(&mut Context::from_waker(&waker))
            .is_pending()
    );
    receive(&rx_late).unwrap();
    assert_eq!(counter.wakes(), 0);
    receive(&tx).unwrap();
    assert_eq!(counter.wakes(), 1);
    late.settle();
    assert_eq!(counter.wakes(), 1);
}
