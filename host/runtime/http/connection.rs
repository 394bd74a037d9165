//! One connection of a client: HTTP/1.1 with keep-alive, or HTTP/2 that is known beforehand (h2c, RFC 9113 3.3).
//!
//! hyper speaks the protocols; here is decided how long a connection lives. It is closed when it was without a request
//! for `idle-timeout`, when the head of a request takes longer than `header-timeout`, and after its last answer when the
//! server drains. What a slow client has not read waits in the connection's bounded buffers and makes the guest wait; the
//! request's own clock (`super::body::Progress`) ends that.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use wasmpod_network::{EventLoop, TcpStream};
use wasmpod_sandbox::HttpSettings;

use super::{Phase, Shared, exchange, killed};

/// Bytes that the head of a request may have, and that are read ahead of a body; a larger head is answered with 431. Go
/// allows a megabyte, nginx 32 KiB, Node.js 16 KiB.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// [`MAX_HEAD_BYTES`] in the type that HTTP/2 has for it.
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;

/// Requests that a client of HTTP/2 may have in one connection at a time: what RFC 9113 (6.5.2) recommends at least.
const MAX_STREAMS: u32 = 100;

/// Bytes of a request's body that a client of HTTP/2 may send ahead, RFC 9113's initial value (6.9.2).
const STREAM_WINDOW_BYTES: u32 = 65_535;

/// The same for all requests of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes of answers that wait for a client of HTTP/2, for each request.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How a client of HTTP/2 begins.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Serves a connection to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
    stream: TcpStream,
    event_loop: Option<EventLoop>,
) {
    let local = stream.local_addr();
    let activity = Arc::new(Activity::new(event_loop));
    let io = TokioIo::new(Watched {
        stream,
        activity: Arc::clone(&activity),
    });
    let service = {
        let (shared, activity) = (Arc::clone(&shared), Arc::clone(&activity));
        service_fn(move |request| {
            let in_request = InRequest::new(&activity);
            exchange::answer(Arc::clone(&shared), request, local, in_request)
        })
    };
    let builder = builder(&shared);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut idle = Idle::new(&activity, &shared.settings);
    let mut is_draining = false;
    loop {
        tokio::select! {
            biased;
            // How it ended is the client's affair.
            _ = poll_fn(|cx| { activity.begin_turn(); connection.as_mut().poll(cx) }) => return,
            () = idle.over() => {
                if is_draining || !activity.is_http2() {
                    return;
                }
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                if changed.is_err() || now == Phase::Killed {
                    return;
                }
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(shared: &Arc<Shared>) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams(Arc::clone(shared)));
    builder
        .http1()
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    builder
}

/// Runs the requests of an HTTP/2 connection, each as a task of the pod.
#[derive(Clone)]
struct Streams(Arc<Shared>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let mut phase = self.0.phase.subscribe();
        // One that the pod has no task for is reset.
        drop(self.0.tasks.spawn_here(async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = killed(&mut phase) => {}
            }
        }));
    }
}

/// What a connection is doing.
pub(super) struct Activity {
    doing: Mutex<Doing>,
    /// Where it is served, if that was a choice.
    event_loop: Option<EventLoop>,
}

struct Doing {
    requests: usize,
    /// Since when it is without a request, or reading the head of one.
    since: Instant,
    /// The head of a request has begun.
    in_head: bool,
    has_begun: bool,
    is_http2: bool,
    /// No request has begun in this turn of the connection's task.
    may_begin_here: bool,
}

impl Activity {
    fn new(event_loop: Option<EventLoop>) -> Self {
        let doing = Doing {
            requests: 0,
            since: Instant::now(),
            in_head: false,
            has_begun: false,
            is_http2: false,
            may_begin_here: false,
        };
        Self {
            doing: Mutex::new(doing),
            event_loop,
        }
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_http2(&self) -> bool {
        self.doing().is_http2
    }

    /// The connection's task has a turn. One guest may have it, as long as a guest may keep its worker; those of further
    /// requests that have come at once have turns of their own, so that nobody else waits for all of them.
    fn begin_turn(&self) {
        self.doing().may_begin_here = true;
    }

    /// The client has sent this.
    fn received(&self, bytes: &[u8]) {
        let mut doing = self.doing();
        if !doing.has_begun {
            doing.has_begun = true;
            doing.is_http2 = bytes.starts_with(HTTP2_PREFACE);
        }
        // What comes between the requests of HTTP/2 need not be the head of one.
        if doing.requests == 0 && !doing.in_head && !doing.is_http2 {
            doing.in_head = true;
            doing.since = Instant::now();
        }
    }

    /// When the connection is to be closed if nothing happens; `None`: not as long as there is a request.
    fn due(&self, settings: &HttpSettings) -> Option<Instant> {
        let doing = self.doing();
        let limit = if doing.in_head {
            settings.header_timeout
        } else {
            settings.idle_timeout
        };
        (doing.requests == 0).then(|| doing.since + limit)
    }
}

/// A request of a connection, until its answer has gone.
pub(super) struct InRequest {
    activity: Arc<Activity>,
    may_begin_here: bool,
}

impl InRequest {
    fn new(activity: &Arc<Activity>) -> Self {
        let mut doing = activity.doing();
        doing.requests = doing.requests.saturating_add(1);
        doing.in_head = false;
        let may_begin_here = std::mem::replace(&mut doing.may_begin_here, false);
        drop(doing);
        Self {
            activity: Arc::clone(activity),
            may_begin_here,
        }
    }

    /// Whether its guest may begin on the task of the connection.
    pub(super) const fn may_begin_here(&self) -> bool {
        self.may_begin_here
    }

    /// Whether the connection should end, because it is served where another pod lives by now. The client's next one is
    /// served elsewhere.
    pub(super) fn is_in_the_way(&self) -> bool {
        let event_loop = self.activity.event_loop.as_ref();
        event_loop.is_some_and(|event_loop| !event_loop.is_free())
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        let mut doing = self.activity.doing();
        doing.requests = doing.requests.saturating_sub(1);
        doing.since = Instant::now();
    }
}

/// Waits until a connection is to be closed. The timer is set when it fires, and when it would fire too late, so that
/// requests that come one after the other leave it alone.
struct Idle<'a> {
    activity: &'a Activity,
    settings: &'a HttpSettings,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Idle<'a> {
    fn new(activity: &'a Activity, settings: &'a HttpSettings) -> Self {
        Self {
            activity,
            settings,
            timer: Box::pin(tokio::time::sleep(settings.idle_timeout)),
        }
    }

    async fn over(&mut self) {
        poll_fn(|cx| self.poll_over(cx)).await;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.activity.due(self.settings);
            if due.is_some_and(|due| due < self.timer.deadline()) {
                self.reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
            let is_over = due.is_some_and(|due| due <= Instant::now());
            // While there is a request, it is looked again later.
            self.reset(if is_over { None } else { due });
            if is_over {
                return Poll::Ready(());
            }
        }
    }

    fn reset(&mut self, due: Option<Instant>) {
        let later = |limit: Duration| Instant::now() + limit;
        let due = due.unwrap_or_else(|| later(self.settings.idle_timeout));
        self.timer.as_mut().reset(due);
    }
}

/// A connection of which it is seen when the client sends something.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let received = buffer.filled().get(before..).unwrap_or_default();
        if !received.is_empty() {
            self.activity.received(received);
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
