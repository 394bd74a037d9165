//! `RestartAllContainers`: all containers of a pod run again, the pod itself stays (KEP-5532).
//!
//! One container has ended with a code for which one of its rules asks for this. All others are ended: at once, in no
//! order, without hooks, as this is not the pod's end. When nothing runs any more everything starts as in a new pod,
//! init containers first; volumes, network and uid are kept, and restart counts go on. Codes of containers that end
//! meanwhile ask for nothing. The container that asked is subject to its back-off, and so is the pod with it: a pod
//! that asks for this again and again waits up to five minutes each time.

use super::notice::NoticeSeverity;
use super::record::{ContainerIndex, waiting};
use super::stopping::{MINIMUM_GRACE, Stopping};
use super::{PodState, go_seconds};
use crate::restart_rules::{self, RuleAction};
use crate::time::Now;

/// A pod whose containers are all being restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RestartAll {
    source: ContainerIndex,
    /// Of the condition that shows it.
    pub(super) message: String,
}

impl PodState {
    /// A container has ended: does it take all others with it?
    pub(super) fn note_rules(&mut self, index: ContainerIndex, now: Now) {
        if self.restart_all.is_some() || self.is_ending() {
            return;
        }
        let Some(record) = self.container(index) else {
            return;
        };
        let code = match record.terminated() {
            Some(ended) if !record.instance.is_replaced => ended.exit.code,
            _ => return,
        };
        let action = restart_rules::action(&record.plan.rules, code);
        if action != Some(RuleAction::RestartAllContainers) {
            return;
        }
        let name = &record.plan.name;
        self.restart_all = Some(RestartAll {
            source: index,
            message: format!("Container {name} exited with code {code}, restarting all containers"),
        });
        self.has_restarted_all = true;
        for index in 0..self.containers.len() {
            self.stop_for_restart(ContainerIndex(index), now);
        }
    }

    /// Ends a container that is to be restarted with all others.
    pub(super) fn stop_for_restart(&mut self, index: ContainerIndex, now: Now) {
        let deadline = now.elapsed.saturating_add(MINIMUM_GRACE);
        let Some(record) = self.record_mut(index).filter(|r| r.has_guest()) else {
            return;
        };
        let text = format!("Stopping container {}", record.plan.name);
        match &mut record.instance.stopping {
            Some(stopping) => stopping.hurry(deadline),
            None => {
                record.instance.stopping = Some(Stopping::new(deadline, false));
                self.notice(NoticeSeverity::Normal, Some(index), "Killing", text);
            }
        }
    }

    /// When the last of them has ended, everything is as in a new pod.
    pub(super) fn note_restarted_all(&mut self, now: Now) {
        if self.is_busy() {
            return;
        }
        let Some(RestartAll { source, .. }) = self.restart_all.take() else {
            return;
        };
        let due = self.container(source).and_then(|record| {
            let finished = record.terminated()?.finished.elapsed;
            Some((finished, record.backoff.due(finished).max(now.elapsed)))
        });
        let (finished, due) = due.unwrap_or((now.elapsed, now.elapsed));
        for record in &mut self.containers {
            record.start_over(due);
        }
        let pod = self.full_name.clone();
        let Some(record) = self.record_mut(source) else {
            return;
        };
        let wait = record.backoff.wait(finished);
        record.backoff.restarted(finished, due);
        if due <= now.elapsed {
            return;
        }
        let name = record.plan.name.clone();
        let shown = go_seconds(wait);
        let text = format!("back-off {shown} restarting failed container={name} pod={pod}");
        record.state = waiting(Some("CrashLoopBackOff"), Some(text), due);
        let text = format!("Back-off restarting failed container {name} in pod {pod}");
        self.notice(NoticeSeverity::Warning, Some(source), "BackOff", text);
    }
}
