//! Whole lives of pods on virtual time. Tests that follow an upstream test of Kubernetes carry its words in their
//! names (`container_lifecycle_test.go`, `container_probe.go`, `container_restart_policy.go`, `conformance.yaml`).

mod basics;
mod hooks;
mod player;
mod probes;
mod random;
mod restart;
mod sidecars;
mod start_order;
mod status;
mod termination;
mod update;

use std::time::Duration;

use crate::time::{Now, Timestamp};

/// A moment of virtual time.
fn at(elapsed: Duration) -> Now {
    let wall = Timestamp::new(1_800_000_000 + i64::try_from(elapsed.as_secs()).unwrap(), 0);
    Now {
        elapsed,
        wall: wall.unwrap(),
    }
}
