//! The conditions of a job.

use wasmpod_manifest::k8s::{Job, JobCondition, JobStatus, Time};

use crate::time::Timestamp;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ended {
    /// `Complete`
    Complete,
    /// `Failed`
    Failed,
}

impl Ended {
    /// The condition of the end.
    pub(in super::super) const fn condition(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// The condition that says that the end has been decided, and pods are still being ended.
    pub(super) const fn interim(self) -> &'static str {
        match self {
            Self::Complete => "SuccessCriteriaMet",
            Self::Failed => "FailureTarget",
        }
    }
}

/// How and when a job ended; `None` while it has not.
pub(in super::super) fn ended(job: &Job) -> Option<(Ended, Option<Timestamp>)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    [Ended::Complete, Ended::Failed]
        .into_iter()
        .find_map(|ended| {
            let condition = find(conditions, ended.condition())?;
            let since = condition.last_transition_time.as_ref().map(|time| time.0);
            (condition.status == "True").then_some((ended, since))
        })
}

/// Why a job is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) how: Ended,
    pub(super) reason: String,
    pub(super) message: String,
}

impl End {
    pub(super) fn failed(reason: &str, message: &str) -> Self {
        Self {
            how: Ended::Failed,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    pub(super) fn complete(reason: &str, message: &str) -> Self {
        Self {
            how: Ended::Complete,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    /// What an earlier round has decided.
    pub(super) fn decided(status: &JobStatus) -> Option<Self> {
        let conditions = status.conditions.as_ref()?;
        [Ended::Complete, Ended::Failed]
            .into_iter()
            .find_map(|how| {
                let condition = find(conditions, how.interim())?;
                (condition.status == "True").then(|| Self {
                    how,
                    reason: condition.reason.clone().unwrap_or_default(),
                    message: condition.message.clone().unwrap_or_default(),
                })
            })
    }
}

fn find<'a>(list: &'a [JobCondition], kind: &str) -> Option<&'a JobCondition> {
    list.iter().find(|condition| condition.type_ == kind)
}

/// Sets a condition; a condition that is not there is not added to say `False`. Returns whether anything changed.
pub(super) fn set(
    status: &mut JobStatus,
    kind: &str,
    value: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let list = status.conditions.get_or_insert_default();
    let new = JobCondition {
        type_: kind.to_owned(),
        status: if value { "True" } else { "False" }.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    match list.iter_mut().find(|old| old.type_ == kind) {
        Some(old) => {
            let same =
                old.status == new.status && old.reason == new.reason && old.message == new.message;
            if !same {
                *old = new;
            }
            !same
        }
        None => {
            if value {
                list.push(new);
            }
            value
        }
    }
}
