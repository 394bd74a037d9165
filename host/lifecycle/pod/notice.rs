//! What is worth an event of the pod, in the kubelet's words.
//!
//! Only what is decided here: that a probe failed, that a container is stopped or backs off, why a pod ends. What is
//! done (pulled, created, started, mounted) is told by whoever does it.

use super::{ContainerIndex, PodState};

/// How many notices wait to be taken; with more, the oldest goes. They are taken after everything that happens, which
/// gives at most two for each container.
const MAX_NOTICES: usize = 256;

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

impl PodState {
    /// What is worth an event since this was last asked, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn notice(
        &mut self,
        severity: NoticeSeverity,
        container: Option<ContainerIndex>,
        reason: &'static str,
        message: String,
    ) {
        if self.notices.len() >= MAX_NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(Notice {
            severity,
            container,
            reason,
            message,
        });
    }

    /// Tells that a container which has just ended must wait for its restart.
    pub(super) fn notice_back_off(&mut self, index: ContainerIndex) {
        if self.crash_backoff(index).is_none() {
            return;
        }
        if let Some(record) = self.container(index) {
            let (name, pod) = (&record.plan.name, &self.full_name);
            let text = format!("Back-off restarting failed container {name} in pod {pod}");
            self.notice(NoticeSeverity::Warning, Some(index), "BackOff", text);
        }
    }
}
