//! What to do next: a pure function of a pod's state and the time.

use std::time::Duration;

use super::record::{ContainerIndex, ContainerRecord, ContainerState};
use super::{HookKind, PodState, ProbeKind, Resources, Stop, StopCause};

/// Something for the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the pod's directory, volumes, network and IPC.
    AcquireResources,
    /// Make an instance of a container and let it run.
    Start {
        /// Which container.
        container: ContainerIndex,
        /// The number of the instance, from 0.
        attempt: u32,
    },
    /// Give up a start that has not led to a running guest yet.
    CancelStart {
        /// Which container.
        container: ContainerIndex,
    },
    /// Try a probe once, in the background; answered with [`Event::Probed`](super::Event::Probed). There is never
    /// more than one try of the same probe at a time.
    Probe {
        /// Whose probe.
        container: ContainerIndex,
        /// The instance that is asked.
        attempt: u32,
        /// Which of its probes; the handler is in the spec.
        probe: ProbeKind,
        /// How long the try may take; after that it has failed.
        timeout: Duration,
    },
    /// Run a hook in the background; answered with [`Event::HookFinished`](super::Event::HookFinished).
    RunHook {
        /// Whose hook.
        container: ContainerIndex,
        /// The instance.
        attempt: u32,
        /// Which of its hooks; the handler is in the spec.
        hook: HookKind,
        /// When it is given up, in elapsed time; `None` for a hook that may take as long as it likes.
        deadline: Option<Duration>,
    },
    /// Ask a container to end, and end it by force at `kill_at`; at once when that is over. A moment, not a time that
    /// is left: the clock goes on between deciding and doing.
    Stop {
        /// Which container.
        container: ContainerIndex,
        /// When it must have ended, in elapsed time.
        kill_at: Duration,
    },
    /// `activeDeadlineSeconds` is over. Beginning this is all there is to do.
    ExceedDeadline,
    /// Release everything: the pod is over.
    Finish,
}

/// What follows from a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to do now, in this order.
    pub actions: Vec<Action>,
    /// When to ask again if nothing happens; `None` when only an event can change the answer. In elapsed time.
    pub wake_at: Option<Duration>,
}

impl Decision {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn wake(&mut self, at: Duration) {
        self.wake_at = Some(self.wake_at.map_or(at, |other| other.min(at)));
    }

    /// Acts if it is time, else asks to be woken when it is.
    fn act_at(&mut self, at: Duration, now: Duration, action: Action) -> bool {
        if at <= now {
            self.act(action);
            true
        } else {
            self.wake(at);
            false
        }
    }
}

/// Decides what to do at `now` (elapsed time). The same state and time give the same answer: whoever carries out an
/// action must tell the state so ([`PodState::begin`]) before asking again.
#[must_use]
pub fn decide(pod: &PodState, now: Duration) -> Decision {
    let mut decision = Decision::default();
    if pod.ended {
        return decision;
    }
    if let Some(stop) = pod.stop {
        pod.wind_down(stop, now, &mut decision);
        return decision;
    }
    if let Some(limit) = pod.active_deadline
        && !pod.is_terminal()
        && decision.act_at(
            pod.accepted.elapsed.saturating_add(limit),
            now,
            Action::ExceedDeadline,
        )
    {
        return decision;
    }
    match &pod.resources {
        Resources::Missing { retry_at, .. } => {
            decision.act_at(*retry_at, now, Action::AcquireResources);
        }
        Resources::Ready { .. } if pod.is_terminal() => pod.complete(now, &mut decision),
        Resources::Ready { .. } => pod.start_due(now, &mut decision),
        Resources::Acquiring | Resources::Released { .. } => {}
    }
    decision
}

impl PodState {
    /// The pod lives: starts what is due. One start at a time, because the kubelet works through its list of
    /// containers in order: the second one starts when the first one's start has succeeded or failed, not when it is
    /// ready.
    fn start_due(&self, now: Duration, decision: &mut Decision) {
        if self
            .containers
            .iter()
            .any(|c| matches!(c.state, ContainerState::Starting { .. }))
        {
            return;
        }
        for (index, record) in self.containers() {
            if let Some(at) = record.startable_at()
                && decision.act_at(at, now, start(index, record))
            {
                return;
            }
            if !record.lets_next_start() {
                return;
            }
        }
    }

    /// The pod ends by itself: its main containers are done, or an init container failed for good. What still runs
    /// are sidecars; they end in the reverse order of their start, one after the other.
    fn complete(&self, now: Duration, decision: &mut Decision) {
        if !self.is_busy() {
            decision.act(Action::Finish);
            return;
        }
        let last = self.containers().filter(|(_, c)| c.is_alive()).last();
        if let Some((index, record)) = last {
            Self::end_container(index, record, now.saturating_add(self.grace), now, decision);
        }
    }

    /// The pod was told to end: everything is asked to end now, and ended by force when the grace period is over.
    fn wind_down(&self, stop: Stop, now: Duration, decision: &mut Decision) {
        if !self.is_busy() {
            // Resources that are being made are waited for: only then is it known what to release.
            if self.resources != Resources::Acquiring {
                decision.act(Action::Finish);
            }
            return;
        }
        for (index, record) in self.containers().filter(|(_, c)| c.is_alive()) {
            Self::end_container(index, record, stop.kill_at, now, decision);
        }
    }

    fn end_container(
        index: ContainerIndex,
        record: &ContainerRecord,
        kill_at: Duration,
        now: Duration,
        decision: &mut Decision,
    ) {
        match &record.state {
            ContainerState::Starting { cancelled: false } => {
                decision.act(Action::CancelStart { container: index });
            }
            ContainerState::Running { .. } if !record.kill_sent => {
                // A stop that was sent before holds unless this one is shorter.
                let sent = record.kill_at;
                let kill_at = sent.map_or(kill_at, |sent| sent.min(kill_at));
                if sent != Some(kill_at) || kill_at <= now {
                    decision.act(Action::Stop {
                        container: index,
                        kill_at,
                    });
                } else {
                    decision.wake(kill_at);
                }
            }
            ContainerState::Starting { .. }
            | ContainerState::Running { .. }
            | ContainerState::Waiting { .. }
            | ContainerState::Terminated(_) => {}
        }
    }

    /// True when the user (or whoever embeds this) ended the pod.
    #[must_use]
    pub fn was_stopped_on_request(&self) -> bool {
        self.stop_cause() == Some(StopCause::Requested)
    }
}

fn start(container: ContainerIndex, record: &ContainerRecord) -> Action {
    let restart = u32::from(record.terminated().is_some());
    Action::Start {
        container,
        attempt: record.attempt.saturating_add(restart),
    }
}
