//! Why a call did nothing: one error type for all three ways down.

use std::fmt;

/// The error of an IPC call, under its POSIX meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `EACCES`: the name is `/.` or `/..`, or has a second slash.
    Access,
    /// `EEXIST`: an exclusive open found the name taken.
    AlreadyExists,
    /// `EBADF`: not open for this direction.
    BadDescriptor,
    /// `EINVAL`: a name without slash, attributes beyond the limits, a priority above 32767.
    Invalid,
    /// `EMSGSIZE`: longer than the queue's message size.
    MessageTooLong,
    /// `ENAMETOOLONG`: more than 255 bytes after the slash.
    NameTooLong,
    /// `ENOENT`: no queue has this name.
    NoEntry,
    /// `ENOMEM`: the host has no memory left.
    NoMemory,
    /// `ENOSPC`: the pod has as many queues as it may.
    NoSpace,
    /// `EMFILE`: too many open queues, or too many bytes in them.
    TooManyOpen,
    /// `ETIMEDOUT`: the time was over first.
    TimedOut,
    /// `EAGAIN`: it would have to wait, and the queue is open without waiting.
    WouldBlock,
    /// An error number that this library does not know: of WASI in a core module, of Linux natively.
    Unknown(u16),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "permission denied (EACCES)",
            Self::AlreadyExists => "queue exists (EEXIST)",
            Self::BadDescriptor => "queue is not open for this (EBADF)",
            Self::Invalid => "invalid argument (EINVAL)",
            Self::MessageTooLong => "message too long (EMSGSIZE)",
            Self::NameTooLong => "name too long (ENAMETOOLONG)",
            Self::NoEntry => "no such queue (ENOENT)",
            Self::NoMemory => "out of memory (ENOMEM)",
            Self::NoSpace => "too many queues in this pod (ENOSPC)",
            Self::TooManyOpen => "too many open queues (EMFILE)",
            Self::TimedOut => "timed out (ETIMEDOUT)",
            Self::WouldBlock => "would have to wait (EAGAIN)",
            Self::Unknown(number) => return write!(f, "error number {number}"),
        })
    }
}

impl std::error::Error for Error {}
