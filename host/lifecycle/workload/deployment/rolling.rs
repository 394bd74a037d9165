//! Moving the pods of a deployment over to its present template, a few at a time.

use wasmpod_manifest::k8s::{IntOrString, ReplicaSet};

use super::super::WorkloadDecision;
use super::{Round, available, scale, wanted};

/// How many pods may be too many, and how many too few, while a deployment is rolled out.
pub(super) fn limits(round: &Round<'_>) -> (i32, i32) {
    let strategy = round.deployment.spec.strategy.as_ref();
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let Some(rolling) = rolling else {
        return (0, 0);
    };
    let surge = part(rolling.max_surge.as_ref(), round.replicas, true);
    let missing = part(rolling.max_unavailable.as_ref(), round.replicas, false);
    if surge == 0 && missing == 0 {
        // Both may be zero after rounding; then nothing could move.
        return (0, 1);
    }
    (surge, missing.min(round.replicas))
}

/// A number, or a part of `whole`, rounded up or down.
fn part(value: Option<&IntOrString>, whole: i32, up: bool) -> i32 {
    match value {
        None => 0,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            let hundredths = percent.saturating_mul(i64::from(whole));
            let rest = i64::from(up && hundredths % 100 != 0);
            i32::try_from(hundredths / 100 + rest).unwrap_or(i32::MAX)
        }
    }
}

fn total(round: &Round<'_>) -> i32 {
    let old: i32 = round.old.iter().map(|set| wanted(set)).sum();
    old.saturating_add(round.new.map_or(0, wanted))
}

/// How many pods the replica set of the present template may have now, when it has `has`.
pub(super) fn new_replicas(round: &Round<'_>, has: i32) -> i32 {
    let (surge, _) = limits(round);
    let most = round.replicas.saturating_add(surge);
    let room = most.saturating_sub(total(round)).max(0);
    has.saturating_add(room.min(round.replicas.saturating_sub(has)))
}

/// One step of a roll-out: up with the new, or else down with the old.
pub(super) fn roll(round: &Round<'_>, new: &ReplicaSet, decision: &mut WorkloadDecision) {
    let has = wanted(new);
    if has > round.replicas {
        return scale(new, round.replicas, decision);
    }
    let may_have = new_replicas(round, has);
    if may_have > has {
        return scale(new, may_have, decision);
    }
    let (_, missing) = limits(round);
    let least = round.replicas.saturating_sub(missing);
    let new_unavailable = has.saturating_sub(available(new));
    let mut budget = total(round)
        .saturating_sub(least)
        .saturating_sub(new_unavailable);
    if budget <= 0 {
        return;
    }
    // Pods that are not available cost nothing: they go first.
    let mut left: Vec<(&ReplicaSet, i32)> =
        round.old.iter().map(|set| (*set, wanted(set))).collect();
    for (set, count) in &mut left {
        let unhealthy = count.saturating_sub(available(set)).clamp(0, budget);
        *count -= unhealthy;
        budget -= unhealthy;
    }
    let all_available: i32 =
        round.old.iter().map(|set| available(set)).sum::<i32>() + available(new);
    let mut spare = all_available.saturating_sub(least).max(0).min(budget);
    for (set, count) in &mut left {
        let down = (*count).clamp(0, spare);
        *count -= down;
        spare -= down;
        scale(set, *count, decision);
    }
}
