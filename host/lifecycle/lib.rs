//! Decisions about a pod without I/O: phase, conditions, start order, restart and back-off, environment.

pub mod exit;
pub mod time;
