//! IPC among the containers of a pod, for guests in Rust: the objects of `mq_overview(7)`, `sem_overview(7)`,
//! `shm_overview(7)` and `sysvipc(7)`.
//!
//! One safe interface, three ways down (`sys`): a core module (wasm32-wasip1) calls the plain imports
//! of `wasmpod_ipc`; a component (wasm32-wasip2) calls the WIT package `wasmpod:ipc`; and a native
//! Linux program calls the kernel, so that a guest can be tried and compared there.
//!
//! ```no_run
//! use wasmpod_ipc::{MessageQueue, OpenOptions};
//!
//! # fn main() -> Result<(), wasmpod_ipc::Error> {
//! let queue = MessageQueue::open("/work", OpenOptions::new().write(true).create(true))?;
//! queue.send(b"hello", 0)?;
//! # Ok(()) }
//! ```
//!
//! Deliberately not here: pollables of components (the WIT package has them), and asynchronous calls.

mod error;
mod lock;
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
mod mapping;
mod memory;
mod options;
mod queue;
mod semaphore;
pub mod system_v;

#[cfg_attr(
    all(target_os = "wasi", target_env = "p1"),
    path = "sys/core_module/mod.rs"
)]
#[cfg_attr(
    all(target_os = "wasi", target_env = "p2"),
    path = "sys/component/mod.rs"
)]
#[cfg_attr(target_os = "linux", path = "sys/linux/mod.rs")]
mod sys;

pub use error::Error;
pub use lock::{Condition, Mutex, MutexGuard};
#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
pub use mapping::{Mapping, Records};
pub use memory::SharedMemory;
pub use options::{Attributes, OpenOptions};
pub use queue::{Message, MessageQueue, Notification, Status};
pub use semaphore::Semaphore;
