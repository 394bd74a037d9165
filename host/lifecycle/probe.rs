//! What the spec says about a container's probes, with Kubernetes' defaults.
//!
//! How a probe is made (exec, httpGet …) is not looked at here: whoever makes it reads that from the spec. What
//! follows from its outcomes is in [`crate::pod`].

use std::time::Duration;

use wasmpod_manifest::k8s::{self, Container};

/// `periodSeconds` when the spec names none.
pub const DEFAULT_PERIOD: Duration = Duration::from_secs(10);
/// `timeoutSeconds` when the spec names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// `successThreshold` when the spec names none, in tries.
pub const DEFAULT_SUCCESS_THRESHOLD: u32 = 1;
/// `failureThreshold` when the spec names none, in tries.
pub const DEFAULT_FAILURE_THRESHOLD: u32 = 3;

/// The three probes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProbeKind {
    /// Has the container come up? The other two wait for it.
    Startup,
    /// Does it still work? If not, it is restarted.
    Liveness,
    /// May it be sent requests?
    Readiness,
}

impl ProbeKind {
    /// All of them, in the order in which they matter to a container.
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// The kubelet's word at the beginning of a message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// When a probe is tried, and how many tries decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbePlan {
    /// How long after the container's start the first try may be.
    pub initial_delay: Duration,
    /// From one try to the next; at least a second.
    pub period: Duration,
    /// How long one try may take; at least a second.
    pub timeout: Duration,
    /// So many successes in a row count, at least 1.
    pub success_threshold: u32,
    /// So many failures in a row count, at least 1.
    pub failure_threshold: u32,
    /// The grace period of a container that this probe ends; `None` for the pod's.
    pub grace: Option<Duration>,
}

impl ProbePlan {
    fn new(probe: &k8s::Probe) -> Self {
        let seconds = |value: Option<i32>| {
            let seconds = value.and_then(|s| u64::try_from(s).ok());
            seconds.filter(|s| *s > 0).map(Duration::from_secs)
        };
        let tries = |value: Option<i32>| {
            let tries = value.and_then(|n| u32::try_from(n).ok());
            tries.filter(|n| *n > 0)
        };
        let grace = probe
            .termination_grace_period_seconds
            .and_then(|s| u64::try_from(s).ok());
        Self {
            initial_delay: seconds(probe.initial_delay_seconds).unwrap_or_default(),
            period: seconds(probe.period_seconds).unwrap_or(DEFAULT_PERIOD),
            timeout: seconds(probe.timeout_seconds).unwrap_or(DEFAULT_TIMEOUT),
            success_threshold: tries(probe.success_threshold).unwrap_or(DEFAULT_SUCCESS_THRESHOLD),
            failure_threshold: tries(probe.failure_threshold).unwrap_or(DEFAULT_FAILURE_THRESHOLD),
            grace: grace.map(Duration::from_secs),
        }
    }
}

/// The probes that a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// `startupProbe`
    pub startup: Option<ProbePlan>,
    /// `livenessProbe`
    pub liveness: Option<ProbePlan>,
    /// `readinessProbe`
    pub readiness: Option<ProbePlan>,
}

impl Probes {
    /// Reads them from the spec.
    #[must_use]
    pub fn of(container: &Container) -> Self {
        Self {
            startup: container.startup_probe.as_ref().map(ProbePlan::new),
            liveness: container.liveness_probe.as_ref().map(ProbePlan::new),
            readiness: container.readiness_probe.as_ref().map(ProbePlan::new),
        }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, kind: ProbeKind) -> Option<&ProbePlan> {
        match kind {
            ProbeKind::Startup => self.startup.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_without_numbers_has_those_of_kubernetes() {
        let plan = ProbePlan::new(&k8s::Probe::default());
        assert_eq!(plan.initial_delay, Duration::ZERO);
        assert_eq!(plan.period, Duration::from_secs(10));
        assert_eq!(plan.timeout, Duration::from_secs(1));
        assert_eq!((plan.success_threshold, plan.failure_threshold), (1, 3));
        assert_eq!(plan.grace, None);
    }

    #[test]
    fn numbers_that_make_no_sense_are_the_defaults() {
        let plan = ProbePlan::new(&k8s::Probe {
            period_seconds: Some(0),
            timeout_seconds: Some(-1),
            success_threshold: Some(0),
            failure_threshold: Some(-3),
            initial_delay_seconds: Some(-5),
            termination_grace_period_seconds: Some(0),
            ..k8s::Probe::default()
        });
        assert_eq!(plan.period, DEFAULT_PERIOD);
        assert_eq!(plan.timeout, DEFAULT_TIMEOUT);
        assert_eq!((plan.success_threshold, plan.failure_threshold), (1, 3));
        assert_eq!(plan.initial_delay, Duration::ZERO);
        assert_eq!(plan.grace, Some(Duration::ZERO));
    }
}
