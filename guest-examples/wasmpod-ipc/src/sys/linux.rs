//! The way down natively: the kernel's own queues, to try a guest and to compare with.
//!
//! The limits are the machine's (`/proc/sys/fs/mqueue`), and names are shared by all its programs.

#![expect(unsafe_code, reason = "calls of the C library")]

use std::ffi::CString;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Attributes, Error, OpenOptions, Status};

#[derive(Debug)]
pub(crate) struct Queue {
    mqd: libc::mqd_t,
    message_size: usize,
}

impl Queue {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let name = CString::new(name).map_err(|_| Error::Invalid)?;
        let direction = match (options.read, options.write) {
            (true, true) => libc::O_RDWR,
            (true, false) => libc::O_RDONLY,
            (false, true) => libc::O_WRONLY,
            (false, false) => return Err(Error::Invalid),
        };
        let set = [
            (options.create, libc::O_CREAT),
            (options.exclusive, libc::O_EXCL),
            (options.nonblocking, libc::O_NONBLOCK),
        ];
        let flags = set
            .iter()
            .filter(|(is_set, _)| *is_set)
            .fold(direction, |flags, (_, flag)| flags | flag);
        let mode: libc::mode_t = 0o600;
        let attributes = options.attributes.map(|attributes| {
            let mut attr = no_attributes();
            attr.mq_maxmsg = attributes.max_messages.into();
            attr.mq_msgsize = attributes.message_size.into();
            attr
        });
        let attr = attributes
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the name ends with a NUL, and `attr` is null or points to attributes.
        let mqd = unsafe { libc::mq_open(name.as_ptr(), flags, mode, attr) };
        check(mqd)?;
        let mut queue = Self {
            mqd,
            message_size: 0,
        };
        let size = queue.status()?.attributes.message_size;
        queue.message_size = usize::try_from(size).map_err(|_| Error::Invalid)?;
        Ok(queue)
    }

    pub(crate) fn send(
        &self,
        data: &[u8],
        priority: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let (bytes, len) = (data.as_ptr().cast(), data.len());
        check(match timeout {
            // SAFETY: the data are readable for their length.
            None => unsafe { libc::mq_send(self.mqd, bytes, len, priority) },
            Some(timeout) => {
                let end = end_of(timeout)?;
                // SAFETY: the data are readable for their length, and `end` is a time.
                unsafe { libc::mq_timedsend(self.mqd, bytes, len, priority, &raw const end) }
            }
        })
    }

    pub(crate) fn receive(
        &self,
        data: &mut Vec<u8>,
        timeout: Option<Duration>,
    ) -> Result<u32, Error> {
        data.clear();
        data.reserve(self.message_size);
        let (bytes, room, mut priority) = (data.as_mut_ptr().cast(), data.capacity(), 0);
        let len = match timeout {
            // SAFETY: the buffer is writable for its capacity.
            None => unsafe { libc::mq_receive(self.mqd, bytes, room, &raw mut priority) },
            Some(timeout) => {
                let end = end_of(timeout)?;
                // SAFETY: the buffer is writable for its capacity, and `end` is a time.
                unsafe {
                    libc::mq_timedreceive(self.mqd, bytes, room, &raw mut priority, &raw const end)
                }
            }
        };
        let len = usize::try_from(len).map_err(|_| last_error())?;
        // SAFETY: the kernel has written `len` bytes, for which it found room.
        unsafe { data.set_len(len) };
        Ok(priority)
    }

    pub(crate) fn status(&self) -> Result<Status, Error> {
        let mut attr = no_attributes();
        // SAFETY: the kernel writes attributes to `attr`.
        check(unsafe { libc::mq_getattr(self.mqd, &raw mut attr) })?;
        let number = |value| u32::try_from(value).map_err(|_| Error::Invalid);
        Ok(Status {
            attributes: Attributes {
                max_messages: number(attr.mq_maxmsg)?,
                message_size: number(attr.mq_msgsize)?,
            },
            current_messages: number(attr.mq_curmsgs)?,
            nonblocking: attr.mq_flags & i64::from(libc::O_NONBLOCK) != 0,
        })
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        let mut attr = no_attributes();
        attr.mq_flags = if nonblocking {
            libc::O_NONBLOCK.into()
        } else {
            0
        };
        // SAFETY: the kernel reads attributes from `attr`.
        check(unsafe { libc::mq_setattr(self.mqd, &raw const attr, std::ptr::null_mut()) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open and nobody uses it any more.
        unsafe { libc::mq_close(self.mqd) };
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    let name = CString::new(name).map_err(|_| Error::Invalid)?;
    // SAFETY: the name ends with a NUL.
    check(unsafe { libc::mq_unlink(name.as_ptr()) })
}

fn no_attributes() -> libc::mq_attr {
    // SAFETY: the structure is numbers only, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// The kernel wants a time of day where we have a duration.
fn end_of(timeout: Duration) -> Result<libc::timespec, Error> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::Invalid)?;
    let end = since_epoch.saturating_add(timeout);
    let tv_sec = end.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    Ok(libc::timespec {
        tv_sec,
        tv_nsec: end.subsec_nanos().into(),
    })
}

fn check(answer: libc::c_int) -> Result<(), Error> {
    if answer < 0 {
        Err(last_error())
    } else {
        Ok(())
    }
}

fn last_error() -> Error {
    match io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
    {
        libc::EACCES => Error::Access,
        libc::EAGAIN => Error::WouldBlock,
        libc::EBADF => Error::BadDescriptor,
        libc::EEXIST => Error::AlreadyExists,
        libc::EINVAL => Error::Invalid,
        libc::EMFILE => Error::TooManyOpen,
        libc::EMSGSIZE => Error::MessageTooLong,
        libc::ENAMETOOLONG => Error::NameTooLong,
        libc::ENOENT => Error::NoEntry,
        libc::ENOMEM => Error::NoMemory,
        libc::ENOSPC => Error::NoSpace,
        libc::ETIMEDOUT => Error::TimedOut,
        other => Error::Unknown(u16::try_from(other).unwrap_or(u16::MAX)),
    }
}
