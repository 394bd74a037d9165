//! How one container is ended: its preStop hook, its turn, SIGTERM, SIGKILL.
//!
//! ```text
//!   begun ──► preStop (if there is time) ──► its turn ──► Stop (SIGTERM) ──► Stop at kill_at (SIGKILL)
//! ```
//!
//! As in the kubelet's `killContainer`: the time of the hook and of the wait counts against the grace period, and
//! whatever was spent, a container has [`MINIMUM_GRACE`] from SIGTERM to SIGKILL, unless it is ended by force.

use std::time::Duration;

use super::record::HookState;

/// What a container always has between SIGTERM and SIGKILL when a hook or the wait for its turn has used up its grace
/// period; the kubelet's `minimumGracePeriodInSeconds`.
pub const MINIMUM_GRACE: Duration = Duration::from_secs(2);

/// A container that is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    /// When its grace period is over.
    pub(super) deadline: Duration,
    /// It waits for others to end first, as long as its grace period lasts: a sidecar of a pod that ends.
    pub(super) in_order: bool,
    pub(super) pre_stop: HookState,
    /// It has had a hook, whose time counted.
    has_waited: bool,
    /// What [`MINIMUM_GRACE`] has granted it beyond the deadline.
    granted: Duration,
    /// No hook, no minimum: its grace period is zero.
    is_forced: bool,
    /// What SIGTERM was sent with: when SIGKILL follows.
    sent: Option<Duration>,
    /// SIGKILL was sent.
    kill_sent: bool,
}

/// What a container that is being ended needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Its preStop hook, which is given up at the deadline.
    PreStop { deadline: Duration },
    /// SIGTERM, and SIGKILL then.
    Stop { kill_at: Duration },
    /// Nothing before then.
    Wait { until: Duration },
    /// Nothing but its end.
    Nothing,
}

impl Stopping {
    /// A container that is to end by `deadline`.
    pub(super) fn new(deadline: Duration, has_pre_stop: bool) -> Self {
        Self {
            deadline,
            in_order: false,
            pre_stop: if has_pre_stop {
                HookState::Due
            } else {
                HookState::Over
            },
            has_waited: false,
            granted: Duration::ZERO,
            is_forced: false,
            sent: None,
            kill_sent: false,
        }
    }

    /// Shortens the grace period; never lengthens it.
    pub(super) fn hurry(&mut self, deadline: Duration) {
        self.deadline = self.deadline.min(deadline);
    }

    /// Ends it now.
    pub(super) fn force(&mut self, now: Duration) {
        self.hurry(now);
        self.is_forced = true;
        self.pre_stop = HookState::Over;
    }

    /// True when SIGTERM was sent.
    pub(super) fn is_told(&self) -> bool {
        self.sent.is_some()
    }

    /// What to do at `now`; `has_turn` says whether those that end before it have ended.
    pub(super) fn next(&self, has_turn: bool, now: Duration) -> NextStep {
        if self.kill_sent {
            return NextStep::Nothing;
        }
        let until = self.deadline;
        if now < until && self.sent.is_none() {
            match self.pre_stop {
                HookState::Due => return NextStep::PreStop { deadline: until },
                HookState::Running => return NextStep::Wait { until },
                HookState::Over | HookState::Failed if self.in_order && !has_turn => {
                    return NextStep::Wait { until };
                }
                HookState::Over | HookState::Failed => {}
            }
        }
        let kill_at = match self.sent {
            None if self.is_forced || !(self.has_waited || self.in_order) => until,
            None => until.max(now.saturating_add(MINIMUM_GRACE)),
            Some(sent) if self.is_forced => sent.min(until),
            // What was granted, only force takes back.
            Some(sent) => sent.min(until.max(self.granted)),
        };
        if self.sent == Some(kill_at) && kill_at > now {
            NextStep::Wait { until: kill_at }
        } else {
            NextStep::Stop { kill_at }
        }
    }

    /// The preStop hook is being run.
    pub(super) fn begin_hook(&mut self) {
        self.pre_stop = HookState::Running;
        self.has_waited = true;
    }

    /// SIGTERM or SIGKILL is being sent.
    pub(super) fn begin_stop(&mut self, kill_at: Duration, now: Duration) {
        if self.sent.is_none() && kill_at > self.deadline {
            self.granted = kill_at;
        }
        self.sent = Some(kill_at);
        self.kill_sent |= kill_at <= now;
    }
}
