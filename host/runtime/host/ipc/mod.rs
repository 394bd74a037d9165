//! IPC for guests: one glue for components, one for core modules. What the objects do is in the ipc crate.

mod component;
mod core;
mod door;

use std::time::Duration;

use wasmpod_ipc::Errno;
use wasmpod_ipc::sysv::GetFlags;

pub(super) use component::{
    link_message_queue, link_semaphore, link_shared_memory, link_system_v_message_queue,
    link_system_v_semaphore, link_system_v_shared_memory,
};
pub(super) use core::{Handles, link as link_core, unmap_all};
pub(super) use door::Door;
use door::open_or_wait;

/// The time limit of a core module's call: negative is none.
fn limit(timeout_ns: i64) -> Option<Duration> {
    u64::try_from(timeout_ns).ok().map(Duration::from_nanos)
}

/// Waits for at most `limit`; `ETIMEDOUT` after it.
async fn within<T>(
    limit: Option<Duration>,
    wait: impl Future<Output = Result<T, Errno>>,
) -> Result<T, Errno> {
    match limit {
        None => wait.await,
        Some(limit) => {
            let waited = tokio::time::timeout(limit, wait).await;
            waited.unwrap_or(Err(Errno::TimedOut))
        }
    }
}

/// The bit of creating in the flags of getting System V objects, as in those of opening.
const CREATE: i32 = 1 << 2;
/// The bit of creating only.
const EXCLUSIVE: i32 = 1 << 3;

/// The permissions of a new object: a pod's containers are one user.
const MODE: u32 = 0o666;

/// The flags with which a System V object is got.
fn get_flags(flags: i32) -> Result<GetFlags, Errno> {
    if flags & !(CREATE | EXCLUSIVE) != 0 {
        return Err(Errno::Invalid);
    }
    let mut got = GetFlags::from_bits(MODE);
    for (bit, flag) in [(CREATE, GetFlags::CREATE), (EXCLUSIVE, GetFlags::EXCLUSIVE)] {
        if flags & bit != 0 {
            got = got | flag;
        }
    }
    Ok(got)
}
