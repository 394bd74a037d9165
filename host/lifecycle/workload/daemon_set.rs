//! Daemon sets: one pod on each node, so one.
//!
//! A pod of an earlier template is replaced: deleted first, or, with `maxSurge`, when its successor is available.
//! Standard: upstream's `pkg/controller/daemon`. Nodes, and so affinities and taints, there are none.

use wasmpod_manifest::Workload;
use wasmpod_manifest::k8s::{DaemonSet, DaemonSetStatus, IntOrString, Pod};

use super::hash::template_hash;
use super::{WorkloadDecision, WorkloadView, create, pods};

/// The label by which a pod knows the template it was made from. Source: apps/v1 `ControllerRevisionHashLabelKey`.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";

/// The number of nodes.
const NODES: i32 = 1;

pub(super) fn decide(daemon: &DaemonSet, view: &mut WorkloadView<'_>) -> WorkloadDecision {
    let mut decision = WorkloadDecision::nothing(view.workload);
    let spec = &daemon.spec;
    let revision = template_hash(&spec.template, 0);
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let active = pods::active(view.pods);
    let is_new = |pod: &Pod| pods::label(pod, REVISION_LABEL) == Some(&revision);
    let is_available = |pod: &Pod| pods::is_available(pod, min_ready, view.now);
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = active.iter().copied().partition(|pod| is_new(pod));
    let new_available = new.iter().any(|pod| is_available(pod));

    decision.wake(pods::next_available(
        active.iter().copied(),
        min_ready,
        view.now,
    ));
    if view.workload.metadata().deletion_timestamp.is_none() {
        for pod in view.pods.iter().filter(|pod| is_dead(pod)) {
            let (reason, word) = match pods::phase(pod) {
                "Succeeded" => ("SucceededDaemonPod", "succeeded"),
                _ => ("FailedDaemonPod", "failed"),
            };
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let name = pods::name(pod);
            decision.warning(
                reason,
                format!("Found {word} daemon pod {namespace}/{name}, will try to kill it"),
            );
            decision.delete_pod(pod);
        }
        let rolling = spec.update_strategy.as_ref();
        let on_delete = rolling.is_some_and(|s| s.type_.as_deref() == Some("OnDelete"));
        let surges = rolling
            .and_then(|strategy| strategy.rolling_update.as_ref()?.max_surge.as_ref())
            .is_some_and(is_more_than_none);
        // Which of the pods of an earlier template go now, and whether one of this one is made.
        let replaced: &[&Pod] = if on_delete || (surges && !new_available) {
            &[]
        } else {
            &old
        };
        let keeps_old = on_delete && !old.is_empty();
        let waits_for_end = !surges && pods::terminating(view.pods) + replaced.len() > 0;
        for pod in replaced {
            decision.delete_pod(pod);
        }
        for pod in new.iter().skip(1) {
            decision.delete_pod(pod);
        }
        if new.is_empty() && !keeps_old && !waits_for_end {
            let base = format!("{}-", view.workload.name());
            let template = &spec.template;
            let mut pod = create::generated_pod(view.workload, template, &base, view.names);
            let labels = pod.metadata.labels.get_or_insert_default();
            labels.insert(REVISION_LABEL.to_owned(), revision.clone());
            decision.create_pod(pod);
        }
    }

    let ready = i32::from(active.iter().any(|pod| pods::is_ready(pod)));
    let available = i32::from(active.iter().any(|pod| is_available(pod)));
    let mut daemon = daemon.clone();
    let before = daemon.status.take().unwrap_or_default();
    daemon.status = Some(DaemonSetStatus {
        desired_number_scheduled: NODES,
        current_number_scheduled: i32::from(!active.is_empty()),
        number_misscheduled: 0,
        number_ready: ready,
        number_available: Some(available).filter(|number| *number > 0),
        number_unavailable: Some(NODES - available).filter(|number| *number > 0),
        updated_number_scheduled: Some(i32::from(!new.is_empty())).filter(|number| *number > 0),
        observed_generation: daemon.metadata.generation,
        collision_count: before.collision_count,
        conditions: before.conditions,
    });
    decision.status = Workload::DaemonSet(Box::new(daemon));
    decision
}

fn is_dead(pod: &Pod) -> bool {
    pods::has_ended(pod) && !pods::is_terminating(pod)
}

fn is_more_than_none(value: &IntOrString) -> bool {
    match value {
        IntOrString::Int(number) => *number > 0,
        IntOrString::String(text) => !text.trim_end_matches('%').bytes().all(|b| b == b'0'),
    }
}
