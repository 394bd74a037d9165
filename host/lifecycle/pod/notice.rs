//! What is worth an event of the pod, in the kubelet's words.
//!
//! Only what is decided here: that a probe failed, that a container is stopped or backs off, why a pod ends. What is
//! done (pulled, created, started, mounted) is told by whoever does it.

use super::ContainerIndex;

/// Whether something is wrong; the event's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeSeverity {
    /// All is well.
    Normal,
    /// Someone should look.
    Warning,
}

/// Something to tell about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether something is wrong.
    pub severity: NoticeSeverity,
    /// The container that it is about; `None` for the pod.
    pub container: Option<ContainerIndex>,
    /// One CamelCase word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}
