//! Waiting until somebody has made an object.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Errno;
use crate::names::{parse_queue_name, parse_semaphore_name, parse_shared_memory_name};
use crate::namespace::Namespace;
use crate::owner::Owner;
use crate::wait::{Ticket, Waitable, What};

/// An object by name or key, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// A POSIX message queue.
    MessageQueue(String),
    /// A POSIX semaphore.
    Semaphore(String),
    /// A POSIX shared memory object.
    SharedMemory(String),
    /// A System V message queue.
    SystemVMessageQueue(i32),
    /// A System V semaphore set.
    SystemVSemaphoreSet(i32),
    /// A System V shared memory segment.
    SystemVSegment(i32),
}

/// A wait for an object.
pub(crate) struct Creation {
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) owner: Arc<Owner>,
    pub(crate) object: Object,
}

impl Creation {
    fn poll(&self, seat: &mut Option<Ticket>, cx: &mut Context<'_>) -> Poll<Result<(), Errno>> {
        let names = &*self.namespace;
        let answer = match &self.object {
            Object::MessageQueue(name) => parse_queue_name(name)
                .map(|name| names.message_queues.poll_creation(name, seat, cx)),
            Object::Semaphore(name) => parse_semaphore_name(name)
                .map(|name| names.semaphores.poll_creation(name, seat, cx)),
            Object::SharedMemory(name) => parse_shared_memory_name(name)
                .map(|name| names.shared_memory.poll_creation(name, seat, cx)),
            Object::SystemVMessageQueue(key) => {
                Ok(names.message_queues_v.poll_creation(*key, seat, cx))
            }
            Object::SystemVSemaphoreSet(key) => {
                Ok(names.semaphore_sets.poll_creation(*key, seat, cx))
            }
            Object::SystemVSegment(key) => Ok(names.segments.poll_creation(*key, seat, cx)),
        };
        answer.unwrap_or_else(|errno| Poll::Ready(Err(errno)))
    }
}

impl Waitable for Creation {
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let poll = self.poll(seat, cx);
        // Looked at after the line was joined: who ended before it is seen here, who ends later
        // wakes the line.
        if poll.is_pending() && self.owner.has_ended() {
            if let Some(ticket) = seat.take() {
                self.leave(what, ticket);
            }
            return Poll::Ready(Err(Errno::BadDescriptor));
        }
        poll
    }

    fn leave(&self, _what: What, ticket: Ticket) {
        let names = &*self.namespace;
        match self.object {
            Object::MessageQueue(_) => names.message_queues.leave_arrivals(ticket),
            Object::Semaphore(_) => names.semaphores.leave_arrivals(ticket),
            Object::SharedMemory(_) => names.shared_memory.leave_arrivals(ticket),
            Object::SystemVMessageQueue(_) => names.message_queues_v.leave_arrivals(ticket),
            Object::SystemVSemaphoreSet(_) => names.semaphore_sets.leave_arrivals(ticket),
            Object::SystemVSegment(_) => names.segments.leave_arrivals(ticket),
        }
    }
}
