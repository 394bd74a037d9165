//! The errors that an IPC call gives to a guest, under their POSIX names.
//!
//! They are results, not faults: the guest decides what to do. The numbers are those of WASI 0.1
//! (`wasi_snapshot_preview1`, type `errno`), which differ from Linux's.

/// Why an IPC operation did not happen; printed as its POSIX name, such as `EAGAIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Errno {
    /// The name is `/.` or `/..`, or has a slash after the first.
    #[error("EACCES")]
    Access,
    /// It would have to wait: the queue is full, or empty.
    #[error("EAGAIN")]
    Again,
    /// The descriptor is closed, or was not opened for this direction.
    #[error("EBADF")]
    BadDescriptor,
    /// An exclusive open found the name taken.
    #[error("EEXIST")]
    Exist,
    /// An argument is out of its range: name without slash, attributes, flags, priority.
    #[error("EINVAL")]
    Invalid,
    /// The container has too many open descriptors, or the pod's queues too many bytes.
    #[error("EMFILE")]
    TooManyOpen,
    /// The message is longer than the queue allows, or the buffer shorter.
    #[error("EMSGSIZE")]
    MessageTooLong,
    /// The name is longer than 255 bytes after its slash.
    #[error("ENAMETOOLONG")]
    NameTooLong,
    /// No queue has this name.
    #[error("ENOENT")]
    NoEntry,
    /// The host has no memory left for the message.
    #[error("ENOMEM")]
    NoMemory,
    /// The pod has as many queues as it may.
    #[error("ENOSPC")]
    NoSpace,
    /// The time given was over first. No operation of this crate says so; callers that hold the
    /// clock do, and want one error type.
    #[error("ETIMEDOUT")]
    TimedOut,
}

impl Errno {
    /// The number of this error in WASI 0.1.
    #[must_use]
    pub const fn wasi(self) -> u16 {
        match self {
            Self::Access => 2,
            Self::Again => 6,
            Self::BadDescriptor => 8,
            Self::Exist => 20,
            Self::Invalid => 28,
            Self::TooManyOpen => 33,
            Self::MessageTooLong => 35,
            Self::NameTooLong => 37,
            Self::NoEntry => 44,
            Self::NoMemory => 48,
            Self::NoSpace => 51,
            Self::TimedOut => 73,
        }
    }
}
