//! `status` of a deployment: its counts, and the conditions `Available` and `Progressing`.

use wasmpod_manifest::k8s::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet, Time};

use super::super::WorkloadDecision;
use super::super::pods::after;
use super::{Made, Round, available, rolling, wanted};
use crate::time::Timestamp;

/// The deployment with its new status.
pub(super) fn with_status(
    round: &Round<'_>,
    made: &Made,
    decision: &mut WorkloadDecision,
) -> Deployment {
    let mut deployment = round.deployment.clone();
    let before = deployment.status.take().unwrap_or_default();
    let mut status = counts(round);
    status.collision_count = made.collisions.or(before.collision_count);
    let mut conditions = before.conditions.clone().unwrap_or_default();
    set(&mut conditions, availability(round, &status), round.now);
    if let Some(condition) = progress(round, made, &before, &status) {
        set(&mut conditions, condition, round.now);
    }
    if let Some(condition) = timed_out(round, &conditions, decision) {
        set(&mut conditions, condition, round.now);
    }
    status.conditions = Some(conditions);
    deployment.status = Some(status);
    deployment
}

/// Whether the pods of the present template, and no others, are there and available.
pub(super) fn is_complete(round: &Round<'_>) -> bool {
    round.new.is_some() && complete(round, &counts(round))
}

fn complete(round: &Round<'_>, status: &DeploymentStatus) -> bool {
    let wanted = Some(round.replicas);
    status.updated_replicas.or(Some(0)) == wanted
        && status.replicas.or(Some(0)) == wanted
        && status.available_replicas.or(Some(0)) == wanted
}

fn counts(round: &Round<'_>) -> DeploymentStatus {
    let sum = |get: &dyn Fn(&ReplicaSet) -> i32| -> i32 {
        round.old.iter().copied().chain(round.new).map(get).sum()
    };
    let replicas = |set: &ReplicaSet| set.status.as_ref().map_or(0, |s| s.replicas);
    let ready = |set: &ReplicaSet| {
        let status = set.status.as_ref();
        status.and_then(|s| s.ready_replicas).unwrap_or_default()
    };
    let terminating = |set: &ReplicaSet| {
        let status = set.status.as_ref();
        status
            .and_then(|s| s.terminating_replicas)
            .unwrap_or_default()
    };
    let some = |number: i32| Some(number).filter(|number| *number != 0);
    let available_replicas = sum(&available);
    DeploymentStatus {
        replicas: some(sum(&replicas)),
        updated_replicas: some(round.new.map_or(0, replicas)),
        ready_replicas: some(sum(&ready)),
        available_replicas: some(available_replicas),
        unavailable_replicas: some((sum(&wanted) - available_replicas).max(0)),
        terminating_replicas: Some(sum(&terminating)),
        observed_generation: round.deployment.metadata.generation,
        collision_count: None,
        conditions: None,
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: String) -> DeploymentCondition {
    DeploymentCondition {
        type_: Some(kind.to_owned()),
        status: Some(status.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: None,
        last_update_time: None,
    }
}

fn availability(round: &Round<'_>, status: &DeploymentStatus) -> DeploymentCondition {
    let (_, missing) = rolling::limits(round);
    if status.available_replicas.unwrap_or_default() >= round.replicas.saturating_sub(missing) {
        let message = "Deployment has minimum availability.".to_owned();
        condition("Available", "True", "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

/// What is to be said of the roll-out; `None` when it stands still.
fn progress(
    round: &Round<'_>,
    made: &Made,
    before: &DeploymentStatus,
    status: &DeploymentStatus,
) -> Option<DeploymentCondition> {
    let progressing = |status, reason, message| condition("Progressing", status, reason, message);
    let mut last = before.conditions.iter().flatten();
    let last = last.find(|c| c.type_.as_deref() == Some("Progressing"));
    let last_reason = last.and_then(|c| c.reason.as_deref());
    if round.deployment.spec.paused == Some(true) {
        let message = "Deployment is paused".to_owned();
        return (last_reason != Some("DeploymentPaused"))
            .then(|| progressing("Unknown", "DeploymentPaused", message));
    }
    if last_reason == Some("DeploymentPaused") {
        let message = "Deployment is resumed".to_owned();
        return Some(progressing("Unknown", "DeploymentResumed", message));
    }
    if let Some(name) = &made.created {
        let message = format!("Created new replica set \"{name}\"");
        return Some(progressing("True", "NewReplicaSetCreated", message));
    }
    let name = round.new?.metadata.name.as_deref().unwrap_or_default();
    if complete(round, status) {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        return Some(progressing("True", "NewReplicaSetAvailable", message));
    }
    let number = |value: Option<i32>| value.unwrap_or_default();
    let old = |status: &DeploymentStatus| number(status.replicas) - number(status.updated_replicas);
    let moves = number(status.updated_replicas) > number(before.updated_replicas)
        || old(status) < old(before)
        || number(status.ready_replicas) > number(before.ready_replicas)
        || number(status.available_replicas) > number(before.available_replicas);
    moves.then(|| {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        progressing("True", "ReplicaSetUpdated", message)
    })
}

/// The deployment stood still for longer than its `progressDeadlineSeconds`.
fn timed_out(
    round: &Round<'_>,
    conditions: &[DeploymentCondition],
    decision: &mut WorkloadDecision,
) -> Option<DeploymentCondition> {
    let deadline = round.deployment.spec.progress_deadline_seconds?;
    let last = conditions
        .iter()
        .find(|c| c.type_.as_deref() == Some("Progressing"))?;
    let settled = [
        "NewReplicaSetAvailable",
        "ProgressDeadlineExceeded",
        "DeploymentPaused",
    ];
    if settled.contains(&last.reason.as_deref().unwrap_or_default()) {
        return None;
    }
    let end = after(last.last_update_time.as_ref()?.0, i64::from(deadline));
    if end > round.now {
        decision.wake(Some(end));
        return None;
    }
    let name = round.new?.metadata.name.as_deref().unwrap_or_default();
    let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
    Some(condition(
        "Progressing",
        "False",
        "ProgressDeadlineExceeded",
        message,
    ))
}

/// Puts a condition into the list; its times change only with what they are the times of.
fn set(list: &mut Vec<DeploymentCondition>, mut new: DeploymentCondition, now: Timestamp) {
    new.last_transition_time = Some(Time(now));
    new.last_update_time = Some(Time(now));
    let Some(old) = list.iter_mut().find(|old| old.type_ == new.type_) else {
        list.push(new);
        return;
    };
    if old.status == new.status {
        let moves = new.reason.as_deref() == Some("ReplicaSetUpdated");
        if old.reason == new.reason && old.message == new.message && !moves {
            return;
        }
        new.last_transition_time = old.last_transition_time.take();
    }
    *old = new;
}
