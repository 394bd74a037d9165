//! The way back to UDP clients outside the pod: what a publication of a UDP port has in the pod.
//!
//! A socket of a pod that sends to a foreign address finds here whether that is a client that has sent to this very socket
//! lately. If so, the datagram waits in a bounded queue for the publication, which knows the real address; if not, there is
//! no route. A publication of a service has one of these for all of its pods.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::queue::Queue;
use crate::limits::MAX_BUFFER_BYTES;
use crate::lock::lock;
use crate::wakers::Wakers;

/// A published UDP port, seen from inside.
#[derive(Debug)]
pub(crate) struct ExternalPort {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Each client, and the address of the pod that it has sent to.
    clients: HashMap<SocketAddr, SocketAddr>,
    outgoing: Queue,
    wakers: Wakers,
}

impl ExternalPort {
    pub(crate) fn new() -> Self {
        let state = State {
            clients: HashMap::new(),
            outgoing: Queue::new(MAX_BUFFER_BYTES),
            wakers: Wakers::default(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Opens the way from `at`, an address of a pod, to a client, under the address by which the pod knows it.
    pub(crate) fn add_client(&self, client: SocketAddr, at: SocketAddr) {
        lock(&self.state).clients.insert(client, at);
    }

    pub(crate) fn remove_client(&self, client: SocketAddr) {
        lock(&self.state).clients.remove(&client);
    }

    /// Takes a datagram from the pod's address `from` if its client is known here.
    pub(super) fn send(&self, from: SocketAddr, data: &Bytes, to: SocketAddr) -> bool {
        let mut state = lock(&self.state);
        if state.clients.get(&to) != Some(&from) {
            return false;
        }
        state.outgoing.push(data.clone(), to);
        let wakers = state.wakers.take();
        drop(state);
        wakers.wake();
        true
    }

    /// The next datagram for a client.
    pub(crate) fn poll_outgoing(&self, cx: &Context<'_>) -> Poll<(Bytes, SocketAddr)> {
        let mut state = lock(&self.state);
        match state.outgoing.pop() {
            Some(datagram) => Poll::Ready(datagram),
            None => {
                state.wakers.register(cx.waker());
                Poll::Pending
            }
        }
    }
}
