//! Message queues: `mq_overview(7)`.

#![expect(unsafe_code, reason = "calls of the C library")]

use std::time::Duration;

use super::{c_string, check, end_of, last_error, timespec};
use crate::{Attributes, Error, Message, OpenOptions, Status};

#[derive(Debug)]
pub(crate) struct Queue {
    mqd: libc::mqd_t,
    message_size: usize,
}

impl Queue {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let name = c_string(name)?;
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

    /// The kernel has no such call: one after the other, until one would wait.
    pub(crate) fn send_many(&self, messages: &[Message]) -> Result<usize, Error> {
        let mut sent = 0;
        for Message { data, priority } in messages {
            let timeout = (sent > 0).then_some(Duration::ZERO);
            match self.send(data, *priority, timeout) {
                Ok(()) => sent += 1,
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// The same.
    pub(crate) fn receive_many(&self, messages: &mut [Message]) -> Result<usize, Error> {
        let mut received = 0;
        for Message { data, priority } in messages {
            let timeout = (received > 0).then_some(Duration::ZERO);
            match self.receive(data, timeout) {
                Ok(of_message) => *priority = of_message,
                Err(_) if received > 0 => break,
                Err(error) => return Err(error),
            }
            received += 1;
        }
        Ok(received)
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

/// A notification that was asked for, without a signal: what it would tell is that the queue can be read.
#[derive(Debug)]
pub(crate) struct Notification<'a> {
    queue: &'a Queue,
    has_come: bool,
}

impl Queue {
    pub(crate) fn notify(&self) -> Result<Notification<'_>, Error> {
        // SAFETY: the structure is numbers and pointers that nobody follows, for which zero is a value.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_NONE;
        // SAFETY: the kernel reads an event from `event`.
        check(unsafe { libc::mq_notify(self.mqd, &raw const event) })?;
        Ok(Notification {
            queue: self,
            has_come: false,
        })
    }
}

impl Notification<'_> {
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        if self.has_come {
            return Ok(());
        }
        let mut queue = libc::pollfd {
            fd: self.queue.mqd,
            events: libc::POLLIN,
            revents: 0,
        };
        let timeout = timeout.map(timespec);
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: one descriptor, and `timeout` is null or points to a time.
        match unsafe { libc::ppoll(&raw mut queue, 1, timeout, std::ptr::null()) } {
            0 => Err(Error::TimedOut),
            answer => check(answer).map(|()| self.has_come = true),
        }
    }
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        // SAFETY: no memory is involved. A notification that has come is no more, and this changes nothing.
        unsafe { libc::mq_notify(self.queue.mqd, std::ptr::null()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open and nobody uses it any more.
        unsafe { libc::mq_close(self.mqd) };
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    let name = c_string(name)?;
    // SAFETY: the name ends with a NUL.
    check(unsafe { libc::mq_unlink(name.as_ptr()) })
}

fn no_attributes() -> libc::mq_attr {
    // SAFETY: the structure is numbers only, for which zero is a value.
    unsafe { std::mem::zeroed() }
}
