//! How a pod ends: by itself, because someone wants it to, or because it may not go on.
//!
//! All containers are told at once, each with its preStop hook; only the sidecars wait for their turn: for all main
//! containers to end, and then for the sidecars that started after them (`sidecar-containers#termination`; the
//! kubelet's `terminationOrdering`). When the grace period is over, nobody waits any longer.
//!
//! Here is also how a single container is ended while its pod lives on.

use std::time::Duration;

use super::notice::NoticeSeverity;
use super::record::{ContainerIndex, ContainerState};
use super::stopping::Stopping;
use super::{PodState, Resources, StopCause};
use crate::time::Now;

/// How long the containers of an evicted pod may take; the kubelet's `immediateEvictionGracePeriodSeconds`.
pub const EVICTION_GRACE: Duration = Duration::from_secs(1);

/// `status.message` of a pod that was active for too long, in the kubelet's words.
pub(super) const DEADLINE_MESSAGE: &str =
    "Pod was active on the node longer than the specified deadline";

/// A pod that is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) cause: StopCause,
    /// `status.message`, for a cause that shows there.
    pub(super) message: Option<String>,
    /// When what still runs is ended by force.
    pub(super) deadline: Duration,
    /// Without a grace period.
    is_forced: bool,
}

impl PodState {
    /// Someone wants the pod to end. A second wish can only shorten the time that the first has given.
    pub(super) fn stop(
        &mut self,
        cause: StopCause,
        message: Option<String>,
        grace: Duration,
        now: Now,
    ) {
        let deadline = now.elapsed.saturating_add(grace);
        match &mut self.stop {
            Some(stop) => {
                stop.deadline = stop.deadline.min(deadline);
                stop.is_forced |= grace.is_zero();
            }
            None => {
                self.stop = Some(Stop {
                    cause,
                    message,
                    deadline,
                    is_forced: grace.is_zero(),
                });
            }
        }
        self.restart_all = None;
        self.stop_all(now);
    }

    /// The pod used more than it may.
    pub(super) fn evict(&mut self, message: String, now: Now) {
        if self.stop.is_some() || self.ended {
            return;
        }
        let text = message.clone();
        self.notice(NoticeSeverity::Warning, None, "Evicted", text);
        self.stop(StopCause::Evicted, Some(message), EVICTION_GRACE, now);
    }

    /// `activeDeadlineSeconds` is over.
    pub(super) fn exceed_deadline(&mut self, now: Now) {
        let text = DEADLINE_MESSAGE.to_owned();
        self.notice(NoticeSeverity::Normal, None, "DeadlineExceeded", text);
        let text = DEADLINE_MESSAGE.to_owned();
        self.stop(StopCause::DeadlineExceeded, Some(text), self.grace, now);
    }

    /// Notices that the pod has ended by itself: then its sidecars end, too.
    pub(super) fn note_completion(&mut self, now: Now) {
        if self.completed_deadline.is_none()
            && self.stop.is_none()
            && self.restart_all.is_none()
            && (self.is_complete() || self.init_has_failed())
        {
            self.completed_deadline = Some(now.elapsed.saturating_add(self.grace));
            self.stop_all(now);
        }
    }

    /// True when no container will be started any more.
    pub(super) fn is_ending(&self) -> bool {
        self.stop.is_some() || self.completed_deadline.is_some() || self.ended
    }

    /// True when no container without force waits for anything, because the pod's end was forced.
    pub(super) fn is_forced(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.is_forced)
    }

    /// When the grace period of the whole pod is over.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let stop = self.stop.as_ref().map(|stop| stop.deadline);
        match (stop, self.completed_deadline) {
            (Some(stop), Some(completed)) => Some(stop.min(completed)),
            (one, other) => one.or(other),
        }
    }

    fn stop_all(&mut self, now: Now) {
        for index in 0..self.containers.len() {
            self.stop_in_order(ContainerIndex(index), now);
        }
    }

    /// Ends a container together with its pod.
    pub(super) fn stop_in_order(&mut self, index: ContainerIndex, now: Now) {
        let (Some(deadline), is_forced) = (self.deadline(), self.is_forced()) else {
            return;
        };
        let Some(record) = self.record_mut(index).filter(|r| r.has_guest()) else {
            return;
        };
        let text = format!("Stopping container {}", record.plan.name);
        self.stop_container(index, deadline, text, now);
        if let Some(record) = self.record_mut(index) {
            let is_sidecar = record.is_sidecar();
            record.instance.is_replaced = false;
            if let Some(stopping) = &mut record.instance.stopping {
                stopping.in_order |= is_sidecar;
                if is_forced {
                    stopping.force(now.elapsed);
                }
            }
        }
    }

    /// Ends a running container by `deadline`, which can only shorten what it was given before. `message` is told
    /// once.
    pub(super) fn stop_container(
        &mut self,
        index: ContainerIndex,
        deadline: Duration,
        message: String,
        now: Now,
    ) {
        let Some(record) = self.record_mut(index).filter(|r| r.has_guest()) else {
            return;
        };
        if let Some(stopping) = &mut record.instance.stopping {
            stopping.hurry(deadline);
            return;
        }
        let mut stopping = Stopping::new(deadline, record.plan.pre_stop);
        if deadline <= now.elapsed {
            stopping.force(now.elapsed);
        }
        record.instance.stopping = Some(stopping);
        self.notice(NoticeSeverity::Normal, Some(index), "Killing", message);
    }

    /// Whether all those have ended that end before this container.
    pub(super) fn has_turn(&self, index: ContainerIndex) -> bool {
        let after = self.containers.iter().skip(index.0.saturating_add(1));
        // Whatever starts after a sidecar and is still there is a main container or a later sidecar; init containers
        // are not waited for.
        !after.clone().any(|c| !c.is_init() && c.is_alive())
    }

    /// All of the pod was released.
    pub(super) fn released(&mut self) {
        let pod_ips = match &mut self.resources {
            Resources::Ready { pod_ips } => std::mem::take(pod_ips),
            Resources::Missing { .. } | Resources::Acquiring | Resources::Released { .. } => {
                Vec::new()
            }
        };
        self.resources = Resources::Released { pod_ips };
        self.ended = true;
    }

    /// True when every main container has ended and none is started again.
    pub(super) fn is_complete(&self) -> bool {
        let mut mains = self.containers.iter().filter(|c| c.is_main()).peekable();
        mains.peek().is_some() && mains.all(|c| c.terminated().is_some() && !c.will_restart())
    }

    /// True when an init container has failed and is not tried again: the pod fails with it.
    pub(super) fn init_has_failed(&self) -> bool {
        self.containers.iter().any(|c| {
            c.is_init() && !c.will_restart() && c.terminated().is_some_and(|t| !t.exit.is_success())
        })
    }

    /// True while a container exists, or is being made.
    pub(super) fn is_busy(&self) -> bool {
        self.containers.iter().any(|c| {
            !matches!(
                c.state,
                ContainerState::Waiting { .. } | ContainerState::Terminated(_)
            )
        })
    }
}
