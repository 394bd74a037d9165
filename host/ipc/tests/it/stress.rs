//! Threads against each other: every message arrives once and in order, and nobody sleeps for ever.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmpod_ipc::{Errno, IpcLimits, OpenFlags, PodIpc, Queue, Wait};

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

/// Waits on this thread as an executor does.
pub(super) fn block_on(wait: Wait) -> Result<(), Errno> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut wait = pin!(wait);
    loop {
        if let Poll::Ready(result) = wait.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        let before = std::time::Instant::now();
        thread::park_timeout(LOST_WAKE);
        assert!(before.elapsed() < LOST_WAKE, "nobody woke this thread");
    }
}

fn send(queue: &Queue, data: &[u8]) {
    while let Err(errno) = queue.try_send(data, 0) {
        assert_eq!(errno, Errno::Again);
        block_on(queue.wait_send()).unwrap();
    }
}

fn receive(queue: &Queue) -> Vec<u8> {
    loop {
        match queue.try_receive_into(|data, _| data.to_vec()) {
            Ok(data) => return data,
            Err(errno) => assert_eq!(errno, Errno::Again),
        }
        block_on(queue.wait_receive()).unwrap();
    }
}

/// Sends from `senders` threads to `receivers` threads; each sender's messages must arrive in order.
fn run(senders: u32, receivers: u32, max_messages: u32) {
    let pod = PodIpc::new(IpcLimits::default());
    let keep = pod.attach("keep");
    let _queue = keep.mq_open("/q", CREATE, size(max_messages, 8)).unwrap();
    let total = thread::scope(|scope| {
        let (pod, each) = (&pod, MESSAGES / senders);
        for sender in 0..senders {
            scope.spawn(move || {
                let container = pod.attach("sender");
                let queue = container.mq_open("/q", OpenFlags::WRITE, None).unwrap();
                for number in 0..each {
                    send(
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
                    let container = pod.attach("receiver");
                    let queue = container.mq_open("/q", OpenFlags::READ, None).unwrap();
                    let mut last = vec![None; senders as usize];
                    for _ in 0..share {
                        let data = receive(&queue);
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
    let queue = pod.list().message_queues.remove(0);
    assert_eq!(u64::from(total), queue.traffic.received_messages);
    assert_eq!((queue.current_messages, queue.open_handles), (0, 1));
}

#[test]
fn one_sender_and_one_receiver_lose_nothing_on_two_threads() {
    for max_messages in [1, 10, 1024] {
        run(1, 1, max_messages);
    }
}

#[test]
fn several_senders_and_receivers_share_a_queue_without_loss() {
    run(4, 4, 10);
}

/// A counter that only semaphores protect: lost units hang, units too many lose an increment.
#[test]
fn a_semaphore_lets_one_thread_in_at_a_time_and_loses_no_unit() {
    let pod = PodIpc::new(IpcLimits::default());
    let inside = std::sync::atomic::AtomicU32::new(0);
    let (threads, rounds) = (4_u32, 5_000_u32);
    let total = std::sync::atomic::AtomicU32::new(0);
    let keep = pod.attach("keep");
    let _semaphore = keep.sem_open("/lock", OpenFlags::CREATE, 1).unwrap();
    thread::scope(|scope| {
        for number in 0..threads {
            let (pod, inside, total) = (&pod, &inside, &total);
            scope.spawn(move || {
                let container = pod.attach("worker");
                let semaphore = container.sem_open("/lock", OpenFlags::READ, 0).unwrap();
                for round in 0..rounds {
                    // Some give up at once, some after they have lined up, most wait.
                    if (round + number) % 7 == 0 {
                        let mut given_up = pin!(semaphore.wait());
                        let mut cx = Context::from_waker(Waker::noop());
                        if given_up.as_mut().poll(&mut cx).is_pending() {
                            continue;
                        }
                    } else if semaphore.try_wait().is_err() {
                        block_on(semaphore.wait()).unwrap();
                    }
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                    total.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    semaphore.post().unwrap();
                }
            });
        }
    });
    let semaphore = pod.list().semaphores.remove(0);
    assert_eq!((semaphore.value, semaphore.waiting), (1, 0));
    assert!(total.into_inner() >= threads * rounds / 2);
}
