//! `status`: a pod's state in Kubernetes' own types.

use wasmpod_manifest::k8s::{
    self, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, PodIP, PodStatus,
};

use super::record::{ContainerIndex, ContainerRecord, ContainerState, Terminated};
use super::{PodState, Resources, StopCause};
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
        let (reason, message) = self.reason();
        PodStatus {
            phase: Some(self.phase().as_str().to_owned()),
            reason,
            message,
            conditions: Some(self.conditions()),
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

    fn reason(&self) -> (Option<String>, Option<String>) {
        if self.stop_cause() == Some(StopCause::DeadlineExceeded) {
            let message = "Pod was active on the node longer than the specified deadline";
            return (
                Some("DeadlineExceeded".to_owned()),
                Some(message.to_owned()),
            );
        }
        (None, None)
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
            ContainerState::Running { started, .. } => k8s::ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(started.time()),
                }),
                ..k8s::ContainerState::default()
            },
            ContainerState::Terminated(ended) => match self.crash_backoff(index) {
                Some(wait) => {
                    last = Some(ended);
                    let message = format!(
                        "back-off {}s restarting failed container={} pod={}",
                        wait.as_secs(),
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
            ContainerState::Waiting { reason: None, .. } | ContainerState::Starting { .. } => {
                self.not_started(record)
            }
        };
        let running = record.is_running();
        let id = match &record.state {
            ContainerState::Running { id, .. } => Some(id),
            ContainerState::Terminated(ended) => Some(&ended.id),
            ContainerState::Waiting { .. } | ContainerState::Starting { .. } => {
                last.map(|ended| &ended.id)
            }
        };
        let done = record.terminated().is_some_and(|t| t.exit.is_success());
        ContainerStatus {
            name: record.plan.name.clone(),
            image: record.plan.image.clone(),
            image_id: record.image_id.clone(),
            container_id: id
                .filter(|id| !id.is_empty())
                .map(|id| format!("{CONTAINER_ID_PREFIX}{id}")),
            ready: running && !record.is_init() || record.is_init() && done,
            started: Some(running),
            restart_count: i32::try_from(record.attempt).unwrap_or(i32::MAX),
            state: Some(state),
            last_state: last.map(terminated),
            ..ContainerStatus::default()
        }
    }

    /// A container of which nobody has tried an instance yet, or of which one is being made.
    fn not_started(&self, record: &ContainerRecord) -> k8s::ContainerState {
        if let Resources::Missing {
            failure: Some((_, message)),
            ..
        } = &self.resources
        {
            return waiting("ContainerCreating", Some(message.clone()));
        }
        let init_pending = self
            .containers
            .iter()
            .any(|c| !c.is_main() && !c.lets_next_start());
        let has_init = self.containers.iter().any(|c| !c.is_main());
        if init_pending || (has_init && record.is_main() && record.last.is_none()) {
            waiting("PodInitializing", None)
        } else {
            waiting("ContainerCreating", None)
        }
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
