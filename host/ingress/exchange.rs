//! A request and its answer over a connection to a pod.
//!
//! HTTP/1.1 or HTTP/2, as `spoken` says. Each connection has one request. The bodies go on in a task of
//! the client's connection, which ends when they are complete or the request's way is lost.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep_until};
use wasmpod_network::TcpStream;

use crate::limits::{
    ANSWER_TIMEOUT, CONNECTION_WINDOW_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, STREAM_WINDOW_BYTES,
};
use crate::proxy::{NO_ANSWER, NO_HTTP, Refusal, Way};
use crate::spoken::Line;
use crate::tasks::Tasks;

/// Where a request goes.
pub(crate) struct Exchange<'a> {
    pub(crate) way: &'a Way,
    pub(crate) line: Box<dyn Line>,
    /// What the line leads over, to reset it.
    pub(crate) stream: TcpStream,
    /// Those of the client's connection.
    pub(crate) tasks: &'a Tasks,
}

impl Exchange<'_> {
    /// Sends the request over HTTP/1.1 and waits for the head of the answer.
    pub(crate) async fn http1(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Refusal> {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(self.line))
            .await
            .map_err(|_| NO_HTTP)?;
        carry(self.way, self.stream, self.tasks, async move {
            drop(connection.with_upgrades().await)
        });
        answered(request, |request| sender.send_request(request)).await
    }

    /// The same over HTTP/2, without asking whether the pod speaks it.
    pub(crate) async fn http2(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Refusal> {
        let own = Tasks::default();
        let ending = own.ending();
        let (mut sender, connection) = http2::Builder::new(own.clone())
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(TokioIo::new(self.line))
            .await
            .map_err(|_| NO_HTTP)?;
        carry(self.way, self.stream, self.tasks, async move {
            let _ending = ending;
            // It is over when no further request can come; the streams that there are go on in its tasks.
            drop(connection.await);
            own.join().await;
        });
        answered(request, |request| sender.send_request(request)).await
    }
}

/// Lets a connection move its bodies as long as its request may come in. What goes wrong is told to who waits for the
/// answer or its body.
fn carry(
    way: &Way,
    stream: TcpStream,
    tasks: &Tasks,
    connection: impl Future<Output = ()> + Send + 'static,
) {
    let way = way.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = connection => {}
            () = way.lost() => stream.abort(),
        }
    });
}

/// The head of the answer to a request, in its time.
async fn answered<F>(
    request: Request<Incoming>,
    send: impl FnOnce(Request<Upload>) -> F,
) -> Result<Response<Incoming>, Refusal>
where
    F: Future<Output = hyper::Result<Response<Incoming>>>,
{
    let sent = Sent::default();
    let request = request.map(|body| Upload {
        body,
        sent: sent.clone(),
    });
    tokio::select! {
        answer = send(request) => answer.map_err(|_| NO_HTTP),
        () = sent.is_long_ago() => Err(NO_ANSWER),
    }
}

/// When something of a request was given to the pod last.
#[derive(Clone, Debug)]
struct Sent(Arc<Mutex<Instant>>);

impl Default for Sent {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Sent {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until it is [`ANSWER_TIMEOUT`] ago.
    async fn is_long_ago(&self) {
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let end = last + ANSWER_TIMEOUT;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// The body of a request on its way.
struct Upload {
    body: Incoming,
    sent: Sent,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.sent.note();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
