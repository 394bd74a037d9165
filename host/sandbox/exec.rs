//! `exec`: a command as a further instance beside a container.
//!
//! It has all that the container has (root directory, volumes, network, IPC, environment, limits) and its own standard
//! streams. It ends with its container, with its pod, or when its [`Session`] is dropped, whichever comes first. Which
//! program runs is the image's affair ([`Image::exec_program`](wasmpod_image::Image::exec_program)).
//!
//! Each command is one task of the pod (`Command::run`); who asked holds a session, or waits for the captured output.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wasmpod_image::Program;
use wasmpod_volume::VolumeError;

use crate::container::{has_report, set_term};
use crate::logs::{Capture, LogSink};
use crate::port::{ContainerConfig, ContainerId, Exit, HttpSettings, PodIdentity, RuntimeError};
use crate::running::{MAX_EXECS_PER_CONTAINER, RunningContainer, Seat};
use crate::stdio::{
    AttachRequest, ClientStreams, Closed, ExecRequest, GuestInput, GuestOutput, GuestStreams,
    Session, exec_streams,
};
use crate::tasks::CatchPanic;

/// Why a command cannot be run in a container, or nobody be attached to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// The pod has no container of this name.
    #[error("container {container} is not valid for pod {pod}")]
    NoSuchContainer {
        /// The name.
        container: String,
        /// The pod's name.
        pod: String,
    },
    /// The container does not run.
    #[error("container not found (\"{container}\"): it is {state}")]
    NotRunning {
        /// The container.
        container: String,
        /// What it does instead, e.g. `waiting (CrashLoopBackOff)`.
        state: String,
    },
    /// The command is empty.
    #[error("you must specify at least one command for the container")]
    NoCommand,
    /// The container has no such program.
    #[error("exec: \"{command}\": executable file not found in $PATH")]
    CommandNotFound {
        /// The first word of the command.
        command: String,
    },
    /// As many commands run there as may.
    #[error("container \"{container}\" already runs {MAX_EXECS_PER_CONTAINER} commands")]
    TooMany {
        /// The container.
        container: String,
    },
    /// The container's directories cannot be opened once more.
    #[error("cannot open the files of container \"{container}\": {detail}")]
    Files {
        /// The container.
        container: String,
        /// What went wrong.
        detail: String,
    },
    /// The instance cannot be made or started.
    #[error(transparent)]
    Runtime(RuntimeError),
    /// The pod has ended.
    #[error("the pod has ended")]
    PodEnded,
}

impl From<RuntimeError> for ExecError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::CommandNotFound { command } => Self::CommandNotFound { command },
            other => Self::Runtime(other),
        }
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) exit: Exit,
    /// The beginning of both outputs.
    pub(crate) output: String,
}

/// Runs a command for a client. The answer comes when the command has been started, or cannot be.
pub(crate) fn open(
    container: &Arc<RunningContainer>,
    request: ExecRequest,
) -> oneshot::Receiver<Result<Session, ExecError>> {
    let (answer, answered) = oneshot::channel();
    let (guest, client) = exec_streams(&request);
    let command = Command {
        container: Arc::clone(container),
        args: request.command,
        streams: guest,
    };
    spawn(command, Answer::Session(answer, client));
    answered
}

/// Runs a command to its end and keeps at most `limit_bytes` of what it prints. Dropping the future ends the command.
pub(crate) async fn capture(
    container: &Arc<RunningContainer>,
    args: Vec<String>,
    limit_bytes: usize,
) -> Result<Captured, ExecError> {
    let (sink, printed) = LogSink::capture(limit_bytes);
    let command = Command {
        container: Arc::clone(container),
        args,
        streams: GuestStreams {
            stdin: GuestInput::Empty,
            stdout: GuestOutput::Log(sink.clone()),
            stderr: GuestOutput::Log(sink),
            terminal: None,
        },
    };
    let (answer, answered) = oneshot::channel();
    spawn(command, Answer::Captured(answer, printed));
    answered.await.unwrap_or(Err(ExecError::PodEnded))
}

/// Joins a client with a container's own streams.
pub(crate) fn attach(container: &RunningContainer, request: AttachRequest) -> Session {
    let streams = &container.streams;
    let is_once = container
        .spec()
        .is_some_and(|spec| spec.stdin_once == Some(true));
    let input = request.stdin.then(|| {
        let mut kept = streams
            .input
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // `stdinOnce`: the input ends when its first client leaves.
        if is_once { kept.take() } else { kept.clone() }
    });
    let client = ClientStreams {
        input: input.flatten(),
        output: streams
            .attachments
            .attach(request.stdout, request.stderr && streams.terminal.is_none()),
        terminal: streams.terminal.clone(),
    };
    Session::new(client, container.exit.subscribe(), None)
}

/// A command to be run.
struct Command {
    container: Arc<RunningContainer>,
    args: Vec<String>,
    streams: GuestStreams,
}

/// Who waits for a command.
enum Answer {
    /// A client: from its start on.
    Session(oneshot::Sender<Result<Session, ExecError>>, ClientStreams),
    /// A probe or hook: for its end.
    Captured(oneshot::Sender<Result<Captured, ExecError>>, Capture),
}

/// A command that runs.
struct Instance {
    container: Arc<RunningContainer>,
    id: ContainerId,
    stderr: GuestOutput,
    _seat: Seat,
}

fn spawn(command: Command, answer: Answer) {
    let tasks = command.container.tasks.clone();
    // An error means that the pod has ended; then the answer is dropped, which says so.
    drop(tasks.spawn(command.run(answer)));
}

impl Command {
    async fn run(self, answer: Answer) {
        match answer {
            Answer::Session(mut answer, client) => {
                let started = tokio::select! {
                    prepared = self.prepare() => self.start(prepared).await,
                    () = answer.closed() => return,
                };
                let (tell, exit) = watch::channel(None);
                let (mut held, holding) = oneshot::channel::<Infallible>();
                let session = Session::new(client, exit, Some(holding));
                match started {
                    Ok(instance) => {
                        // One who does not wait any more drops the session, which is heard below.
                        drop(answer.send(Ok(session)));
                        let exit = instance.finish(held.closed()).await;
                        tell.send_replace(Some(exit));
                    }
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Answer::Captured(mut answer, printed) => {
                let started = tokio::select! {
                    prepared = self.prepare() => self.start(prepared).await,
                    () = answer.closed() => return,
                };
                let captured = match started {
                    Ok(instance) => {
                        let exit = instance.finish(answer.closed()).await;
                        let output = printed.text();
                        Ok(Captured { exit, output })
                    }
                    Err(error) => Err(error),
                };
                drop(answer.send(captured));
            }
        }
    }

    /// Finds the program and has it made ready, which may take long. Nothing is there yet that would have to be undone.
    async fn prepare(&self) -> Result<(Seat, Arc<Program>), ExecError> {
        let container = &self.container;
        let argv0 = self.args.first().ok_or(ExecError::NoCommand)?;
        let seat = container.take_seat().ok_or_else(|| ExecError::TooMany {
            container: container.name().to_owned(),
        })?;
        let program = container.image.exec_program(argv0);
        let ready = tokio::select! {
            ready = container.config.runtime.prepare(&program, Arc::new(|_| {})) => ready,
            () = container.ended() => return Err(self.not_running()),
        };
        ready?;
        Ok((seat, program))
    }

    /// Makes the instance and lets it run.
    async fn start(
        self,
        prepared: Result<(Seat, Arc<Program>), ExecError>,
    ) -> Result<Instance, ExecError> {
        let (seat, program) = prepared?;
        if container_has_ended(&self.container) {
            return Err(self.not_running());
        }
        let container = Arc::clone(&self.container);
        let spec = container.spec().ok_or_else(|| self.not_running())?;
        let root = container
            .resources
            .volumes
            .open(spec, container.attempt)
            .map_err(|error: VolumeError| ExecError::Files {
                container: spec.name.clone(),
                detail: error.to_string(),
            })?;
        let mut env = container.env.clone();
        if self.streams.terminal.is_some() {
            set_term(&mut env);
        }
        let stderr = self.streams.stderr.clone();
        let config = ContainerConfig {
            pod: PodIdentity::clone(&container.identity),
            name: spec.name.clone(),
            attempt: container.attempt,
            program,
            args: self.args,
            env,
            working_dir: container.working_dir.clone(),
            root,
            network: container.resources.network.attach(&spec.name),
            ports: Vec::new(),
            http: HttpSettings::default(),
            ipc: container.resources.ipc.pod.attach(&spec.name),
            ipc_wait_for_open: container.resources.ipc.wait_for_open,
            memory: container.memory.clone(),
            cpu: container.cpu.clone(),
            stdin: self.streams.stdin,
            stdout: self.streams.stdout,
            stderr: self.streams.stderr,
            terminal: self.streams.terminal,
            role: container.main_process.beside(),
            stop_signal: container.stop_signal,
            tasks: container.tasks.clone(),
            clock: container.config.clock,
        };
        let runtime = &container.config.runtime;
        let id = runtime.create_container(config).await?;
        if let Err(error) = runtime.start_container(&id).await {
            runtime.remove_container(&id).await;
            return Err(error.into());
        }
        Ok(Instance {
            id,
            stderr,
            _seat: seat,
            container: Arc::clone(&self.container),
        })
    }

    fn not_running(&self) -> ExecError {
        ExecError::NotRunning {
            container: self.container.name().to_owned(),
            state: "terminated".to_owned(),
        }
    }
}

impl Instance {
    /// Waits for the end of the command, or ends it by force when nobody wants it any more (`gone`) or its container
    /// has ended; then removes it.
    async fn finish(self, gone: impl Future<Output = ()>) -> Exit {
        let runtime = &self.container.config.runtime;
        let killed = async {
            tokio::select! {
                () = gone => {}
                () = self.container.ended() => {}
            }
        };
        let wait = CatchPanic {
            future: runtime.wait_container(&self.id),
        };
        let exit = tokio::select! {
            exit = wait => exit.unwrap_or_else(Exit::internal_error),
            () = killed => {
                runtime.stop_container(&self.id, Duration::ZERO).await;
                Exit::killed()
            }
        };
        if let (true, Some(message)) = (has_report(&exit), &exit.message) {
            // What a reader has no room for is not worth waiting for: the exit says it too.
            let _: Result<usize, Closed> = self
                .stderr
                .try_write(format!("{}\n", message.trim_end()).as_bytes());
        }
        runtime.remove_container(&self.id).await;
        exit
    }
}

fn container_has_ended(container: &RunningContainer) -> bool {
    container.exit.borrow().is_some()
}
