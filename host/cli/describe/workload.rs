//! What makes pods: deployments, replica sets, daemon sets, stateful sets, jobs and cron jobs.

use jiff::Timestamp;
use serde_json::Value;
use wasmpod::k8s::{LabelSelector, ObjectMeta, PodTemplateSpec};

use super::View;
use super::fields::{
    NONE, annotations, at, at_or_none, controller, items, labels, metadata, moment, selector,
};
use super::pod;
use crate::runs::{name, text};
use crate::tabs::Tabs;

pub(super) fn describe(
    out: &mut Tabs,
    kind: &str,
    object: &Value,
    related: &[Value],
    view: &View,
) -> anyhow::Result<()> {
    let metadata = metadata(object);
    out.field(0, "Name", metadata.name.as_deref().unwrap_or_default());
    out.field(
        0,
        "Namespace",
        metadata.namespace.as_deref().unwrap_or_default(),
    );
    if matches!(kind, "Deployment" | "StatefulSet") {
        let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
        out.field(0, "CreationTimestamp", moment(created, view));
    }
    // Deployments and cron jobs begin with labels, the others with the selector.
    if !matches!(kind, "Deployment" | "CronJob") {
        out.field(0, "Selector", selector_of(object));
    }
    if kind == "DaemonSet" {
        labels(out, "Node-Selector", None);
    }
    labels(out, "Labels", metadata.labels.as_ref());
    annotations(out, metadata.annotations.as_ref());
    if kind == "Deployment" {
        out.field(0, "Selector", selector_of(object));
    }
    if let Some(owner) = controller(&metadata) {
        out.field(0, "Controlled By", owner);
    }
    match kind {
        "Deployment" => deployment(out, object),
        "DaemonSet" => daemon_set(out, object),
        "StatefulSet" => stateful_set(out, object),
        "Job" => job(out, object, view),
        "CronJob" => cron_job(out, object),
        _ => {
            let number = |pointer: &str| at(object, pointer).unwrap_or_else(|| "0".to_owned());
            let (current, desired) = (number("/status/replicas"), number("/spec/replicas"));
            out.field(
                0,
                "Replicas",
                format_args!("{current} current / {desired} desired"),
            );
        }
    }
    if !matches!(kind, "Deployment" | "CronJob" | "Job") {
        pods_status(out, &metadata, related);
    }
    let template = match kind {
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    };
    if let Some(template) = object.pointer(template) {
        let template: PodTemplateSpec = serde_json::from_value(template.clone())?;
        pod::template(out, &template, view);
    }
    match kind {
        "StatefulSet" => claims(out, object),
        "CronJob" => last_runs(out, object, view),
        _ => conditions(out, object),
    }
    if kind == "Deployment" {
        replica_sets(out, object, &metadata, related);
    }
    Ok(())
}

fn selector_of(object: &Value) -> String {
    let found = object
        .pointer("/spec/selector")
        .cloned()
        .unwrap_or_default();
    // A replication controller has the labels themselves.
    if found.get("matchLabels").is_none() && found.get("matchExpressions").is_none() {
        let pairs = super::fields::map(object, "/spec/selector");
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        return if pairs.is_empty() {
            NONE.to_owned()
        } else {
            pairs.join(",")
        };
    }
    let parsed: Option<LabelSelector> = serde_json::from_value(found).ok();
    selector(parsed.as_ref())
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn deployment(out: &mut Tabs, object: &Value) {
    let of = |field: &str| number(object, &format!("/status/{field}"));
    out.field(
        0,
        "Replicas",
        format_args!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            number(object, "/spec/replicas"),
            of("updatedReplicas"),
            of("replicas"),
            of("availableReplicas"),
            of("unavailableReplicas"),
        ),
    );
    let strategy = at(object, "/spec/strategy/type");
    out.field(
        0,
        "StrategyType",
        strategy.unwrap_or_else(|| "RollingUpdate".to_owned()),
    );
    out.field(
        0,
        "MinReadySeconds",
        number(object, "/spec/minReadySeconds"),
    );
    if let Some(rolling) = object.pointer("/spec/strategy/rollingUpdate") {
        let part = |pointer| at(rolling, pointer).unwrap_or_else(|| "25%".to_owned());
        let (unavailable, surge) = (part("/maxUnavailable"), part("/maxSurge"));
        out.field(
            0,
            "RollingUpdateStrategy",
            format_args!("{unavailable} max unavailable, {surge} max surge"),
        );
    }
}

fn daemon_set(out: &mut Tabs, object: &Value) {
    for (label, field) in [
        (
            "Desired Number of Nodes Scheduled",
            "desiredNumberScheduled",
        ),
        (
            "Current Number of Nodes Scheduled",
            "currentNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            "updatedNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Available Pods",
            "numberAvailable",
        ),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        let count = number(object, &format!("/status/{field}"));
        out.line(0, format!("{label}: {count}"));
    }
}

fn stateful_set(out: &mut Tabs, object: &Value) {
    let (desired, total) = (
        number(object, "/spec/replicas"),
        number(object, "/status/replicas"),
    );
    out.field(
        0,
        "Replicas",
        format_args!("{desired} desired | {total} total"),
    );
    let strategy = at(object, "/spec/updateStrategy/type");
    out.field(
        0,
        "Update Strategy",
        strategy.unwrap_or_else(|| "RollingUpdate".to_owned()),
    );
    if let Some(partition) = at(object, "/spec/updateStrategy/rollingUpdate/partition") {
        out.field(1, "Partition", partition);
    }
}

fn job(out: &mut Tabs, object: &Value, view: &View) {
    for (label, field) in [
        ("Parallelism", "parallelism"),
        ("Completions", "completions"),
    ] {
        let value = at(object, &format!("/spec/{field}"));
        out.field(0, label, value.unwrap_or_else(|| "<unset>".to_owned()));
    }
    let mode = at(object, "/spec/completionMode");
    out.field(
        0,
        "Completion Mode",
        mode.unwrap_or_else(|| "NonIndexed".to_owned()),
    );
    let suspend = at(object, "/spec/suspend").unwrap_or_else(|| "false".to_owned());
    out.field(0, "Suspend", suspend);
    if let Some(limit) = at(object, "/spec/backoffLimit") {
        out.field(0, "Backoff Limit", limit);
    }
    let time = |pointer: &str| text(object, pointer).parse::<Timestamp>().ok();
    let (start, end) = (time("/status/startTime"), time("/status/completionTime"));
    if start.is_some() {
        out.field(0, "Start Time", moment(start, view));
    }
    if end.is_some() {
        out.field(0, "Completed At", moment(end, view));
    }
    if let (Some(start), Some(end)) = (start, end) {
        out.field(
            0,
            "Duration",
            wasmpod_api::human_duration(end.duration_since(start)),
        );
    }
    if let Some(deadline) = at(object, "/spec/activeDeadlineSeconds") {
        out.field(0, "Active Deadline Seconds", format_args!("{deadline}s"));
    }
    out.field(
        0,
        "Pods Statuses",
        format_args!(
            "{} Active ({} Ready) / {} Succeeded / {} Failed",
            number(object, "/status/active"),
            number(object, "/status/ready"),
            number(object, "/status/succeeded"),
            number(object, "/status/failed"),
        ),
    );
}

fn cron_job(out: &mut Tabs, object: &Value) {
    out.field(
        0,
        "Schedule",
        at(object, "/spec/schedule").unwrap_or_default(),
    );
    let policy = at(object, "/spec/concurrencyPolicy");
    out.field(
        0,
        "Concurrency Policy",
        policy.unwrap_or_else(|| "Allow".to_owned()),
    );
    let suspend = at(object, "/spec/suspend");
    out.field(0, "Suspend", truth_of(suspend.as_deref()));
    for (label, pointer) in [
        (
            "Successful Job History Limit",
            "/spec/successfulJobsHistoryLimit",
        ),
        ("Failed Job History Limit", "/spec/failedJobsHistoryLimit"),
        ("Starting Deadline Seconds", "/spec/startingDeadlineSeconds"),
        ("Parallelism", "/spec/jobTemplate/spec/parallelism"),
        ("Completions", "/spec/jobTemplate/spec/completions"),
    ] {
        let value = at(object, pointer).unwrap_or_else(|| "<unset>".to_owned());
        out.field(0, label, value);
    }
}

fn truth_of(text: Option<&str>) -> &'static str {
    super::fields::truth(text == Some("true"))
}

fn last_runs(out: &mut Tabs, object: &Value, view: &View) {
    let last = text(object, "/status/lastScheduleTime").parse().ok();
    out.field(0, "Last Schedule Time", moment(last, view));
    let active = items(object, "/status/active").iter();
    let active: Vec<_> = active.filter_map(|job| at(job, "/name")).collect();
    let active = if active.is_empty() {
        NONE.to_owned()
    } else {
        active.join(", ")
    };
    out.field(0, "Active Jobs", active);
}

/// How many pods of an owner are in which phase.
fn pods_status(out: &mut Tabs, owner: &ObjectMeta, pods: &[Value]) {
    let uid = owner.uid.as_deref().unwrap_or_default();
    let owned = pods.iter().filter(|pod| is_owned_by(pod, uid));
    let mut counts = [
        ("Running", 0),
        ("Waiting", 0),
        ("Succeeded", 0),
        ("Failed", 0),
    ];
    for pod in owned {
        let phase = text(pod, "/status/phase");
        let word = if phase == "Pending" {
            "Waiting"
        } else {
            phase.as_str()
        };
        for (name, count) in &mut counts {
            *count += i32::from(*name == word);
        }
    }
    let counts = counts.map(|(name, count)| format!("{count} {name}"));
    out.field(0, "Pods Status", counts.join(" / "));
}

fn is_owned_by(object: &Value, uid: &str) -> bool {
    let mut owners = items(object, "/metadata/ownerReferences").iter();
    owners.any(|owner| at(owner, "/uid").as_deref() == Some(uid))
}

fn claims(out: &mut Tabs, object: &Value) {
    let claims = items(object, "/spec/volumeClaimTemplates");
    if claims.is_empty() {
        return out.field(0, "Volume Claims", NONE);
    }
    out.line(0, "Volume Claims:");
    for claim in claims {
        out.field(1, "Name", name(claim));
        out.field(
            1,
            "StorageClass",
            at(claim, "/spec/storageClassName").unwrap_or_default(),
        );
        let capacity = at(claim, "/spec/resources/requests/storage");
        out.field(
            1,
            "Capacity",
            capacity.unwrap_or_else(|| "<default>".to_owned()),
        );
        let modes = items(claim, "/spec/accessModes").iter();
        let modes: Vec<_> = modes.filter_map(Value::as_str).collect();
        out.field(1, "Access Modes", format_args!("[{}]", modes.join(" ")));
    }
}

fn conditions(out: &mut Tabs, object: &Value) {
    let conditions = items(object, "/status/conditions");
    if conditions.is_empty() {
        return;
    }
    out.line(0, "Conditions:");
    out.line(1, "Type\tStatus\tReason");
    out.line(1, "----\t------\t------");
    for condition in conditions {
        let of = |field| at(condition, field).unwrap_or_default();
        let line = format!("{} \t{}\t{}", of("/type"), of("/status"), of("/reason"));
        out.line(1, line);
    }
}

/// The newest replica set of a deployment has its revision; those before it are old.
fn replica_sets(out: &mut Tabs, object: &Value, metadata: &ObjectMeta, sets: &[Value]) {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let revision =
        |object: &Value| super::fields::map(object, "/metadata/annotations").remove(REVISION);
    let newest = revision(object);
    let owned = sets.iter().filter(|set| is_owned_by(set, uid));
    let (new, old): (Vec<_>, Vec<_>) =
        owned.partition(|set| newest.is_some() && revision(set) == newest);
    let shown = |sets: Vec<&Value>| {
        let sets: Vec<_> = sets
            .into_iter()
            .map(|set| {
                format!(
                    "{} ({}/{} replicas created)",
                    name(set),
                    at(set, "/status/replicas").unwrap_or_else(|| "0".to_owned()),
                    at_or_none(set, "/spec/replicas")
                )
            })
            .collect();
        if sets.is_empty() {
            NONE.to_owned()
        } else {
            sets.join(", ")
        }
    };
    out.field(0, "OldReplicaSets", shown(old));
    out.field(0, "NewReplicaSet", shown(new));
}

/// The annotation that counts a deployment's changes.
const REVISION: &str = "deployment.kubernetes.io/revision";
