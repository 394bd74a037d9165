//! One running pod: driver task, containers, logs, and the port behind which the engine stands.

pub mod clock;
pub mod logs;
pub mod port;
pub mod tasks;
pub mod workers;

pub use clock::Clock;
pub use logs::LogSink;
pub use port::{
    BoxFuture, ContainerConfig, ContainerId, ContainerRuntime, ContainerState, Exit, ExitReason,
    PodIdentity, Progress, ProgressSink, RuntimeError, Stage,
};
pub use tasks::{PodTask, PodTaskSet, PodTasks, SpawnError, TaskEnd};
pub use workers::{Placement, Worker, Workers};
