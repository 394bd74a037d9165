//! One container instance as the holder of descriptors and the doer of operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::Errno;

/// A container instance, shared by its door and all that it has open.
#[derive(Debug)]
pub(crate) struct Owner {
    name: Arc<str>,
    pid: i32,
    open: AtomicU32,
    ended: AtomicBool,
}

impl Owner {
    pub(crate) fn new(name: &str, pid: i32) -> Self {
        Self {
            name: name.into(),
            pid,
            open: AtomicU32::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// The container's name.
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The number of this instance in its pod; no two instances of a pod have the same.
    pub(crate) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether the instance is gone, and with it all it had open.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The instance is gone: its descriptors are closed from now on.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Counts one descriptor more, if there may be one.
    pub(crate) fn acquire_handle(&self, most: u32) -> Result<(), Errno> {
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < most).then_some(open + 1)
            })
            .map(|_| ())
            .map_err(|_| Errno::TooManyOpen)
    }

    /// Counts one descriptor less.
    pub(crate) fn release_handle(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes in `last` that it was this one; costs a comparison when it was the same as before.
    pub(crate) fn note(&self, last: &mut Option<Arc<str>>) {
        if !last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, &self.name))
        {
            *last = Some(Arc::clone(&self.name));
        }
    }
}
