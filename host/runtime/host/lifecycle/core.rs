//! The imports of module `wasmpod_lifecycle` for core modules. They take and give plain numbers:
//!
//! | function | what it does |
//! |---|---|
//! | `termination_handle(i32)` | 1: the guest handles termination; 0: it leaves it to the default action |
//! | `termination_requested() -> i64` | nanoseconds that are left, or -1 if it was not asked to end |
//! | `termination_wait(i64) -> i64` | as above, after waiting so many nanoseconds at most; negative waits forever |
//! | `termination_request()` | SIGTERM to process 1 of the container |

use std::time::Duration;

use wasmtime::{Caller, Linker, Result};

use crate::host::CoreState;

/// The name of the import module.
const MODULE: &str = "wasmpod_lifecycle";

/// What is left, for a guest that was not asked to end.
const NOT_REQUESTED: i64 = -1;

/// Defines the imports.
///
/// # Errors
/// A bug of this host: one is defined twice.
pub(in crate::host) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    type Guest<'a> = Caller<'a, CoreState>;
    linker.func_wrap(
        MODULE,
        "termination_handle",
        |guest: Guest<'_>, handled: i32| {
            guest.data().termination.handle(handled != 0);
        },
    )?;
    linker.func_wrap(MODULE, "termination_requested", |guest: Guest<'_>| {
        let termination = &guest.data().termination;
        termination.handle(true);
        number(termination.left_nanoseconds())
    })?;
    linker.func_wrap_async(
        MODULE,
        "termination_wait",
        |guest: Guest<'_>, (limit,): (i64,)| {
            let termination = guest.data().termination.clone();
            termination.handle(true);
            let limit = u64::try_from(limit).ok().map(Duration::from_nanos);
            Box::new(async move { number(termination.wait(limit).await) })
        },
    )?;
    linker.func_wrap(MODULE, "termination_request", |guest: Guest<'_>| {
        guest.data().termination.terminate_main();
    })?;
    Ok(())
}

fn number(left_nanoseconds: Option<u64>) -> i64 {
    left_nanoseconds.map_or(NOT_REQUESTED, |left| {
        i64::try_from(left).unwrap_or(i64::MAX)
    })
}
