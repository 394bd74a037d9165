//! Threads against each other: every message arrives once and in order, and nobody sleeps for ever.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmpod_ipc::{ContainerIpc, Errno, IpcLimits, OpenFlags, PodIpc, Queue};

use super::{CREATE, size};

const MESSAGES: u32 = 20_000;
/// A wake that is lost shows as a wait of this length, which fails the test.
const LOST_WAKE: Duration = Duration::from_secs(20);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread as an executor does, and settles when it has nothing to do.
fn block_on(container: &ContainerIpc, poll: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(poll_fn(poll));
    while future
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_pending()
    {
        container.settle();
        let before = std::time::Instant::now();
        thread::park_timeout(LOST_WAKE);
        assert!(before.elapsed() < LOST_WAKE, "nobody woke this thread");
    }
}

fn send(container: &ContainerIpc, queue: &Queue, data: &[u8]) {
    while let Err(errno) = queue.try_send(data, 0) {
        assert_eq!(errno, Errno::Again);
        block_on(container, |cx| queue.poll_send_ready(cx));
    }
}

fn receive(container: &ContainerIpc, queue: &Queue) -> Vec<u8> {
    loop {
        match queue.try_receive_into(|data, _| data.to_vec()) {
            Ok(data) => return data,
            Err(errno) => assert_eq!(errno, Errno::Again),
        }
        block_on(container, |cx| queue.poll_receive_ready(cx));
    }
}

fn attach(pod: &PodIpc, late: bool, name: &str) -> ContainerIpc {
    if late {
        pod.attach_with_late_wakes(name)
    } else {
        pod.attach(name)
    }
}

/// Sends from `senders` threads to `receivers` threads; each sender's messages must arrive in order.
fn run(senders: u32, receivers: u32, max_messages: u32, late: bool) {
    let pod = PodIpc::new(IpcLimits::default());
    let keep = pod.attach("keep");
    let _queue = keep.mq_open("/q", CREATE, size(max_messages, 8)).unwrap();
    let total = thread::scope(|scope| {
        let (pod, each) = (&pod, MESSAGES / senders);
        for sender in 0..senders {
            scope.spawn(move || {
                let container = attach(pod, late, "sender");
                let queue = container.mq_open("/q", OpenFlags::WRITE, None).unwrap();
                for number in 0..each {
                    send(
                        &container,
                        &queue,
                        &[sender.to_le_bytes(), number.to_le_bytes()].concat(),
                    );
                }
            });
        }
        let share = each * senders / receivers;
        let threads: Vec<_> = (0..receivers)
            .map(|_| {
                scope.spawn(move || {
                    let container = attach(pod, late, "receiver");
                    let queue = container.mq_open("/q", OpenFlags::READ, None).unwrap();
                    let mut last = vec![None; senders as usize];
                    for _ in 0..share {
                        let data = receive(&container, &queue);
                        let sender = u32::from_le_bytes(data[..4].try_into().unwrap()) as usize;
                        let number = u32::from_le_bytes(data[4..].try_into().unwrap());
                        assert!(
                            last[sender] < Some(number),
                            "{number} after {:?}",
                            last[sender]
                        );
                        last[sender] = Some(number);
                    }
                    share
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    let queue = pod.list().remove(0);
    assert_eq!(u64::from(total), queue.traffic.received_messages);
    assert_eq!((queue.current_messages, queue.open_handles), (0, 1));
}

#[test]
fn one_sender_and_one_receiver_lose_nothing_on_two_threads() {
    for max_messages in [1, 10, 1024] {
        run(1, 1, max_messages, false);
    }
}

#[test]
fn late_wakes_lose_nothing_on_two_threads() {
    for max_messages in [1, 2, 10, 1024] {
        run(1, 1, max_messages, true);
    }
}

#[test]
fn several_senders_and_receivers_share_a_queue_without_loss() {
    for late in [false, true] {
        run(4, 4, 10, late);
    }
}
