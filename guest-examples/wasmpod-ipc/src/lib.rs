//! IPC among the containers of a pod, for guests in Rust: POSIX message queues, `mq_overview(7)`.
//!
//! One safe interface, three ways down (`sys`): a core module (wasm32-wasip1) calls the plain imports
//! of `wasmpod_ipc`; a component (wasm32-wasip2) calls the WIT package `wasmpod:ipc`; and a native
//! Linux program calls the kernel's own queues, so that a guest can be tried and compared there.
//!
//! ```no_run
//! use wasmpod_ipc::{MessageQueue, OpenOptions};
//!
//! # fn main() -> Result<(), wasmpod_ipc::Error> {
//! let queue = MessageQueue::open("/work", OpenOptions::new().write(true).create(true))?;
//! queue.send(b"hello", 0)?;
//! # Ok(()) }
//! ```

mod error;
mod options;
mod queue;

#[cfg_attr(
    all(target_os = "wasi", target_env = "p1"),
    path = "sys/core_module.rs"
)]
#[cfg_attr(all(target_os = "wasi", target_env = "p2"), path = "sys/component.rs")]
#[cfg_attr(target_os = "linux", path = "sys/linux.rs")]
mod sys;

pub use error::Error;
pub use options::{Attributes, OpenOptions};
pub use queue::{Message, MessageQueue, Status};
