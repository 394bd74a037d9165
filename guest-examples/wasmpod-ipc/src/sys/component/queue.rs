//! Message queues: the interface `message-queue`.

use std::time::Duration;

use super::bindings::wasmpod::ipc::message_queue as wit;
use super::nanoseconds;
use crate::{Attributes, Error, Message, OpenOptions, Status};

#[derive(Debug)]
pub(crate) struct Queue {
    queue: wit::Queue,
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

    pub(crate) fn send_many(&self, messages: &[Message]) -> Result<usize, Error> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| wit::Message {
                data: message.data.clone(),
                priority: message.priority,
            })
            .collect();
        let sent = self.queue.send_many(&messages)?;
        usize::try_from(sent).map_err(|_| Error::Invalid)
    }

    pub(crate) fn receive_many(&self, messages: &mut [Message]) -> Result<usize, Error> {
        let max = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let received = self.queue.receive_many(max)?;
        let count = received.len();
        for (place, wit::Message { data, priority }) in messages.iter_mut().zip(received) {
            *place = Message { data, priority };
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
