//! The errors that an IPC call gives to a guest, under their POSIX names.
//!
//! They are results, not faults: the guest decides what to do. The numbers are those of WASI 0.1
//! (`wasi_snapshot_preview1`, type `errno`), which differ from Linux's.

/// Why an IPC operation did not happen; printed as its POSIX name, such as `EAGAIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Errno {
    /// The name of a queue is `/.` or `/..`, or has a slash after the first.
    #[error("EACCES")]
    Access,
    /// It would have to wait.
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
    /// No object has this name or key.
    #[error("ENOENT")]
    NoEntry,
    /// The host or the pod has no memory left for it.
    #[error("ENOMEM")]
    NoMemory,
    /// The pod has as many objects, or bytes in them, as it may.
    #[error("ENOSPC")]
    NoSpace,
    /// This host cannot do it. No operation of this crate says so; callers that map segments do.
    #[error("ENOTSUP")]
    NotSupported,
    /// The time given was over first. No operation of this crate says so; callers that hold the
    /// clock do, and want one error type.
    #[error("ETIMEDOUT")]
    TimedOut,
    /// More operations than one call may have, or a message longer than the room for it.
    #[error("E2BIG")]
    TooBig,
    /// Somebody else is to be notified already.
    #[error("EBUSY")]
    Busy,
    /// The range is not inside of the segment.
    #[error("EFAULT")]
    Fault,
    /// The set has no semaphore of this number, or no object may be as large.
    #[error("EFBIG")]
    FileTooBig,
    /// The object was removed while the caller waited.
    #[error("EIDRM")]
    Removed,
    /// The queue has no message of the type asked for.
    #[error("ENOMSG")]
    NoMessage,
    /// The semaphore is as great as it may be.
    #[error("EOVERFLOW")]
    Overflow,
    /// Only who administers the pod may do this.
    #[error("EPERM")]
    NotPermitted,
    /// A value would leave its range.
    #[error("ERANGE")]
    Range,
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
            Self::NotSupported => 58,
            Self::TimedOut => 73,
            Self::TooBig => 1,
            Self::Busy => 10,
            Self::Fault => 21,
            Self::FileTooBig => 22,
            Self::Removed => 24,
            Self::NoMessage => 49,
            Self::Overflow => 61,
            Self::NotPermitted => 63,
            Self::Range => 68,
        }
    }
}
