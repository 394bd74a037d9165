//! Signals one by one: what they do, taking those that came, and sending them within the container.

use std::time::Duration;

use crate::{Error, Signal, sys};

/// The number of the container's own command, as the programs in the container see it.
pub const MAIN_PROCESS: u32 = 1;

/// What a signal does to this program, sigaction(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// What signal(7) says.
    Default,
    /// Nothing.
    Ignore,
    /// It is pending until it is taken.
    Handle,
}

/// Says what a signal does from now on. What is pending of one that is not handled any more is forgotten.
///
/// # Errors
/// [`Error::Invalid`] for KILL and STOP.
pub fn set_action(signal: Signal, action: Action) -> Result<(), Error> {
    sys::set_action(signal, action)
}

/// Takes the pending signal of the lowest number.
#[must_use]
pub fn take() -> Option<Signal> {
    sys::take()
}

/// Takes a pending signal after waiting for one, but no longer than `limit`.
#[must_use]
pub fn wait(limit: Option<Duration>) -> Option<Signal> {
    sys::wait(limit)
}

/// Ready while a signal is pending.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
#[must_use]
pub fn subscribe() -> wasip2::io::poll::Pollable {
    sys::subscribe()
}

/// The program's own process number: [`MAIN_PROCESS`], or another of what runs beside it.
#[must_use]
pub fn process_id() -> u32 {
    sys::process_id()
}

/// The arguments of process 1, its name first. Natively those of the program itself.
#[must_use]
pub fn main_command() -> Vec<String> {
    sys::main_command()
}

/// Sends a signal to process 1 of the container or to the program itself, kill(2).
///
/// # Errors
/// [`Error::NoSuchProcess`] for all others.
pub fn kill(process: u32, signal: Signal) -> Result<(), Error> {
    sys::kill(process, Some(signal))
}

/// Whether [`kill`] would find that process: kill(2) with signal 0.
///
/// # Errors
/// As [`kill`].
pub fn find(process: u32) -> Result<(), Error> {
    sys::kill(process, None)
}
