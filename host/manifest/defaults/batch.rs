//! The defaults of jobs and cron jobs: `SetDefaults_*` of `batch/v1`.
//!
//! A job's selector and the labels that it selects hold the job's uid, so they are given when the
//! job gets its uid, not here.

use super::{pod_template, set};
use crate::k8s::{CronJob, Job, JobSpec};

/// Source: `SetDefaults_Job`. A job with a limit for each index has none as a whole.
const BACKOFF_LIMIT: i32 = 6;
/// Source: `SetDefaults_CronJob`.
const SUCCESSFUL_JOBS_HISTORY_LIMIT: i32 = 3;
/// Source: `SetDefaults_CronJob`.
const FAILED_JOBS_HISTORY_LIMIT: i32 = 1;

/// Fills in a job.
pub(super) fn job(job: &mut Job) {
    let Some(spec) = &mut job.spec else { return };
    job_spec(spec);
    if job.metadata.labels.as_ref().is_none_or(|l| l.is_empty())
        && let Some(metadata) = &spec.template.metadata
    {
        job.metadata.labels.clone_from(&metadata.labels);
    }
}

fn job_spec(spec: &mut JobSpec) {
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() {
        i32::MAX
    } else {
        BACKOFF_LIMIT
    };
    spec.backoff_limit.get_or_insert(limit);
    set(&mut spec.completion_mode, "NonIndexed");
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replacement = if spec.pod_failure_policy.is_some() {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    set(&mut spec.pod_replacement_policy, replacement);
    for rule in spec
        .pod_failure_policy
        .iter_mut()
        .flat_map(|policy| &mut policy.rules)
    {
        for pattern in rule.on_pod_conditions.iter_mut().flatten() {
            set(&mut pattern.status, "True");
        }
    }
}

/// Fills in a cron job. Its job template stays as it is but for the pods: each job gets its
/// defaults when it is made.
pub(super) fn cron_job(cron_job: &mut CronJob) {
    let spec = &mut cron_job.spec;
    set(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit
        .get_or_insert(SUCCESSFUL_JOBS_HISTORY_LIMIT);
    spec.failed_jobs_history_limit
        .get_or_insert(FAILED_JOBS_HISTORY_LIMIT);
    if let Some(job) = &mut spec.job_template.spec {
        pod_template(&mut job.template);
    }
}
