//! The two hooks of a container: what their ends do.
//!
//! A postStart hook holds up everything that starts after it, and its failure ends the container; a preStop hook
//! holds up SIGTERM, and its failure only costs an event (`container-lifecycle-hooks`). Their output is not repeated
//! in events: it may hold secrets.

use super::notice::NoticeSeverity;
use super::record::{ContainerIndex, HookState};
use super::{HookKind, PodState};
use crate::time::Now;

impl PodState {
    /// A hook of an instance is over. True if the pod's status may have changed.
    pub(super) fn hook_finished(
        &mut self,
        index: ContainerIndex,
        attempt: u32,
        hook: HookKind,
        result: &Result<(), String>,
        now: Now,
    ) -> bool {
        let grace = self.grace;
        let Some(record) = self.instance_mut(index, attempt) else {
            return false;
        };
        match hook {
            HookKind::PostStart if record.instance.post_start != HookState::Running => false,
            HookKind::PostStart if result.is_ok() => {
                record.come_up(now.elapsed);
                true
            }
            HookKind::PostStart => {
                record.instance.post_start = HookState::Failed;
                let text = "PostStartHook failed".to_owned();
                self.notice(
                    NoticeSeverity::Warning,
                    Some(index),
                    "FailedPostStartHook",
                    text,
                );
                let text = "FailedPostStartHook".to_owned();
                self.stop_container(index, now.elapsed.saturating_add(grace), text, now);
                true
            }
            HookKind::PreStop => {
                let Some(stopping) = &mut record.instance.stopping else {
                    return false;
                };
                if stopping.pre_stop != HookState::Running {
                    return false;
                }
                stopping.pre_stop = HookState::Over;
                // A hook that was given up at the deadline has not failed: its time was over.
                if result.is_err() && now.elapsed < stopping.deadline {
                    let text = "PreStopHook failed".to_owned();
                    self.notice(
                        NoticeSeverity::Warning,
                        Some(index),
                        "FailedPreStopHook",
                        text,
                    );
                }
                false
            }
        }
    }
}
