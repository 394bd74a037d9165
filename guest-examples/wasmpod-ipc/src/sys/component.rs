//! The way down for a component (wasm32-wasip2): the WIT package `wasmpod:ipc`.
//!
//! Here the host waits, so every call is one call.

use std::time::Duration;

use bindings::wasmpod::ipc::message_queue as wit;

use crate::{Attributes, Error, OpenOptions, Status};

// Generated code, documented in the WIT package.
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/wasmpod-ipc", world: "message-queues" });
}

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

fn nanoseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
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
