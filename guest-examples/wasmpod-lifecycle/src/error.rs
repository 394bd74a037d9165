//! Why a call did nothing.

use std::fmt;

/// The error of a call about signals, under its POSIX meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `EINVAL`: KILL and STOP are handled by nobody.
    Invalid,
    /// `ESRCH`: the container has no such process, or this program cannot reach it.
    NoSuchProcess,
    /// `EPERM`: the process belongs to someone else; only natively.
    NotPermitted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid signal (EINVAL)",
            Self::NoSuchProcess => "no such process (ESRCH)",
            Self::NotPermitted => "operation not permitted (EPERM)",
        })
    }
}

impl std::error::Error for Error {}
