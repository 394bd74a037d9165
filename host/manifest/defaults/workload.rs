//! The defaults of what makes pods: `SetDefaults_*` of `apps/v1` and of the replication controller.

use super::{batch, metadata, pod_template, set, storage};
use crate::k8s::{
    DaemonSet, Deployment, IntOrString, ReplicaSet, ReplicationController, StatefulSet,
};
use crate::workload::Workload;

/// Source: `SetDefaults_Deployment`, `SetDefaults_StatefulSet`, `SetDefaults_DaemonSet`.
const REVISION_HISTORY_LIMIT: i32 = 10;
/// Source: `SetDefaults_Deployment`.
const PROGRESS_DEADLINE_SECONDS: i32 = 600;
/// The part of a deployment's pods that may be too many or too few while it is rolled out.
/// Source: `SetDefaults_Deployment`.
const ROLLING_PART: &str = "25%";

/// Fills in a workload.
pub(crate) fn workload(workload: &mut Workload) {
    metadata(workload.metadata_mut());
    if let Some(template) = workload.pod_template_mut() {
        pod_template(template);
    }
    match workload {
        Workload::Deployment(object) => deployment(object),
        Workload::ReplicaSet(object) => replica_set(object),
        Workload::ReplicationController(object) => replication_controller(object),
        Workload::DaemonSet(object) => daemon_set(object),
        Workload::StatefulSet(object) => stateful_set(object),
        Workload::Job(object) => batch::job(object),
        Workload::CronJob(object) => batch::cron_job(object),
    }
}

fn deployment(deployment: &mut Deployment) {
    let spec = &mut deployment.spec;
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit
        .get_or_insert(REVISION_HISTORY_LIMIT);
    spec.progress_deadline_seconds
        .get_or_insert(PROGRESS_DEADLINE_SECONDS);
    let strategy = spec.strategy.get_or_insert_default();
    set(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        for part in [&mut rolling.max_surge, &mut rolling.max_unavailable] {
            part.get_or_insert_with(|| IntOrString::String(ROLLING_PART.to_owned()));
        }
    }
}

fn replica_set(set: &mut ReplicaSet) {
    set.spec.replicas.get_or_insert(1);
}

type Labels = std::collections::BTreeMap<String, String>;

fn template_labels(template: &crate::k8s::PodTemplateSpec) -> Option<Labels> {
    template.metadata.as_ref()?.labels.clone()
}

fn replication_controller(controller: &mut ReplicationController) {
    let Some(spec) = &mut controller.spec else {
        return;
    };
    spec.replicas.get_or_insert(1);
    let Some(labels) = spec.template.as_ref().and_then(template_labels) else {
        return;
    };
    if spec.selector.as_ref().is_none_or(|s| s.is_empty()) {
        spec.selector = Some(labels.clone());
    }
    if controller
        .metadata
        .labels
        .as_ref()
        .is_none_or(|l| l.is_empty())
    {
        controller.metadata.labels = Some(labels);
    }
}

fn daemon_set(daemon: &mut DaemonSet) {
    let spec = &mut daemon.spec;
    spec.revision_history_limit
        .get_or_insert(REVISION_HISTORY_LIMIT);
    let strategy = spec.update_strategy.get_or_insert_default();
    set(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}

fn stateful_set(stateful: &mut StatefulSet) {
    let spec = &mut stateful.spec;
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit
        .get_or_insert(REVISION_HISTORY_LIMIT);
    set(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    set(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.partition.get_or_insert(0);
    }
    let retention = spec
        .persistent_volume_claim_retention_policy
        .get_or_insert_default();
    set(&mut retention.when_deleted, "Retain");
    set(&mut retention.when_scaled, "Retain");
    for claim in spec.volume_claim_templates.iter_mut().flatten() {
        if let Some(spec) = &mut claim.spec {
            storage::claim_spec(spec);
        }
    }
}
