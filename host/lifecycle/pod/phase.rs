//! `status.phase`: one word for a whole pod.

use super::PodState;
use super::record::ContainerState;

/// The phases of a pod (`pod-lifecycle#pod-phase`). `Unknown` is missing: a host knows its own pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not every container has been started yet.
    Pending,
    /// All main containers were started, and at least one runs or will run again.
    Running,
    /// All main containers have ended with 0, and none is started again.
    Succeeded,
    /// All main containers have ended, at least one in failure, and none is started again; or the pod never got
    /// so far and will not.
    Failed,
}

impl Phase {
    /// Kubernetes' word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    /// True for [`Succeeded`](Self::Succeeded) and [`Failed`](Self::Failed), which are never left again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl PodState {
    /// The pod's phase, by the rules of the kubelet's `getPhase`.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let mains = || self.containers.iter().filter(|c| c.is_main());
        let over = self.stop.is_some() || self.ended;
        if over && !self.is_busy() {
            // A pod that was told to end is Succeeded only if all its containers had got to run and ended well.
            let all_well = mains().all(|c| c.terminated().is_some_and(|t| t.exit.is_success()));
            let deadline = self.stop_cause() == Some(super::StopCause::DeadlineExceeded);
            return if all_well && !deadline {
                Phase::Succeeded
            } else {
                Phase::Failed
            };
        }
        if self.init_has_failed() {
            return Phase::Failed;
        }
        if self
            .containers
            .iter()
            .any(|c| !c.is_main() && !c.lets_next_start())
        {
            return Phase::Pending;
        }
        let waiting = mains().any(|c| c.last.is_none() && is_waiting(&c.state));
        let running = mains().any(super::ContainerRecord::is_running);
        if waiting || mains().next().is_none() {
            Phase::Pending
        } else if running {
            Phase::Running
        } else if mains().any(|c| c.terminated().is_none() || c.will_restart()) {
            // Being restarted counts as running.
            Phase::Running
        } else if mains().all(|c| c.terminated().is_some_and(|t| t.exit.is_success())) {
            Phase::Succeeded
        } else {
            Phase::Failed
        }
    }
}

fn is_waiting(state: &ContainerState) -> bool {
    matches!(
        state,
        ContainerState::Waiting { .. } | ContainerState::Starting { .. }
    )
}
