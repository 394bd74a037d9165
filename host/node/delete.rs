//! Deleting objects: gracefully for pods, and with what they own.
//!
//! Standard: `pod-lifecycle#pod-termination`, `garbage-collection` (propagation policies, preconditions).

use std::time::Duration;

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// The time that a pod's containers get, instead of `terminationGracePeriodSeconds`; zero ends them by force. Whole
    /// seconds.
    pub grace: Option<Duration>,
    /// What becomes of the objects that it owns.
    pub propagation: Propagation,
    /// Delete it only if it has this uid.
    pub uid: Option<String>,
}

/// What becomes of the objects that a deleted object owns (`propagationPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without owner.
    Orphan,
}
