//! The way down for a core module (wasm32-wasip1): the plain imports of module `wasmpod_lifecycle`.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions, one of which writes this module's memory"
)]

use std::time::Duration;

use crate::signals::Action;
use crate::termination::Left;
use crate::{Error, Signal};

mod imports {
    #[link(wasm_import_module = "wasmpod_lifecycle")]
    unsafe extern "C" {
        pub(super) safe fn termination_handle(handled: i32);
        pub(super) safe fn termination_requested() -> i64;
        pub(super) safe fn termination_wait(limit: i64) -> i64;
        pub(super) safe fn termination_signal() -> i32;
        pub(super) safe fn signal_action(signal: i32, action: i32) -> i32;
        pub(super) safe fn signal_take() -> i32;
        pub(super) safe fn signal_wait(limit: i64) -> i32;
        pub(super) safe fn process_id() -> u32;
        pub(super) fn process_main_command(buffer: *mut u8, len: usize) -> i32;
        pub(super) safe fn process_kill(process: u32, signal: i32) -> i32;
    }
}

/// `errno::srch` of WASI; the only other error is `inval`.
const NO_SUCH_PROCESS: i32 = 71;

/// Nanoseconds; negative is forever.
fn nanoseconds(limit: Option<Duration>) -> i64 {
    limit.map_or(-1, |limit| {
        i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// What is left; negative numbers say that nobody has asked.
fn left(nanoseconds: i64) -> Option<Left> {
    let left = u64::try_from(nanoseconds).ok()?;
    Some(Left::of_nanoseconds(left, i64::MAX.unsigned_abs()))
}

fn signal(number: i32) -> Option<Signal> {
    Signal::of_number(u8::try_from(number).ok()?)
}

fn check(errno: i32) -> Result<(), Error> {
    match errno {
        0 => Ok(()),
        NO_SUCH_PROCESS => Err(Error::NoSuchProcess),
        _ => Err(Error::Invalid),
    }
}

pub(crate) fn handle_termination(handled: bool) {
    imports::termination_handle(i32::from(handled));
}

pub(crate) fn requested() -> Option<Left> {
    left(imports::termination_requested())
}

pub(crate) fn wait_for_termination(limit: Option<Duration>) -> Option<Left> {
    left(imports::termination_wait(nanoseconds(limit)))
}

pub(crate) fn termination_signal() -> Option<Signal> {
    signal(imports::termination_signal())
}

pub(crate) fn set_action(signal: Signal, action: Action) -> Result<(), Error> {
    let action = match action {
        Action::Default => 0,
        Action::Ignore => 1,
        Action::Handle => 2,
    };
    check(imports::signal_action(i32::from(signal.number()), action))
}

pub(crate) fn take() -> Option<Signal> {
    signal(imports::signal_take())
}

pub(crate) fn wait(limit: Option<Duration>) -> Option<Signal> {
    signal(imports::signal_wait(nanoseconds(limit)))
}

pub(crate) fn process_id() -> u32 {
    imports::process_id()
}

pub(crate) fn main_command() -> Vec<String> {
    // SAFETY: no byte is written where there is no room.
    let length = unsafe { imports::process_main_command(std::ptr::null_mut(), 0) };
    let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
    // SAFETY: the host writes at most as many bytes as there are in `text`.
    unsafe { imports::process_main_command(text.as_mut_ptr(), text.len()) };
    let words = text.split_terminator_nul();
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Words that end with a NUL each.
trait SplitNul {
    fn split_terminator_nul(&self) -> impl Iterator<Item = &[u8]>;
}

impl SplitNul for Vec<u8> {
    fn split_terminator_nul(&self) -> impl Iterator<Item = &[u8]> {
        self.strip_suffix(&[0])
            .into_iter()
            .flat_map(|words| words.split(|byte| *byte == 0))
    }
}

pub(crate) fn kill(process: u32, signal: Option<Signal>) -> Result<(), Error> {
    let number = signal.map_or(0, Signal::number);
    check(imports::process_kill(process, i32::from(number)))
}
