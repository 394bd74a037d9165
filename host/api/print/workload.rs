//! The kinds that make pods.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    Container, CronJob, DaemonSet, Deployment, Job, LabelSelector, PodSpec, ReplicaSet,
    ReplicationController, StatefulSet,
};

use super::{Head, NONE, age, human_duration, joined, labels, name, number, since, text, wide};

pub(super) const DEPLOYMENT: &[Head] = &[
    text("Name"),
    text("Ready"),
    number("Up-to-date"),
    number("Available"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) const REPLICA_SET: &[Head] = &[
    text("Name"),
    number("Desired"),
    number("Current"),
    number("Ready"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) const DAEMON_SET: &[Head] = &[
    text("Name"),
    number("Desired"),
    number("Current"),
    number("Ready"),
    number("Up-to-date"),
    number("Available"),
    text("Node Selector"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) const STATEFUL_SET: &[Head] = &[
    text("Name"),
    text("Ready"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
];

pub(super) const JOB: &[Head] = &[
    text("Name"),
    text("Status"),
    text("Completions"),
    text("Duration"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) const CRON_JOB: &[Head] = &[
    text("Name"),
    text("Schedule"),
    text("Timezone"),
    text("Suspend"),
    number("Active"),
    text("Last Schedule"),
    text("Age"),
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn deployment(deployment: &Deployment, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (Some(&deployment.spec), deployment.status.as_ref());
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let count = |get: Option<i32>| get.unwrap_or(0);
    let mut cells = vec![
        name(&deployment.metadata),
        format!(
            "{}/{wanted}",
            count(status.and_then(|status| status.ready_replicas))
        )
        .into(),
        count(status.and_then(|status| status.updated_replicas)).into(),
        count(status.and_then(|status| status.available_replicas)).into(),
        age(&deployment.metadata, now),
    ];
    cells.extend(containers(
        spec.and_then(|spec| spec.template.spec.as_ref()),
    ));
    cells.push(selector(spec.map(|spec| &spec.selector)).into());
    cells
}

pub(super) fn replica_set(set: &ReplicaSet, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (Some(&set.spec), set.status.as_ref());
    let mut cells = vec![
        name(&set.metadata),
        spec.and_then(|spec| spec.replicas).unwrap_or(1).into(),
        status.map_or(0, |status| status.replicas).into(),
        status
            .and_then(|status| status.ready_replicas)
            .unwrap_or(0)
            .into(),
        age(&set.metadata, now),
    ];
    let template = spec.and_then(|spec| spec.template.as_ref()?.spec.as_ref());
    cells.extend(containers(template));
    cells.push(selector(spec.map(|spec| &spec.selector)).into());
    cells
}

pub(super) fn replication_controller(
    controller: &ReplicationController,
    now: Timestamp,
) -> Vec<Value> {
    let (spec, status) = (controller.spec.as_ref(), controller.status.as_ref());
    let mut cells = vec![
        name(&controller.metadata),
        spec.and_then(|spec| spec.replicas).unwrap_or(1).into(),
        status.map_or(0, |status| status.replicas).into(),
        status
            .and_then(|status| status.ready_replicas)
            .unwrap_or(0)
            .into(),
        age(&controller.metadata, now),
    ];
    let template = spec.and_then(|spec| spec.template.as_ref()?.spec.as_ref());
    cells.extend(containers(template));
    cells.push(labels(spec.iter().flat_map(|spec| spec.selector.iter().flatten())).into());
    cells
}

pub(super) fn daemon_set(set: &DaemonSet, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (Some(&set.spec), set.status.as_ref());
    let template = spec.and_then(|spec| spec.template.spec.as_ref());
    let nodes = template
        .iter()
        .flat_map(|spec| spec.node_selector.iter().flatten());
    let mut cells = vec![
        name(&set.metadata),
        status
            .map_or(0, |status| status.desired_number_scheduled)
            .into(),
        status
            .map_or(0, |status| status.current_number_scheduled)
            .into(),
        status.map_or(0, |status| status.number_ready).into(),
        status
            .and_then(|status| status.updated_number_scheduled)
            .unwrap_or(0)
            .into(),
        status
            .and_then(|status| status.number_available)
            .unwrap_or(0)
            .into(),
        labels(nodes).into(),
        age(&set.metadata, now),
    ];
    cells.extend(containers(template));
    cells.push(selector(spec.map(|spec| &spec.selector)).into());
    cells
}

pub(super) fn stateful_set(set: &StatefulSet, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (Some(&set.spec), set.status.as_ref());
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
    let mut cells = vec![
        name(&set.metadata),
        format!("{ready}/{wanted}").into(),
        age(&set.metadata, now),
    ];
    cells.extend(containers(
        spec.and_then(|spec| spec.template.spec.as_ref()),
    ));
    cells
}

pub(super) fn job(job: &Job, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (job.spec.as_ref(), job.status.as_ref());
    let succeeded = status.and_then(|status| status.succeeded).unwrap_or(0);
    let parallelism = spec.and_then(|spec| spec.parallelism).unwrap_or(1);
    let completions = match spec.and_then(|spec| spec.completions) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    };
    let start = status.and_then(|status| status.start_time.as_ref());
    let end = status.and_then(|status| status.completion_time.as_ref());
    let duration =
        start.map(|start| human_duration(end.map_or(now, |end| end.0).duration_since(start.0)));
    let mut cells = vec![
        name(&job.metadata),
        job_status(job).into(),
        completions.into(),
        duration.unwrap_or_default().into(),
        age(&job.metadata, now),
    ];
    cells.extend(containers(
        spec.and_then(|spec| spec.template.spec.as_ref()),
    ));
    cells.push(selector(spec.and_then(|spec| spec.selector.as_ref())).into());
    cells
}

fn job_status(job: &Job) -> &'static str {
    let is_true = |wanted: &str| {
        let mut conditions = job
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|condition| condition.type_ == wanted && condition.status == "True")
    };
    if is_true("Complete") {
        "Complete"
    } else if is_true("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if is_true("Suspended") {
        "Suspended"
    } else if is_true("FailureTarget") {
        "FailureTarget"
    } else if is_true("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

pub(super) fn cron_job(job: &CronJob, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (Some(&job.spec), job.status.as_ref());
    let is_suspended = spec.and_then(|spec| spec.suspend).unwrap_or(false);
    let last = status.and_then(|status| status.last_schedule_time.as_ref());
    let of_jobs = spec.and_then(|spec| spec.job_template.spec.as_ref());
    let mut cells = vec![
        name(&job.metadata),
        spec.map_or("", |spec| spec.schedule.as_str()).into(),
        spec.and_then(|spec| spec.time_zone.as_deref())
            .unwrap_or(NONE)
            .into(),
        if is_suspended { "True" } else { "False" }.into(),
        status
            .map_or(0, |status| status.active.iter().flatten().count())
            .into(),
        last.map_or_else(|| NONE.to_owned(), |last| since(Some(last), now))
            .into(),
        age(&job.metadata, now),
    ];
    cells.extend(containers(
        of_jobs.and_then(|spec| spec.template.spec.as_ref()),
    ));
    cells.push(selector(of_jobs.and_then(|spec| spec.selector.as_ref())).into());
    cells
}

/// The names and the images of a template's containers.
fn containers(template: Option<&PodSpec>) -> [Value; 2] {
    let containers: &[Container] = template.map_or(&[], |spec| &spec.containers);
    let names: Vec<_> = containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    let images = containers
        .iter()
        .map(|container| container.image.as_deref().unwrap_or_default());
    [
        names.join(",").into(),
        images.collect::<Vec<_>>().join(",").into(),
    ]
}

/// A selector as `-l` writes it.
pub(super) fn selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else {
        return NONE.to_owned();
    };
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|found| {
        let values = || {
            found
                .values
                .iter()
                .flatten()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(",")
        };
        match found.operator.as_str() {
            "Exists" => found.key.clone(),
            "DoesNotExist" => format!("!{}", found.key),
            operator => format!("{} {} ({})", found.key, operator.to_lowercase(), values()),
        }
    });
    joined(equal.chain(expressions))
}
