//! `status.conditions`: what a pod has reached, and since when.
//!
//! Reasons and messages are the kubelet's (`status/generate.go`). Conditions of types that are not known here belong
//! to others: they are shown as they were given, and readiness gates ask for them.

use wasmpod_manifest::k8s::{Pod, PodCondition, PodStatus};

use super::phase::Phase;
use super::{ContainerRecord, PodState, Resources, StopCause};
use crate::time::Now;

/// The conditions in the order in which they are shown.
const KINDS: [&str; 7] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    DISRUPTION_TARGET,
    "AllContainersRestarting",
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

/// The one that others set, too: whoever evicts, preempts or takes a node away.
const DISRUPTION_TARGET: &str = "DisruptionTarget";

/// The conditions of a pod's object that others than the kubelet have set.
pub fn foreign_conditions(pod: &Pod) -> impl Iterator<Item = &PodCondition> {
    let all = pod.status.iter().flat_map(|status| &status.conditions);
    all.flatten()
        .filter(|c| c.type_ == DISRUPTION_TARGET || !KINDS.contains(&c.type_.as_str()))
}

/// Makes the conditions of others in `status`, which is new, those of the pod's object: it is where others set them,
/// and whoever made the status may not know of the last change.
pub fn keep_foreign_conditions(status: &mut PodStatus, pod: &Pod) {
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|c| KINDS.contains(&c.type_.as_str()));
    for condition in foreign_conditions(pod) {
        if conditions.iter().all(|own| own.type_ != condition.type_) {
            conditions.push(condition.clone());
        }
    }
}

/// A copy of [`foreign_conditions`].
pub(super) fn foreign(pod: &Pod) -> Vec<PodCondition> {
    foreign_conditions(pod).cloned().collect()
}

impl PodState {
    /// Remembers the time of every condition that has changed.
    pub(super) fn note_transitions(&mut self, now: Now) {
        let verdicts = self.verdicts();
        for (last, verdict) in self.transitions.last.iter_mut().zip(verdicts) {
            let status = verdict.map(|verdict| verdict.status);
            if last.map(|(status, _)| status) != status {
                *last = status.map(|status| (status, now));
            }
        }
    }

    pub(super) fn conditions(&self) -> Vec<PodCondition> {
        let rows = KINDS
            .iter()
            .zip(self.verdicts())
            .zip(&self.transitions.last);
        let own = rows.filter_map(|((kind, verdict), last)| {
            let verdict = verdict?;
            Some(PodCondition {
                type_: (*kind).to_owned(),
                status: if verdict.status { "True" } else { "False" }.to_owned(),
                reason: verdict.reason.map(str::to_owned),
                message: verdict.message,
                last_transition_time: last.map(|(_, since)| since.time()),
                last_probe_time: None,
                observed_generation: self.generation,
            })
        });
        let mut all = own.collect::<Vec<_>>();
        for condition in &self.foreign {
            if all.iter().all(|own| own.type_ != condition.type_) {
                all.push(condition.clone());
            }
        }
        all
    }

    /// One for each of [`KINDS`]; `None` for a condition that is not shown.
    fn verdicts(&self) -> [Option<Verdict>; KINDS.len()] {
        if self.is_gated {
            let message = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
            let gated = Verdict::because(false, "SchedulingGated", Some(message));
            return [None, None, None, None, Some(gated), None, None];
        }
        let phase = self.phase();
        let disruption = || {
            let stop = self.stop.as_ref()?;
            let message = stop.message.clone();
            (stop.cause == StopCause::Evicted)
                .then(|| Verdict::because(true, "TerminationByKubelet", message))
        };
        let restarting = || match &self.restart_all {
            Some(restart) => {
                let message = Some(restart.message.clone());
                Some(Verdict::because(true, "ContainerExited", message))
            }
            None => self.has_restarted_all.then(|| Verdict::plain(false)),
        };
        [
            Some(Verdict::plain(matches!(
                self.resources,
                Resources::Ready { .. }
            ))),
            Some(self.initialized(phase)),
            Some(self.ready(phase)),
            Some(self.containers_ready(phase)),
            Some(Verdict::plain(true)),
            disruption(),
            restarting(),
        ]
    }

    fn initialized(&self, phase: Phase) -> Verdict {
        if phase == Phase::Succeeded {
            return Verdict::because(true, "PodCompleted", None);
        }
        let waited_for = |c: &&ContainerRecord| !c.is_main() && !c.lets_next_start();
        // What was initialized once stays so, whatever becomes of its sidecars.
        let missing = if self.has_main_run() {
            String::new()
        } else {
            names(self.containers.iter().filter(waited_for))
        };
        if missing.is_empty() {
            Verdict::plain(true)
        } else {
            let message = format!("containers with incomplete status: [{missing}]");
            Verdict::because(false, "ContainersNotInitialized", Some(message))
        }
    }

    fn containers_ready(&self, phase: Phase) -> Verdict {
        match phase {
            Phase::Succeeded => return Verdict::because(false, "PodCompleted", None),
            Phase::Failed => return Verdict::because(false, "PodFailed", None),
            Phase::Pending | Phase::Running => {}
        }
        let counted = |c: &&ContainerRecord| !c.is_init() && !c.is_ready();
        let missing = names(self.containers.iter().filter(counted));
        if missing.is_empty() {
            Verdict::plain(true)
        } else {
            let message = format!("containers with unready status: [{missing}]");
            Verdict::because(false, "ContainersNotReady", Some(message))
        }
    }

    /// `Ready`: the containers are, and so says every readiness gate.
    fn ready(&self, phase: Phase) -> Verdict {
        let containers = self.containers_ready(phase);
        if !containers.status {
            return containers;
        }
        let missing = self.readiness_gates.iter().filter_map(|gate| {
            let condition = self.foreign.iter().find(|c| c.type_ == *gate);
            match condition.map(|c| c.status.as_str()) {
                Some("True") => None,
                Some(other) => Some(format!(
                    "the status of pod readiness gate \"{gate}\" is not \"True\", but {other}"
                )),
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{gate}\" does not exist."
                )),
            }
        });
        let missing = missing.collect::<Vec<_>>();
        if missing.is_empty() {
            Verdict::plain(true)
        } else {
            Verdict::because(false, "ReadinessGatesNotReady", Some(missing.join(", ")))
        }
    }
}

fn names<'a>(records: impl Iterator<Item = &'a ContainerRecord>) -> String {
    records
        .map(|record| record.plan.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
