//! `status`: a pod's state in Kubernetes' own types.

use wasmpod_manifest::k8s::{
    self, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, PodIP, PodStatus,
};

use super::record::{ContainerIndex, ContainerRecord, ContainerState, Terminated};
use super::{PodState, Resources, StopCause, go_seconds};
use crate::policy::Kind;

/// What stands before the id in `containerID`.
pub const CONTAINER_ID_PREFIX: &str = "wasmpod://";

impl PodState {
    /// The pod's status as the API shows it.
    #[must_use]
    pub fn status(&self) -> PodStatus {
        let pod_ips: &[String] = match &self.resources {
            Resources::Ready { pod_ips } | Resources::Released { pod_ips } => pod_ips,
            Resources::Missing { .. } | Resources::Acquiring => &[],
        };
        if self.is_gated {
            return self.status_of_gated();
        }
        let (reason, message) = self.reason();
        PodStatus {
            phase: Some(self.phase().as_str().to_owned()),
            reason,
            message,
            conditions: Some(self.conditions()),
            observed_generation: self.generation,
            container_statuses: Some(self.statuses(|kind| kind == Kind::Main)),
            init_container_statuses: Some(self.statuses(|kind| kind != Kind::Main))
                .filter(|list| !list.is_empty()),
            host_ip: self.host_ips.first().cloned(),
            host_ips: Some(
                self.host_ips
                    .iter()
                    .map(|ip| HostIP { ip: ip.clone() })
                    .collect(),
            )
            .filter(|list: &Vec<_>| !list.is_empty()),
            pod_ip: pod_ips.first().cloned(),
            pod_ips: Some(pod_ips.iter().map(|ip| PodIP { ip: ip.clone() }).collect())
                .filter(|list: &Vec<_>| !list.is_empty()),
            qos_class: Some(self.qos_class.to_owned()),
            start_time: Some(self.accepted.time()),
            ..PodStatus::default()
        }
    }

    /// No node has such a pod yet: nothing is known of its containers.
    fn status_of_gated(&self) -> PodStatus {
        PodStatus {
            phase: Some(self.phase().as_str().to_owned()),
            conditions: Some(self.conditions()),
            observed_generation: self.generation,
            qos_class: Some(self.qos_class.to_owned()),
            ..PodStatus::default()
        }
    }

    /// Why the pod has failed; shown when it has, as nothing of it runs any more.
    fn reason(&self) -> (Option<String>, Option<String>) {
        let Some(stop) = self.stop.as_ref().filter(|_| self.phase().is_final()) else {
            return (None, None);
        };
        let reason = match stop.cause {
            StopCause::Requested => None,
            StopCause::DeadlineExceeded => Some("DeadlineExceeded".to_owned()),
            StopCause::Evicted => Some("Evicted".to_owned()),
        };
        (reason, stop.message.clone())
    }

    fn statuses(&self, wanted: impl Fn(Kind) -> bool) -> Vec<ContainerStatus> {
        let shown = self
            .containers()
            .filter(|(_, record)| wanted(record.plan.kind));
        shown
            .map(|(index, record)| self.container_status(index, record))
            .collect()
    }

    fn container_status(&self, index: ContainerIndex, record: &ContainerRecord) -> ContainerStatus {
        let mut last = record.last.as_deref();
        let state = match &record.state {
            ContainerState::Running { started, .. } if record.is_running() => k8s::ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(started.time()),
                }),
                ..k8s::ContainerState::default()
            },
            ContainerState::Terminated(ended) => match self.crash_backoff(index) {
                Some(wait) => {
                    last = Some(ended);
                    let message = format!(
                        "back-off {} restarting failed container={} pod={}",
                        go_seconds(wait),
                        record.plan.name,
                        self.full_name
                    );
                    waiting("CrashLoopBackOff", Some(message))
                }
                None => terminated(ended),
            },
            ContainerState::Waiting {
                reason: Some(reason),
                message,
                ..
            } => waiting(reason, message.clone()),
            ContainerState::Waiting { reason: None, .. }
            | ContainerState::Starting { .. }
            | ContainerState::Running { .. } => self.not_started(record),
        };
        let id = match &record.state {
            ContainerState::Running { id, .. } => Some(id),
            ContainerState::Terminated(ended) => Some(&ended.id),
            ContainerState::Waiting { .. } | ContainerState::Starting { .. } => {
                last.map(|ended| &ended.id)
            }
        };
        let resources = record.plan.resources.as_ref();
        let image = match &record.state {
            ContainerState::Running { .. } | ContainerState::Terminated(_) => {
                &record.instance.image
            }
            ContainerState::Waiting { .. } | ContainerState::Starting { .. } => &record.plan.image,
        };
        ContainerStatus {
            name: record.plan.name.clone(),
            image: image.clone(),
            image_id: record.image_id.clone(),
            container_id: id
                .filter(|id| !id.is_empty())
                .map(|id| format!("{CONTAINER_ID_PREFIX}{id}")),
            ready: record.is_ready(),
            started: Some(record.has_started()),
            restart_count: i32::try_from(record.attempt).unwrap_or(i32::MAX),
            state: Some(state),
            last_state: last.map(terminated),
            allocated_resources: resources.and_then(|r| r.requests.clone()),
            resources: resources.cloned(),
            stop_signal: record.plan.stop_signal.clone(),
            ..ContainerStatus::default()
        }
    }

    /// A container of which nobody has tried an instance yet, or of which one is coming up.
    fn not_started(&self, record: &ContainerRecord) -> k8s::ContainerState {
        let message = match &self.resources {
            Resources::Missing { failure, .. } => failure.as_ref().map(|(_, message)| message),
            Resources::Acquiring | Resources::Ready { .. } | Resources::Released { .. } => None,
        };
        // The word for what has never run, in a pod that has init containers.
        let has_init = self.containers.iter().any(|c| !c.is_main());
        let reason = if has_init && record.last.is_none() && message.is_none() {
            "PodInitializing"
        } else {
            "ContainerCreating"
        };
        waiting(reason, message.cloned())
    }
}

fn waiting(reason: &str, message: Option<String>) -> k8s::ContainerState {
    let waiting = ContainerStateWaiting {
        reason: Some(reason.to_owned()),
        message,
    };
    k8s::ContainerState {
        waiting: Some(waiting),
        ..k8s::ContainerState::default()
    }
}

fn terminated(ended: &Terminated) -> k8s::ContainerState {
    let id = Some(&ended.id).filter(|id| !id.is_empty());
    let terminated = ContainerStateTerminated {
        container_id: id.map(|id| format!("{CONTAINER_ID_PREFIX}{id}")),
        exit_code: ended.exit.code,
        reason: Some(ended.exit.reason.as_str().to_owned()),
        message: ended.exit.message.clone(),
        signal: None,
        started_at: Some(ended.started.time()),
        finished_at: Some(ended.finished.time()),
    };
    k8s::ContainerState {
        terminated: Some(terminated),
        ..k8s::ContainerState::default()
    }
}
