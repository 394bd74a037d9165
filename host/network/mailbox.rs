//! A bounded queue to the pod's own task: what guests ask for that takes the host some time, and connections that others
//! have accepted for the pod.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll};

use crate::lock::lock;
use crate::wakers::Wakers;

/// Things for one reader.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    limit: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    is_closed: bool,
    queue: VecDeque<T>,
    reader: Wakers,
}

impl<T> Mailbox<T> {
    /// One that holds so many.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::new(State {
                is_closed: false,
                queue: VecDeque::new(),
                reader: Wakers::default(),
            }),
        }
    }

    /// Gives it back when the pod has ended or as many wait already as may.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut state = lock(&self.state);
        if state.is_closed || state.queue.len() >= self.limit {
            return Err(item);
        }
        state.queue.push_back(item);
        let reader = state.reader.take();
        drop(state);
        reader.wake();
        Ok(())
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<T> {
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
