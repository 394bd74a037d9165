//! The rules of what keeps pods running: deployments, replica sets and their like.

use super::{Findings, Path, batch, claim, metadata, names, selector, template};
use crate::k8s::{
    DaemonSet, Deployment, IntOrString, ReplicaSet, ReplicationController, StatefulSet,
};
use crate::workload::Workload;

const UPDATE_STRATEGIES: &[&str] = &["OnDelete", "RollingUpdate"];

/// Holds every rule of a workload.
pub(crate) fn workload(workload: &Workload, findings: &mut Findings) {
    let rule = match workload {
        // The name becomes part of the host names of its pods.
        Workload::StatefulSet(_) => names::dns1123_label,
        Workload::Deployment(_)
        | Workload::ReplicaSet(_)
        | Workload::ReplicationController(_)
        | Workload::DaemonSet(_)
        | Workload::Job(_)
        | Workload::CronJob(_) => names::dns1123_subdomain,
    };
    metadata::metadata(workload.metadata(), rule, findings);
    let path = Path::root().field("spec");
    match workload {
        Workload::Deployment(object) => deployment(object, &path, findings),
        Workload::ReplicaSet(object) => replica_set(object, &path, findings),
        Workload::ReplicationController(object) => replication_controller(object, &path, findings),
        Workload::DaemonSet(object) => daemon_set(object, &path, findings),
        Workload::StatefulSet(object) => stateful_set(object, &path, findings),
        Workload::Job(object) => batch::job(object, &path, findings),
        Workload::CronJob(object) => batch::cron_job(object, &path, findings),
    }
}

fn counts(list: &[(&str, Option<i32>)], path: &Path, findings: &mut Findings) {
    for (field, value) in list {
        findings.not_negative("workload/range", &path.field(field), *value);
    }
}

fn deployment(deployment: &Deployment, path: &Path, findings: &mut Findings) {
    let spec = &deployment.spec;
    counts(
        &[
            ("replicas", spec.replicas),
            ("minReadySeconds", spec.min_ready_seconds),
            ("revisionHistoryLimit", spec.revision_history_limit),
            ("progressDeadlineSeconds", spec.progress_deadline_seconds),
        ],
        path,
        findings,
    );
    selector::selects_template(&spec.selector, &spec.template, "deployment", path, findings);
    let template_path = path.field("template");
    template::pod_template(&spec.template, &template_path, findings);
    template::runs_forever(&spec.template, "ReplicaSet", &template_path, findings);
    if let Some(deadline) = spec.progress_deadline_seconds
        && deadline <= spec.min_ready_seconds.unwrap_or_default()
    {
        findings.invalid_number(
            "deployment/progress-deadline",
            &path.field("progressDeadlineSeconds"),
            deadline,
            "must be greater than minReadySeconds",
        );
    }
    let Some(strategy) = &spec.strategy else {
        return;
    };
    let path = path.field("strategy");
    let kind = strategy.type_.as_deref().unwrap_or_default();
    findings.one_of(
        "deployment/strategy",
        &path.field("type"),
        kind,
        &["Recreate", "RollingUpdate"],
    );
    let Some(rolling) = &strategy.rolling_update else {
        return;
    };
    let path = path.field("rollingUpdate");
    if kind == "Recreate" {
        findings.forbidden(
            "deployment/strategy",
            &path,
            "may not be specified when strategy `type` is 'Recreate'",
        );
        return;
    }
    let (max_surge, max_unavailable) = (&rolling.max_surge, &rolling.max_unavailable);
    let (surge, missing) = rolling_parts(
        max_surge.as_ref(),
        max_unavailable.as_ref(),
        &path,
        findings,
    );
    let missing_path = path.field("maxUnavailable");
    if surge == Some(0) && missing == Some(0) {
        findings.invalid_number(
            "deployment/strategy",
            &missing_path,
            0,
            "may not be 0 when `maxSurge` is 0",
        );
    }
    at_most_all(max_unavailable.as_ref(), &missing_path, findings);
}

/// `maxSurge` and `maxUnavailable` of a rolling update at `path`.
fn rolling_parts(
    max_surge: Option<&IntOrString>,
    max_unavailable: Option<&IntOrString>,
    path: &Path,
    findings: &mut Findings,
) -> (Option<i32>, Option<i32>) {
    let surge = part(max_surge, &path.field("maxSurge"), findings);
    let missing = part(max_unavailable, &path.field("maxUnavailable"), findings);
    (surge, missing)
}

/// A number of pods or a part of them; the number before the `%`, if any.
fn part(value: Option<&IntOrString>, path: &Path, findings: &mut Findings) -> Option<i32> {
    match value? {
        IntOrString::Int(number) => {
            findings.not_negative("workload/range", path, Some(*number));
            Some(*number)
        }
        IntOrString::String(text) => {
            let number = percent(text);
            if number.is_none() {
                findings.invalid(
                    "workload/percent",
                    path,
                    text,
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
                );
            }
            number
        }
    }
}

fn percent(text: &str) -> Option<i32> {
    let digits = text.strip_suffix('%')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

fn at_most_all(value: Option<&IntOrString>, path: &Path, findings: &mut Findings) {
    if let Some(IntOrString::String(text)) = value
        && percent(text).is_some_and(|number| number > 100)
    {
        findings.invalid(
            "workload/percent",
            path,
            text,
            "must not be greater than 100%",
        );
    }
}

fn replica_set(set: &ReplicaSet, path: &Path, findings: &mut Findings) {
    let spec = &set.spec;
    counts(
        &[
            ("replicas", spec.replicas),
            ("minReadySeconds", spec.min_ready_seconds),
        ],
        path,
        findings,
    );
    let template_path = path.field("template");
    let Some(template) = &spec.template else {
        findings.required("workload/template", &template_path, "");
        return;
    };
    selector::selects_template(&spec.selector, template, "ReplicaSet", path, findings);
    template::pod_template(template, &template_path, findings);
    template::runs_forever(template, "ReplicaSet", &template_path, findings);
}

fn replication_controller(
    controller: &ReplicationController,
    path: &Path,
    findings: &mut Findings,
) {
    let Some(spec) = &controller.spec else {
        findings.required("workload/spec", path, "");
        return;
    };
    counts(
        &[
            ("replicas", spec.replicas),
            ("minReadySeconds", spec.min_ready_seconds),
        ],
        path,
        findings,
    );
    let template_path = path.field("template");
    let Some(template) = &spec.template else {
        findings.required("workload/template", &template_path, "");
        return;
    };
    let chosen = spec.selector.clone().unwrap_or_default();
    if chosen.is_empty() {
        findings.required("selector/required", &path.field("selector"), "");
    }
    for (key, value) in &chosen {
        metadata::key_and_value(&path.field("selector"), key, value, findings);
    }
    let labels = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    if !chosen
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
    {
        selector::mismatch(&labels, path, findings);
    }
    template::pod_template(template, &template_path, findings);
    template::runs_forever(template, "ReplicationController", &template_path, findings);
}

fn daemon_set(daemon: &DaemonSet, path: &Path, findings: &mut Findings) {
    let spec = &daemon.spec;
    counts(
        &[
            ("minReadySeconds", spec.min_ready_seconds),
            ("revisionHistoryLimit", spec.revision_history_limit),
        ],
        path,
        findings,
    );
    selector::selects_template(&spec.selector, &spec.template, "daemonset", path, findings);
    let template_path = path.field("template");
    template::pod_template(&spec.template, &template_path, findings);
    template::runs_forever(&spec.template, "DaemonSet", &template_path, findings);
    let Some(strategy) = &spec.update_strategy else {
        return;
    };
    let path = path.field("updateStrategy");
    let kind = strategy.type_.as_deref().unwrap_or_default();
    findings.one_of(
        "daemon-set/strategy",
        &path.field("type"),
        kind,
        UPDATE_STRATEGIES,
    );
    if let Some(rolling) = &strategy.rolling_update {
        let path = path.field("rollingUpdate");
        let (max_surge, max_unavailable) = (&rolling.max_surge, &rolling.max_unavailable);
        let (surge, missing) = rolling_parts(
            max_surge.as_ref(),
            max_unavailable.as_ref(),
            &path,
            findings,
        );
        let missing_path = path.field("maxUnavailable");
        if surge == Some(0) && missing == Some(0) {
            findings.required(
                "daemon-set/strategy",
                &missing_path,
                "cannot be 0 when maxSurge is 0",
            );
        }
        if surge.is_some_and(|number| number > 0) && missing.is_some_and(|number| number > 0) {
            findings.invalid(
                "daemon-set/strategy",
                &path.field("maxSurge"),
                &max_surge.as_ref().map_or_else(String::new, shown),
                "may not be set when maxUnavailable is non-zero",
            );
        }
        at_most_all(max_unavailable.as_ref(), &missing_path, findings);
    }
}

fn shown(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

fn stateful_set(stateful: &StatefulSet, path: &Path, findings: &mut Findings) {
    let spec = &stateful.spec;
    counts(
        &[
            ("replicas", spec.replicas),
            ("minReadySeconds", spec.min_ready_seconds),
            ("revisionHistoryLimit", spec.revision_history_limit),
        ],
        path,
        findings,
    );
    if let Some(policy) = spec.pod_management_policy.as_deref() {
        findings.one_of(
            "stateful-set/policy",
            &path.field("podManagementPolicy"),
            policy,
            &["OrderedReady", "Parallel"],
        );
    }
    if let Some(strategy) = &spec.update_strategy {
        let path = path.field("updateStrategy");
        let kind = strategy.type_.as_deref().unwrap_or_default();
        findings.one_of(
            "stateful-set/strategy",
            &path.field("type"),
            kind,
            UPDATE_STRATEGIES,
        );
        let partition = strategy.rolling_update.as_ref().and_then(|r| r.partition);
        let path = path.field("rollingUpdate").field("partition");
        findings.not_negative("workload/range", &path, partition);
    }
    if let Some(ordinals) = &spec.ordinals {
        let path = path.field("ordinals").field("start");
        findings.not_negative("workload/range", &path, ordinals.start);
    }
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        let path = path.field("persistentVolumeClaimRetentionPolicy");
        for (field, value) in [
            ("whenDeleted", &retention.when_deleted),
            ("whenScaled", &retention.when_scaled),
        ] {
            let value = value.as_deref().unwrap_or("Retain");
            findings.one_of(
                "stateful-set/retention",
                &path.field(field),
                value,
                &["Delete", "Retain"],
            );
        }
    }
    if let Some(name) = spec.service_name.as_deref().filter(|name| !name.is_empty()) {
        let wrong = names::dns1123_label(name);
        findings.all(
            "stateful-set/service",
            &path.field("serviceName"),
            name,
            wrong,
        );
    }
    for (index, template) in spec.volume_claim_templates.iter().flatten().enumerate() {
        let path = path.field("volumeClaimTemplates").index(index);
        let name = template.metadata.name.as_deref().unwrap_or_default();
        let name_path = path.field("metadata").field("name");
        if name.is_empty() {
            findings.required("stateful-set/claim-name", &name_path, "");
        } else {
            let wrong = names::dns1123_label(name);
            findings.all("stateful-set/claim-name", &name_path, name, wrong);
        }
        match &template.spec {
            Some(spec) => claim::claim_spec(spec, &path.field("spec"), findings),
            None => findings.required("claim/spec", &path.field("spec"), ""),
        }
    }
    selector::selects_template(
        &spec.selector,
        &spec.template,
        "statefulset",
        path,
        findings,
    );
    // The pods get a volume for each claim, which their containers may mount.
    let mut completed = spec.template.clone();
    if let Some(pod) = &mut completed.spec {
        for template in spec.volume_claim_templates.iter().flatten() {
            let name = template.metadata.name.clone().unwrap_or_default();
            let volumes = pod.volumes.get_or_insert_default();
            if !name.is_empty() && !volumes.iter().any(|volume| volume.name == name) {
                volumes.push(crate::k8s::Volume {
                    name: name.clone(),
                    persistent_volume_claim: Some(crate::k8s::PersistentVolumeClaimVolumeSource {
                        claim_name: name,
                        read_only: None,
                    }),
                    ..crate::k8s::Volume::default()
                });
            }
        }
    }
    let template_path = path.field("template");
    template::pod_template(&completed, &template_path, findings);
    template::runs_forever(&spec.template, "StatefulSet", &template_path, findings);
}
