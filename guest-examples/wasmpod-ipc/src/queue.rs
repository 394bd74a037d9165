//! The queue as programs see it.

use std::time::Duration;

use crate::sys;
use crate::{Attributes, Error, OpenOptions};

/// An open message queue; dropping it is `mq_close(3)`.
///
/// Not for several threads: a guest has one.
#[derive(Debug)]
pub struct MessageQueue {
    queue: sys::Queue,
}

/// A message with its priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The bytes, possibly none.
    pub data: Vec<u8>,
    /// 0 to 32767; higher is received earlier.
    pub priority: u32,
}

/// A queue as it is now: `mq_getattr(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Its size, as it was made.
    pub attributes: Attributes,
    /// Messages in it.
    pub current_messages: u32,
    /// Whether calls never wait.
    pub nonblocking: bool,
}

impl MessageQueue {
    /// Opens or makes a queue: `mq_open(3)`. A name is a slash and up to 255 bytes without a slash.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`] when there is none and `create` is not set, [`Error::AlreadyExists`],
    /// [`Error::Invalid`], [`Error::Access`] and [`Error::NameTooLong`] for the name,
    /// [`Error::TooManyOpen`], [`Error::NoSpace`].
    pub fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        Ok(Self {
            queue: sys::Queue::open(name, options)?,
        })
    }

    /// Removes a name: `mq_unlink(3)`. Who has the queue open keeps it, with its messages.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`] when no queue has it; the errors of a wrong name as in [`Self::open`].
    pub fn unlink(name: &str) -> Result<(), Error> {
        sys::unlink(name)
    }

    /// Sends a message, after waiting for space: `mq_send(3)`. `priority` is 0 to 32767.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`], [`Error::BadDescriptor`], [`Error::Invalid`] for the priority,
    /// [`Error::WouldBlock`] when full and open without waiting.
    pub fn send(&self, data: &[u8], priority: u32) -> Result<(), Error> {
        self.queue.send(data, priority, None)
    }

    /// Sends a message, after waiting for space at most this long: `mq_timedsend(3)`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send`], and [`Error::TimedOut`].
    pub fn timed_send(&self, data: &[u8], priority: u32, timeout: Duration) -> Result<(), Error> {
        self.queue.send(data, priority, Some(timeout))
    }

    /// Takes the oldest message of the highest priority, after waiting for one: `mq_receive(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`], and [`Error::WouldBlock`] when empty and open without waiting.
    pub fn receive(&self) -> Result<Message, Error> {
        let mut data = Vec::new();
        let priority = self.receive_into(&mut data)?;
        Ok(Message { data, priority })
    }

    /// Takes a message, after waiting for one at most this long: `mq_timedreceive(3)`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::receive`], and [`Error::TimedOut`].
    pub fn timed_receive(&self, timeout: Duration) -> Result<Message, Error> {
        let mut data = Vec::new();
        let priority = self.queue.receive(&mut data, Some(timeout))?;
        Ok(Message { data, priority })
    }

    /// Like [`Self::receive`], but into a buffer that is used again; returns the priority.
    /// What the buffer held is gone, also after an error.
    ///
    /// # Errors
    ///
    /// Those of [`Self::receive`].
    pub fn receive_into(&self, data: &mut Vec<u8>) -> Result<u32, Error> {
        self.queue.receive(data, None)
    }

    /// Sends messages in order and says how many: waits for space for the first only, then sends what
    /// fits. One call for many short messages costs much less than a call for each; natively, where
    /// there is no such call, each is sent by itself, without waiting after the first.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send`], when the first message meets them.
    pub fn send_many(&self, messages: &[Message]) -> Result<usize, Error> {
        self.queue.send_many(messages)
    }

    /// Takes up to so many messages as `messages` has, in order, into their buffers, and says how many:
    /// waits for the first only. What the buffers held is gone; priorities are told.
    ///
    /// # Errors
    ///
    /// Those of [`Self::receive`].
    pub fn receive_many(&self, messages: &mut [Message]) -> Result<usize, Error> {
        self.queue.receive_many(messages)
    }

    /// The queue's size and fill: `mq_getattr(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`] in a container that has ended, which no program of it sees.
    pub fn status(&self) -> Result<Status, Error> {
        self.queue.status()
    }

    /// Whether later calls wait: `mq_setattr(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`], as in [`Self::status`].
    pub fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        self.queue.set_nonblocking(nonblocking)
    }

    /// Asks to be told of the next message that comes to the queue while it is empty and nobody waits to receive:
    /// `mq_notify(3)`, with a wait in place of a signal. Natively the wait also ends for a message that was there before.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when somebody has asked already.
    pub fn notify(&self) -> Result<Notification<'_>, Error> {
        self.queue.notify().map(Notification)
    }
}

/// A notification that was asked for. It comes once; dropping it takes the request back.
#[derive(Debug)]
pub struct Notification<'a>(sys::Notification<'a>);

impl Notification<'_> {
    /// Waits until it has come. Once it has, this and [`Self::timed_wait`] return at once.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`] in a container that has ended, which no program of it sees.
    pub fn wait(&mut self) -> Result<(), Error> {
        self.0.wait(None)
    }

    /// As [`Self::wait`], at most this long.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`].
    pub fn timed_wait(&mut self, timeout: Duration) -> Result<(), Error> {
        self.0.wait(Some(timeout))
    }
}
