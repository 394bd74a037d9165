//! Cron jobs: a Job for each time of the schedule.
//!
//! When several times have passed unseen, only the last one is made up for. The name of a Job is that of the cron job
//! and the scheduled minute, so no time gets two. Standard: upstream's `pkg/controller/cronjob`.

use wasmpod_manifest::k8s::jiff::tz::TimeZone;
use wasmpod_manifest::k8s::{CronJob, Job, ObjectMeta, ObjectReference, Time};
use wasmpod_manifest::schedule::{Schedule, time_zone};
use wasmpod_manifest::{Workload, WorkloadKind};

use super::job::{self, Ended};
use super::{Step, WorkloadDecision, WorkloadView, create, pods};
use crate::time::Timestamp;

/// The annotation of a Job with the time for which it was made. Source: batch/v1 `CronJobScheduledTimestampAnnotation`.
const SCHEDULED_ANNOTATION: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// More missed times than this are worth a warning. Source: upstream's `mostRecentScheduleTime`.
const MANY_MISSED: i64 = 100;

pub(super) fn decide(cron_job: &CronJob, view: &WorkloadView<'_>) -> WorkloadDecision {
    let mut decision = WorkloadDecision::nothing(view.workload);
    let mut cron_job = cron_job.clone();
    let children = view.children.iter().filter_map(|child| match &**child {
        Workload::Job(job) => Some(&**job),
        _ => None,
    });
    let jobs: Vec<&Job> = children.collect();
    clean_up(&cron_job, &jobs, &mut decision);
    note_ends(&mut cron_job, &jobs, &mut decision);
    if cron_job.metadata.deletion_timestamp.is_none() && cron_job.spec.suspend != Some(true) {
        run(&mut cron_job, &jobs, view, &mut decision);
    }
    decision.status = Workload::CronJob(Box::new(cron_job));
    decision
}

/// Deletes the oldest ended jobs that are more than the limits of history.
fn clean_up(cron_job: &CronJob, jobs: &[&Job], decision: &mut WorkloadDecision) {
    let spec = &cron_job.spec;
    for (ended, limit) in [
        (Ended::Complete, spec.successful_jobs_history_limit),
        (Ended::Failed, spec.failed_jobs_history_limit),
    ] {
        let Some(limit) = limit else { continue };
        let mut of_kind: Vec<&&Job> = jobs
            .iter()
            .filter(|job| job::ended(job).map(|(ended, _)| ended) == Some(ended))
            .filter(|job| job.metadata.deletion_timestamp.is_none())
            .collect();
        of_kind.sort_by_key(|job| (started(job), job.metadata.name.clone()));
        let surplus = of_kind.len().saturating_sub(pods::length(limit));
        for job in of_kind.iter().take(surplus) {
            delete(job, decision);
        }
    }
}

fn started(job: &Job) -> Option<Timestamp> {
    Some(job.status.as_ref()?.start_time.as_ref()?.0)
}

fn delete(job: &Job, decision: &mut WorkloadDecision) {
    let name = job.metadata.name.clone().unwrap_or_default();
    decision.steps.push(Step::DeleteWorkload {
        kind: WorkloadKind::Job,
        name: name.clone(),
    });
    decision.event("SuccessfulDelete", format!("Deleted job {name}"));
}

/// Takes ended and missing jobs off the list of active ones, and puts forgotten ones on it.
fn note_ends(cron_job: &mut CronJob, jobs: &[&Job], decision: &mut WorkloadDecision) {
    let status = cron_job.status.get_or_insert_default();
    let mut active = status.active.take().unwrap_or_default();
    for job in jobs {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let known = active.iter().position(|r| r.name.as_deref() == Some(name));
        match (known, job::ended(job)) {
            (Some(index), Some((ended, _))) => {
                active.remove(index);
                decision.event(
                    "SawCompletedJob",
                    format!(
                        "Saw completed job: {name}, condition: {}",
                        ended.condition()
                    ),
                );
            }
            (Some(index), None) => {
                // Made by the last decision, before anybody knew the uid.
                if let Some(reference) = active.get_mut(index) {
                    *reference = reference_to(job);
                }
            }
            (None, None) if job.metadata.deletion_timestamp.is_none() => {
                decision.warning(
                    "UnexpectedJob",
                    format!("Saw a job that the controller did not create or forgot: {name}"),
                );
                active.push(reference_to(job));
            }
            (None, _) => {}
        }
        if let Some((Ended::Complete, _)) = job::ended(job) {
            let completed = job.status.as_ref().and_then(|s| s.completion_time.clone());
            if completed.as_ref().map(|t| t.0) > status.last_successful_time.as_ref().map(|t| t.0) {
                status.last_successful_time = completed;
            }
        }
    }
    active.retain(|reference| {
        let found = jobs.iter().any(|job| job.metadata.name == reference.name);
        if !found {
            let name = reference.name.as_deref().unwrap_or_default();
            decision.event("MissingJob", format!("Active job went missing: {name}"));
        }
        found
    });
    status.active = Some(active).filter(|list| !list.is_empty());
}

fn reference_to(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some(WorkloadKind::Job.api_version().to_owned()),
        kind: Some(WorkloadKind::Job.name().to_owned()),
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        field_path: None,
    }
}

/// Makes the job of the last time that has passed, if any.
fn run(
    cron_job: &mut CronJob,
    jobs: &[&Job],
    view: &WorkloadView<'_>,
    decision: &mut WorkloadDecision,
) {
    let spec = cron_job.spec.clone();
    let zone = match spec.time_zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => match time_zone(name) {
            Some(zone) => zone,
            None => {
                let message = format!("invalid timeZone: {name:?}: unknown time zone {name}");
                return decision.warning("UnknownTimeZone", message);
            }
        },
    };
    let schedule: Schedule = match spec.schedule.parse() {
        Ok(schedule) => schedule,
        Err(error) => {
            let message = format!("unparseable schedule: {:?} : {error}", spec.schedule);
            return decision.warning("UnparseableSchedule", message);
        }
    };
    decision.wake(schedule.next_after(view.now, &zone));
    let status = cron_job.status.get_or_insert_default();
    let last = status.last_schedule_time.as_ref().map(|time| time.0);
    let created = cron_job.metadata.creation_timestamp.as_ref().map(|t| t.0);
    let mut earliest = last.or(created).unwrap_or(view.now);
    if let Some(seconds) = spec.starting_deadline_seconds {
        earliest = earliest.max(pods::after(view.now, seconds.saturating_neg()));
    }
    let Some((scheduled, missed)) = most_recent(&schedule, &zone, earliest, view.now) else {
        return;
    };
    if missed > MANY_MISSED {
        decision.warning(
            "TooManyMissedTimes",
            format!("too many missed start times: {missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"),
        );
    }
    let name = format!(
        "{}-{}",
        cron_job.metadata.name.as_deref().unwrap_or_default(),
        scheduled.as_second().div_euclid(60)
    );
    let exists = jobs
        .iter()
        .any(|job| job.metadata.name.as_deref() == Some(&name));
    if exists || last == Some(scheduled) {
        return;
    }
    let mut active = status.active.take().unwrap_or_default();
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if !active.is_empty() => {
            status.active = Some(active);
            decision.event(
                "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is Forbid"
                    .to_owned(),
            );
            return;
        }
        Some("Replace") => {
            for reference in active.drain(..) {
                if let Some(job) = jobs.iter().find(|job| job.metadata.name == reference.name) {
                    delete(job, decision);
                }
            }
        }
        _ => {}
    }
    let job = job_of(view.workload, &spec, name.clone(), scheduled, &zone);
    active.push(reference_to(&job));
    status.active = Some(active);
    status.last_schedule_time = Some(Time(scheduled));
    let mut job = Workload::Job(Box::new(job));
    job.set_defaults();
    decision.steps.push(Step::CreateWorkload(Box::new(job)));
    decision.event("SuccessfulCreate", format!("Created job {name}"));
}

/// The last time after `earliest` that has passed, and how many have.
fn most_recent(
    schedule: &Schedule,
    zone: &TimeZone,
    earliest: Timestamp,
    now: Timestamp,
) -> Option<(Timestamp, i64)> {
    let first = schedule.next_after(earliest, zone).filter(|t| *t <= now)?;
    let Some(second) = schedule.next_after(first, zone).filter(|t| *t <= now) else {
        return Some((first, 1));
    };
    let between = second.as_second().saturating_sub(first.as_second()).max(1);
    let missed = now.as_second().saturating_sub(first.as_second()) / between + 1;
    // Most times are skipped without being looked at: a schedule may have been down for years.
    let skipped = between.saturating_mul(missed.saturating_sub(2));
    let mut last = first;
    let mut next = schedule.next_after(pods::after(first, skipped), zone);
    while let Some(time) = next.filter(|time| *time <= now) {
        last = time;
        next = schedule.next_after(time, zone);
    }
    Some((last.max(second), missed))
}

fn job_of(
    owner: &Workload,
    spec: &wasmpod_manifest::k8s::CronJobSpec,
    name: String,
    scheduled: Timestamp,
    zone: &TimeZone,
) -> Job {
    let template = spec.job_template.metadata.clone().unwrap_or_default();
    let mut annotations = template.annotations.unwrap_or_default();
    let local = scheduled.to_zoned(zone.clone());
    let shown = if local.offset().is_zero() {
        local.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    annotations.insert(SCHEDULED_ANNOTATION.to_owned(), shown);
    Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: owner.metadata().namespace.clone(),
            labels: template.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![create::owner_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec: spec.job_template.spec.clone(),
        status: None,
    }
}
