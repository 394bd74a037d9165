//! How the end of a guest becomes an [`Exit`]: its own exit code, a trap with its backtrace, or its memory limit.

use std::fmt::Write as _;

use wasmpod_sandbox::{Exit, MemoryLimitExceeded};
use wasmtime::{Error, FrameInfo, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::engine::BACKTRACE_FRAMES;

/// Characters of a function's name that a backtrace shows; names of generic Rust functions run to kilobytes.
const MAX_NAME_CHARS: usize = 160;

/// The end of a program that returned from its entry point. A component's `run` says whether it succeeded.
pub(crate) fn of_return(success: bool) -> Exit {
    Exit::with_code(i32::from(!success))
}

/// The end of the program named `program` by `error`: an exit call, a trap, or a limit.
pub(crate) fn of_error(program: &str, error: &Error) -> Exit {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Exit::with_code(*code);
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    if let Some(exceeded) = error.downcast_ref::<MemoryLimitExceeded>() {
        return Exit::oom_killed(Some(describe(program, &exceeded.to_string(), backtrace)));
    }
    let what = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("wasm trap: {}", error.root_cause()),
    };
    Exit::trapped(describe(program, &what, backtrace))
}

/// One line for what happened, and one for each function on the guest's stack, innermost first.
fn describe(program: &str, what: &str, backtrace: Option<&WasmBacktrace>) -> String {
    let mut text = what.to_owned();
    let frames = backtrace.map(WasmBacktrace::frames).unwrap_or_default();
    for frame in frames {
        text.push_str("\n  at ");
        text.push_str(&function_name(frame));
        if let Some(offset) = frame.module_offset() {
            // Writing to a String cannot fail.
            let _ = write!(text, " ({program}+{offset:#x})");
        }
    }
    if frames.len() >= BACKTRACE_FRAMES.get() {
        text.push_str("\n  and more");
    }
    text
}

fn function_name(frame: &FrameInfo) -> String {
    let Some(name) = frame.func_name() else {
        return format!("function {}", frame.func_index());
    };
    // Without the hash that the compiler appends: it tells a reader nothing.
    let name = rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"));
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use wasmpod_sandbox::ExitReason;

    use super::*;

    #[test]
    fn an_exit_call_keeps_its_code_whatever_was_wrapped_around_it() {
        for code in [0, 1, 3, 126, 127, 255] {
            let error = Error::from(I32Exit(code)).context("error while executing");
            let exit = of_error("a.wasm", &error);
            assert_eq!((exit.code, exit.message), (code, None));
        }
    }

    #[test]
    fn a_component_that_returns_an_error_exits_with_1() {
        assert_eq!(of_return(true), Exit::with_code(0));
        assert_eq!(of_return(false), Exit::with_code(1));
    }

    #[test]
    fn a_trap_and_a_failed_host_call_are_134_and_say_what_happened() {
        let exit = of_error("a.wasm", &Error::from(Trap::MemoryOutOfBounds));
        assert_eq!(exit.code, 134);
        assert_eq!(
            exit.message.as_deref(),
            Some("wasm trap: out of bounds memory access")
        );
        let exit = of_error(
            "a.wasm",
            &Error::msg("poll list is empty").context("in poll"),
        );
        assert_eq!((exit.code, exit.reason), (134, ExitReason::Trapped));
        assert_eq!(
            exit.message.as_deref(),
            Some("wasm trap: poll list is empty")
        );
    }

    #[test]
    fn the_memory_limit_is_oom_killed() {
        let exit = of_error(
            "a.wasm",
            &MemoryLimitExceeded {
                wanted_bytes: 2,
                limit_bytes: 1,
            }
            .into(),
        );
        assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
    }
}
