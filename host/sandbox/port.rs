//! The port behind which the engine stands: the verbs of the Container Runtime Interface, for containers that are
//! WebAssembly programs.
//!
//! The `runtime` crate implements [`ContainerRuntime`]; the `fake` module implements it with a script, so that every
//! order of events and every failure of a pod is tested without an engine. The names follow the CRI
//! (`k8s.io/cri-api`, `runtime/v1/api.proto`), without its wire format: everything a container may touch is handed
//! over as an object, already opened.
//!
//! What this module does not do: decide when a container starts or ends (that is `lifecycle`), or know what a Wasm
//! import is (that is `runtime`).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wasmpod_image::Program;
use wasmpod_ipc::{ContainerIpc, HeapProvider, IpcLimits, SegmentProvider};
use wasmpod_network::ContainerNetwork;
use wasmpod_volume::ContainerRoot;

pub use wasmpod_lifecycle::exit::{Exit, ExitReason};
pub use wasmpod_manifest::http::HttpSettings;

use crate::clock::Clock;
use crate::cpu::CpuShare;
use crate::memory::MemoryShare;
use crate::signal::{Role, Signal};
use crate::stdio::{GuestInput, GuestOutput, Terminal};
use crate::tasks::PodTasks;

/// A boxed future, so that [`ContainerRuntime`] can be used as a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Receives the progress of a preparation; cheap to call, never blocks.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// What runs containers. One object serves all pods of the process.
///
/// Every future may be dropped at any time; what was begun is then undone by
/// [`remove_container`](Self::remove_container) or with the pod's tasks.
pub trait ContainerRuntime: Send + Sync + 'static {
    /// Checks and compiles `program`, or loads what was compiled before. Safe to call again and concurrently: the
    /// work is done once. It may take seconds for a big program and must not block the calling thread.
    fn prepare<'a>(
        &'a self,
        program: &'a Arc<Program>,
        progress: ProgressSink,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Builds an instance with everything in `config`, but runs no code of the guest.
    fn create_container(
        &self,
        config: ContainerConfig,
    ) -> BoxFuture<'_, Result<ContainerId, RuntimeError>>;

    /// Lets the guest run, as a task of the pod's task set ([`ContainerConfig::tasks`]).
    fn start_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Resolves when the container has ended, at once if it already has. Dropping the future loses nothing. A host
    /// bug on behalf of the guest is an [`Exit::internal_error`], never a panic.
    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Exit>;

    /// Asks the container to end ([`ContainerConfig::stop_signal`]) and ends it by force `grace` later. Its standard
    /// input ends too. A guest that does not handle termination ends at once, by SIGTERM with [`Exit::terminated`]
    /// (143); one that does has until the end of `grace`, as has one whose signal is ignored by default; one ended by
    /// force ends with [`Exit::killed`] (137). `grace` zero is SIGKILL. May be called again with a shorter grace, which then holds. Resolves when the
    /// container has ended.
    fn stop_container<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> BoxFuture<'a, ()>;

    /// Frees all that is left of a container, by force if it still runs. Unknown ids are ignored.
    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, ()>;

    /// The state of a container; `None` when it was removed or never was.
    fn container_status(&self, id: &ContainerId) -> Option<ContainerState>;

    /// Memory for the segments that the containers of one pod with these limits share. The default is plain memory, which
    /// containers copy from; a runtime that can give them the same pages has its own.
    fn shared_memory(&self, _limits: &IpcLimits) -> Arc<dyn SegmentProvider> {
        Arc::new(HeapProvider)
    }

    /// What a container uses; `None` unless it runs.
    fn usage(&self, id: &ContainerId) -> Option<Usage>;
}

/// The runtime's name for one container instance; unique in the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(Arc<str>);

impl ContainerId {
    /// Makes an id from the runtime's own text.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text, without the `wasmpod://` that a pod's status puts in front.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pod to which a container belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodIdentity {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
}

impl fmt::Display for PodIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A TCP port that a container declares in its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPort {
    /// `containers[*].ports[*].name`
    pub name: Option<String>,
    /// `containers[*].ports[*].containerPort`
    pub number: u16,
}

/// Everything that one container instance may touch. What is not in here does not exist for the guest.
#[derive(Debug)]
pub struct ContainerConfig {
    /// The pod of the container.
    pub pod: PodIdentity,
    /// `containers[*].name`
    pub name: String,
    /// How many instances of this container ran before this one.
    pub attempt: u32,
    /// What to run.
    pub program: Arc<Program>,
    /// The arguments, the program's own name first. Never empty.
    pub args: Vec<String>,
    /// The environment, in order, each name once.
    pub env: Vec<(String, String)>,
    /// The directory in which the program starts, absolute.
    pub working_dir: String,
    /// The directories of the container, `/` first.
    pub root: ContainerRoot,
    /// The container's sockets.
    pub network: ContainerNetwork,
    /// The TCP ports that the container declares, in the manifest's order, each number once. An HTTP component is served
    /// there; a program that can only accept, and not bind, finds listeners of them open. None for a command beside the
    /// container's process 1.
    pub ports: Vec<DeclaredPort>,
    /// How it is served if it is an HTTP component.
    pub http: HttpSettings,
    /// The container's message queues.
    pub ipc: ContainerIpc,
    /// How long opening an IPC object waits for what is not there yet; zero for not at all.
    pub ipc_wait_for_open: Duration,
    /// The linear memory that the guest may have; instances that `exec` runs beside it have a clone. Wanting more ends
    /// the guest with [`ExitReason::OomKilled`].
    pub memory: MemoryShare,
    /// The container's part of its worker's time; instances that `exec` runs beside it have a clone.
    pub cpu: CpuShare,
    /// Where the guest's standard input comes from.
    pub stdin: GuestInput,
    /// Where the guest's standard output goes.
    pub stdout: GuestOutput,
    /// Where the guest's standard error goes; the message and backtrace of a trap are written there by the sandbox.
    pub stderr: GuestOutput,
    /// The terminal that the three streams are, if they are one: its signal characters end the guest.
    pub terminal: Option<Terminal>,
    /// Process 1 of the container, or one more instance beside it.
    pub role: Role,
    /// What asks the container to end: `lifecycle.stopSignal`, the image's, or SIGTERM.
    pub stop_signal: Signal,
    /// The pod's task set. Every task that works for this container is spawned there, so that nothing outlives it.
    pub tasks: PodTasks,
    /// The pod's time.
    pub clock: Clock,
}

/// What one container instance uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time that the container's guests have run, the instances of `exec` included.
    pub cpu: Duration,
    /// The container's linear memory, that of the instances of `exec` included, in bytes.
    pub memory_bytes: u64,
}

/// What the runtime knows about one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, but not started.
    Created,
    /// The guest runs.
    Running,
    /// The guest has ended.
    Exited(Exit),
}

/// How far the preparation of a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The program's name.
    pub program: String,
    /// What is being done.
    pub stage: Stage,
    /// How much of [`total`](Self::total) is done.
    pub done: u64,
    /// The unit is the stage's own; 0 when it is not known.
    pub total: u64,
}

/// The parts of a preparation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for code that was compiled before, and loading it.
    Loading,
    /// Translating WebAssembly to machine code; counted in functions or bytes.
    Compiling,
    /// Keeping the code for the next start.
    Storing,
    /// The program can be started.
    Ready,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "loading",
            Self::Compiling => "compiling",
            Self::Storing => "storing",
            Self::Ready => "ready",
        })
    }
}

/// Why a container could not be prepared, created or started. How a guest *ended* is an [`Exit`] instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The bytes are not a program that any host could run.
    #[error("program \"{program}\" is not valid WebAssembly: {detail}")]
    InvalidProgram {
        /// The program's name.
        program: String,
        /// What the validator said.
        detail: String,
    },
    /// The program wants something from its host that this host does not offer.
    #[error(
        "module needs {} {} this sandbox does not offer: {}",
        imports.len(),
        if imports.len() == 1 { "import" } else { "imports" },
        imports.join(", ")
    )]
    MissingImports {
        /// The program's name.
        program: String,
        /// All that is missing, as `module.name` or `package/interface`.
        imports: Vec<String>,
    },
    /// The program is valid but cannot be translated to machine code here.
    #[error("program \"{program}\" cannot be compiled: {detail}")]
    Compile {
        /// The program's name.
        program: String,
        /// What the compiler said.
        detail: String,
    },
    /// The image has no program of the name in `command`.
    #[error("exec: \"{command}\": executable file not found in the image")]
    CommandNotFound {
        /// The first word of the container's command.
        command: String,
    },
    /// The guest cannot have what its config asks for, e.g. a directory that is gone.
    #[error("container \"{container}\": {detail}")]
    Create {
        /// The container's name.
        container: String,
        /// What could not be made.
        detail: String,
    },
    /// The instance was made, but its first instruction never ran (e.g. its start function trapped).
    #[error("container \"{container}\": cannot start: {detail}")]
    Start {
        /// The container's name.
        container: String,
        /// Why not.
        detail: String,
    },
    /// The process has no room for one more.
    #[error("host limit reached: {what}")]
    HostLimit {
        /// Which limit, with its value.
        what: String,
    },
    /// There is no container of this id.
    #[error("no container \"{id}\"")]
    NoSuchContainer {
        /// The id that was asked for.
        id: ContainerId,
    },
    /// A bug of the host.
    #[error("internal error: {detail}")]
    Internal {
        /// What went wrong.
        detail: String,
    },
}

impl RuntimeError {
    /// The kubelet's word for this failure when it happens before the start of the guest: the `reason` of the
    /// waiting state.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Start { .. } => "RunContainerError",
            Self::InvalidProgram { .. }
            | Self::MissingImports { .. }
            | Self::Compile { .. }
            | Self::CommandNotFound { .. }
            | Self::Create { .. }
            | Self::HostLimit { .. }
            | Self::NoSuchContainer { .. }
            | Self::Internal { .. } => "CreateContainerError",
        }
    }
}
