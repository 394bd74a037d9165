//! What to do next: a pure function of a pod's state and the time.

use std::time::Duration;

use super::record::{ContainerIndex, ContainerRecord, ContainerState, HookState};
use super::stopping::NextStep;
use super::{HookKind, PodState, ProbeKind, Resources, StopCause};

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
    decide_into(pod, now, &mut decision);
    decision
}

/// As [`decide`], into a decision that is used again and again: a driver that keeps one allocates nothing for a pod
/// that is only probed.
pub fn decide_into(pod: &PodState, now: Duration, decision: &mut Decision) {
    decision.actions.clear();
    decision.wake_at = None;
    if pod.ended {
        return;
    }
    if pod.is_ending() {
        return pod.wind_down(now, decision);
    }
    if pod.is_gated {
        return;
    }
    if let Some(limit) = pod.active_deadline
        && decision.act_at(
            pod.accepted.elapsed.saturating_add(limit),
            now,
            Action::ExceedDeadline,
        )
    {
        return;
    }
    match &pod.resources {
        Resources::Missing { retry_at, .. } => {
            decision.act_at(*retry_at, now, Action::AcquireResources);
        }
        Resources::Ready { .. } if pod.restart_all.is_some() => pod.end_all(now, decision),
        Resources::Ready { .. } => {
            pod.start_due(now, decision);
            for (index, record) in pod.containers() {
                pod.keep(index, record, now, decision);
            }
        }
        Resources::Acquiring | Resources::Released { .. } => {}
    }
}

impl PodState {
    /// The pod lives: starts what is due. One start at a time, because the kubelet works through its list of
    /// containers in order: the second one starts when the first one's start has succeeded or failed and its
    /// postStart hook is over, not when it is ready.
    fn start_due(&self, now: Duration, decision: &mut Decision) {
        if self.containers.iter().any(ContainerRecord::is_coming_up) {
            return;
        }
        for (index, record) in self.containers() {
            if let Some(at) = record.startable_at() {
                let start = Action::Start {
                    container: index,
                    attempt: record.next_attempt(),
                };
                if decision.act_at(at, now, start) {
                    return;
                }
            }
            if !record.lets_next_start() {
                return;
            }
        }
    }

    /// What a running container needs: its hooks, its probes, or its end.
    fn keep(
        &self,
        container: ContainerIndex,
        record: &ContainerRecord,
        now: Duration,
        decision: &mut Decision,
    ) {
        if !record.has_guest() {
            return;
        }
        self.end_container(container, record, now, decision);
        let attempt = record.attempt;
        let is_staying = record.instance.stopping.is_none();
        if is_staying && record.instance.post_start == HookState::Due {
            decision.act(Action::RunHook {
                container,
                attempt,
                hook: HookKind::PostStart,
                deadline: None,
            });
        }
        let is_ending = self.is_ending();
        for probe in ProbeKind::ALL {
            if let Some(plan) = record.plan.probes.get(probe)
                && record.may_probe(probe, is_ending)
                && let Some(due) = record.instance.probing.due(probe)
            {
                let action = Action::Probe {
                    container,
                    attempt,
                    probe,
                    timeout: plan.timeout,
                };
                decision.act_at(due, now, action);
            }
        }
    }

    /// The pod ends: everything is asked to end, in its turn, and the pod is over when nothing is left.
    fn wind_down(&self, now: Duration, decision: &mut Decision) {
        if self.is_busy() {
            self.end_all(now, decision);
        } else if self.resources != Resources::Acquiring {
            // Resources that are being made are waited for: only then is it known what to release.
            decision.act(Action::Finish);
        }
    }

    fn end_all(&self, now: Duration, decision: &mut Decision) {
        for (container, record) in self.containers() {
            if matches!(record.state, ContainerState::Starting { cancelled: false }) {
                decision.act(Action::CancelStart { container });
            }
            self.keep(container, record, now, decision);
        }
    }

    fn end_container(
        &self,
        container: ContainerIndex,
        record: &ContainerRecord,
        now: Duration,
        decision: &mut Decision,
    ) {
        let Some(stopping) = &record.instance.stopping else {
            return;
        };
        let has_turn = !stopping.in_order || self.has_turn(container);
        match stopping.next(has_turn, now) {
            NextStep::PreStop { deadline } => decision.act(Action::RunHook {
                container,
                attempt: record.attempt,
                hook: HookKind::PreStop,
                deadline: Some(deadline),
            }),
            NextStep::Stop { kill_at } => decision.act(Action::Stop { container, kill_at }),
            NextStep::Wait { until } => decision.wake(until),
            NextStep::Nothing => {}
        }
    }

    /// True when the user (or whoever embeds this) ended the pod.
    #[must_use]
    pub fn was_stopped_on_request(&self) -> bool {
        self.stop_cause() == Some(StopCause::Requested)
    }
}
