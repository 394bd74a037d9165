//! Message queues: the interface `message-queue`.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

use super::bindings::wasmpod::ipc::message_queue as wit;
use super::nanoseconds;
use crate::{Attributes, Error, Message, OpenOptions, Status};

/// Bytes with which a batch ends that is received. It bounds what the host copies in one call; more short messages than
/// anybody asks for at once.
pub(super) const MAX_BATCH_BYTES: u32 = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Queue {
    queue: wit::Queue,
    /// The last batch that was sent, used again: a batch allocates nothing here.
    batch: RefCell<Vec<u8>>,
}

/// The first message of a batch, its priority, and the messages after it.
fn split_message(batch: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (len, rest) = batch.split_first_chunk()?;
    let (priority, rest) = rest.split_first_chunk()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let (data, rest) = rest.split_at_checked(len)?;
    Some((data, u32::from_le_bytes(*priority), rest))
}

impl Queue {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let set = [
            (options.read, wit::OpenFlags::READ),
            (options.write, wit::OpenFlags::WRITE),
            (options.create, wit::OpenFlags::CREATE),
            (options.exclusive, wit::OpenFlags::EXCLUSIVE),
            (options.nonblocking, wit::OpenFlags::NONBLOCKING),
        ];
        let none = wit::OpenFlags::empty();
        let flags = set
            .iter()
            .filter(|(is_set, _)| *is_set)
            .fold(none, |flags, (_, flag)| flags | *flag);
        let attributes = options.attributes.map(|attributes| wit::Attributes {
            max_messages: attributes.max_messages,
            message_size: attributes.message_size,
        });
        Ok(Self {
            queue: wit::Queue::open(name, flags, attributes)?,
            batch: RefCell::default(),
        })
    }

    pub(crate) fn send(
        &self,
        data: &[u8],
        priority: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        match timeout {
            None => self.queue.send(data, priority)?,
            Some(timeout) => self
                .queue
                .timed_send(data, priority, nanoseconds(timeout))?,
        }
        Ok(())
    }

    pub(crate) fn receive(
        &self,
        data: &mut Vec<u8>,
        timeout: Option<Duration>,
    ) -> Result<u32, Error> {
        data.clear();
        let message = match timeout {
            None => self.queue.receive()?,
            Some(timeout) => self.queue.timed_receive(nanoseconds(timeout))?,
        };
        *data = message.data;
        Ok(message.priority)
    }

    /// The messages in one list of bytes: lists of lists cost the host an allocation each.
    pub(crate) fn send_many(&self, messages: &[Message]) -> Result<usize, Error> {
        let mut batch = self.batch.borrow_mut();
        batch.clear();
        for Message { data, priority } in messages {
            let len = u32::try_from(data.len()).map_err(|_| Error::MessageTooLong)?;
            batch.extend_from_slice(&len.to_le_bytes());
            batch.extend_from_slice(&priority.to_le_bytes());
            batch.extend_from_slice(data);
        }
        let sent = self.queue.send_batch(&batch)?;
        usize::try_from(sent).map_err(|_| Error::Invalid)
    }

    pub(crate) fn receive_many(&self, messages: &mut [Message]) -> Result<usize, Error> {
        let max = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let batch = self.queue.receive_batch(max, MAX_BATCH_BYTES)?;
        let (mut rest, mut count) = (batch.as_slice(), 0);
        for message in messages {
            let Some((data, priority, after)) = split_message(rest) else {
                break;
            };
            message.data.clear();
            message.data.extend_from_slice(data);
            message.priority = priority;
            (rest, count) = (after, count + 1);
        }
        Ok(count)
    }

    pub(crate) fn status(&self) -> Result<Status, Error> {
        let wit::Status {
            max_messages,
            message_size,
            current_messages,
            nonblocking,
        } = self.queue.status();
        Ok(Status {
            attributes: Attributes {
                max_messages,
                message_size,
            },
            current_messages,
            nonblocking,
        })
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        self.queue.set_nonblocking(nonblocking);
        Ok(())
    }
}

/// A notification that was asked for.
#[derive(Debug)]
pub(crate) struct Notification<'a> {
    requested: wit::Notification,
    _of: PhantomData<&'a Queue>,
}

impl Queue {
    pub(crate) fn notify(&self) -> Result<Notification<'_>, Error> {
        Ok(Notification {
            requested: self.queue.notify().ok_or(Error::Busy)?,
            _of: PhantomData,
        })
    }
}

impl Notification<'_> {
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        Ok(self.requested.wait(timeout.map(nanoseconds))?)
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    Ok(wit::unlink(name)?)
}

impl From<wit::ErrorCode> for Error {
    fn from(code: wit::ErrorCode) -> Self {
        match code {
            wit::ErrorCode::Access => Self::Access,
            wit::ErrorCode::AlreadyExists => Self::AlreadyExists,
            wit::ErrorCode::BadDescriptor => Self::BadDescriptor,
            wit::ErrorCode::Invalid => Self::Invalid,
            wit::ErrorCode::MessageTooLong => Self::MessageTooLong,
            wit::ErrorCode::NameTooLong => Self::NameTooLong,
            wit::ErrorCode::NoEntry => Self::NoEntry,
            wit::ErrorCode::NoMemory => Self::NoMemory,
            wit::ErrorCode::NoSpace => Self::NoSpace,
            wit::ErrorCode::TooManyOpen => Self::TooManyOpen,
            wit::ErrorCode::TimedOut => Self::TimedOut,
            wit::ErrorCode::WouldBlock => Self::WouldBlock,
        }
    }
}
