//! Replica sets and replication controllers: as many pods as are wanted, each as good as another.
//!
//! A pod that ended or is being deleted no longer counts and is replaced at once; one that ended stays as it is, for
//! people to look at. Standard: upstream's `pkg/controller/replicaset`.

use std::collections::BTreeMap;

use wasmpod_manifest::Workload;
use wasmpod_manifest::k8s::{
    Pod, PodTemplateSpec, ReplicaSet, ReplicaSetStatus, ReplicationController,
    ReplicationControllerStatus,
};

use super::{WorkloadDecision, WorkloadView, create, pods};
use crate::time::Timestamp;

/// How many pods are made or deleted in one round. Source: upstream's `BurstReplicas`; the others follow in the next.
const BURST_REPLICAS: usize = 500;

/// What both kinds want.
struct Wanted<'a> {
    replicas: i32,
    min_ready_seconds: i32,
    template: Option<&'a PodTemplateSpec>,
}

/// What both statuses show.
struct Counts {
    replicas: i32,
    labeled: i32,
    ready: i32,
    available: i32,
    terminating: i32,
}

pub(super) fn replica_set(set: &ReplicaSet, view: &mut WorkloadView<'_>) -> WorkloadDecision {
    let wanted = Wanted {
        replicas: set.spec.replicas.unwrap_or(1),
        min_ready_seconds: set.spec.min_ready_seconds.unwrap_or_default(),
        template: set.spec.template.as_ref(),
    };
    let (mut decision, counts) = decide(&wanted, view);
    let mut set = set.clone();
    let conditions = set.status.take().and_then(|status| status.conditions);
    set.status = Some(ReplicaSetStatus {
        replicas: counts.replicas,
        fully_labeled_replicas: Some(counts.labeled),
        ready_replicas: Some(counts.ready),
        available_replicas: Some(counts.available),
        terminating_replicas: Some(counts.terminating),
        observed_generation: set.metadata.generation,
        conditions,
    });
    decision.status = Workload::ReplicaSet(Box::new(set));
    decision
}

pub(super) fn replication_controller(
    controller: &ReplicationController,
    view: &mut WorkloadView<'_>,
) -> WorkloadDecision {
    let spec = controller.spec.as_ref();
    let wanted = Wanted {
        replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        min_ready_seconds: spec
            .and_then(|spec| spec.min_ready_seconds)
            .unwrap_or_default(),
        template: spec.and_then(|spec| spec.template.as_ref()),
    };
    let (mut decision, counts) = decide(&wanted, view);
    let mut controller = controller.clone();
    let conditions = controller.status.take().and_then(|s| s.conditions);
    controller.status = Some(ReplicationControllerStatus {
        replicas: counts.replicas,
        fully_labeled_replicas: Some(counts.labeled),
        ready_replicas: Some(counts.ready),
        available_replicas: Some(counts.available),
        observed_generation: controller.metadata.generation,
        conditions,
    });
    decision.status = Workload::ReplicationController(Box::new(controller));
    decision
}

fn decide(wanted: &Wanted<'_>, view: &mut WorkloadView<'_>) -> (WorkloadDecision, Counts) {
    let mut decision = WorkloadDecision::nothing(view.workload);
    let mut active = pods::active(view.pods);
    let terminating = pods::terminating(view.pods);
    let counts = counts(wanted, &active, terminating, view.now);
    decision.wake(pods::next_available(
        active.iter().copied(),
        wanted.min_ready_seconds,
        view.now,
    ));
    let Some(template) = wanted.template else {
        return (decision, counts);
    };
    if view.workload.metadata().deletion_timestamp.is_some() {
        return (decision, counts);
    }
    let target = pods::length(wanted.replicas);
    if active.len() < target {
        let base = format!("{}-", view.workload.name());
        for _ in 0..(target - active.len()).min(BURST_REPLICAS) {
            let pod = create::generated_pod(view.workload, template, &base, view.names);
            decision.create_pod(pod);
        }
    } else {
        active.sort_by(|a, b| pods::deletion_order(a, b));
        let surplus = (active.len() - target).min(BURST_REPLICAS);
        for pod in active.iter().take(surplus) {
            decision.delete_pod(pod);
        }
    }
    (decision, counts)
}

fn counts(wanted: &Wanted<'_>, active: &[&Pod], terminating: usize, now: Timestamp) -> Counts {
    let template_labels = wanted
        .template
        .and_then(|template| template.metadata.as_ref()?.labels.clone())
        .unwrap_or_default();
    let number = |filter: &dyn Fn(&Pod) -> bool| {
        pods::count(active.iter().filter(|pod| filter(pod)).count())
    };
    Counts {
        replicas: pods::count(active.len()),
        labeled: number(&|pod| has_labels(pod, &template_labels)),
        ready: number(&pods::is_ready),
        available: number(&|pod| pods::is_available(pod, wanted.min_ready_seconds, now)),
        terminating: pods::count(terminating),
    }
}

fn has_labels(pod: &Pod, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(key, value)| pods::label(pod, key) == Some(value))
}
