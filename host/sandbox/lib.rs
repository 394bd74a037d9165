//! One running pod: driver task, containers, logs, and the port behind which the engine stands.
//!
//! [`SandboxHandle::start`] runs a pod on a worker and gives a handle. What to do when is decided by `lifecycle`;
//! this crate does it, through [`ContainerRuntime`] for the guests and through `volume`, `network` and `ipc` for what
//! they share. It knows nothing of WebAssembly, and nothing of other pods or of a store of objects.

pub mod clock;
pub mod config;
mod container;
pub mod cpu;
pub mod dns;
mod driver;
pub mod events;
mod eviction;
pub mod exec;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod handle;
mod hook;
pub mod ipc;
pub mod logs;
pub mod memory;
pub mod port;
mod probe;
pub mod resources;
pub mod running;
mod shares;
pub mod signal;
mod spec;
pub mod stdio;
pub mod tasks;
pub mod termination;
#[cfg(test)]
mod tests;
pub mod workers;

pub use clock::Clock;
pub use config::{
    DEFAULT_MEMORY_LIMIT_BYTES, ImageFailure, ImageSource, PodSources, PublishRequest,
    SandboxConfig,
};
pub use cpu::CpuShare;
pub use events::{EventItem, EventReader, PodEvent, PodEvents, Severity};
pub use exec::ExecError;
pub use handle::{PodProgress, PodTraffic, SandboxError, SandboxHandle, SandboxStatus};
pub use logs::{LogItem, LogLimits, LogLine, LogOptions, LogReader, LogSink};
pub use memory::{MemoryLimitExceeded, MemoryShare};
pub use port::{
    BoxFuture, ContainerConfig, ContainerId, ContainerRuntime, ContainerState, DeclaredPort, Exit,
    ExitReason, HttpSettings, PodIdentity, Progress, ProgressSink, RuntimeError, Stage, Usage,
};
pub use running::{ContainerUsage, MAX_EXECS_PER_CONTAINER};
pub use signal::{MAIN_PROCESS_ID, Mailbox, MainProcess, Role, Signal, SignalSet};
pub use stdio::{
    AttachRequest, ExecRequest, GuestInput, GuestOutput, InputWriter, OutputReader, Session,
    Terminal, TerminalSize,
};
pub use tasks::{PodTask, PodTaskSet, PodTasks, SpawnError, TaskEnd};
pub use wasmpod_ipc::{IpcLimits, Listing as IpcListing};
pub use wasmpod_lifecycle::HostFacts;
pub use wasmpod_network::{
    Capture, CaptureError, CaptureOptions, ContainerTraffic, Interface, Protocol, SocketInfo,
    SocketState, Totals, Traffic,
};
pub use workers::{OtherWorker, Placement, TASKS_BETWEEN_EVENTS, Worker, Workers, processors};
