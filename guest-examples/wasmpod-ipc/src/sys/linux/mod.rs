//! The way down natively: the kernel's own objects, to try a guest and to compare with.
//!
//! The limits are the machine's (`/proc/sys/fs/mqueue`, `/proc/sys/kernel`), and names are shared by all its programs.

pub(crate) mod memory;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod system_v;

use std::ffi::CString;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Error;

pub(crate) use queue::{Notification, Queue, unlink};

fn c_string(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::Invalid)
}

/// The kernel wants a time of day where we have a duration.
fn end_of(timeout: Duration) -> Result<libc::timespec, Error> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::Invalid)?;
    Ok(timespec(since_epoch.saturating_add(timeout)))
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn check(answer: libc::c_int) -> Result<(), Error> {
    if answer < 0 {
        Err(last_error())
    } else {
        Ok(())
    }
}

/// An answer that is a number, or below zero an error.
fn number<T: TryInto<U>, U>(answer: T) -> Result<U, Error> {
    answer.try_into().map_err(|_| last_error())
}

fn last_error() -> Error {
    match io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
    {
        libc::E2BIG => Error::TooBig,
        libc::EACCES => Error::Access,
        libc::EAGAIN => Error::WouldBlock,
        libc::EBADF => Error::BadDescriptor,
        libc::EBUSY => Error::Busy,
        libc::EEXIST => Error::AlreadyExists,
        libc::EFBIG => Error::FileTooBig,
        libc::EIDRM => Error::Removed,
        libc::EINVAL => Error::Invalid,
        libc::EMFILE => Error::TooManyOpen,
        libc::EMSGSIZE => Error::MessageTooLong,
        libc::ENAMETOOLONG => Error::NameTooLong,
        libc::ENOENT => Error::NoEntry,
        libc::ENOMEM => Error::NoMemory,
        libc::ENOMSG => Error::NoMessage,
        libc::ENOSPC => Error::NoSpace,
        libc::EOVERFLOW => Error::Overflow,
        libc::EPERM => Error::NotPermitted,
        libc::ERANGE => Error::OutOfRange,
        libc::ETIMEDOUT => Error::TimedOut,
        other => Error::Unknown(u16::try_from(other).unwrap_or(u16::MAX)),
    }
}
