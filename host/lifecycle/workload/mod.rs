//! What makes pods: decisions of the controllers of Kubernetes, on one node, without I/O.
//!
//! [`decide`] takes a workload, the pods and workloads that it owns, and the time; it gives the steps that bring the
//! world nearer to the workload's spec, the workload with its new status, and when to ask again if nothing happens.
//! The caller does the steps in their order, stores the status, and asks again whenever the workload, one of its pods
//! or one of its children has changed. Nothing is remembered in between: what a controller of Kubernetes keeps in
//! memory is computed from the objects. It does not look for owners: the caller passes what the workload owns.
//!
//! The order of a round: `steps` in their order, then `status` (only its status is new). Deciding again with the
//! outcome of all steps gives no further steps until something else changes.

mod create;
mod cron_job;
mod daemon_set;
mod deployment;
mod hash;
mod job;
mod pods;
mod replicas;
mod stateful_set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use wasmpod_manifest::k8s::{PersistentVolumeClaim, Pod};
use wasmpod_manifest::{Workload, WorkloadKind};

use crate::time::Timestamp;

/// The finalizer of a Job's pods: it stays until the Job has counted the pod, so that none is lost when pods are
/// deleted. Source: batch/v1 `JobTrackingFinalizer`. Without a Job nobody removes it: who deletes a Job (or finds a
/// pod whose Job is gone) takes it off.
pub const JOB_TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// What there is when a decision is made.
pub struct WorkloadView<'a> {
    /// The workload, with `metadata.uid`, and with the status of the last decision.
    pub workload: &'a Workload,
    /// The pods that it owns (their controller's uid is its uid), those that are being deleted included.
    pub pods: &'a [Arc<Pod>],
    /// The workloads that it owns: replica sets of a Deployment, jobs of a CronJob.
    pub children: &'a [Arc<Workload>],
    /// The time of the host's clock.
    pub now: Timestamp,
    /// Gives five random letters or digits of [`NAME_ALPHABET`] with each call.
    pub names: &'a mut dyn FnMut() -> String,
}

impl std::fmt::Debug for WorkloadView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkloadView")
            .field("workload", &self.workload)
            .field("pods", &self.pods)
            .field("children", &self.children)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The characters of generated names: no vowels, nothing that looks like another. Source: apimachinery `rand`.
pub const NAME_ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";
/// The number of characters that are appended to a name. Source: apiserver `names.randomLength`.
pub const NAME_SUFFIX_LENGTH: usize = 5;

/// What a decision asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadDecision {
    /// To be done in this order. One that fails is asked for again by the next decision.
    pub steps: Vec<Step>,
    /// The workload with its new status; nothing but the status differs.
    pub status: Workload,
    /// When to decide again although nothing has happened.
    pub wake_at: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create a pod: name, namespace, labels, owner, spec are complete.
    CreatePod(Box<Pod>),
    /// Delete a pod gracefully.
    DeletePod {
        /// Its name.
        name: String,
    },
    /// Remove a finalizer from a pod: the status of this decision has counted it, and the next one would count it again.
    RemoveFinalizer {
        /// The name of the pod.
        pod: String,
        /// The finalizer: [`JOB_TRACKING_FINALIZER`].
        finalizer: &'static str,
    },
    /// Create a claim, unless there is one of its name.
    CreateClaim(Box<PersistentVolumeClaim>),
    /// Delete a claim (`persistentVolumeClaimRetentionPolicy`), when no pod uses it any more.
    DeleteClaim {
        /// Its name.
        name: String,
    },
    /// Create a workload that this one owns: the replica set of a Deployment, the job of a CronJob.
    CreateWorkload(Box<Workload>),
    /// Set `spec.replicas` of a workload that this one owns.
    ScaleWorkload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
        /// The new number.
        replicas: i32,
    },
    /// Delete a workload with all that it owns: one that this one owns, or, when its time is over, itself.
    DeleteWorkload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
    },
    /// Tell the user, as an event of this workload.
    Event {
        /// Whether something is wrong.
        severity: EventSeverity,
        /// In one word: `SuccessfulCreate`.
        reason: &'static str,
        /// In one sentence.
        message: String,
    },
}

/// The `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSeverity {
    /// `Normal`
    Normal,
    /// `Warning`
    Warning,
}

impl WorkloadDecision {
    /// Nothing to do, and no reason to ask again.
    fn nothing(workload: &Workload) -> Self {
        Self {
            steps: Vec::new(),
            status: workload.clone(),
            wake_at: None,
        }
    }

    /// Asks to be woken at `time`, or earlier.
    fn wake(&mut self, time: Option<Timestamp>) {
        self.wake_at = match (self.wake_at, time) {
            (Some(set), Some(time)) => Some(set.min(time)),
            (set, time) => set.or(time),
        };
    }

    fn event(&mut self, reason: &'static str, message: String) {
        self.steps.push(Step::Event {
            severity: EventSeverity::Normal,
            reason,
            message,
        });
    }

    fn warning(&mut self, reason: &'static str, message: String) {
        self.steps.push(Step::Event {
            severity: EventSeverity::Warning,
            reason,
            message,
        });
    }

    /// Creates a pod, and says so as the controllers do.
    fn create_pod(&mut self, pod: Pod) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.steps.push(Step::CreatePod(Box::new(pod)));
        self.event("SuccessfulCreate", format!("Created pod: {name}"));
    }

    /// Deletes a pod, and says so as the controllers do.
    fn delete_pod(&mut self, pod: &Pod) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.steps.push(Step::DeletePod { name: name.clone() });
        self.event("SuccessfulDelete", format!("Deleted pod: {name}"));
    }
}

/// Decides what a workload needs.
#[must_use]
pub fn decide(mut view: WorkloadView<'_>) -> WorkloadDecision {
    match view.workload {
        Workload::Deployment(object) => deployment::decide(object, &view),
        Workload::ReplicaSet(object) => replicas::replica_set(object, &mut view),
        Workload::ReplicationController(object) => {
            replicas::replication_controller(object, &mut view)
        }
        Workload::DaemonSet(object) => daemon_set::decide(object, &mut view),
        Workload::StatefulSet(object) => stateful_set::decide(object, &view),
        Workload::Job(object) => job::decide(object, view),
        Workload::CronJob(object) => cron_job::decide(object, &view),
    }
}

/// Completes a workload that was just given its uid, as the API server does: a Job gets the selector of its pods, and
/// its template the labels that it selects. Others stay as they are.
pub fn prepare(workload: &mut Workload) {
    if let Workload::Job(job) = workload {
        job::prepare(job);
    }
}
