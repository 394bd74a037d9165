//! Jobs: pods that run to their end, until enough have succeeded or too many have failed.
//!
//! ```text
//!  (suspended) <-> active --enough succeeded--> SuccessCriteriaMet --pods are gone--> Complete --ttl--> deleted
//!                    '----too many failed, too long, a policy--> FailureTarget --pods are gone--> Failed --ttl--> deleted
//! ```
//!
//! A pod is counted once: it has a finalizer until it is. Standard: upstream's `pkg/controller/job`, and for the longest
//! wait between pods the documentation. What has no meaning here: pods of other owners are not adopted.

mod backoff;
mod conditions;
mod indexes;
mod policy;
mod round;
mod template;

use wasmpod_manifest::k8s::Job;
use wasmpod_manifest::{Workload, WorkloadKind};

use super::{Step, WorkloadDecision, WorkloadView, pods};

pub(super) use conditions::{Ended, ended};
pub(super) use template::prepare;

pub(super) fn decide<'a>(job: &'a Job, view: WorkloadView<'a>) -> WorkloadDecision {
    let mut decision = WorkloadDecision::nothing(view.workload);
    if let Some((_, since)) = ended(job) {
        let ttl = job.spec.as_ref().and_then(|s| s.ttl_seconds_after_finished);
        let is_deleted = job.metadata.deletion_timestamp.is_some();
        if let (Some(ttl), Some(since), false) = (ttl, since, is_deleted) {
            let end = pods::after(since, i64::from(ttl));
            if end <= view.now {
                decision.steps.push(Step::DeleteWorkload {
                    kind: WorkloadKind::Job,
                    name: view.workload.name().to_owned(),
                });
            } else {
                decision.wake(Some(end));
            }
        }
        return decision;
    }
    let Some(spec) = &job.spec else {
        return decision;
    };
    let mut status = job.status.clone().unwrap_or_default();
    round::Round::new(job, spec, view).run(&mut status, &mut decision);
    let mut job = job.clone();
    job.status = Some(status);
    decision.status = Workload::Job(Box::new(job));
    decision
}
