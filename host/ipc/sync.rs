//! The primitives under what is lock-free here, in one place, so that a test can compile the same code
//! on a scheduler of its own (`tests/interleavings`).

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
