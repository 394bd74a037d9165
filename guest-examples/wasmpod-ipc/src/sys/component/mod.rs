//! The way down for a component (wasm32-wasip2): the WIT package `wasmpod:ipc`.
//!
//! Here the host waits, so every call is one call. What a program does not use is not imported.

pub(crate) mod memory;
mod place;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod system_v;

use std::time::Duration;

use crate::Error;
use bindings::wasmpod::ipc::errors::ErrorCode;

pub(crate) use queue::{Notification, Queue, unlink};

// Generated code, documented in the WIT package.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/wasmpod-ipc",
        inline: "
            package wasmpod:guest;
            world every-object {
                include wasmpod:ipc/message-queues@0.1.0;
                include wasmpod:ipc/semaphores@0.1.0;
                include wasmpod:ipc/shared-memories@0.1.0;
                include wasmpod:ipc/system-v-message-queues@0.1.0;
                include wasmpod:ipc/system-v-semaphores@0.1.0;
                include wasmpod:ipc/system-v-shared-memories@0.1.0;
            }
        ",
        world: "wasmpod:guest/every-object",
        generate_all,
    });
}

fn nanoseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Access => Self::Access,
            ErrorCode::AlreadyExists => Self::AlreadyExists,
            ErrorCode::BadDescriptor => Self::BadDescriptor,
            ErrorCode::Invalid => Self::Invalid,
            ErrorCode::Removed => Self::Removed,
            ErrorCode::TooBig => Self::TooBig,
            ErrorCode::FileTooBig => Self::FileTooBig,
            ErrorCode::MessageTooLong => Self::MessageTooLong,
            ErrorCode::NameTooLong => Self::NameTooLong,
            ErrorCode::NoEntry => Self::NoEntry,
            ErrorCode::NoMemory => Self::NoMemory,
            ErrorCode::NoMessage => Self::NoMessage,
            ErrorCode::NoSpace => Self::NoSpace,
            ErrorCode::Overflow => Self::Overflow,
            ErrorCode::OutOfRange => Self::OutOfRange,
            ErrorCode::TooManyOpen => Self::TooManyOpen,
            ErrorCode::TimedOut => Self::TimedOut,
            ErrorCode::WouldBlock => Self::WouldBlock,
        }
    }
}
