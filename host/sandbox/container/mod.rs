//! The life of one container instance, as one task: make it, start it, wait for its end, clear up after it.
//!
//! The driver spawns the task and hears from it through [`Outcome`]s. Making an image ready may take long and can be
//! given up ([`Job::cancelled`]); what follows takes microseconds and is carried through.
//!
//! * `prepare`: what is found out before there is an instance: image, environment, process

mod prepare;

use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc, watch};
use wasmpod_lifecycle::pod::{ContainerIndex, HookKind, ProbeKind, ProbeOutcome, StartFailure};
use wasmpod_manifest::k8s::Container;
use wasmpod_volume::ContainerRoot;

use crate::config::SandboxConfig;
use crate::events::PodEvents;
use crate::handle::PodProgress;
use crate::logs::{ContainerLog, LogFile, LogSink, Stream};
use crate::port::{
    ContainerConfig, ContainerId, Exit, ExitReason, HttpSettings, PodIdentity, RuntimeError,
};
use crate::resources::Resources;
use crate::running::{
    ContainerStreams, MAX_EXECS_PER_CONTAINER, RunningContainer, RunningContainers,
};
use crate::signal::{MainProcess, Role, Signal};
use crate::spec;
use crate::stdio::{
    Attachments, ContainerOutput, GuestInput, GuestOutput, GuestStreams, Terminal, TerminalSize,
    input,
};
use crate::tasks::{CatchPanic, PodTasks};
use crate::termination;

use prepare::Prepared;
pub(crate) use prepare::{pod_ips, set_term};

/// One instance to be run.
pub(crate) struct Job {
    pub(crate) index: ContainerIndex,
    pub(crate) attempt: u32,
    pub(crate) identity: Arc<PodIdentity>,
    pub(crate) config: Arc<SandboxConfig>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) running: Arc<RunningContainers>,
    pub(crate) log: Arc<ContainerLog>,
    pub(crate) events: PodEvents,
    pub(crate) progress: watch::Sender<PodProgress>,
    pub(crate) tasks: PodTasks,
    pub(crate) outcomes: mpsc::Sender<Outcome>,
    /// Becomes true when the start is to be given up.
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// What a task tells the driver.
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
    Started(Arc<RunningContainer>),
    /// It could not be started.
    Failed(StartFailure),
    /// The start was given up.
    Cancelled,
    /// It has ended, and nothing of it is left.
    Exited(Exit),
    /// A probe was tried.
    Probed {
        attempt: u32,
        probe: ProbeKind,
        outcome: ProbeOutcome,
    },
    /// A hook has run.
    HookFinished {
        attempt: u32,
        hook: HookKind,
        result: Result<(), String>,
    },
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

/// An instance that runs, and its log.
struct Started {
    container: Arc<RunningContainer>,
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
            .send_if_modified(|all| all.remove(self.name()).is_some());
        let started = match start {
            Ok(Ok(started)) => started,
            Ok(Err(NotStarted::Cancelled)) => return self.tell(What::Cancelled).await,
            Ok(Err(NotStarted::Failed(failure))) => return self.tell(What::Failed(failure)).await,
            Err(panic) => {
                self.detach();
                return self.tell(What::Exited(Exit::internal_error(panic))).await;
            }
        };
        let running = Arc::clone(&started.container);
        self.tell(What::Started(running)).await;
        let wait = self.config.runtime.wait_container(&started.container.id);
        let exit = CatchPanic { future: wait }
            .await
            .unwrap_or_else(Exit::internal_error);
        let exit = self.finish(started, exit).await;
        self.tell(What::Exited(exit)).await;
    }

    async fn start(&self) -> Result<Started, NotStarted> {
        let mut cancelled = self.cancelled.clone();
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared?,
            // An error means that the driver is gone, and with it the reason to start.
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(NotStarted::Cancelled),
        };
        let spec = self
            .spec()
            .ok_or_else(|| create_error("not in its pod".to_owned()))?;
        let log = self.log.begin(self.attempt);
        // When this fails the log stays open: the next try goes on with it.
        let root = self.make_root(spec, &prepared)?;
        let (guest, streams) = standard_streams(spec, &log);
        let main_process = MainProcess::new(&prepared.args);
        let stop_signal = stop_signal(spec, prepared.image.config.stop_signal.as_deref());
        let shares = &self.resources.shares;
        let (memory, cpu) = (shares.memory(spec), shares.cpu(spec));
        let config = ContainerConfig {
            pod: PodIdentity::clone(&self.identity),
            name: spec.name.clone(),
            attempt: self.attempt,
            program: prepared.program,
            args: prepared.args,
            env: prepared.env.clone(),
            working_dir: prepared.working_dir.clone(),
            root,
            network: self.resources.network.attach(&spec.name),
            ports: spec::declared_ports(spec),
            http: HttpSettings::of(&self.config.pod),
            ipc: self.resources.ipc.pod.attach(&spec.name),
            ipc_wait_for_open: self.resources.ipc.wait_for_open,
            memory: memory.clone(),
            cpu: cpu.clone(),
            stdin: guest.stdin,
            stdout: guest.stdout,
            stderr: guest.stderr,
            terminal: guest.terminal,
            role: Role::Main(main_process.clone()),
            stop_signal,
            tasks: self.tasks.clone(),
            clock: self.config.clock,
        };
        let id = match self.create_and_start(config).await {
            Ok(id) => id,
            Err(failure) => {
                if matches!(failure, StartFailure::Start { .. }) {
                    log.end();
                }
                self.detach();
                return Err(failure.into());
            }
        };
        let container = Arc::new(RunningContainer {
            index: self.index,
            attempt: self.attempt,
            id,
            identity: Arc::clone(&self.identity),
            config: Arc::clone(&self.config),
            resources: Arc::clone(&self.resources),
            tasks: self.tasks.clone(),
            events: self.events.clone(),
            image: prepared.image,
            env: prepared.env,
            working_dir: prepared.working_dir,
            cpu,
            memory,
            main_process,
            stop_signal,
            streams,
            seats: Semaphore::new(MAX_EXECS_PER_CONTAINER as usize),
            exit: watch::Sender::new(None),
        });
        self.running.add(Arc::clone(&container));
        Ok(Started { container, log })
    }

    fn make_root(
        &self,
        spec: &Container,
        prepared: &Prepared,
    ) -> Result<ContainerRoot, StartFailure> {
        let files = self.root_files(spec, prepared);
        let spec = prepare::with_sub_paths(spec, &prepared.own_env)?;
        let attached = self.resources.volumes.attach(&spec, self.attempt, &files);
        attached.map_err(|error| StartFailure::Create {
            reason: match error.reason() {
                "CreateContainerConfigError" => "CreateContainerConfigError",
                _ => "CreateContainerError",
            },
            message: error.to_string(),
        })
    }

    async fn create_and_start(&self, config: ContainerConfig) -> Result<ContainerId, StartFailure> {
        let runtime = &self.config.runtime;
        let name = self.name();
        let id = runtime
            .create_container(config)
            .await
            .map_err(|error| runtime_error(&error))?;
        self.normal("Created", format!("Created container: {name}"));
        if let Err(error) = runtime.start_container(&id).await {
            runtime.remove_container(&id).await;
            return Err(StartFailure::Start {
                message: error.to_string(),
            });
        }
        self.normal("Started", format!("Started container {name}"));
        Ok(id)
    }

    /// The guest has ended: ends what runs beside it, completes its log, reads its last words, and removes it.
    async fn finish(&self, started: Started, mut exit: Exit) -> Exit {
        let Started { container, log } = started;
        if let (true, Some(message)) = (has_report(&exit), &exit.message) {
            let stderr = LogSink::to_file(Arc::clone(&log), Stream::Stderr);
            stderr.write_all(message.trim_end().as_bytes());
            stderr.write_all(b"\n");
        }
        log.end();
        self.running.remove(&container);
        container.end(exit.clone()).await;
        if let Some(spec) = self.spec() {
            let volumes = &self.resources.volumes;
            let own = termination::message(volumes, spec, self.attempt, &self.log, &exit);
            if let Some(own) = own.await {
                exit.message = Some(own);
            }
        }
        exit.message = exit.message.map(termination::bounded);
        self.config.runtime.remove_container(&container.id).await;
        self.detach();
        exit
    }

    fn detach(&self) {
        let detached = self.resources.volumes.detach(self.name(), self.attempt);
        if let Err(error) = detached {
            let message = format!("Cannot remove the container's root directory: {error}");
            self.warning("FailedKillPod", message);
        }
    }

    fn spec(&self) -> Option<&Container> {
        spec::container(&self.config.pod, self.index)
    }

    fn name(&self) -> &str {
        self.spec().map_or("", |spec| &spec.name)
    }

    fn normal(&self, reason: &str, message: String) {
        self.events.normal(Some(self.name()), reason, message);
    }

    fn warning(&self, reason: &str, message: String) {
        self.events.warning(Some(self.name()), reason, message);
    }

    async fn tell(&self, what: What) {
        let outcome = Outcome {
            container: self.index,
            what,
        };
        // An error means that the driver is gone, and with it the pod.
        drop(self.outcomes.send(outcome).await);
    }
}

/// True when the host, and not the guest, has the last word about an end: it is written to the standard error.
pub(crate) fn has_report(exit: &Exit) -> bool {
    matches!(
        exit.reason,
        ExitReason::Trapped | ExitReason::OomKilled | ExitReason::InternalError
    )
}

/// Both ends of a container's standard streams: to its log and whoever is attached, from nowhere unless it has `stdin`.
fn standard_streams(spec: &Container, log: &Arc<LogFile>) -> (GuestStreams, ContainerStreams) {
    let attachments = Attachments::new();
    let output = |stream| {
        GuestOutput::Container(ContainerOutput {
            log: LogSink::to_file(Arc::clone(log), stream),
            stream,
            attachments: attachments.clone(),
        })
    };
    let has_stdin = spec.stdin == Some(true);
    let (guest, kept, terminal) = if spec.tty == Some(true) {
        let (terminal, mut guest) = Terminal::new(output(Stream::Stdout), TerminalSize::default());
        if !has_stdin {
            guest.stdin = GuestInput::Empty;
        }
        (guest, has_stdin.then(|| terminal.writer()), Some(terminal))
    } else {
        let (stdin, writer) = if has_stdin {
            let (writer, reader) = input();
            (GuestInput::Pipe(reader), Some(writer))
        } else {
            (GuestInput::Empty, None)
        };
        let guest = GuestStreams {
            stdin,
            stdout: output(Stream::Stdout),
            stderr: output(Stream::Stderr),
            terminal: None,
        };
        (guest, writer, None)
    };
    let streams = ContainerStreams {
        attachments,
        input: Mutex::new(kept),
        terminal,
    };
    (guest, streams)
}

/// `lifecycle.stopSignal`, whose name the manifest's rules have checked; else the image's.
fn stop_signal(spec: &Container, image: Option<&str>) -> Signal {
    let named = spec
        .lifecycle
        .as_ref()
        .and_then(|l| l.stop_signal.as_deref());
    named.or(image).and_then(Signal::parse).unwrap_or_default()
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
