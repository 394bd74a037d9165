//! `status.phase`: one word for a whole pod.

use super::record::ContainerRecord;
use super::{PodState, StopCause};

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
    /// The pod's phase, by the rules of the kubelet's `getPhase`. A phase is final only when nothing runs any more.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.is_busy() {
            return if self.is_still_starting() {
                Phase::Pending
            } else {
                Phase::Running
            };
        }
        let mut mains = self.mains();
        let is_well = |c: &ContainerRecord| c.terminated().is_some_and(|t| t.exit.is_success());
        if self.stop.is_some() || self.ended {
            // A pod that was told to end is Succeeded only if all its containers had got to run and ended well.
            let may_succeed =
                self.stop_cause().is_none() || self.stop_cause() == Some(StopCause::Requested);
            return if may_succeed && mains.all(is_well) {
                Phase::Succeeded
            } else {
                Phase::Failed
            };
        }
        if self.init_has_failed() {
            Phase::Failed
        } else if self.is_still_starting() {
            Phase::Pending
        } else if !self.is_complete() {
            // Being restarted counts as running.
            Phase::Running
        } else if mains.all(is_well) {
            Phase::Succeeded
        } else {
            Phase::Failed
        }
    }

    /// True while an init container is not done, a sidecar has not started before the first main container has, or
    /// a main container has never run.
    fn is_still_starting(&self) -> bool {
        let has_mains_run = self.has_main_run();
        let mut inits = self.containers.iter().filter(|c| !c.is_main());
        let waits = |c: &ContainerRecord| c.is_init() || !has_mains_run;
        inits.any(|c| waits(c) && !c.lets_next_start())
            || self.mains().any(|c| !c.has_run())
            || self.mains().next().is_none()
    }

    /// True when a main container has run, or runs.
    pub(super) fn has_main_run(&self) -> bool {
        self.mains().any(ContainerRecord::has_run)
    }

    fn mains(&self) -> impl Iterator<Item = &ContainerRecord> {
        self.containers.iter().filter(|c| c.is_main())
    }
}
