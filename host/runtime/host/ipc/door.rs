//! A container instance's door to its pod's IPC, with what the pod says about opening.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wasmpod_ipc::{ContainerIpc, Errno, Object};

/// The door; clones are the same.
#[derive(Clone, Debug)]
pub(in crate::host) struct Door {
    ipc: Arc<ContainerIpc>,
    /// How long opening waits for what is not there yet.
    wait_for_open: Duration,
}

impl Door {
    pub(in crate::host) const fn new(ipc: Arc<ContainerIpc>, wait_for_open: Duration) -> Self {
        Self { ipc, wait_for_open }
    }
}

impl Deref for Door {
    type Target = ContainerIpc;

    fn deref(&self) -> &ContainerIpc {
        &self.ipc
    }
}

/// Opens with `attempt`. If that says that there is no such object, and the pod wants opening to wait, it waits until
/// `object` is created and tries again, as long as the pod says.
///
/// Containers of a pod start together; a program that opens what its neighbour creates may be first.
pub(super) async fn open_or_wait<T>(
    door: &Door,
    object: impl FnOnce() -> Object + Send,
    attempt: impl Fn(&ContainerIpc) -> Result<T, Errno> + Send,
) -> Result<T, Errno> {
    let first = attempt(door);
    if door.wait_for_open.is_zero() || !matches!(first, Err(Errno::NoEntry)) {
        return first;
    }
    let object = object();
    let Some(until) = Instant::now().checked_add(door.wait_for_open) else {
        return first;
    };
    loop {
        match timeout_at(until, door.created(object.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(errno)) => return Err(errno),
            Err(_) => return attempt(door),
        }
        match attempt(door) {
            // It was there, and is gone again.
            Err(Errno::NoEntry) if Instant::now() < until => {}
            other => return other,
        }
    }
}
