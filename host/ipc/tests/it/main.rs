//! The tests of this crate from outside: `man_pages` has the tables of the manual, `limits` the
//! pod's bounds, `lifetime` what outlives what, `wakers` the waiting, `model` random operations
//! against a simple model, `stress` two threads against each other.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions, not in what they share"
)]

mod lifetime;
mod limits;
mod man_pages;
mod model;
mod stress;
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
