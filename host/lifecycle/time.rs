//! Time as a parameter: nobody in this crate reads a clock.

use std::time::Duration;

use wasmpod_manifest::k8s::Time;
pub use wasmpod_manifest::k8s::jiff::Timestamp;

/// A moment, by both of the clocks that a pod needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since an origin that the caller chose and keeps. Never jumps: everything that waits is computed with it.
    pub elapsed: Duration,
    /// What people read in a status. Follows the host's clock when someone sets it; nothing is computed with it.
    pub wall: Timestamp,
}

impl Now {
    /// The wall time as Kubernetes' types keep it.
    #[must_use]
    pub fn time(self) -> Time {
        Time(self.wall)
    }
}
