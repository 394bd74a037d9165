//! How long a job waits after a failed pod before it makes another.
//!
//! Ten seconds after the first failure in a row, twice as long after each further one, six minutes at most
//! (`concepts/workloads/controllers/job#pod-backoff-failure-policy`). A success ends the row. What upstream keeps in
//! memory is computed from the pods that are there.

use std::sync::Arc;

use wasmpod_manifest::k8s::Pod;

use super::super::pods;
use crate::time::Timestamp;

/// The wait after the first failure, in seconds. Source: upstream's `DefaultJobPodFailureBackOff`.
const FIRST_SECONDS: i64 = 10;
/// The longest wait, in seconds: the documentation's six minutes.
const LONGEST_SECONDS: i64 = 360;

/// When the next pod may be made after so many failures in a row.
pub(super) fn due(failures: i32, last: Timestamp) -> Option<Timestamp> {
    if failures <= 0 {
        return None;
    }
    let mut wait = FIRST_SECONDS;
    for _ in 1..failures {
        wait = wait.saturating_mul(2);
        if wait >= LONGEST_SECONDS {
            wait = LONGEST_SECONDS;
            break;
        }
    }
    Some(pods::after(last, wait))
}

/// When the next pod of a job may be made; `None` when no pod has failed since the last success.
pub(super) fn due_of(all: &[Arc<Pod>], failed: impl Fn(&Pod) -> bool) -> Option<Timestamp> {
    let ends = |filter: &dyn Fn(&Pod) -> bool| {
        let pods = all.iter().filter(|pod| filter(pod));
        pods.filter_map(|pod| finished(pod)).collect::<Vec<_>>()
    };
    let last_success = ends(&|pod| pods::phase(pod) == "Succeeded")
        .into_iter()
        .max();
    let failures: Vec<Timestamp> = ends(&failed)
        .into_iter()
        .filter(|end| last_success.is_none_or(|success| *end > success))
        .collect();
    due(pods::count(failures.len()), failures.iter().max().copied()?)
}

/// When a pod ended: when its last container did, else when it stopped being ready, else when its deletion began,
/// else when it was made.
pub(super) fn finished(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|s| s.container_statuses.as_ref());
    let ends: Option<Vec<Timestamp>> = statuses.filter(|list| !list.is_empty()).and_then(|list| {
        let end = |status: &wasmpod_manifest::k8s::ContainerStatus| {
            let terminated = status.state.as_ref()?.terminated.as_ref()?;
            terminated.finished_at.as_ref().map(|time| time.0)
        };
        list.iter().map(end).collect()
    });
    let from_containers = ends.and_then(|ends| ends.into_iter().max());
    let from_ready = || {
        (!pods::is_ready(pod))
            .then(|| pods::ready_changed(pod))
            .flatten()
    };
    let from_deletion = || {
        let grace = pod
            .metadata
            .deletion_grace_period_seconds
            .unwrap_or_default();
        let deleted = pod.metadata.deletion_timestamp.as_ref()?.0;
        Some(pods::after(deleted, grace.saturating_neg()))
    };
    from_containers
        .or_else(from_ready)
        .or_else(from_deletion)
        .or_else(|| pods::created(pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_ten_seconds_to_six_minutes() {
        let last = Timestamp::UNIX_EPOCH;
        let waits: Vec<i64> = (1..=8)
            .map(|failures| due(failures, last).unwrap().as_second())
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 360, 360]);
        assert_eq!(due(0, last), None);
    }
}
