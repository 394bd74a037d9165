//! Signals and termination for guests in Rust: how a program learns that its container is stopped, and how it tells one
//! signal from another.
//!
//! Two ways to use it. [`termination`] is the short one, for programs that only want to end well; [`signals`] is for
//! those that treat SIGHUP and SIGTERM differently, or send signals within their container. Neither interrupts the
//! program: it looks when it can, or waits.
//!
//! One safe interface, three ways down (`sys`): a core module (wasm32-wasip1) calls the plain imports of
//! `wasmpod_lifecycle`; a component (wasm32-wasip2) calls the WIT package `wasmpod:lifecycle`; and a native Unix program
//! has the kernel's own signals, so that a guest can be tried there.
//!
//! ```no_run
//! use wasmpod_lifecycle::termination;
//!
//! while termination::wait(Some(std::time::Duration::from_secs(1))).is_none() {
//!     // One piece of work.
//! }
//! // Asked to end: finish, and return.
//! ```

mod error;
mod signal;
pub mod signals;
pub mod termination;

#[cfg_attr(
    all(target_os = "wasi", target_env = "p1"),
    path = "sys/core_module.rs"
)]
#[cfg_attr(all(target_os = "wasi", target_env = "p2"), path = "sys/component.rs")]
#[cfg_attr(unix, path = "sys/unix.rs")]
mod sys;

pub use error::Error;
pub use signal::Signal;
