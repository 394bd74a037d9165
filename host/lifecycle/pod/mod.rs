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
//! The rules are the kubelet's (`pod-lifecycle`, `init-containers`, `sidecar-containers` of the Kubernetes
//! documentation; `kuberuntime_manager.go` `computePodActions`; `kubelet_pods.go` `getPhase`).

mod conditions;
mod decide;
mod event;
mod notice;
mod phase;
mod record;
mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

use wasmpod_manifest::k8s::{Pod, PodSpec};

use crate::backoff::RetryBackoff;
use crate::policy;
use crate::time::Now;

pub use decide::{Action, Decision, decide};
pub use event::{Event, HookKind, ProbeKind, ProbeOutcome, StartFailure, StopCause};
pub use notice::{Notice, NoticeSeverity};
pub use phase::Phase;
pub use record::{ContainerIndex, ContainerRecord, ContainerState, Terminated};
pub use status::CONTAINER_ID_PREFIX;

use conditions::Transitions;

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
    stop: Option<Stop>,
    ended: bool,
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

/// A pod that is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stop {
    cause: StopCause,
    /// When what still runs is ended by force.
    kill_at: Duration,
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
            active_deadline: spec
                .active_deadline_seconds
                .and_then(|s| u64::try_from(s).ok())
                .map(Duration::from_secs),
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
            ended: false,
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

    /// What is worth an event since this was last asked, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
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
        self.stop.map(|stop| stop.cause)
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
        let record = self.container(index)?;
        let ended = record.terminated()?;
        (!self.is_terminal() && record.will_restart())
            .then(|| record.backoff.wait(ended.finished.elapsed))
            .filter(|wait| !wait.is_zero())
    }

    /// True when no container will be started any more.
    fn is_terminal(&self) -> bool {
        self.stop.is_some() || self.ended || self.is_complete() || self.init_has_failed()
    }

    /// True when every main container has ended and none is started again.
    fn is_complete(&self) -> bool {
        let mut mains = self.containers.iter().filter(|c| c.is_main()).peekable();
        mains.peek().is_some() && mains.all(|c| c.terminated().is_some() && !c.will_restart())
    }

    /// True when an init container has failed and is not tried again: the pod fails with it.
    fn init_has_failed(&self) -> bool {
        self.containers.iter().any(|c| {
            c.is_init() && !c.will_restart() && c.terminated().is_some_and(|t| !t.exit.is_success())
        })
    }

    fn is_busy(&self) -> bool {
        self.containers.iter().any(ContainerRecord::is_alive)
    }

    fn record_mut(&mut self, index: ContainerIndex) -> Option<&mut ContainerRecord> {
        self.containers.get_mut(index.0)
    }
}
