//! The state of one pod, and what follows from it.
//!
//! The driver (in `sandbox`) owns a [`PodState`]. It tells it what has happened ([`PodState::handle`]), asks what to
//! do ([`decide`]), reports each action that it begins ([`PodState::begin`]), and shows [`PodState::status`] to the
//! world. Nothing here waits, reads a clock or touches anything: a pod's whole life can be played in a table test.
//!
//! One container:
//!
//! ```text
//!              begin(Start)            Started             Exited
//!   Waiting ────────────────► Starting ────────► Running ─────────► Terminated
//!      ▲                        │  │ │                                │
//!      │  StartFailed, retry_at │  │ └─ StartFailed(StartError) ─────►│
//!      └────────────────────────┘  │                                  │
//!      ▲          StartCancelled   │        begin(Start), when the    │
//!      └───────────────────────────┘        policy says so and the    │
//!                          Starting ◄─────── back-off is over ────────┘
//! ```
//!
//! A running container, further: its postStart hook runs, then it counts as running; its startup probe succeeds, then
//! it counts as started; its readiness probe succeeds, then it counts as ready. It is ended (`stopping`) with its pod,
//! because a probe or its postStart hook has failed, because its image has changed, or with all others of its pod
//! (`restart_all`).
//!
//! The rules are the kubelet's (`pod-lifecycle`, `init-containers`, `sidecar-containers` of the Kubernetes
//! documentation; `kuberuntime_manager.go` `computePodActions`; `kubelet_pods.go` `getPhase`).

mod conditions;
mod decide;
mod ending;
mod event;
mod hooks;
mod notice;
mod phase;
mod probe;
mod probing;
mod record;
mod restart_all;
mod status;
mod stopping;
#[cfg(test)]
mod tests;
mod update;

use std::time::Duration;

use wasmpod_manifest::k8s::{Pod, PodCondition, PodSpec};

use crate::backoff::RetryBackoff;
use crate::policy;
use crate::time::Now;

pub use crate::probe::ProbeKind;
pub use conditions::{foreign_conditions, keep_foreign_conditions};
pub use decide::{Action, Decision, decide, decide_into};
pub use ending::EVICTION_GRACE;
pub use event::{Event, HookKind, ProbeOutcome, StartFailure, StopCause};
pub use notice::{Notice, NoticeSeverity};
pub use phase::Phase;
pub use record::{ContainerIndex, ContainerRecord, ContainerState, Terminated};
pub use status::CONTAINER_ID_PREFIX;
pub use stopping::MINIMUM_GRACE;

use conditions::Transitions;
use ending::Stop;
use restart_all::RestartAll;

/// What the driver knows of the pod's surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// `spec.nodeName`
    pub node_name: String,
    /// `status.hostIPs`, the first is `status.hostIP`.
    pub host_ips: Vec<String>,
}

/// Everything that the decisions about a pod depend on.
#[derive(Clone, Debug)]
pub struct PodState {
    containers: Vec<ContainerRecord>,
    active_deadline: Option<Duration>,
    grace: Duration,
    qos_class: &'static str,
    host_ips: Vec<String>,
    accepted: Now,
    resources: Resources,
    resource_retry: RetryBackoff,
    /// Someone wants the pod to end.
    stop: Option<Stop>,
    /// The pod has ended by itself: when the grace period of its sidecars is over.
    completed_deadline: Option<Duration>,
    ended: bool,
    restart_all: Option<RestartAll>,
    /// Its condition is shown from then on.
    has_restarted_all: bool,
    /// `spec.schedulingGates` is not empty: nothing happens.
    is_gated: bool,
    /// `metadata.generation`
    generation: Option<i64>,
    readiness_gates: Vec<String>,
    /// Conditions that others have set.
    foreign: Vec<PodCondition>,
    transitions: Transitions,
    /// `namespace_name(uid)`-like text that the kubelet puts into its messages.
    full_name: String,
    notices: Vec<Notice>,
    revision: u64,
}

/// The pod's own resources: directory, volumes, network, IPC.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Resources {
    Missing {
        retry_at: Duration,
        failure: Option<(String, String)>,
    },
    Acquiring,
    Ready {
        pod_ips: Vec<String>,
    },
    Released {
        pod_ips: Vec<String>,
    },
}

impl PodState {
    /// A pod that was accepted at `now`; nothing of it exists yet.
    #[must_use]
    pub fn new(pod: &Pod, host: &HostFacts, now: Now) -> Self {
        let none = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&none);
        let mut state = Self {
            containers: policy::plan(spec)
                .into_iter()
                .map(ContainerRecord::new)
                .collect(),
            active_deadline: active_deadline(spec),
            grace: policy::grace_period(spec),
            qos_class: crate::qos::class(spec),
            host_ips: host.host_ips.clone(),
            accepted: now,
            resources: Resources::Missing {
                retry_at: Duration::ZERO,
                failure: None,
            },
            resource_retry: RetryBackoff::resources(),
            stop: None,
            completed_deadline: None,
            ended: false,
            restart_all: None,
            has_restarted_all: false,
            is_gated: is_gated(spec),
            generation: pod.metadata.generation,
            readiness_gates: readiness_gates(spec),
            foreign: conditions::foreign(pod),
            transitions: Transitions::default(),
            full_name: format!(
                "{}_{}({})",
                pod.metadata.name.as_deref().unwrap_or_default(),
                pod.metadata.namespace.as_deref().unwrap_or("default"),
                pod.metadata.uid.as_deref().unwrap_or_default(),
            ),
            notices: Vec::new(),
            revision: 0,
        };
        state.note_transitions(now);
        state
    }

    /// The containers in the order in which they start, init containers first.
    pub fn containers(&self) -> impl Iterator<Item = (ContainerIndex, &ContainerRecord)> {
        self.containers
            .iter()
            .enumerate()
            .map(|(n, record)| (ContainerIndex(n), record))
    }

    /// One container; `None` for an index of another pod.
    #[must_use]
    pub fn container(&self, index: ContainerIndex) -> Option<&ContainerRecord> {
        self.containers.get(index.0)
    }

    /// Grows whenever [`status`](Self::status) may have changed: whoever publishes it need not ask more often.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The grace period of the spec.
    #[must_use]
    pub fn grace_period(&self) -> Duration {
        self.grace
    }

    /// Why the pod is to end; `None` while it is to live, or ends by itself.
    #[must_use]
    pub fn stop_cause(&self) -> Option<StopCause> {
        self.stop.as_ref().map(|stop| stop.cause)
    }

    /// True when the pod is over and all of it is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// `NAME_NAMESPACE(UID)`, as the kubelet names a pod in its messages.
    #[must_use]
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// How long a container that has ended must wait for its restart; `None` when it is not restarted or need not
    /// wait. This is what the kubelet announces as `CrashLoopBackOff`.
    #[must_use]
    pub fn crash_backoff(&self, index: ContainerIndex) -> Option<Duration> {
        if self.is_ending() {
            return None;
        }
        let wait = self.container(index)?.restart_wait()?;
        (!wait.is_zero()).then_some(wait)
    }

    fn record_mut(&mut self, index: ContainerIndex) -> Option<&mut ContainerRecord> {
        self.containers.get_mut(index.0)
    }

    /// A container whose current instance, which runs, is `attempt`: answers to earlier ones come too late.
    fn instance_mut(
        &mut self,
        index: ContainerIndex,
        attempt: u32,
    ) -> Option<&mut ContainerRecord> {
        self.record_mut(index)
            .filter(|record| record.attempt == attempt && record.has_guest())
    }
}

fn active_deadline(spec: &PodSpec) -> Option<Duration> {
    let seconds = spec.active_deadline_seconds;
    seconds
        .and_then(|s| u64::try_from(s).ok())
        .map(Duration::from_secs)
}

fn is_gated(spec: &PodSpec) -> bool {
    spec.scheduling_gates
        .as_ref()
        .is_some_and(|gates| !gates.is_empty())
}

fn readiness_gates(spec: &PodSpec) -> Vec<String> {
    let gates = spec.readiness_gates.iter().flatten();
    gates.map(|gate| gate.condition_type.clone()).collect()
}

/// A time in whole seconds as Go prints it in the kubelet's messages: `10s`, `1m20s`, `5m0s`.
fn go_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}
