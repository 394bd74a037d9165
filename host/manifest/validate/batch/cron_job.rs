//! The rules of a cron job.

use super::job::job_spec;
use crate::k8s::CronJob;
use crate::schedule::{Schedule, time_zone};
use crate::validate::{Findings, Path, metadata};

/// The length of a cron job's name: eleven characters are left for the time that is appended.
/// Source: `ValidateCronJobCreate` and `DNS1035LabelMaxLength`. A longer name is a violation.
const NAME_MAX_BYTES: usize = 52;

/// Holds the rules of a cron job but for its metadata.
pub(in crate::validate) fn cron_job(cron_job: &CronJob, path: &Path, findings: &mut Findings) {
    if let Some(name) = cron_job.metadata.name.as_deref()
        && name.len() > NAME_MAX_BYTES
    {
        let path = Path::root().field("metadata").field("name");
        let detail = format!("must be no more than {NAME_MAX_BYTES} characters");
        findings.invalid("cron-job/name", &path, name, detail);
    }
    let spec = &cron_job.spec;
    let schedule = path.field("schedule");
    if spec.schedule.is_empty() {
        findings.required("cron-job/schedule", &schedule, "");
    } else if spec.schedule.contains("TZ") {
        findings.invalid(
            "cron-job/schedule",
            &schedule,
            &spec.schedule,
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        );
    } else if let Err(error) = spec.schedule.parse::<Schedule>() {
        findings.invalid(
            "cron-job/schedule",
            &schedule,
            &spec.schedule,
            error.to_string(),
        );
    }
    if let Some(zone) = spec.time_zone.as_deref() {
        let path = path.field("timeZone");
        if zone.is_empty() {
            findings.invalid(
                "cron-job/time-zone",
                &path,
                zone,
                "must be nil or non-empty string",
            );
        } else if zone.eq_ignore_ascii_case("local") {
            findings.invalid(
                "cron-job/time-zone",
                &path,
                zone,
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
            );
        } else if time_zone(zone).is_none() {
            let detail = format!("unknown time zone {zone}");
            findings.invalid("cron-job/time-zone", &path, zone, detail);
        }
    }
    if let Some(policy) = spec.concurrency_policy.as_deref() {
        findings.one_of(
            "cron-job/concurrency",
            &path.field("concurrencyPolicy"),
            policy,
            &["Allow", "Forbid", "Replace"],
        );
    }
    findings.not_negative(
        "workload/range",
        &path.field("startingDeadlineSeconds"),
        spec.starting_deadline_seconds,
    );
    for (field, value) in [
        (
            "successfulJobsHistoryLimit",
            spec.successful_jobs_history_limit,
        ),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        findings.not_negative("workload/range", &path.field(field), value);
    }
    let path = path.field("jobTemplate");
    if let Some(found) = &spec.job_template.metadata {
        metadata::labels_and_annotations(found, &path.field("metadata"), findings);
    }
    let path = path.field("spec");
    match &spec.job_template.spec {
        Some(spec) => {
            if spec.manual_selector == Some(true) {
                findings.push(
                    crate::validate::Finding::new(
                        "cron-job/manual-selector",
                        crate::report::ViolationKind::NotSupported,
                        &path.field("manualSelector"),
                    )
                    .shown("true")
                    .detail("supported values: false"),
                );
            }
            job_spec(spec, &path, findings);
        }
        None => findings.required("job/spec", &path, ""),
    }
}
