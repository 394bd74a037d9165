//! The rules of a job, and of the job of a cron job.

use super::{failure_policy, success_policy};
use crate::k8s::{Job, JobSpec};
use crate::validate::{Findings, Path, names, selector, template};

/// How many pods of an indexed job may run at once. Source: `maxParallelismForIndexedJob`.
const MAX_PARALLELISM_INDEXED: i32 = 100_000;
/// How many indexes of a job may fail. Source: `maxFailedIndexesForIndexedJob`.
const MAX_FAILED_INDEXES: i32 = 100_000;
/// From this number of completions on, a job with a limit for each index needs further limits.
/// Source: `completionsSoftLimit`.
const MANY_COMPLETIONS: i32 = 100_000;
/// The limit of parallelism and of failed indexes then. Source: `parallelismLimitForHighCompletions`.
const MANY_COMPLETIONS_LIMIT: i32 = 10_000;

/// Holds the rules of a job but for its metadata.
pub(in crate::validate) fn job(job: &Job, path: &Path, findings: &mut Findings) {
    let Some(spec) = &job.spec else {
        findings.required("job/spec", path, "");
        return;
    };
    job_spec(spec, path, findings);
    if spec.manual_selector == Some(true) {
        match &spec.selector {
            Some(chosen) => {
                selector::selects_template(chosen, &spec.template, "job", path, findings);
            }
            None => findings.required("selector/required", &path.field("selector"), ""),
        }
    } else if spec.selector.is_some() {
        findings.push(
            crate::validate::Finding::new(
                "job/selector",
                crate::report::ViolationKind::Invalid,
                &path.field("selector"),
            )
            .shown("an object")
            .detail("`selector` not auto-generated")
            .hint("remove the selector: each job selects its own pods"),
        );
    }
    host_names(job, spec, findings);
}

/// The pods of an indexed job get host names of the job's name and their index.
fn host_names(job: &Job, spec: &JobSpec, findings: &mut Findings) {
    let (Some("Indexed"), Some(completions @ 1..), Some(name)) = (
        spec.completion_mode.as_deref(),
        spec.completions,
        job.metadata.name.as_deref(),
    ) else {
        return;
    };
    let longest = format!("{name}-{}", completions - 1);
    if !names::dns1123_label(&longest).is_empty() {
        let path = Path::root().field("metadata").field("name");
        let detail = format!("will not able to create pod with invalid DNS label: {longest}");
        findings.invalid("job/host-name", &path, name, detail);
    }
}

/// Holds the rules of a job's spec but for its selector.
pub(super) fn job_spec(spec: &JobSpec, path: &Path, findings: &mut Findings) {
    for (field, value) in [
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ] {
        findings.not_negative("workload/range", &path.field(field), value);
    }
    findings.not_negative(
        "workload/range",
        &path.field("activeDeadlineSeconds"),
        spec.active_deadline_seconds,
    );
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        findings.required(
            "job/indexed",
            &path.field("backoffLimitPerIndex"),
            "when maxFailedIndexes is specified",
        );
    }
    let mode = spec.completion_mode.as_deref().unwrap_or("NonIndexed");
    let mode_path = path.field("completionMode");
    findings.one_of(
        "job/completion-mode",
        &mode_path,
        mode,
        &["NonIndexed", "Indexed"],
    );
    if mode == "Indexed" {
        indexed(spec, path, findings);
    } else {
        for (field, value) in [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ] {
            if let Some(value) = value {
                findings.invalid_number(
                    "job/indexed",
                    &path.field(field),
                    value,
                    "requires indexed completion mode",
                );
            }
        }
    }
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy::failure_policy(policy, spec, &path.field("podFailurePolicy"), findings);
    }
    if let Some(policy) = &spec.success_policy {
        let path = path.field("successPolicy");
        if mode == "Indexed" {
            success_policy::success_policy(policy, spec, &path, findings);
        } else {
            findings.invalid(
                "job/indexed",
                &path,
                "object",
                "requires indexed completion mode",
            );
        }
    }
    if let Some(policy) = spec.pod_replacement_policy.as_deref() {
        let supported: &[&str] = if spec.pod_failure_policy.is_some() {
            &["Failed"]
        } else {
            &["Failed", "TerminatingOrFailed"]
        };
        findings.one_of(
            "job/replacement",
            &path.field("podReplacementPolicy"),
            policy,
            supported,
        );
    }
    let template_path = path.field("template");
    template::pod_template(&spec.template, &template_path, findings);
    restart_policy(spec, &template_path.field("spec"), findings);
}

fn indexed(spec: &JobSpec, path: &Path, findings: &mut Findings) {
    let Some(completions) = spec.completions else {
        findings.required(
            "job/indexed",
            &path.field("completions"),
            "when completion mode is Indexed",
        );
        return;
    };
    let mut at_most = |field: &str, value: Option<i32>, most: i32, detail: String| {
        if let Some(value) = value.filter(|value| *value > most) {
            findings.invalid_number("job/indexed", &path.field(field), value, &detail);
        }
    };
    at_most(
        "parallelism",
        spec.parallelism,
        MAX_PARALLELISM_INDEXED,
        format!(
            "must be less than or equal to {MAX_PARALLELISM_INDEXED} when completion mode is Indexed"
        ),
    );
    at_most(
        "maxFailedIndexes",
        spec.max_failed_indexes,
        completions,
        "must be less than or equal to completions".to_owned(),
    );
    at_most(
        "maxFailedIndexes",
        spec.max_failed_indexes,
        MAX_FAILED_INDEXES,
        format!("must be less than or equal to {MAX_FAILED_INDEXES}"),
    );
    if completions > MANY_COMPLETIONS && spec.backoff_limit_per_index.is_some() {
        let detail = format!(
            "must be less than or equal to {MANY_COMPLETIONS_LIMIT} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        at_most(
            "parallelism",
            spec.parallelism,
            MANY_COMPLETIONS_LIMIT,
            detail.clone(),
        );
        at_most(
            "maxFailedIndexes",
            spec.max_failed_indexes,
            MANY_COMPLETIONS_LIMIT,
            detail,
        );
        if spec.max_failed_indexes.is_none() {
            findings.required(
                "job/indexed",
                &path.field("maxFailedIndexes"),
                &format!("must be specified when completions is above {MANY_COMPLETIONS}"),
            );
        }
    }
}

fn restart_policy(spec: &JobSpec, path: &Path, findings: &mut Findings) {
    let Some(pod) = &spec.template.spec else {
        return;
    };
    let path = path.field("restartPolicy");
    match pod.restart_policy.as_deref() {
        None | Some("" | "Always") => findings.required(
            "job/restart-policy",
            &path,
            "valid values: \"OnFailure\", \"Never\"",
        ),
        Some(policy @ ("OnFailure" | "Never")) => {
            if spec.pod_failure_policy.is_some() && policy != "Never" {
                findings.invalid(
                    "job/restart-policy",
                    &path,
                    policy,
                    "only \"Never\" is supported when podFailurePolicy is specified",
                );
            }
        }
        // Said by the rules of every pod.
        Some(_) => {}
    }
}
