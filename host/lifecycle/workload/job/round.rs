//! One round of a job that has not ended: what to end, what to make, what to count.

use std::collections::{BTreeMap, BTreeSet};

use wasmpod_manifest::k8s::{Job, JobSpec, JobStatus, Pod, Time};

use super::super::{JOB_TRACKING_FINALIZER, Step, WorkloadDecision, WorkloadView, pods};
use super::backoff;
use super::conditions::{self, End, Ended};
use super::indexes::{Indexes, index_of};
use super::policy::{self, Verdict};
use super::template::{self, Failures};
use crate::time::Timestamp;

/// How many pods are made or deleted in one round. Source: upstream's `MaxPodCreateDeletePerSync`.
const MOST_PODS: usize = 500;

/// What is known in one round.
pub(super) struct Round<'a> {
    job: &'a Job,
    spec: &'a JobSpec,
    view: WorkloadView<'a>,
    /// `Some` of an indexed job: its completions.
    indexed: Option<i32>,
    succeeded_indexes: Indexes,
    failed_indexes: Indexes,
    /// The last failed pod of each index that is to be tried again; it is counted when its successor is made.
    last_failed: BTreeMap<i32, &'a Pod>,
}

impl<'a> Round<'a> {
    pub(super) fn new(job: &'a Job, spec: &'a JobSpec, view: WorkloadView<'a>) -> Self {
        let is_indexed = spec.completion_mode.as_deref() == Some("Indexed");
        Self {
            job,
            spec,
            view,
            indexed: spec.completions.filter(|_| is_indexed),
            succeeded_indexes: Indexes::default(),
            failed_indexes: Indexes::default(),
            last_failed: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self, status: &mut JobStatus, decision: &mut WorkloadDecision) {
        let suspended = self.spec.suspend == Some(true);
        if status.start_time.is_none() && !suspended {
            status.start_time = Some(Time(self.view.now));
        }
        let active = pods::active(self.view.pods);
        let mut left = Left {
            active: pods::count(active.len()),
            ready: pods::count(active.iter().filter(|pod| pods::is_ready(pod)).count()),
            terminating: pods::count(pods::terminating(self.view.pods)),
        };
        self.read_indexes(status);
        let succeeded = self.succeeded(status);
        let mut end = End::decided(status).or_else(|| self.end(status, suspended, decision));
        let mut dropped = BTreeSet::new();
        if end.is_some() {
            for pod in &active {
                decision.delete_pod(pod);
                left.deleted(pod);
            }
        } else if self.job.metadata.deletion_timestamp.is_none() {
            dropped = self.manage(&active, succeeded, suspended, &mut left, decision);
            let enough = match self.spec.completions {
                None => succeeded > 0,
                Some(completions) => succeeded >= completions,
            };
            if enough && left.active == 0 {
                end = Some(End::complete(
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                ));
            } else {
                self.note_suspension(status, suspended, decision);
            }
        }
        self.account(status, end.as_ref(), &dropped, decision);
        status.active = Some(left.active).filter(|number| *number != 0);
        status.ready = Some(left.ready);
        status.terminating = Some(left.terminating);
        if let Some(end) = end {
            self.finish(status, &end, left.terminating, decision);
        }
    }

    /// Not yet counted.
    fn is_new(&self, pod: &Pod) -> bool {
        let finalizers = pod.metadata.finalizers.iter().flatten();
        finalizers
            .into_iter()
            .any(|one| one == JOB_TRACKING_FINALIZER)
            && self.is_valid(pod)
    }

    /// Of an indexed job: with an index that counts.
    fn is_valid(&self, pod: &Pod) -> bool {
        self.indexed
            .is_none_or(|completions| index_of(pod).is_some_and(|index| index < completions))
    }

    fn replaces_only_failed(&self) -> bool {
        self.spec.pod_replacement_policy.as_deref() == Some("Failed")
    }

    /// Failed, or being deleted when that is as good as failed.
    fn is_failed(&self, pod: &Pod) -> bool {
        let deleted = pods::is_terminating(pod) && pods::phase(pod) != "Succeeded";
        pods::phase(pod) == "Failed" || (deleted && !self.replaces_only_failed())
    }

    fn verdict(&self, pod: &Pod) -> Verdict {
        policy::verdict(self.spec.pod_failure_policy.as_ref(), pod)
    }

    fn succeeded(&self, status: &JobStatus) -> i32 {
        if self.indexed.is_some() {
            return self.succeeded_indexes.total();
        }
        let new = self.view.pods.iter();
        let new = new.filter(|pod| self.is_new(pod) && pods::phase(pod) == "Succeeded");
        status
            .succeeded
            .unwrap_or_default()
            .saturating_add(pods::count(new.count()))
    }

    /// Which indexes have succeeded and failed, and which failed pods wait for their successor.
    fn read_indexes(&mut self, status: &JobStatus) {
        let Some(completions) = self.indexed else {
            return;
        };
        let text = status.completed_indexes.as_deref().unwrap_or_default();
        let mut succeeded = Indexes::parse(text, completions);
        let text = status.failed_indexes.as_deref().unwrap_or_default();
        let mut failed = Indexes::parse(text, completions);
        for pod in self.view.pods.iter().filter(|pod| self.is_new(pod)) {
            let Some(index) = index_of(pod) else { continue };
            if pods::phase(pod) == "Succeeded" {
                succeeded.insert(index);
            }
        }
        if let Some(limit) = self.spec.backoff_limit_per_index {
            let mut last: BTreeMap<i32, &'a Pod> = BTreeMap::new();
            let all = self.view.pods.iter().map(AsRef::as_ref);
            for pod in all.filter(|pod| self.is_failed(pod) && self.is_valid(pod)) {
                let Some(index) = index_of(pod) else { continue };
                let verdict = self.verdict(pod);
                let used_up = verdict == Verdict::Count && Failures::before(pod).counted >= limit;
                if (used_up || verdict == Verdict::FailIndex)
                    && self.is_new(pod)
                    && !succeeded.has(index)
                {
                    failed.insert(index);
                }
                let older =
                    |known: &&Pod| Failures::before(known).total() < Failures::before(pod).total();
                if last.get(&index).is_none_or(older) {
                    last.insert(index, pod);
                }
            }
            let active: Indexes = pods::active(self.view.pods)
                .into_iter()
                .filter_map(index_of)
                .collect();
            last.retain(|index, _| {
                !active.has(*index) && !succeeded.has(*index) && !failed.has(*index)
            });
            self.last_failed = last;
        }
        self.succeeded_indexes = succeeded;
        self.failed_indexes = failed;
    }

    /// Whether the job is to end now, and why.
    fn end(
        &self,
        status: &JobStatus,
        suspended: bool,
        decision: &mut WorkloadDecision,
    ) -> Option<End> {
        let all = || self.view.pods.iter().map(AsRef::as_ref);
        let failed = || all().filter(|pod| self.is_failed(pod));
        for pod in failed() {
            if let Verdict::FailJob(message) = self.verdict(pod) {
                return Some(End::failed("PodFailurePolicy", &message));
            }
        }
        let counts = |pod: &&Pod| self.is_new(pod) && self.verdict(pod) != Verdict::Ignore;
        let failures = status
            .failed
            .unwrap_or_default()
            .saturating_add(pods::count(failed().filter(counts).count()));
        let limit = self.spec.backoff_limit.unwrap_or(6);
        if failures > limit || self.has_restarted_too_often(limit) {
            return Some(End::failed(
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
        }
        if let (Some(seconds), Some(start), false) = (
            self.spec.active_deadline_seconds,
            status.start_time.as_ref(),
            suspended,
        ) {
            let deadline = pods::after(start.0, seconds);
            if deadline <= self.view.now {
                return Some(End::failed(
                    "DeadlineExceeded",
                    "Job was active longer than specified deadline",
                ));
            }
            decision.wake(Some(deadline));
        }
        let completions = self.indexed?;
        let failed = self.failed_indexes.total();
        if self
            .spec
            .max_failed_indexes
            .is_some_and(|most| failed > most)
        {
            return Some(End::failed(
                "MaxFailedIndexesExceeded",
                "Job has exceeded the specified maximal number of failed indexes",
            ));
        }
        let succeeded = &self.succeeded_indexes;
        if failed > 0 && failed.saturating_add(succeeded.total()) >= completions {
            return Some(End::failed("FailedIndexes", "Job has failed indexes"));
        }
        policy::success(self.spec.success_policy.as_ref(), completions, succeeded)
            .map(|message| End::complete("SuccessPolicy", &message))
    }

    /// With `OnFailure` the restarts of containers count, not the pods.
    fn has_restarted_too_often(&self, limit: i32) -> bool {
        let pod = self.spec.template.spec.as_ref();
        if pod.and_then(|spec| spec.restart_policy.as_deref()) != Some("OnFailure") {
            return false;
        }
        let running = self.view.pods.iter();
        let restarts: i32 = running
            .filter(|pod| matches!(pods::phase(pod), "Running" | "Pending"))
            .flat_map(|pod| pods::statuses(pod))
            .map(|status| status.restart_count)
            .sum();
        restarts > 0 && restarts >= limit
    }

    /// Makes and deletes pods; returns the names of those that are dropped without being counted.
    fn manage(
        &mut self,
        active: &[&'a Pod],
        succeeded: i32,
        suspended: bool,
        left: &mut Left,
        decision: &mut WorkloadDecision,
    ) -> BTreeSet<&'a str> {
        let parallelism = self.spec.parallelism.unwrap_or(1);
        let wanted = if suspended {
            0
        } else {
            match self.spec.completions {
                None if succeeded > 0 => left.active,
                None => parallelism,
                Some(completions) => completions
                    .saturating_sub(succeeded)
                    .min(parallelism)
                    .max(0),
            }
        };
        let dropped = self.surplus(active, pods::length(left.active.saturating_sub(wanted)));
        if !dropped.is_empty() {
            for pod in dropped.iter().take(MOST_PODS) {
                if self.has_finalizer(pod) {
                    decision.steps.push(Step::RemoveFinalizer {
                        pod: pods::name(pod).to_owned(),
                        finalizer: JOB_TRACKING_FINALIZER,
                    });
                }
                decision.delete_pod(pod);
                left.deleted(pod);
            }
            return dropped.iter().map(|pod| pods::name(pod)).collect();
        }
        let occupied = if self.replaces_only_failed() {
            left.terminating
        } else {
            0
        };
        let missing = wanted.saturating_sub(left.active).saturating_sub(occupied);
        if missing > 0 && !suspended {
            self.create(pods::length(missing).min(MOST_PODS), active, left, decision);
        }
        BTreeSet::new()
    }

    fn has_finalizer(&self, pod: &Pod) -> bool {
        let mut finalizers = pod.metadata.finalizers.iter().flatten();
        finalizers.any(|one| one == JOB_TRACKING_FINALIZER)
    }

    /// Pods that are too many: of an indexed job those without a place, then as many as are asked for.
    fn surplus(&self, active: &[&'a Pod], at_least: usize) -> Vec<&'a Pod> {
        let mut sorted = active.to_vec();
        sorted.sort_by(|a, b| pods::deletion_order(a, b));
        let mut dropped = Vec::new();
        let mut kept = Vec::new();
        if self.indexed.is_some() {
            // The one that would be deleted last keeps its index.
            let mut taken = BTreeSet::new();
            for pod in sorted.into_iter().rev() {
                if self.is_valid(pod) && taken.insert(index_of(pod)) {
                    kept.push(pod);
                } else {
                    dropped.push(pod);
                }
            }
            kept.reverse();
        } else {
            kept = sorted;
        }
        let more = at_least.saturating_sub(dropped.len());
        dropped.extend(kept.into_iter().take(more));
        dropped
    }

    fn create(
        &mut self,
        number: usize,
        active: &[&Pod],
        left: &mut Left,
        decision: &mut WorkloadDecision,
    ) {
        let now = self.view.now;
        let per_index = self.spec.backoff_limit_per_index.is_some();
        if !per_index {
            let due = backoff::due_of(self.view.pods, |pod| self.is_failed(pod));
            if let Some(due) = due.filter(|due| *due > now) {
                return decision.wake(Some(due));
            }
        }
        let Some(completions) = self.indexed else {
            for _ in 0..number {
                self.create_one(None, left, decision);
            }
            return;
        };
        let mut taken: Indexes = active.iter().filter_map(|pod| index_of(pod)).collect();
        if self.replaces_only_failed() {
            let ending = self.view.pods.iter();
            let ending = ending.filter(|pod| pods::is_terminating(pod) && !pods::has_ended(pod));
            for index in ending.filter_map(|pod| index_of(pod)) {
                taken.insert(index);
            }
        }
        let free: Vec<i32> = (0..completions)
            .filter(|index| {
                !taken.has(*index)
                    && !self.succeeded_indexes.has(*index)
                    && !self.failed_indexes.has(*index)
            })
            .take(number)
            .collect();
        for index in free {
            match self.due_of_index(index).filter(|due| *due > now) {
                Some(due) => decision.wake(Some(due)),
                None => self.create_one(Some(index), left, decision),
            }
        }
    }

    fn due_of_index(&self, index: i32) -> Option<Timestamp> {
        let last = self.last_failed.get(&index)?;
        let failures = Failures::before(last).total().saturating_add(1);
        backoff::due(failures, backoff::finished(last)?)
    }

    fn create_one(&mut self, index: Option<i32>, left: &mut Left, decision: &mut WorkloadDecision) {
        let per_index = self.spec.backoff_limit_per_index.is_some();
        let failures = index.filter(|_| per_index).map(|index| {
            // The failed pod has its successor now, and can be counted.
            let Some(last) = self.last_failed.remove(&index) else {
                return Failures::default();
            };
            let mut failures = Failures::before(last);
            if self.verdict(last) == Verdict::Ignore {
                failures.ignored = failures.ignored.saturating_add(1);
            } else {
                failures.counted = failures.counted.saturating_add(1);
            }
            failures
        });
        let template = &self.spec.template;
        let workload = self.view.workload;
        let pod = template::pod(workload, template, index, failures, self.view.names);
        decision.create_pod(pod);
        left.active = left.active.saturating_add(1);
    }

    fn note_suspension(
        &self,
        status: &mut JobStatus,
        suspended: bool,
        decision: &mut WorkloadDecision,
    ) {
        let now = self.view.now;
        if suspended {
            if conditions::set(
                status,
                "Suspended",
                true,
                "JobSuspended",
                "Job suspended",
                now,
            ) {
                decision.event("Suspended", "Job suspended".to_owned());
            }
        } else if conditions::set(status, "Suspended", false, "JobResumed", "Job resumed", now) {
            decision.event("Resumed", "Job resumed".to_owned());
            status.start_time = Some(Time(now));
        }
    }

    /// Counts the pods that have ended, or that end with the job, and lets them go.
    fn account(
        &self,
        status: &mut JobStatus,
        end: Option<&End>,
        dropped: &BTreeSet<&str>,
        decision: &mut WorkloadDecision,
    ) {
        let fails = end.is_some_and(|end| end.how == Ended::Failed);
        let is_deleted = self.job.metadata.deletion_timestamp.is_some();
        let (mut succeeded, mut failed) = (0, 0);
        for pod in self.view.pods.iter().map(AsRef::as_ref) {
            if !self.has_finalizer(pod) || dropped.contains(pods::name(pod)) {
                continue;
            }
            let has_failed = self.is_failed(pod);
            let has_succeeded = pods::phase(pod) == "Succeeded";
            let waits = index_of(pod)
                .and_then(|index| self.last_failed.get(&index))
                .is_some_and(|last| last.metadata.uid == pod.metadata.uid);
            let goes = is_deleted || end.is_some() || has_succeeded || (has_failed && !waits);
            if !goes {
                continue;
            }
            if self.is_valid(pod) {
                if has_succeeded {
                    succeeded += 1;
                } else if (has_failed || fails) && self.verdict(pod) != Verdict::Ignore {
                    failed += 1;
                }
            }
            decision.steps.push(Step::RemoveFinalizer {
                pod: pods::name(pod).to_owned(),
                finalizer: JOB_TRACKING_FINALIZER,
            });
        }
        let some = |number: i32| Some(number).filter(|number| *number != 0);
        status.failed = some(status.failed.unwrap_or_default().saturating_add(failed));
        if self.indexed.is_some() {
            status.succeeded = some(self.succeeded_indexes.total());
            let text = self.succeeded_indexes.to_string();
            status.completed_indexes = Some(text).filter(|text| !text.is_empty());
            if self.spec.backoff_limit_per_index.is_some() {
                status.failed_indexes = Some(self.failed_indexes.to_string());
            }
        } else {
            let before = status.succeeded.unwrap_or_default();
            status.succeeded = some(before.saturating_add(succeeded));
        }
        status.uncounted_terminated_pods.get_or_insert_default();
    }

    /// Writes down that the end is decided, and, when the last pod is gone, the end itself.
    fn finish(
        &self,
        status: &mut JobStatus,
        end: &End,
        terminating: i32,
        decision: &mut WorkloadDecision,
    ) {
        let now = self.view.now;
        let (reason, message) = (&end.reason, &end.message);
        conditions::set(status, end.how.interim(), true, reason, message, now);
        if terminating > 0 {
            return;
        }
        conditions::set(status, end.how.condition(), true, reason, message, now);
        match end.how {
            Ended::Complete => {
                status.completion_time = Some(Time(now));
                let most = self.spec.completions;
                if most.is_some_and(|most| status.succeeded.unwrap_or_default() > most) {
                    decision.warning(
                        "TooManySucceededPods",
                        "Too many succeeded pods running after completion count reached".to_owned(),
                    );
                }
                decision.event("Completed", "Job completed".to_owned());
            }
            Ended::Failed => decision.warning(failure_reason(reason), message.clone()),
        }
    }
}

/// The reason of the event of a failed job.
fn failure_reason(reason: &str) -> &'static str {
    const REASONS: [&str; 6] = [
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "FailedIndexes",
        "MaxFailedIndexesExceeded",
        "PodFailurePolicy",
        "Failed",
    ];
    REASONS
        .into_iter()
        .find(|known| *known == reason)
        .unwrap_or("Failed")
}

/// The pods that will be left after the steps of this round.
struct Left {
    active: i32,
    ready: i32,
    terminating: i32,
}

impl Left {
    fn deleted(&mut self, pod: &Pod) {
        self.active = self.active.saturating_sub(1);
        self.terminating = self.terminating.saturating_add(1);
        if pods::is_ready(pod) {
            self.ready = self.ready.saturating_sub(1);
        }
    }
}
