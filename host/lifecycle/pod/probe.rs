//! What the outcome of a probe does to its container.

use super::notice::NoticeSeverity;
use super::record::{ContainerIndex, ContainerRecord};
use super::{PodState, ProbeKind, ProbeOutcome};
use crate::policy::{Kind, RestartPolicy};
use crate::time::Now;

impl PodState {
    /// A try of a probe is over. True if the pod's status may have changed: a success that tells nothing new neither
    /// changes anything that can be seen nor allocates.
    pub(super) fn probed(
        &mut self,
        index: ContainerIndex,
        attempt: u32,
        kind: ProbeKind,
        outcome: ProbeOutcome,
        now: Now,
    ) -> bool {
        let is_ending = self.is_ending();
        let Some(record) = self.instance_mut(index, attempt) else {
            return false;
        };
        let probes = record.plan.probes;
        let Some(plan) = probes.get(kind) else {
            return false;
        };
        if !record.instance.probing.is_trying(kind) {
            return false;
        }
        let counts = record.may_probe(kind, is_ending);
        let before = (record.has_started(), record.is_ready());
        let success = matches!(outcome, ProbeOutcome::Success);
        let mut verdict = None;
        if !counts || matches!(outcome, ProbeOutcome::Unknown(_)) {
            record.instance.probing.pass(kind, plan, now.elapsed);
        } else {
            let probing = &mut record.instance.probing;
            verdict = probing.note(kind, &probes, success, now.elapsed);
        }
        record.is_initialized |= record.has_started();
        let changed = before != (record.has_started(), record.is_ready());
        let word = kind.as_str();
        let text = match outcome {
            ProbeOutcome::Failure(text) if counts => format!("{word} probe failed: {text}"),
            ProbeOutcome::Unknown(text) if counts => {
                format!("{word} probe errored and resulted in unknown state: {text}")
            }
            ProbeOutcome::Success | ProbeOutcome::Failure(_) | ProbeOutcome::Unknown(_) => {
                return changed;
            }
        };
        self.notice(NoticeSeverity::Warning, Some(index), "Unhealthy", text);
        if verdict == Some(false) && kind != ProbeKind::Readiness && !is_ending {
            self.replace_unhealthy(index, kind, now);
        }
        changed
    }

    /// A container that has failed its liveness or startup probe is ended, and restarted unless its policy is
    /// `Never`; rules on exit codes are asked when there is an exit code.
    fn replace_unhealthy(&mut self, index: ContainerIndex, kind: ProbeKind, now: Now) {
        let pod_grace = self.grace;
        let Some(record) = self.record_mut(index) else {
            return;
        };
        if record.instance.stopping.is_some() {
            return;
        }
        let own = record.plan.probes.get(kind).and_then(|plan| plan.grace);
        let deadline = now.elapsed.saturating_add(own.unwrap_or(pod_grace));
        let restarts = record.plan.restart != RestartPolicy::Never;
        record.instance.is_replaced = restarts;
        let probe = if kind == ProbeKind::Startup {
            "startup"
        } else {
            "liveness"
        };
        let text = record.killing(&format!("failed {probe} probe"), restarts);
        self.stop_container(index, deadline, text, now);
    }
}

impl ContainerRecord {
    /// Whether a probe has its turn. Startup and liveness are of no use to a container that is being ended; only a
    /// sidecar that still serves the others while the pod ends goes on being asked whether it lives. Readiness is
    /// asked to the end: it tells callers where not to go.
    pub(super) fn may_probe(&self, kind: ProbeKind, is_ending: bool) -> bool {
        let has_turn = match kind {
            ProbeKind::Startup => self.is_running() && !self.has_started(),
            ProbeKind::Liveness | ProbeKind::Readiness => self.has_started(),
        };
        let is_left_alone = match (&self.instance.stopping, kind) {
            (None, _) | (Some(_), ProbeKind::Readiness) => true,
            (Some(stopping), ProbeKind::Liveness) => {
                is_ending && self.is_sidecar() && !stopping.is_told()
            }
            (Some(_), ProbeKind::Startup) => false,
        };
        has_turn && is_left_alone && self.plan.probes.get(kind).is_some()
    }

    /// The message of the event that says why this container is ended, as the kubelet words it.
    pub(super) fn killing(&self, why: &str, restarts: bool) -> String {
        let name = &self.plan.name;
        match self.plan.kind {
            Kind::Main if restarts => format!("Container {name} {why}, will be restarted"),
            Kind::Main => format!("Container {name} {why}"),
            Kind::Init | Kind::Sidecar => format!("Init container {name} {why}"),
        }
    }
}
