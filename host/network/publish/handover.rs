//! The way of an accepted connection to the thread of the pod that gets it.
//!
//! A bounded queue with one reader, the pod's task. What is left in it when the pod ends is closed with it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::sync::watch;

use super::{Counters, ProxyProtocol};
use crate::limits::MAX_HANDED_OVER;
use crate::lock::lock;
use crate::wakers::Wakers;

/// An accepted connection, in no thread's event loop.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(super) stream: std::net::TcpStream,
    pub(super) client: SocketAddr,
    /// The pod's port.
    pub(super) port: u16,
    pub(super) counters: Arc<Counters>,
    pub(super) proxy: Option<ProxyProtocol>,
    /// Ends with the publication.
    pub(super) permission: watch::Receiver<()>,
}

/// The connections that wait for a pod.
#[derive(Debug, Default)]
pub(crate) struct Handovers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    queue: VecDeque<Handover>,
    reader: Wakers,
}

impl Handovers {
    /// Gives it back when the pod has ended or [`MAX_HANDED_OVER`] wait already.
    pub(super) fn push(&self, handover: Handover) -> Result<(), Handover> {
        let mut state = lock(&self.state);
        if state.is_closed || state.queue.len() >= MAX_HANDED_OVER {
            return Err(handover);
        }
        state.queue.push_back(handover);
        let reader = state.reader.take();
        drop(state);
        reader.wake();
        Ok(())
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Handover> {
        let mut state = lock(&self.state);
        match state.queue.pop_front() {
            Some(next) => Poll::Ready(next),
            None => {
                state.reader.register(cx.waker());
                Poll::Pending
            }
        }
    }

    pub(crate) fn close(&self) {
        let left = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            std::mem::take(&mut state.queue)
        };
        drop(left);
    }
}
