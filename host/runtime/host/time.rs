//! The guests' clocks: the pod's time.
//!
//! Elapsed time and waiting are tokio's, wall time is the pod's [`Clock`]: a pod of real guests can run on tokio's
//! paused clock, where ten minutes of sleep take milliseconds. Each guest's elapsed time begins with the pod's.

use std::time::Duration;

use wasmpod_sandbox::Clock;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// What is told about both clocks' resolution: what Linux tells about its own.
const RESOLUTION: Duration = Duration::from_nanos(1);

/// `CLOCK_MONOTONIC`
pub(super) struct Monotonic(pub(super) Clock);

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        nanoseconds(RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanoseconds(self.0.elapsed())
    }
}

/// `CLOCK_REALTIME`
pub(super) struct Wall(pub(super) Clock);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        self.0.since_1970()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
