//! The engine behind the sandbox's port: wasmtime, WASI and the host interfaces.
//!
//! [`Runtime`] implements [`wasmpod_sandbox::ContainerRuntime`]: each container is one WebAssembly instance, run as a
//! task of its pod. This is the only crate that names wasmtime. What it deliberately does not do: decide when a
//! container starts or ends, and what sockets, queues and directories do; it joins them with the guest.
//!
//! In reading order:
//!
//! | module | question that it answers |
//! |---|---|
//! | `runtime` | what can be asked of this crate? |
//! | `container` | how does one container live and end? |
//! | `http` | how is a component served that handles HTTP requests? |
//! | `host` | what can a guest get? |
//! | `exit` | what does the end of a guest mean? |
//! | `limits` | what may a guest take? |
//! | `programs`, `compile`, `code_store` | where does a program's code come from? |
//! | `inspect`, `link` | what does a program need, and is it there? |
//! | `engine`, `ticker` | how is the engine set up, and what interrupts a guest? |
//! | `pool` | where do instances come from that live as long as a request? |
//! | `wasi_0_3` | what do components of WASI 0.3 need apart from the others? (With the feature of that name) |
//! | `polled`, `turn`, `fair` | how do guests share a thread, and how is a CPU limit kept? |
//! | `woken` | how does what seldom happens cost nothing when something else does? |

mod runtime;
mod shared_pages;

mod container;
mod exit;
mod fair;
mod host;
mod http;
mod limits;
mod polled;
mod processors;
mod turn;
mod woken;

mod code_store;
mod compile;
mod programs;

mod inspect;
mod link;

mod engine;
mod pool;
mod ticker;
#[cfg(feature = "wasi-0-3")]
mod wasi_0_3;

mod error;
mod notice;

#[cfg(test)]
mod tests;

pub use error::SetupError;
#[cfg(feature = "wasi-0-3")]
pub use host::COMPONENT_CAPABILITIES_0_3;
pub use host::{COMPONENT_CAPABILITIES, Capability, MODULE_CAPABILITIES};
pub use inspect::{Import, Inspection, Kind};
pub use notice::{Notice, NoticeFn};
pub use runtime::{MAX_CONTAINERS, Runtime, RuntimeConfig};
