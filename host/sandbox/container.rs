//! The life of one container instance, as one task: make it, start it, wait for its end, clear up after it.
//!
//! The driver spawns the task and hears from it through [`Outcome`]s. Making an image ready may take long and can be
//! given up ([`Job::cancelled`]); what follows takes microseconds and is carried through.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use wasmpod_image::Image;
use wasmpod_lifecycle::environment::{self, PodFacts};
use wasmpod_lifecycle::pod::{ContainerIndex, StartFailure};
use wasmpod_lifecycle::process::{self, ImageProcess};
use wasmpod_manifest::k8s::Container;
use wasmpod_manifest::quantity;
use wasmpod_volume::{ImageFile, RootFiles};

use crate::config::{DEFAULT_MEMORY_LIMIT_BYTES, SandboxConfig, Sources, node_facts};
use crate::events::PodEvents;
use crate::handle::PodProgress;
use crate::logs::{ContainerLog, LogFile, LogSink, Stream};
use crate::port::{
    ContainerConfig, ContainerId, Exit, ExitReason, PodIdentity, Progress, ProgressSink,
    RuntimeError,
};
use crate::resources::Resources;
use crate::tasks::{CatchPanic, PodTasks};
use crate::termination;

/// One instance to be run.
pub(crate) struct Job {
    pub(crate) index: ContainerIndex,
    pub(crate) attempt: u32,
    pub(crate) container: Container,
    pub(crate) identity: PodIdentity,
    pub(crate) config: Arc<SandboxConfig>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) log: Arc<ContainerLog>,
    pub(crate) events: PodEvents,
    pub(crate) progress: watch::Sender<PodProgress>,
    pub(crate) tasks: PodTasks,
    pub(crate) outcomes: mpsc::Sender<Outcome>,
    /// Becomes true when the start is to be given up.
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// What a [`Job`] tells the driver.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) container: ContainerIndex,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// The image is known: its `imageID`.
    Image(String),
    /// The guest runs.
    Started(ContainerId),
    /// It could not be started.
    Failed(StartFailure),
    /// The start was given up.
    Cancelled,
    /// It has ended, and nothing of it is left.
    Exited(Exit),
}

/// Why there is no running guest.
enum NotStarted {
    Failed(StartFailure),
    Cancelled,
}

impl From<StartFailure> for NotStarted {
    fn from(failure: StartFailure) -> Self {
        Self::Failed(failure)
    }
}

/// What was found out about a container before its instance is made.
struct Prepared {
    image: Arc<Image>,
    program: Arc<wasmpod_image::Program>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    working_dir: String,
}

struct Running {
    id: ContainerId,
    log: Arc<LogFile>,
}

impl Job {
    /// Runs the instance from beginning to end.
    pub(crate) async fn run(self) {
        let start = CatchPanic {
            future: Box::pin(self.start()),
        }
        .await;
        self.progress
            .send_if_modified(|all| all.remove(&self.container.name).is_some());
        let running = match start {
            Ok(Ok(running)) => running,
            Ok(Err(NotStarted::Cancelled)) => return self.tell(What::Cancelled).await,
            Ok(Err(NotStarted::Failed(failure))) => return self.tell(What::Failed(failure)).await,
            Err(panic) => {
                self.detach();
                return self.tell(What::Exited(Exit::internal_error(panic))).await;
            }
        };
        self.tell(What::Started(running.id.clone())).await;
        let wait = self.config.runtime.wait_container(&running.id);
        let exit = CatchPanic { future: wait }
            .await
            .unwrap_or_else(Exit::internal_error);
        let exit = self.finish(&running, exit).await;
        self.tell(What::Exited(exit)).await;
    }

    async fn start(&self) -> Result<Running, NotStarted> {
        let mut cancelled = self.cancelled.clone();
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared?,
            // An error means that the driver is gone, and with it the reason to start.
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(NotStarted::Cancelled),
        };
        let log = self
            .log
            .begin(self.attempt)
            .map_err(|error| create_error(format!("cannot make the container's log: {error}")))?;
        let root = self.root_files(&prepared);
        let attached = self
            .resources
            .volumes
            .attach(&self.container, self.attempt, &root);
        let root = attached.map_err(|error| StartFailure::Create {
            reason: match error.reason() {
                "CreateContainerConfigError" => "CreateContainerConfigError",
                _ => "CreateContainerError",
            },
            message: error.to_string(),
        });
        let root = match root {
            Ok(root) => root,
            // The log stays open: the next try goes on with it.
            Err(failure) => return Err(failure.into()),
        };
        let config = ContainerConfig {
            pod: self.identity.clone(),
            name: self.container.name.clone(),
            attempt: self.attempt,
            program: prepared.program,
            args: prepared.args,
            env: prepared.env,
            working_dir: prepared.working_dir,
            root,
            network: self.resources.network.attach(&self.container.name),
            ipc: self.resources.ipc.attach(&self.container.name),
            memory_limit_bytes: memory_limit(&self.container),
            stdout: LogSink::to_file(Arc::clone(&log), Stream::Stdout),
            stderr: LogSink::to_file(Arc::clone(&log), Stream::Stderr),
            tasks: self.tasks.clone(),
            clock: self.config.clock,
        };
        match self.create_and_start(config).await {
            Ok(id) => Ok(Running { id, log }),
            Err(failure) => {
                if matches!(failure, StartFailure::Start { .. }) {
                    log.end();
                }
                self.detach();
                Err(failure.into())
            }
        }
    }

    /// Finds the image and all that can be known before an instance exists.
    async fn prepare(&self) -> Result<Prepared, StartFailure> {
        let reference = self.container.image.as_deref().unwrap_or_default();
        let policy = self.container.image_pull_policy.as_deref();
        let image = self
            .config
            .images
            .resolve(reference, policy)
            .await
            .map_err(|failure| StartFailure::Image {
                reason: failure.reason,
                message: failure.message,
            })?;
        let message = format!("Container image \"{reference}\" already present on machine");
        self.events.normal(self.name(), "Pulled", message);

        let network = &self.resources.network;
        let facts = PodFacts {
            pod_ips: pod_ips(&self.resources),
            ..node_facts(&self.config.host)
        };
        let sources = Sources {
            objects: self.config.sources.as_ref(),
            pod: &self.config.pod,
            facts: &facts,
        };
        let environment = environment::resolve(&self.config.pod, &self.container, &facts, &sources)
            .map_err(|error| StartFailure::Create {
                reason: error.reason(),
                message: error.to_string(),
            })?;
        if !environment.invalid_names.is_empty() {
            let message = format!(
                "Keys [{}] from envFrom were skipped since they are considered invalid environment variable names.",
                environment.invalid_names.join(", ")
            );
            self.events
                .warning(self.name(), "InvalidEnvironmentVariableNames", message);
        }
        let of_image = ImageProcess {
            entrypoint: &image.config.entrypoint,
            cmd: &image.config.cmd,
            working_dir: &image.config.working_dir,
        };
        let process = process::resolve(&self.container, of_image, &environment.own)
            .map_err(|error| create_error(error.to_string()))?;
        let argv0 = process.args.first().map(String::as_str).unwrap_or_default();
        let program = Arc::clone(image.program(argv0));
        let prepared = self.config.runtime.prepare(&program, self.progress_sink());
        prepared.await.map_err(|error| runtime_error(&error))?;
        self.tell(What::Image(format!("sha256:{}", program.digest.hex())))
            .await;
        let env = environment.over_image(&image.config.env, network.hostname());
        let (args, working_dir) = (process.args, process.working_dir);
        Ok(Prepared {
            image,
            program,
            args,
            env,
            working_dir,
        })
    }

    async fn create_and_start(&self, config: ContainerConfig) -> Result<ContainerId, StartFailure> {
        let runtime = &self.config.runtime;
        let name = &self.container.name;
        let id = runtime
            .create_container(config)
            .await
            .map_err(|error| runtime_error(&error))?;
        self.events
            .normal(self.name(), "Created", format!("Created container: {name}"));
        if let Err(error) = runtime.start_container(&id).await {
            runtime.remove_container(&id).await;
            return Err(StartFailure::Start {
                message: error.to_string(),
            });
        }
        self.events
            .normal(self.name(), "Started", format!("Started container {name}"));
        Ok(id)
    }

    /// The guest has ended: completes its log, reads its last words, and removes it.
    async fn finish(&self, running: &Running, mut exit: Exit) -> Exit {
        let has_report = matches!(
            exit.reason,
            ExitReason::Trapped | ExitReason::OomKilled | ExitReason::InternalError
        );
        if let (true, Some(message)) = (has_report, &exit.message) {
            let stderr = LogSink::to_file(Arc::clone(&running.log), Stream::Stderr);
            stderr.write_all(message.trim_end().as_bytes());
            stderr.write_all(b"\n");
        }
        running.log.end();
        let volumes = &self.resources.volumes;
        let own = termination::message(volumes, &self.container, self.attempt, &self.log, &exit);
        if let Some(own) = own.await {
            exit.message = Some(own);
        }
        exit.message = exit.message.map(termination::bounded);
        self.config.runtime.remove_container(&running.id).await;
        self.detach();
        exit
    }

    fn detach(&self) {
        if let Err(error) = self
            .resources
            .volumes
            .detach(&self.container.name, self.attempt)
        {
            let message = format!("Cannot remove the container's root directory: {error}");
            self.events.warning(self.name(), "FailedKillPod", message);
        }
    }

    fn root_files(&self, prepared: &Prepared) -> RootFiles {
        let network = &self.resources.network;
        let of_image = prepared.image.files.iter().map(|file| ImageFile {
            path: file.path.to_owned(),
            bytes: Arc::from(file.bytes),
            mode: file.mode,
        });
        // The kubelet mounts an empty file there; here it is one of the root's own.
        let last_words = ImageFile {
            path: termination::path(&self.container).to_owned(),
            bytes: Arc::from([]),
            mode: 0o666,
        };
        RootFiles {
            hosts: network.hosts_file(),
            hostname: format!("{}\n", network.hostname()),
            resolv_conf: network.resolv_conf(),
            image: of_image.chain([last_words]).collect(),
            working_dir: prepared.working_dir.clone(),
        }
    }

    fn progress_sink(&self) -> ProgressSink {
        let (name, progress) = (self.container.name.clone(), self.progress.clone());
        Arc::new(move |step: Progress| {
            progress.send_modify(|all| {
                all.insert(name.clone(), step);
            });
        })
    }

    fn name(&self) -> Option<&str> {
        Some(&self.container.name)
    }

    async fn tell(&self, what: What) {
        // An error means that the driver is gone, and with it the pod.
        drop(
            self.outcomes
                .send(Outcome {
                    container: self.index,
                    what,
                })
                .await,
        );
    }
}

/// `status.podIPs`
pub(crate) fn pod_ips(resources: &Resources) -> Vec<String> {
    let ip4 = resources.network.pod_ip().to_string();
    [
        Some(ip4),
        resources.network.pod_ip6().map(|ip| ip.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How much linear memory the container may have, in bytes. The manifest's rules have checked the quantity.
fn memory_limit(container: &Container) -> u64 {
    let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
    let memory = limits.and_then(|limits| limits.get("memory"));
    memory
        .and_then(|quantity| quantity::parse_bytes(&quantity.0).ok())
        .filter(|bytes| *bytes > 0)
        .unwrap_or(DEFAULT_MEMORY_LIMIT_BYTES)
}

fn runtime_error(error: &RuntimeError) -> StartFailure {
    StartFailure::Create {
        reason: error.reason(),
        message: error.to_string(),
    }
}

fn create_error(message: String) -> StartFailure {
    StartFailure::Create {
        reason: "CreateContainerError",
        message,
    }
}
