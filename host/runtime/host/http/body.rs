//! The body of a response, as the guest reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

use super::Outcome;

/// The body of a response, of which each piece must come in time.
pub(super) struct Timed {
    body: Incoming,
    limit: Duration,
    /// Armed when the guest first has to wait.
    until: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Timed {
    pub(super) const fn new(body: Incoming, limit: Duration) -> Self {
        Self {
            body,
            limit,
            until: None,
            is_waiting: false,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Outcome<Frame<Bytes>>>> {
        loop {
            if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
                self.is_waiting = false;
                return match frame {
                    // The engine takes an empty piece for a stream that is never ready.
                    Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => continue,
                    frame => Poll::Ready(frame.map(|frame| frame.map_err(Error::from))),
                };
            }
            // A time that cannot be told never comes.
            let Some(at) = Instant::now().checked_add(self.limit) else {
                return Poll::Pending;
            };
            let is_waiting = std::mem::replace(&mut self.is_waiting, true);
            let until = match &mut self.until {
                Some(until) => {
                    if !is_waiting {
                        until.as_mut().reset(at);
                    }
                    until
                }
                none @ None => none.insert(Box::pin(tokio::time::sleep_until(at))),
            };
            ready!(until.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
