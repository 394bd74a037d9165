//! Carrying out what was decided.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wasmpod_lifecycle::pod::{Action, ContainerIndex, Event, HookKind, ProbeKind, ProbeOutcome};

use super::{Driver, Instance};
use crate::container::{Job, Outcome, What, pod_ips};
use crate::hook::HookRun;
use crate::probe::Prober;
use crate::resources::Resources;
use crate::running::RunningContainer;
use crate::tasks::CatchPanic;

impl Driver {
    pub(super) async fn perform(&mut self, action: &Action) {
        self.state.begin(action, self.config.clock.now());
        self.forward_notices();
        match *action {
            Action::AcquireResources => self.acquire().await,
            Action::Start { container, attempt } => self.start(container, attempt),
            Action::CancelStart { container } => {
                if let Some(instance) = self.instances.get(&container) {
                    instance.cancel.send_replace(true);
                }
            }
            Action::Probe {
                container,
                attempt,
                probe,
                timeout,
            } => self.probe(container, attempt, probe, timeout),
            Action::RunHook {
                container,
                attempt,
                hook,
                deadline,
            } => self.run_hook(container, attempt, hook, deadline),
            Action::Stop { container, kill_at } => {
                let grace = kill_at.saturating_sub(self.config.clock.elapsed());
                self.stop_container(container, grace);
            }
            // Beginning it is all there is to do, or it was done before (`drive`).
            Action::ExceedDeadline | Action::Finish => {}
        }
    }

    async fn acquire(&mut self) {
        let tasks = self.tasks.handle();
        let acquired = Resources::acquire(&self.config, &self.identity, &tasks).await;
        let event = match acquired {
            Ok(resources) => {
                let pod_ips = pod_ips(&resources);
                self.resources = Some(Arc::new(resources));
                self.upkeep.begin(self.config.clock.elapsed());
                Event::ResourcesReady { pod_ips }
            }
            Err(error) => {
                let (reason, message) = (error.reason().to_owned(), error.to_string());
                self.events.warning(None, &reason, message.clone());
                Event::ResourcesFailed { reason, message }
            }
        };
        self.tell(event);
    }

    fn start(&mut self, index: ContainerIndex, attempt: u32) {
        let (cancel, cancelled) = watch::channel(false);
        let (Some(resources), Some(log)) = (&self.resources, self.logs.container(self.name(index)))
        else {
            return;
        };
        let job = Job {
            index,
            attempt,
            identity: Arc::clone(&self.identity),
            config: Arc::clone(&self.config),
            resources: Arc::clone(resources),
            running: Arc::clone(&self.running),
            log: Arc::clone(log),
            events: self.events.clone(),
            progress: self.progress.clone(),
            tasks: self.tasks.handle(),
            outcomes: self.report.clone(),
            cancelled,
        };
        let instance = Instance {
            cancel,
            running: None,
        };
        self.instances.insert(index, instance);
        self.spawn(job.run());
    }

    fn stop_container(&mut self, index: ContainerIndex, grace: Duration) {
        let Some(running) = self.running_container(index) else {
            return;
        };
        let runtime = Arc::clone(&self.config.runtime);
        self.spawn(async move { runtime.stop_container(&running.id, grace).await });
    }

    fn probe(&mut self, index: ContainerIndex, attempt: u32, probe: ProbeKind, timeout: Duration) {
        let container = self.instance(index, attempt);
        let told = move |outcome| What::Probed {
            attempt,
            probe,
            outcome,
        };
        let panicked = move |panic: String| told(ProbeOutcome::Failure(internal_error(&panic)));
        self.answer(index, panicked, async move {
            let outcome = match container {
                Some(container) => {
                    let prober = Prober {
                        container,
                        kind: probe,
                        timeout,
                    };
                    prober.probe().await
                }
                None => ProbeOutcome::Unknown("the container does not run".to_owned()),
            };
            told(outcome)
        });
    }

    fn run_hook(
        &mut self,
        index: ContainerIndex,
        attempt: u32,
        hook: HookKind,
        deadline: Option<Duration>,
    ) {
        let container = self.instance(index, attempt);
        let deadline = deadline.map(|at| self.config.clock.instant_at(at));
        let told = move |result| What::HookFinished {
            attempt,
            hook,
            result,
        };
        let panicked = move |panic: String| told(Err(internal_error(&panic)));
        self.answer(index, panicked, async move {
            let result = match container {
                Some(container) => {
                    let run = HookRun {
                        container,
                        hook,
                        deadline,
                    };
                    run.run().await
                }
                None => Err("the container does not run".to_owned()),
            };
            told(result)
        });
    }

    /// Runs `work` as a task whose result comes back as an outcome. A panic in it (a bug of the host) ends the task
    /// alone; then `panicked` says what comes back, so that nobody waits for ever.
    fn answer(
        &mut self,
        container: ContainerIndex,
        panicked: impl FnOnce(String) -> What + Send + 'static,
        work: impl Future<Output = What> + Send + 'static,
    ) {
        let report = self.report.clone();
        self.spawn(async move {
            let what = caught(work, panicked).await;
            // An error means that the driver is gone, and with it the pod.
            drop(report.send(Outcome { container, what }).await);
        });
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while self.jobs.try_join_next().is_some() {}
        self.jobs.spawn(task);
    }

    fn running_container(&self, index: ContainerIndex) -> Option<Arc<RunningContainer>> {
        self.instances.get(&index)?.running.clone()
    }

    /// The instance that was meant, unless it has ended meanwhile.
    fn instance(&self, index: ContainerIndex, attempt: u32) -> Option<Arc<RunningContainer>> {
        self.running_container(index)
            .filter(|running| running.attempt == attempt)
    }
}

/// What `work` gives, or what `panicked` makes of its panic.
async fn caught<T>(work: impl Future<Output = T> + Send, panicked: impl FnOnce(String) -> T) -> T {
    let caught = CatchPanic {
        future: Box::pin(work),
    };
    caught.await.unwrap_or_else(panicked)
}

/// A bug of this host, as an event tells it.
fn internal_error(panic: &str) -> String {
    format!("internal error: {panic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_probe_or_hook_is_an_answer_too() {
        let text = |panic: String| internal_error(&panic);
        assert_eq!(caught(async { "done".to_owned() }, text).await, "done");
        let panics = async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2, "a bug");
            String::new()
        };
        let told = caught(panics, text).await;
        assert!(
            told.starts_with("internal error: ") && told.contains("a bug"),
            "{told}"
        );
    }
}
