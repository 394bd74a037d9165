//! What a queue takes with a reader that waits at it: `cargo bench -p wasmpod-ipc --bench memory`.
//!
//! The difference of this process's resident memory with 20,000 of them, of which each has a name, a descriptor of its
//! own and one waiter, made as the host makes them; the guest that would wait is not counted. Where the system does not
//! tell resident memory, nothing is measured.

#![expect(clippy::print_stdout, reason = "its output is the measurement")]
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use wasmpod_ipc::{Attributes, IpcLimits, OpenFlags, PodIpc, Queue, Wait};

/// Enough that what the allocator keeps for itself does not count.
const QUEUES: u32 = 20_000;

/// A task's waker: an allocation that is shared, as in every executor.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// Resident memory of this process, in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

fn main() {
    let limits = IpcLimits {
        max_queues: QUEUES,
        max_open_handles: QUEUES,
        max_bytes: u64::MAX,
        ..IpcLimits::default()
    };
    let pod = PodIpc::new(limits);
    let container = pod.attach("reader");
    let size = Attributes {
        max_messages: 1,
        message_bytes: 8,
    };
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
    let waker = Waker::from(Arc::new(Task));
    let mut cx = Context::from_waker(&waker);
    // The places of the handles are the guests', and are there and touched before.
    let count = usize::try_from(QUEUES).unwrap();
    let mut open: Vec<Option<(Queue, Pin<Box<Wait>>)>> = Vec::with_capacity(count);
    open.resize_with(count, || None);
    let Some(before) = resident() else {
        println!("this system does not tell how much memory is resident");
        return;
    };
    for (number, place) in open.iter_mut().enumerate() {
        let queue = container.mq_open(&format!("/wake-{number}"), flags, Some(size));
        let queue = queue.unwrap();
        let mut wait = Box::pin(queue.wait_receive());
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Pending);
        *place = Some((queue, wait));
    }
    let each = |after: u64| (after.saturating_sub(before)) / u64::from(QUEUES);
    println!(
        "a queue with its waiting reader: {} bytes",
        each(resident().unwrap())
    );
    for (queue, wait) in open.iter_mut().flatten() {
        queue.try_send(&[7; 8], 0).unwrap();
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
        queue.try_receive(&mut [0; 8]).unwrap();
        *wait = Box::pin(queue.wait_receive());
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Pending);
    }
    println!(
        "the same after a message has passed: {} bytes",
        each(resident().unwrap())
    );
}
