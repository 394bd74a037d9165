//! The imports of module `wasmpod_lifecycle` for core modules. They take and give plain numbers; docs/lifecycle.md has
//! the table.

use std::time::Duration;

use wasmtime::{Caller, Extern, Linker, Result};

use super::{Action, Refusal, Request};
use crate::host::CoreState;

/// The name of the import module.
const MODULE: &str = "wasmpod_lifecycle";

/// What is left, for a guest that was not asked to end.
const NOT_REQUESTED: i64 = -1;
/// In the place of a signal: there is none.
const NO_SIGNAL: i32 = 0;

/// `errno::success`
const SUCCESS: i32 = 0;
/// `errno::inval`
const INVALID: i32 = 28;
/// `errno::srch`
const NO_SUCH_PROCESS: i32 = 71;

type Guest<'a> = Caller<'a, CoreState>;

/// Defines the imports.
///
/// # Errors
/// A bug of this host: one is defined twice.
pub(in crate::host) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    link_termination(linker)?;
    link_signals(linker)
}

fn link_termination(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "termination_handle",
        |guest: Guest<'_>, handled: i32| {
            guest.data().signals.handle_termination(handled != 0);
        },
    )?;
    linker.func_wrap(MODULE, "termination_requested", |guest: Guest<'_>| {
        let signals = &guest.data().signals;
        signals.handle_termination(true);
        left(signals.requested())
    })?;
    linker.func_wrap_async(
        MODULE,
        "termination_wait",
        |guest: Guest<'_>, (limit,): (i64,)| {
            let signals = guest.data().signals.clone();
            signals.handle_termination(true);
            Box::new(async move { left(signals.wait_for_termination(duration(limit)).await) })
        },
    )?;
    linker.func_wrap(MODULE, "termination_signal", |guest: Guest<'_>| {
        let request = guest.data().signals.requested();
        number(request.map(|request| request.signal))
    })?;
    Ok(())
}

fn link_signals(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "signal_action",
        |guest: Guest<'_>, signal: i32, action: i32| {
            let action = match action {
                0 => Action::Default,
                1 => Action::Ignore,
                2 => Action::Handle,
                _ => return INVALID,
            };
            let signal = u8::try_from(signal).map_err(|_| Refusal::Invalid);
            errno(signal.and_then(|signal| guest.data().signals.set_action(signal, action)))
        },
    )?;
    linker.func_wrap(MODULE, "signal_take", |guest: Guest<'_>| {
        number(guest.data().signals.take())
    })?;
    linker.func_wrap_async(
        MODULE,
        "signal_wait",
        |guest: Guest<'_>, (limit,): (i64,)| {
            let signals = guest.data().signals.clone();
            Box::new(async move { number(signals.wait(duration(limit)).await) })
        },
    )?;
    linker.func_wrap(MODULE, "process_id", |guest: Guest<'_>| {
        guest.data().signals.process_id().cast_signed()
    })?;
    linker.func_wrap(
        MODULE,
        "process_main_command",
        |mut guest: Guest<'_>, buffer: i32, len: i32| main_command(&mut guest, buffer, len),
    )?;
    linker.func_wrap_async(
        MODULE,
        "process_kill",
        |guest: Guest<'_>, (process, signal): (i32, i32)| {
            let signal = u8::try_from(signal).map_err(|_| Refusal::Invalid);
            let signals = &guest.data().signals;
            let sent = signal.and_then(|signal| signals.kill(process.cast_unsigned(), signal));
            Box::new(async move {
                // One that the guest has sent to itself does its work before the call returns, as kill(2) has it.
                tokio::task::yield_now().await;
                errno(sent)
            })
        },
    )?;
    Ok(())
}

/// Writes the arguments of process 1, each with a NUL behind it, as far as they fit; gives the length of all, or -1
/// when the place is not the guest's.
fn main_command(guest: &mut Guest<'_>, buffer: i32, len: i32) -> i32 {
    let mut text = Vec::new();
    for word in guest.data().signals.main_command() {
        text.extend_from_slice(word.as_bytes());
        text.push(0);
    }
    let place = |value: i32| usize::try_from(value.cast_unsigned()).unwrap_or(usize::MAX);
    let (start, room) = (place(buffer), place(len));
    if room > 0 {
        let Some(Extern::Memory(memory)) = guest.get_export("memory") else {
            return -1;
        };
        let whole = memory.data_mut(&mut *guest);
        let Some(whole) = start
            .checked_add(room)
            .and_then(|end| whole.get_mut(start..end))
        else {
            return -1;
        };
        for (place, byte) in whole.iter_mut().zip(&text) {
            *place = *byte;
        }
    }
    i32::try_from(text.len()).unwrap_or(i32::MAX)
}

/// A limit in nanoseconds; negative is forever.
fn duration(limit: i64) -> Option<Duration> {
    u64::try_from(limit).ok().map(Duration::from_nanos)
}

fn left(request: Option<Request>) -> i64 {
    request.map_or(NOT_REQUESTED, |request| {
        i64::try_from(request.left_nanoseconds()).unwrap_or(i64::MAX)
    })
}

fn number(signal: Option<wasmpod_sandbox::Signal>) -> i32 {
    signal.map_or(NO_SIGNAL, |signal| i32::from(signal.number()))
}

fn errno(result: Result<(), Refusal>) -> i32 {
    match result {
        Ok(()) => SUCCESS,
        Err(Refusal::Invalid) => INVALID,
        Err(Refusal::NoSuchProcess) => NO_SUCH_PROCESS,
    }
}
