//! Bodies on their way, and the clock that they set back: a request makes progress with each piece of a body.
//!
//! Both directions have back-pressure: a piece is taken when the other side has asked for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::connection::InRequest;

/// When a request last got on, and whether its guest failed.
pub(super) struct Progress {
    last: Mutex<Instant>,
    has_failed: AtomicBool,
}

impl Progress {
    /// Of a request that has just come.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            last: Mutex::new(Instant::now()),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Something of the request has moved.
    pub(super) fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The guest is gone before it was done: what it has not sent of its answer will never come.
    pub(super) fn fail(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Resolves when nothing has moved for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(until) = last.checked_add(limit) else {
                return std::future::pending().await;
            };
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// The body that a client sends.
pub(super) struct RequestBody {
    pub(super) body: Incoming,
    pub(super) progress: Arc<Progress>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            self.progress.touch();
            match frame {
                // The engine takes an empty piece for a stream that is never ready.
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                frame => return Poll::Ready(frame.map(|frame| frame.map_err(Error::from))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body that a client gets.
pub(super) struct ResponseBody {
    content: Content,
    progress: Arc<Progress>,
    /// The request is over when its answer is.
    _request: InRequest,
}

enum Content {
    Guest(HyperOutgoingBody),
    Host(Full<Bytes>),
}

impl ResponseBody {
    /// What the guest sends.
    pub(super) const fn of_guest(
        body: HyperOutgoingBody,
        progress: Arc<Progress>,
        request: InRequest,
    ) -> Self {
        Self {
            content: Content::Guest(body),
            progress,
            _request: request,
        }
    }

    /// A text of this host.
    pub(super) fn of_host(text: String, progress: Arc<Progress>, request: InRequest) -> Self {
        Self {
            content: Content::Host(Full::new(text.into())),
            progress,
            _request: request,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let frame = match &mut this.content {
            Content::Guest(body) => ready!(Pin::new(body).poll_frame(cx)),
            Content::Host(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
            }
        };
        this.progress.touch();
        // The engine ends the body of a guest that is gone as if it were complete. A client must not take it for that.
        if frame.is_none() && this.progress.has_failed.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Guest(body) => body.is_end_stream(),
            Content::Host(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Guest(body) => body.size_hint(),
            Content::Host(body) => body.size_hint(),
        }
    }
}
