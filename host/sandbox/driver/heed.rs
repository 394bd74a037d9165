//! Taking note of what the tasks report.

use wasmpod_lifecycle::pod::{ContainerIndex, Event, StartFailure};

use super::Driver;
use crate::container::{Outcome, What};
use crate::spec;

impl Driver {
    /// Takes note of what a task reports.
    pub(super) fn heed(&mut self, outcome: Outcome) {
        let container = outcome.container;
        let event = match outcome.what {
            What::Image(image_id) => Event::ImageResolved {
                container,
                image_id,
            },
            What::Started(running) => {
                let id = running.id.as_str().to_owned();
                if let Some(instance) = self.instances.get_mut(&container) {
                    instance.running = Some(running);
                }
                Event::Started { container, id }
            }
            What::Failed(failure) => {
                self.tell_failure(container, &failure);
                Event::StartFailed { container, failure }
            }
            What::Cancelled => Event::StartCancelled { container },
            What::Exited(exit) => {
                self.instances.remove(&container);
                Event::Exited { container, exit }
            }
            What::Probed {
                attempt,
                probe,
                outcome,
            } => Event::Probed {
                container,
                attempt,
                probe,
                outcome,
            },
            What::HookFinished {
                attempt,
                hook,
                result,
            } => Event::HookFinished {
                container,
                attempt,
                hook,
                result,
            },
        };
        self.tell(event);
    }

    fn tell_failure(&self, container: ContainerIndex, failure: &StartFailure) {
        let name = self.name(container);
        let message = match failure {
            StartFailure::Image { reason, message } => {
                let spec = spec::container(&self.config.pod, container);
                let image = spec.and_then(|c| c.image.as_deref()).unwrap_or_default();
                let text = format!("Failed to pull image \"{image}\": {message}");
                self.events.warning(Some(name), "Failed", text);
                format!("Error: {reason}")
            }
            StartFailure::Create { message, .. } | StartFailure::Start { message } => {
                format!("Error: {message}")
            }
        };
        self.events.warning(Some(name), "Failed", message);
    }
}
