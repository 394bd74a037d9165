//! What the controllers ask of a pod, and which of several is deleted first.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use wasmpod_manifest::k8s::jiff::SignedDuration;
use wasmpod_manifest::k8s::{ContainerStatus, Pod, PodCondition};

use crate::time::Timestamp;

/// The annotation by which a user says which pods go first. Source: core/v1 `PodDeletionCost`.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// `time` and so many seconds; the end of time when there are too many.
pub(super) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// A length of a list, as Kubernetes' types keep it.
pub(super) fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// A number of pods that is wanted, as a length of a list; none when it is negative.
pub(super) fn length(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

pub(super) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status.and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

pub(super) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Neither ended nor being deleted.
pub(super) fn is_active(pod: &Pod) -> bool {
    !has_ended(pod) && !is_terminating(pod)
}

pub(super) fn active(pods: &[Arc<Pod>]) -> Vec<&Pod> {
    let pods = pods.iter().map(Arc::as_ref);
    pods.filter(|pod| is_active(pod)).collect()
}

/// Being deleted, and not yet at an end.
pub(super) fn terminating(pods: &[Arc<Pod>]) -> usize {
    pods.iter()
        .filter(|pod| is_terminating(pod) && !has_ended(pod))
        .count()
}

fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == "Ready")
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    ready_condition(pod).is_some_and(|c| c.status == "True")
}

/// Since when a pod is as ready, or as unready, as it is.
pub(super) fn ready_changed(pod: &Pod) -> Option<Timestamp> {
    Some(ready_condition(pod)?.last_transition_time.as_ref()?.0)
}

/// When a pod that is ready counts as available; `None` when it is not ready.
pub(super) fn available_at(pod: &Pod, min_ready_seconds: i32) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    if min_ready_seconds <= 0 {
        return Some(Timestamp::MIN);
    }
    Some(after(ready_changed(pod)?, i64::from(min_ready_seconds)))
}

pub(super) fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    available_at(pod, min_ready_seconds).is_some_and(|at| at <= now)
}

/// When the next of these pods becomes available by only staying ready.
pub(super) fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Pod>,
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<Timestamp> {
    pods.into_iter()
        .filter_map(|pod| available_at(pod, min_ready_seconds))
        .filter(|at| *at > now)
        .min()
}

pub(super) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

pub(super) fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}

pub(super) fn label<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    let labels = pod.metadata.labels.as_ref()?;
    labels.get(key).map(String::as_str)
}

pub(super) fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Which pod is deleted first: one without a node, one that is pending, one that is not ready, the cheapest, the one
/// that is ready for the shortest time, the one that restarted most, the youngest; upstream's `ActivePodsWithRanks`
/// without the rank of nodes, of which there is one.
pub(super) fn deletion_order(a: &Pod, b: &Pod) -> Ordering {
    let key = |pod: &Pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let has_node = node.is_some_and(|node| !node.is_empty());
        let phase = match phase(pod) {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let cost = annotation(pod, DELETION_COST)
            .and_then(|cost| cost.parse::<i32>().ok())
            .unwrap_or_default();
        let ready = is_ready(pod);
        let since = ready.then(|| ready_changed(pod)).flatten();
        let restarts = statuses(pod).map(|s| s.restart_count).max();
        (
            has_node,
            phase,
            ready,
            cost,
            Reverse(since),
            Reverse(restarts.unwrap_or_default()),
            Reverse(created(pod)),
        )
    };
    // Equal in all: by name, so that the same view gives the same decision.
    key(a).cmp(&key(b)).then_with(|| name(a).cmp(name(b)))
}
