//! Decisions about a pod without I/O: start order, probes, hooks, restart and back-off, end, status, environment.
//!
//! Nothing in this crate waits, spawns, reads a clock or touches a file; time is a parameter ([`time::Now`]). The
//! sandbox's driver asks, and does.

pub mod backoff;
pub mod environment;
pub mod exit;
pub mod pod;
pub mod policy;
pub mod probe;
pub mod process;
pub mod qos;
pub mod restart_rules;
pub mod time;
pub mod workload;

pub use exit::{Exit, ExitReason};
pub use pod::{Action, Decision, Event, HostFacts, PodState, decide};
