//! Message queues: the imports whose names begin with `mq_`.

#![expect(
    unsafe_code,
    reason = "imports are foreign functions that read and write this module's memory"
)]

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::{CREATE, EXCLUSIVE, NONBLOCKING, READ, WRITE, check, nanoseconds};
use crate::{Attributes, Error, Message, OpenOptions, Status};

mod imports {
    use super::Entry;

    #[link(wasm_import_module = "wasmpod_ipc")]
    unsafe extern "C" {
        pub(super) fn mq_open(
            name: *const u8,
            name_len: usize,
            flags: u32,
            max_messages: u32,
            message_size: u32,
            out_mqd: *mut u32,
        ) -> i32;
        pub(super) safe fn mq_close(mqd: u32) -> i32;
        pub(super) fn mq_unlink(name: *const u8, name_len: usize) -> i32;
        pub(super) fn mq_getattr(mqd: u32, out: *mut [u32; 4]) -> i32;
        pub(super) safe fn mq_setattr(mqd: u32, flags: u32) -> i32;
        pub(super) fn mq_try_send(mqd: u32, data: *const u8, len: usize, priority: u32) -> i32;
        pub(super) fn mq_try_receive(
            mqd: u32,
            buf: *mut u8,
            buf_len: usize,
            out: *mut [u32; 2],
        ) -> i32;
        pub(super) fn mq_try_send_many(
            mqd: u32,
            entries: *const Entry,
            count: usize,
            out: *mut u32,
        ) -> i32;
        pub(super) fn mq_try_receive_many(
            mqd: u32,
            entries: *mut Entry,
            count: usize,
            out: *mut u32,
        ) -> i32;
        pub(super) safe fn mq_wait(mqd: u32, what: u32, timeout_ns: i64) -> i32;
        pub(super) safe fn mq_notify(mqd: u32, on: u32) -> i32;
        pub(super) safe fn mq_notify_wait(mqd: u32, timeout_ns: i64) -> i32;
    }
}

const UNTIL_IT_CAN_RECEIVE: u32 = 0;
const UNTIL_IT_CAN_SEND: u32 = 1;

#[derive(Debug)]
pub(crate) struct Queue {
    mqd: u32,
    message_size: usize,
    nonblocking: Cell<bool>,
    /// The entries of the last batch, used again: a batch allocates nothing.
    entries: RefCell<Vec<Entry>>,
}

/// One message of a batch, as the host reads and writes it.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    data: *mut u8,
    len: usize,
    priority: u32,
}

impl Queue {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let set = [
            (options.read, READ),
            (options.write, WRITE),
            (options.create, CREATE),
            (options.exclusive, EXCLUSIVE),
            (options.nonblocking, NONBLOCKING),
        ];
        let flags = set
            .iter()
            .filter(|(is_set, _)| *is_set)
            .fold(0, |flags, (_, flag)| flags | flag);
        // Zeros stand for the default; attributes of zero, which are an error, must not become it.
        let (max_messages, message_size) = match options.attributes {
            Some(Attributes {
                max_messages: 0,
                message_size: 0,
            }) => (0, 1),
            Some(attributes) => (attributes.max_messages, attributes.message_size),
            None => (0, 0),
        };
        let mut mqd = 0;
        // SAFETY: the name is readable for its length, and the host writes one u32 to `mqd`.
        check(unsafe {
            imports::mq_open(
                name.as_ptr(),
                name.len(),
                flags,
                max_messages,
                message_size,
                &raw mut mqd,
            )
        })?;
        let mut queue = Self {
            mqd,
            message_size: 0,
            nonblocking: options.nonblocking.into(),
            entries: RefCell::default(),
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
        let mut deadline = Deadline::new(timeout);
        loop {
            // SAFETY: the data are readable for their length; the host only reads them.
            match check(unsafe {
                imports::mq_try_send(self.mqd, data.as_ptr(), data.len(), priority)
            }) {
                Err(Error::WouldBlock) => self.wait(UNTIL_IT_CAN_SEND, &mut deadline)?,
                answer => return answer,
            }
        }
    }

    pub(crate) fn receive(
        &self,
        data: &mut Vec<u8>,
        timeout: Option<Duration>,
    ) -> Result<u32, Error> {
        data.clear();
        data.reserve(self.message_size);
        let mut deadline = Deadline::new(timeout);
        let mut out = [0; 2];
        loop {
            // SAFETY: the buffer is writable for its capacity, and the host writes two u32 to `out`.
            let answer = check(unsafe {
                imports::mq_try_receive(self.mqd, data.as_mut_ptr(), data.capacity(), &raw mut out)
            });
            match answer {
                Err(Error::WouldBlock) => self.wait(UNTIL_IT_CAN_RECEIVE, &mut deadline)?,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let [len, priority] = out;
        let len = usize::try_from(len).unwrap_or(0).min(data.capacity());
        // SAFETY: the host has written the message, `len` bytes that the buffer has room for.
        unsafe { data.set_len(len) };
        Ok(priority)
    }

    pub(crate) fn send_many(&self, messages: &[Message]) -> Result<usize, Error> {
        let mut entries = self.entries.borrow_mut();
        entries.clear();
        entries.extend(messages.iter().map(|message| Entry {
            data: message.data.as_ptr().cast_mut(),
            len: message.data.len(),
            priority: message.priority,
        }));
        let mut sent = 0;
        loop {
            // SAFETY: each entry names bytes that are readable, and the host writes one u32 to `sent`.
            let answer = check(unsafe {
                imports::mq_try_send_many(self.mqd, entries.as_ptr(), entries.len(), &raw mut sent)
            });
            match answer {
                Err(Error::WouldBlock) => self.wait(UNTIL_IT_CAN_SEND, &mut Deadline::Never)?,
                answer => break answer?,
            }
        }
        usize::try_from(sent).map_err(|_| Error::Invalid)
    }

    pub(crate) fn receive_many(&self, messages: &mut [Message]) -> Result<usize, Error> {
        let mut entries = self.entries.borrow_mut();
        entries.clear();
        entries.extend(messages.iter_mut().map(|message| {
            message.data.clear();
            message.data.reserve(self.message_size);
            Entry {
                data: message.data.as_mut_ptr(),
                len: message.data.capacity(),
                priority: 0,
            }
        }));
        let mut received = 0;
        loop {
            // SAFETY: each entry names a buffer that is writable, and the host writes one u32 to `received`.
            let answer = check(unsafe {
                imports::mq_try_receive_many(
                    self.mqd,
                    entries.as_mut_ptr(),
                    entries.len(),
                    &raw mut received,
                )
            });
            match answer {
                Err(Error::WouldBlock) => self.wait(UNTIL_IT_CAN_RECEIVE, &mut Deadline::Never)?,
                answer => break answer?,
            }
        }
        let received = usize::try_from(received).map_err(|_| Error::Invalid)?;
        for (message, entry) in messages.iter_mut().zip(entries.iter()).take(received) {
            let len = entry.len.min(message.data.capacity());
            // SAFETY: the host has written the message, `len` bytes that the buffer has room for.
            unsafe { message.data.set_len(len) };
            message.priority = entry.priority;
        }
        Ok(received)
    }

    /// Waits until another try may succeed; the time left shrinks from wait to wait.
    fn wait(&self, what: u32, deadline: &mut Deadline) -> Result<(), Error> {
        if self.nonblocking.get() {
            return Err(Error::WouldBlock);
        }
        check(imports::mq_wait(self.mqd, what, deadline.left_ns()?))
    }

    pub(crate) fn status(&self) -> Result<Status, Error> {
        let mut out = [0; 4];
        // SAFETY: the host writes four u32 to `out`.
        check(unsafe { imports::mq_getattr(self.mqd, &raw mut out) })?;
        let [flags, max_messages, message_size, current_messages] = out;
        let attributes = Attributes {
            max_messages,
            message_size,
        };
        Ok(Status {
            attributes,
            current_messages,
            nonblocking: flags & NONBLOCKING != 0,
        })
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        check(imports::mq_setattr(
            self.mqd,
            if nonblocking { NONBLOCKING } else { 0 },
        ))?;
        self.nonblocking.set(nonblocking);
        Ok(())
    }
}

/// A notification that was asked for. The host has one for each descriptor.
#[derive(Debug)]
pub(crate) struct Notification<'a> {
    queue: &'a Queue,
    has_come: bool,
}

impl Queue {
    pub(crate) fn notify(&self) -> Result<Notification<'_>, Error> {
        check(imports::mq_notify(self.mqd, 1))?;
        Ok(Notification {
            queue: self,
            has_come: false,
        })
    }
}

impl Notification<'_> {
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        if !self.has_come {
            check(imports::mq_notify_wait(
                self.queue.mqd,
                nanoseconds(timeout),
            ))?;
            self.has_come = true;
        }
        Ok(())
    }
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        if !self.has_come {
            imports::mq_notify(self.queue.mqd, 0);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        imports::mq_close(self.mqd);
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    // SAFETY: the name is readable for its length.
    check(unsafe { imports::mq_unlink(name.as_ptr(), name.len()) })
}

/// When waiting ends. The clock is read only if it comes to waiting.
enum Deadline {
    Never,
    NotYetStarted(Duration),
    At(Instant),
}

impl Deadline {
    fn new(timeout: Option<Duration>) -> Self {
        timeout.map_or(Self::Never, Self::NotYetStarted)
    }

    /// The time left in the form of `mq_wait`: nanoseconds, negative for no limit.
    fn left_ns(&mut self) -> Result<i64, Error> {
        let left = match *self {
            Self::Never => return Ok(-1),
            Self::NotYetStarted(timeout) => {
                // A time that the clock cannot show is centuries away.
                *self = Instant::now()
                    .checked_add(timeout)
                    .map_or(Self::Never, Self::At);
                timeout
            }
            Self::At(instant) => instant.saturating_duration_since(Instant::now()),
        };
        if left.is_zero() {
            return Err(Error::TimedOut);
        }
        Ok(i64::try_from(left.as_nanos()).unwrap_or(i64::MAX))
    }
}
