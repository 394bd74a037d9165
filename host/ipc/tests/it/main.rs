//! The tests of this crate from outside.
//!
//! * Tables of the man pages: `man_pages` (queues), `semaphores`, `shared_memory`, `system_v_messages`,
//!   `system_v_semaphores`, `system_v_segments`. Their answers are those that Linux 6 gave.
//! * `limits`: the pod's bounds. `lifetime`: what outlives what. `listing`: what is seen from outside.
//! * `wakers`, `futex`, `creation`: the waiting. `mapped_semaphores`: numbers that guests change themselves.
//! * `model*`: random operations against simple models. `stress`: threads against each other.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::panic,
    reason = "a test fails by panicking; clippy.toml allows it in test functions, not in what they share"
)]

mod actors;
mod creation;
mod futex;
mod lifetime;
mod limits;
mod listing;
mod man_pages;
mod mapped_semaphores;
mod model;
mod model_semaphore_set;
mod model_semaphores;
mod model_waits;
mod semaphores;
mod shared_memory;
mod stress;
mod system_v_messages;
mod system_v_segments;
mod system_v_semaphores;
mod wakers;

use wasmpod_ipc::{Attributes, ContainerIpc, Errno, IpcLimits, OpenFlags, PodIpc, Queue};

/// To send and to receive, made where missing.
const CREATE: OpenFlags = both(OpenFlags::CREATE);
/// To send and to receive what exists.
const EXISTING: OpenFlags = both(OpenFlags::READ);

const fn both(more: OpenFlags) -> OpenFlags {
    let bits = OpenFlags::READ.bits() | OpenFlags::WRITE.bits() | more.bits();
    match OpenFlags::from_bits(bits) {
        Ok(flags) => flags,
        Err(_) => more,
    }
}

/// A pod with the default limits, and one container of it.
fn pod() -> (PodIpc, ContainerIpc) {
    let pod = PodIpc::new(IpcLimits::default());
    let container = pod.attach("main");
    (pod, container)
}

fn size(max_messages: u32, message_bytes: u32) -> Option<Attributes> {
    Some(Attributes {
        max_messages,
        message_bytes,
    })
}

fn receive(queue: &Queue) -> Result<Vec<u8>, Errno> {
    queue.try_receive_into(|data, _| data.to_vec())
}
