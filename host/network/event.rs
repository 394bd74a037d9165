//! What a pod's network has to tell its pod: faults that a user should read as a Kubernetes event.
//!
//! A bounded queue with one reader, the pod's driver. Traffic is not an event; see `counters`.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::counters::Protocol;
use crate::limits::MAX_PENDING_EVENTS;
use crate::lock::lock;
use crate::wakers::Wakers;

/// Something that happened between the containers of a pod. Its `Display` is the event's message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// A container bound an address that another container holds; it saw `EADDRINUSE`.
    PortInUse {
        /// Who asked.
        container: Arc<str>,
        /// For what.
        address: SocketAddr,
        /// TCP or UDP.
        protocol: Protocol,
        /// Who has it.
        held_by: Arc<str>,
    },
}

impl NetworkEvent {
    /// The event's reason, as in `kubectl get events`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } => "PortInUse",
        }
    }
}

impl fmt::Display for NetworkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse {
                container,
                address,
                protocol: Protocol::Tcp,
                held_by,
            } => {
                write!(
                    f,
                    "container {container:?}: bind {address}: address in use by container {held_by:?}"
                )
            }
            Self::PortInUse {
                container,
                address,
                protocol,
                held_by,
            } => {
                write!(
                    f,
                    "container {container:?}: bind {address} ({protocol}): address in use by container {held_by:?}"
                )
            }
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: Mutex<(VecDeque<NetworkEvent>, Wakers)>,
}

impl Events {
    /// Queues an event; at [`MAX_PENDING_EVENTS`] the oldest goes.
    pub(crate) fn push(&self, event: NetworkEvent) {
        let wakers = {
            let (queue, wakers) = &mut *lock(&self.queue);
            if queue.len() >= MAX_PENDING_EVENTS {
                queue.pop_front();
            }
            queue.push_back(event);
            wakers.take()
        };
        wakers.wake();
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<NetworkEvent> {
        let (queue, wakers) = &mut *lock(&self.queue);
        match queue.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                wakers.register(cx.waker());
                Poll::Pending
            }
        }
    }
}
