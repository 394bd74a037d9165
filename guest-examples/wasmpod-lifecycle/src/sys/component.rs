//! The way down for a component (wasm32-wasip2): the WIT package `wasmpod:lifecycle`.

use std::time::Duration;

use bindings::wasmpod::lifecycle::{signals as wit, termination};
use wasip2::io::poll::Pollable;

use crate::signals::Action;
use crate::termination::Left;
use crate::{Error, Signal};

// Generated code, documented in the WIT package.
mod bindings {
    wit_bindgen::generate!({
        path: ["wit", "../../wit/wasmpod-lifecycle"],
        world: "wasmpod:lifecycle/lifecycle",
        with: { "wasi:io/poll@0.2.12": wasip2::io::poll },
    });
}

fn nanoseconds(limit: Option<Duration>) -> Option<u64> {
    limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))
}

fn left(nanoseconds: Option<u64>) -> Option<Left> {
    nanoseconds.map(|left| Left::of_nanoseconds(left, u64::MAX))
}

impl From<wit::ErrorCode> for Error {
    fn from(code: wit::ErrorCode) -> Self {
        match code {
            wit::ErrorCode::Invalid => Self::Invalid,
            wit::ErrorCode::NoSuchProcess => Self::NoSuchProcess,
        }
    }
}

pub(crate) fn handle_termination(handled: bool) {
    termination::handle(handled);
}

pub(crate) fn requested() -> Option<Left> {
    left(termination::requested())
}

pub(crate) fn wait_for_termination(limit: Option<Duration>) -> Option<Left> {
    left(termination::wait(nanoseconds(limit)))
}

pub(crate) fn termination_signal() -> Option<Signal> {
    Signal::of_number(termination::signal()?)
}

pub(crate) fn subscribe_to_termination() -> Pollable {
    termination::subscribe()
}

pub(crate) fn set_action(signal: Signal, action: Action) -> Result<(), Error> {
    let action = match action {
        Action::Default => wit::Action::DefaultAction,
        Action::Ignore => wit::Action::Ignore,
        Action::Handle => wit::Action::Handle,
    };
    Ok(wit::set_action(signal.number(), action)?)
}

pub(crate) fn take() -> Option<Signal> {
    Signal::of_number(wit::take()?)
}

pub(crate) fn wait(limit: Option<Duration>) -> Option<Signal> {
    Signal::of_number(wit::wait(nanoseconds(limit))?)
}

pub(crate) fn subscribe() -> Pollable {
    wit::subscribe()
}

pub(crate) fn process_id() -> u32 {
    wit::process_id()
}

pub(crate) fn main_command() -> Vec<String> {
    wit::main_command()
}

pub(crate) fn kill(process: u32, signal: Option<Signal>) -> Result<(), Error> {
    Ok(wit::kill(process, signal.map_or(0, Signal::number))?)
}
