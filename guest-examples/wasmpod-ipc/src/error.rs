//! Why a call did nothing: one error type for all three ways down.

use std::fmt;

/// The error of an IPC call, under its POSIX meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `EACCES`: the name is `/.` or `/..`, or has a second slash; or it is open for reading only.
    Access,
    /// `EEXIST`: an exclusive open found the name or key taken.
    AlreadyExists,
    /// `EBADF`: not open for this direction.
    BadDescriptor,
    /// `EBUSY`: somebody else has asked for the notification.
    Busy,
    /// `EFBIG`: a size, or the number of a semaphore in its set, beyond the limit.
    FileTooBig,
    /// `EINVAL`: an argument out of its range, or no such identifier.
    Invalid,
    /// `EMSGSIZE`: longer than the queue's message size.
    MessageTooLong,
    /// `ENAMETOOLONG`: more than 255 bytes after the slash.
    NameTooLong,
    /// `ENOENT`: nothing has this name or key.
    NoEntry,
    /// `ENOMEM`: the host has no memory left.
    NoMemory,
    /// `ENOMSG`: no message of the wanted type.
    NoMessage,
    /// `ENOSPC`: the pod has as many objects as it may, or they are as large as they may be.
    NoSpace,
    /// `EPERM`: larger than the pod's limit, or a mutex that somebody else has locked.
    NotPermitted,
    /// `ERANGE`: a value that a semaphore of a set cannot have.
    OutOfRange,
    /// `EOVERFLOW`: the semaphore is at its greatest value.
    Overflow,
    /// `EIDRM`: the object was removed.
    Removed,
    /// `E2BIG`: too many operations for one call, or a message longer than the buffer.
    TooBig,
    /// `EMFILE`: too many open objects, or too many bytes in queues.
    TooManyOpen,
    /// `ETIMEDOUT`: the time was over first.
    TimedOut,
    /// `EAGAIN`: it would have to wait; or the number that was to be waited on is another one.
    WouldBlock,
    /// An error number that this library does not know: of WASI in a core module, of Linux natively.
    Unknown(u16),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "permission denied (EACCES)",
            Self::AlreadyExists => "exists already (EEXIST)",
            Self::BadDescriptor => "not open for this (EBADF)",
            Self::Busy => "somebody else has asked for it (EBUSY)",
            Self::FileTooBig => "beyond the limit (EFBIG)",
            Self::Invalid => "invalid argument (EINVAL)",
            Self::MessageTooLong => "message too long (EMSGSIZE)",
            Self::NameTooLong => "name too long (ENAMETOOLONG)",
            Self::NoEntry => "no such name or key (ENOENT)",
            Self::NoMemory => "out of memory (ENOMEM)",
            Self::NoMessage => "no such message (ENOMSG)",
            Self::NoSpace => "the pod has no room for more (ENOSPC)",
            Self::NotPermitted => "not permitted (EPERM)",
            Self::OutOfRange => "value out of range (ERANGE)",
            Self::Overflow => "value at its greatest (EOVERFLOW)",
            Self::Removed => "removed (EIDRM)",
            Self::TooBig => "too big (E2BIG)",
            Self::TooManyOpen => "too many open (EMFILE)",
            Self::TimedOut => "timed out (ETIMEDOUT)",
            Self::WouldBlock => "would have to wait (EAGAIN)",
            Self::Unknown(number) => return write!(f, "error number {number}"),
        })
    }
}

impl std::error::Error for Error {}
