//! `status.conditions`: what a pod has reached, and since when.
//!
//! Reasons and messages are the kubelet's (`status/generate.go`).

use wasmpod_manifest::k8s::PodCondition;

use super::phase::Phase;
use super::{ContainerRecord, PodState, Resources};
use crate::time::Now;

/// The conditions in the order in which they are shown.
const KINDS: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// When each condition last changed between true and false.
#[derive(Clone, Debug, Default)]
pub(super) struct Transitions {
    last: [Option<(bool, Now)>; KINDS.len()],
}

/// A condition's value, and why it is not plainly true.
struct Verdict {
    status: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn plain(status: bool) -> Self {
        Self {
            status,
            reason: None,
            message: None,
        }
    }

    fn because(status: bool, reason: &'static str, message: Option<String>) -> Self {
        Self {
            status,
            reason: Some(reason),
            message,
        }
    }
}

impl PodState {
    /// Remembers the time of every condition that has changed.
    pub(super) fn note_transitions(&mut self, now: Now) {
        self.revision = self.revision.wrapping_add(1);
        let verdicts = self.verdicts();
        for (last, verdict) in self.transitions.last.iter_mut().zip(verdicts) {
            if last.is_none_or(|(status, _)| status != verdict.status) {
                *last = Some((verdict.status, now));
            }
        }
    }

    pub(super) fn conditions(&self) -> Vec<PodCondition> {
        let rows = KINDS
            .iter()
            .zip(self.verdicts())
            .zip(&self.transitions.last);
        rows.map(|((kind, verdict), last)| PodCondition {
            type_: (*kind).to_owned(),
            status: if verdict.status { "True" } else { "False" }.to_owned(),
            reason: verdict.reason.map(str::to_owned),
            message: verdict.message,
            last_transition_time: last.map(|(_, since)| since.time()),
            last_probe_time: None,
            observed_generation: None,
        })
        .collect()
    }

    fn verdicts(&self) -> [Verdict; KINDS.len()] {
        let phase = self.phase();
        [
            Verdict::plain(matches!(self.resources, Resources::Ready { .. })),
            self.initialized(phase),
            self.ready(phase),
            self.ready(phase),
            Verdict::plain(true),
        ]
    }

    fn initialized(&self, phase: Phase) -> Verdict {
        if phase == Phase::Succeeded {
            return Verdict::because(true, "PodCompleted", None);
        }
        let missing = names(
            self.containers
                .iter()
                .filter(|c| !c.is_main() && !c.lets_next_start()),
        );
        if missing.is_empty() {
            Verdict::plain(true)
        } else {
            let message = format!("containers with incomplete status: [{missing}]");
            Verdict::because(false, "ContainersNotInitialized", Some(message))
        }
    }

    fn ready(&self, phase: Phase) -> Verdict {
        match phase {
            Phase::Succeeded => return Verdict::because(false, "PodCompleted", None),
            Phase::Failed => return Verdict::because(false, "PodFailed", None),
            Phase::Pending | Phase::Running => {}
        }
        let counted = |c: &&ContainerRecord| !c.is_init() && !c.is_running();
        let missing = names(self.containers.iter().filter(counted));
        if missing.is_empty() {
            Verdict::plain(true)
        } else {
            let message = format!("containers with unready status: [{missing}]");
            Verdict::because(false, "ContainersNotReady", Some(message))
        }
    }
}

fn names<'a>(records: impl Iterator<Item = &'a ContainerRecord>) -> String {
    records
        .map(|record| record.plan.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
