//! What happens to a pod, and what that does to its state.

use std::sync::Arc;
use std::time::Duration;

use wasmpod_manifest::k8s::Pod;

use super::record::{ContainerIndex, ContainerRecord, ContainerState, HookState, waiting};
use super::{Action, PodState, ProbeKind, Resources};
use crate::backoff::{CREATE_RETRY, RetryBackoff};
use crate::exit::Exit;
use crate::time::Now;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The pod's directory, volumes, network and IPC are there.
    ResourcesReady {
        /// `status.podIPs`
        pod_ips: Vec<String>,
    },
    /// One of them could not be made; what was made before it is gone again.
    ResourcesFailed {
        /// The kubelet's word, e.g. `FailedMount`.
        reason: String,
        /// What went wrong.
        message: String,
    },
    /// The image of a container is known.
    ImageResolved {
        /// Which container.
        container: ContainerIndex,
        /// `imageID`
        image_id: String,
    },
    /// A container runs.
    Started {
        /// Which one.
        container: ContainerIndex,
        /// The runtime's name for the instance.
        id: String,
    },
    /// A container could not be started.
    StartFailed {
        /// Which one.
        container: ContainerIndex,
        /// Why not.
        failure: StartFailure,
    },
    /// The start of a container was given up because the pod is to end.
    StartCancelled {
        /// Which one.
        container: ContainerIndex,
    },
    /// A container has ended.
    Exited {
        /// Which one.
        container: ContainerIndex,
        /// How.
        exit: Exit,
    },
    /// Someone wants the pod to end.
    Stop {
        /// Who.
        cause: StopCause,
        /// How long the containers may take; `None` for the spec's grace period. A later stop can only shorten it.
        grace: Option<Duration>,
    },
    /// A try of a probe is over.
    Probed {
        /// Whose probe.
        container: ContainerIndex,
        /// The instance that was asked.
        attempt: u32,
        /// Which of its probes.
        probe: ProbeKind,
        /// What came of it.
        outcome: ProbeOutcome,
    },
    /// A hook is over.
    HookFinished {
        /// Whose hook.
        container: ContainerIndex,
        /// The instance.
        attempt: u32,
        /// Which of its hooks.
        hook: HookKind,
        /// What went wrong, if it failed or was given up.
        result: Result<(), String>,
    },
    /// The pod uses more than it may, and is put out.
    Evict {
        /// `status.message`
        message: String,
    },
    /// The pod's object was changed in place.
    Updated {
        /// What it is now.
        pod: Arc<Pod>,
    },
    /// All of the pod's resources were released.
    Released,
}

/// The two hooks of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookKind {
    /// Runs as soon as the container does; the container counts as running when it is done.
    PostStart,
    /// Runs before the container is asked to end.
    PreStop,
}

/// What came of one try of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The container answered as it should.
    Success,
    /// It did not, or not in time; the text says how.
    Failure(String),
    /// The probe itself could not be made; the text says why. Changes nothing, as in the kubelet.
    Unknown(String),
}

/// Why a container could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// Its image could not be had. Tried again with the image back-off.
    Image {
        /// `ErrImagePull`, `ErrImageNeverPull` or `InvalidImageName`.
        reason: &'static str,
        /// What went wrong.
        message: String,
    },
    /// The instance could not be made. Tried again soon.
    Create {
        /// `CreateContainerConfigError` or `CreateContainerError`.
        reason: &'static str,
        /// What went wrong.
        message: String,
    },
    /// The instance was made, but could not be started: this counts as a run that ended at once.
    Start {
        /// What went wrong.
        message: String,
    },
}

/// Who ends a pod that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// The user, or the program that embeds this one.
    Requested,
    /// `spec.activeDeadlineSeconds` is over.
    DeadlineExceeded,
    /// The pod used more than it may.
    Evicted,
}

impl PodState {
    /// Takes note of what happened. An event that does not fit the state (e.g. the end of a container that was
    /// cancelled, or the outcome of a probe of an earlier instance) changes nothing.
    pub fn handle(&mut self, event: Event, now: Now) {
        let changed = match event {
            Event::Probed {
                container,
                attempt,
                probe,
                outcome,
            } => self.probed(container, attempt, probe, outcome, now),
            Event::HookFinished {
                container,
                attempt,
                hook,
                result,
            } => self.hook_finished(container, attempt, hook, &result, now),
            other => {
                self.note(other, now);
                true
            }
        };
        if changed {
            self.settle(now);
        }
    }

    /// What changes the status in any case.
    fn note(&mut self, event: Event, now: Now) {
        match event {
            Event::ResourcesReady { pod_ips } => {
                self.resource_retry.reset();
                self.resources = Resources::Ready { pod_ips };
            }
            Event::ResourcesFailed { reason, message } => {
                let retry_at = now.elapsed.saturating_add(self.resource_retry.failed());
                self.resources = Resources::Missing {
                    retry_at,
                    failure: Some((reason, message)),
                };
            }
            Event::ImageResolved {
                container,
                image_id,
            } => {
                if let Some(record) = self.record_mut(container) {
                    record.image_retry.reset();
                    record.image_id = image_id;
                }
            }
            Event::Started { container, id } => self.started(container, id, now),
            Event::StartFailed { container, failure } => self.start_failed(container, failure, now),
            Event::StartCancelled { container } => {
                if let Some(record) = self.starting_mut(container) {
                    record.state = waiting(None, None, now.elapsed);
                }
            }
            Event::Exited { container, exit } => self.exited(container, exit, now),
            Event::Stop { cause, grace } => {
                self.stop(cause, None, grace.unwrap_or(self.grace), now);
            }
            Event::Evict { message } => self.evict(message, now),
            Event::Updated { pod } => self.update(&pod, now),
            Event::Released => self.released(),
            // Handled before: they seldom change anything that can be seen.
            Event::Probed { .. } | Event::HookFinished { .. } => {}
        }
    }

    /// Takes note that the driver begins to carry out `action`.
    pub fn begin(&mut self, action: &Action, now: Now) {
        match *action {
            Action::AcquireResources => self.resources = Resources::Acquiring,
            Action::Start { container, .. } => {
                if let Some(record) = self.record_mut(container) {
                    record.begin_start(now);
                }
            }
            Action::CancelStart { container } => {
                if let Some(record) = self.starting_mut(container) {
                    record.state = ContainerState::Starting { cancelled: true };
                }
            }
            Action::ExceedDeadline => self.exceed_deadline(now),
            // None of these can be seen from outside.
            Action::Finish => return,
            Action::Probe {
                container, probe, ..
            } => return self.begin_probe(container, probe),
            Action::RunHook {
                container, hook, ..
            } => return self.begin_hook(container, hook),
            Action::Stop { container, kill_at } => {
                if let Some(record) = self.record_mut(container)
                    && let Some(stopping) = &mut record.instance.stopping
                {
                    stopping.begin_stop(kill_at, now.elapsed);
                }
                return;
            }
        }
        self.settle(now);
    }

    fn begin_probe(&mut self, container: ContainerIndex, probe: ProbeKind) {
        if let Some(record) = self.record_mut(container) {
            record.instance.probing.try_now(probe);
        }
    }

    fn begin_hook(&mut self, container: ContainerIndex, hook: HookKind) {
        let Some(record) = self.record_mut(container) else {
            return;
        };
        match hook {
            HookKind::PostStart => record.instance.post_start = HookState::Running,
            HookKind::PreStop => {
                if let Some(stopping) = &mut record.instance.stopping {
                    stopping.begin_hook();
                }
            }
        }
    }

    /// Something has changed: what follows from it for the pod as a whole.
    fn settle(&mut self, now: Now) {
        self.note_restarted_all(now);
        self.note_completion(now);
        self.note_transitions(now);
        self.revision = self.revision.wrapping_add(1);
    }

    fn started(&mut self, container: ContainerIndex, id: String, now: Now) {
        let Some(record) = self.starting_mut(container) else {
            return;
        };
        record.run(id, now);
        // What came up although nobody wants it any more.
        if self.restart_all.is_some() {
            self.stop_for_restart(container, now);
        }
        self.stop_in_order(container, now);
        self.replace_changed(container, now);
    }

    fn exited(&mut self, container: ContainerIndex, exit: Exit, now: Now) {
        let Some(record) = self.record_mut(container).filter(|r| r.is_alive()) else {
            return;
        };
        record.end(exit, now);
        self.note_rules(container, now);
        if self.restart_all.is_none() {
            self.notice_back_off(container);
        }
    }

    fn start_failed(&mut self, container: ContainerIndex, failure: StartFailure, now: Now) {
        let Some(record) = self.starting_mut(container) else {
            return;
        };
        match failure {
            StartFailure::Image {
                reason: reason @ "ErrImagePull",
                message,
            } => {
                // The first failure is shown as such; from the second on, what people wait for is the back-off.
                let again = record.image_retry != RetryBackoff::image();
                let retry_at = now.elapsed.saturating_add(record.image_retry.failed());
                record.state = if again {
                    let image = &record.plan.image;
                    let message =
                        format!("Back-off pulling image \"{image}\": {reason}: {message}");
                    waiting(Some("ImagePullBackOff"), Some(message), retry_at)
                } else {
                    waiting(Some(reason), Some(message), retry_at)
                };
            }
            StartFailure::Image { reason, message } | StartFailure::Create { reason, message } => {
                let retry_at = now.elapsed.saturating_add(CREATE_RETRY);
                record.state = waiting(Some(reason), Some(message), retry_at);
            }
            StartFailure::Start { message } => {
                self.exited(container, Exit::start_error(message), now);
            }
        }
    }

    /// A container of which an instance is being made.
    fn starting_mut(&mut self, container: ContainerIndex) -> Option<&mut ContainerRecord> {
        self.record_mut(container)
            .filter(|record| matches!(record.state, ContainerState::Starting { .. }))
    }
}
