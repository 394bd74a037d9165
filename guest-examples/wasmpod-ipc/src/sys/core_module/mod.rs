//! The way down for a core module (wasm32-wasip1): the plain imports of module `wasmpod_ipc`, as `docs/ipc.md` has them.
//!
//! The host can only try (a cheap call) or wait (a dear one), so the loops of both are here.

pub(crate) mod memory;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod system_v;

use std::time::Duration;

use crate::Error;
use crate::options::Create;

pub(crate) use queue::{Notification, Queue, unlink};

const READ: u32 = 1;
const WRITE: u32 = 1 << 1;
const CREATE: u32 = 1 << 2;
const EXCLUSIVE: u32 = 1 << 3;
const NONBLOCKING: u32 = 1 << 4;
const TRUNCATE: u32 = 1 << 5;

/// A timeout that never comes.
const FOREVER: i64 = -1;

fn create_flags(create: Create) -> u32 {
    match create {
        Create::Never => 0,
        Create::IfMissing => CREATE,
        Create::New => CREATE | EXCLUSIVE,
    }
}

/// A time-out in the form of the imports: nanoseconds, negative for no limit.
fn nanoseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(FOREVER, |timeout| {
        i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// The numbers are those of WASI 0.1.
fn check(errno: i32) -> Result<(), Error> {
    Err(match errno {
        0 => return Ok(()),
        1 => Error::TooBig,
        2 => Error::Access,
        6 => Error::WouldBlock,
        8 => Error::BadDescriptor,
        10 => Error::Busy,
        20 => Error::AlreadyExists,
        22 => Error::FileTooBig,
        24 => Error::Removed,
        28 => Error::Invalid,
        33 => Error::TooManyOpen,
        35 => Error::MessageTooLong,
        37 => Error::NameTooLong,
        44 => Error::NoEntry,
        48 => Error::NoMemory,
        49 => Error::NoMessage,
        51 => Error::NoSpace,
        61 => Error::Overflow,
        63 => Error::NotPermitted,
        68 => Error::OutOfRange,
        73 => Error::TimedOut,
        other => Error::Unknown(u16::try_from(other).unwrap_or(u16::MAX)),
    })
}
