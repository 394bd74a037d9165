//! What the host gives a namespace: the time, and memory that its guests can share.

use std::fmt;
use std::sync::Arc;

use crate::segment::{HeapProvider, SegmentProvider};

/// The time of day, for the times that `IPC_STAT` shows.
pub trait Clock: Send + Sync {
    /// Seconds since 1970. Every System V operation asks, so it should cost a few nanoseconds.
    fn unix_seconds(&self) -> u64;
}

/// What a namespace needs of its host.
#[derive(Clone)]
pub struct Host {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the bytes of shared memory are.
    pub memory: Arc<dyn SegmentProvider>,
}

/// A clock that stands at 0, which `ipcs(1)` shows as "not set".
#[derive(Debug, Clone, Copy)]
struct NoClock;

impl Clock for NoClock {
    fn unix_seconds(&self) -> u64 {
        0
    }
}

impl Default for Host {
    /// Plain memory, and no time.
    fn default() -> Self {
        Self {
            clock: Arc::new(NoClock),
            memory: Arc::new(HeapProvider),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
