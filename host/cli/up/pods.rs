//! The pods of a host as they come and go: what each is to be shown with, and whether all is up.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wasmpod::store::{Kind, Object};
use wasmpod::{Host, PodChange, PodEvent, PodHandle, k8s};

/// Something that happened to a pod.
pub(crate) enum Change {
    /// It is there, or has come.
    Added(PodHandle),
    /// It is now like this.
    Status(Arc<k8s::Pod>),
    /// It is gone.
    Removed(PodHandle),
    /// A line to be said.
    Said(String),
}

/// How many changes wait to be shown; a pod whose changes nobody shows waits with them, and shows its newest state.
const WAITING_CHANGES: usize = 64;

/// Follows every pod of a host. Dropping it ends that.
pub(crate) struct Pods {
    changes: mpsc::Receiver<Change>,
    _following: JoinSet<()>,
}

impl Pods {
    /// Follows the pods that are there and those that come; `verbose` says all their events, not only warnings.
    pub(crate) fn follow(host: &Host, verbose: bool) -> Self {
        let (sender, changes) = mpsc::channel(WAITING_CHANGES);
        let mut watch = host.watch_pods();
        let mut following = JoinSet::new();
        following.spawn(async move {
            let mut each = JoinSet::new();
            loop {
                let change = tokio::select! {
                    change = watch.next() => change,
                    Some(_) = each.join_next() => continue,
                };
                let added = match &change {
                    PodChange::PodAdded(pod) => Some(pod.clone()),
                    PodChange::PodRemoved(_) => None,
                };
                let change = match change {
                    PodChange::PodAdded(pod) => Change::Added(pod),
                    PodChange::PodRemoved(pod) => Change::Removed(pod),
                };
                if sender.send(change).await.is_err() {
                    return;
                }
                // What a pod does is said after that it is there.
                if let Some(pod) = added {
                    each.spawn(follow_states(pod.clone(), sender.clone()));
                    each.spawn(follow_events(pod, verbose, sender.clone()));
                }
            }
        });
        Self {
            changes,
            _following: following,
        }
    }

    /// What happens next. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Change {
        match self.changes.recv().await {
            Some(change) => change,
            // The follower ends with us.
            None => std::future::pending().await,
        }
    }

    /// What has happened and was not shown yet.
    pub(crate) fn try_next(&mut self) -> Option<Change> {
        self.changes.try_recv().ok()
    }
}

async fn follow_states(pod: PodHandle, changes: mpsc::Sender<Change>) {
    let mut watch = pod.watch();
    let mut has_published = false;
    while let Some(state) = watch.next().await {
        if !has_published {
            for port in pod.published() {
                has_published = true;
                let line = format!(
                    "published {} -> {}:{}",
                    port.host,
                    pod.name(),
                    port.pod_port
                );
                if changes.send(Change::Said(line)).await.is_err() {
                    return;
                }
            }
        }
        if changes.send(Change::Status(state)).await.is_err() {
            return;
        }
    }
}

async fn follow_events(pod: PodHandle, verbose: bool, changes: mpsc::Sender<Change>) {
    let mut events = pod.events();
    let mut said = Said::default();
    while let Some(event) = events.next().await {
        let is_news = verbose || event.is_warning() && said.is_news(&event.0);
        if is_news {
            let line = format!("{}: {event}", pod.name());
            if changes.send(Change::Said(line)).await.is_err() {
                return;
            }
        }
    }
}

/// The last message of each container and reason: a probe that fails each second in the same words is said once here,
/// and counted by `events`.
#[derive(Default)]
struct Said(HashMap<(Option<String>, String), String>);

impl Said {
    fn is_news(&mut self, event: &PodEvent) -> bool {
        let kind = (event.container.clone(), event.reason.clone());
        let before = self.0.insert(kind, event.message.clone());
        before.as_ref() != Some(&event.message)
    }
}

/// How many owners are looked through: a pod of a Job of a CronJob has two.
const MAX_OWNERS: usize = 4;

/// What made the pod in the end, as `deployment/web`; nothing when its manifest did.
pub(crate) fn owner(host: &Host, pod: &k8s::Pod) -> Option<String> {
    let store = host.agent().store();
    let namespace = pod.metadata.namespace.as_deref();
    let owners = pod.metadata.owner_references.iter().flatten();
    let mut owner = owners
        .into_iter()
        .find(|owner| owner.controller == Some(true))
        .cloned()?;
    for _ in 0..MAX_OWNERS {
        let kind = Kind::from_type(&owner.api_version, &owner.kind);
        let object: Option<Object> = kind.and_then(|kind| store.get(kind, namespace, &owner.name));
        match object.as_ref().and_then(Object::controller) {
            Some(next) => owner = next.clone(),
            None => break,
        }
    }
    Some(format!("{}/{}", owner.kind.to_lowercase(), owner.name))
}

/// Did something fail by itself that nothing makes good again: a pod of its own, or a job for good?
pub(crate) fn has_failed(host: &Host) -> bool {
    let has_owner = |pod: &k8s::Pod| {
        let mut owners = pod.metadata.owner_references.iter().flatten();
        owners.any(|owner| owner.controller == Some(true))
    };
    let pods = host.pods();
    let mut pods = pods.iter();
    pods.any(|pod| pod.phase() == "Failed" && !has_owner(&pod.pod()))
        || host
            .workloads()
            .iter()
            .any(|workload| workload.has_failed())
}

/// Is everything up: each pod settled, each workload with the pods that it wants?
pub(crate) fn is_up(host: &Host) -> bool {
    let is_reached = |workload: &wasmpod::WorkloadState| {
        workload.is_finished()
            || workload.wanted().is_none()
            || workload.reached() >= workload.wanted()
    };
    let pods = host.pods();
    pods.iter().all(|pod| is_settled(&pod.pod())) && host.workloads().iter().all(is_reached)
}

/// Is every container of the pod ready, or has it completed? Kubernetes calls a pod with a helper that has done its work
/// not ready; whoever waits for the pod to be up means this.
fn is_settled(pod: &k8s::Pod) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref());
    let has_completed = |container: &k8s::ContainerStatus| {
        let state = container.state.as_ref();
        let end = state.and_then(|state| state.terminated.as_ref());
        end.is_some_and(|end| end.exit_code == 0)
    };
    containers.is_some_and(|all| {
        !all.is_empty()
            && all
                .iter()
                .all(|container| container.ready || has_completed(container))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_warning_is_said_again_when_its_words_change() {
        let event = |container: &str, reason: &str, message: &str| PodEvent {
            time: jiff::Timestamp::UNIX_EPOCH,
            severity: wasmpod::Severity::Warning,
            reason: reason.to_owned(),
            message: message.to_owned(),
            container: Some(container.to_owned()),
        };
        let mut said = Said::default();
        for (event, is_news) in [
            (event("a", "Unhealthy", "refused"), true),
            (event("a", "Unhealthy", "refused"), false),
            (event("b", "Unhealthy", "refused"), true),
            (event("a", "BackOff", "10s"), true),
            (event("a", "Unhealthy", "404"), true),
            (event("a", "Unhealthy", "refused"), true),
        ] {
            assert_eq!(said.is_news(&event), is_news, "{event:?}");
        }
    }

    #[test]
    fn a_pod_is_settled_when_each_container_is_ready_or_has_completed() {
        let container = |ready: bool, state: &serde_json::Value| json!({"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state});
        let running = json!({"running": {}});
        let completed = json!({"terminated": {"exitCode": 0}});
        let failed = json!({"terminated": {"exitCode": 1}});
        let cases = [
            (json!([]), false),
            (
                json!([container(true, &running), container(false, &completed)]),
                true,
            ),
            (
                json!([container(true, &running), container(false, &running)]),
                false,
            ),
            (
                json!([container(true, &running), container(false, &failed)]),
                false,
            ),
        ];
        for (statuses, settled) in cases {
            let pod = json!({"metadata": {}, "status": {"containerStatuses": statuses}});
            assert_eq!(
                is_settled(&serde_json::from_value(pod).unwrap()),
                settled,
                "{statuses}"
            );
        }
    }
}
