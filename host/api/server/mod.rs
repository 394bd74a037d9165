//! The server: HTTP/1.1 on a socket of this machine.
//!
//! [`serve`] is one future; whoever runs it gives it a thread of its own, so that no client, slow or busy, takes time
//! from a pod. Its connections are tasks of it and end with it. An answer that goes on is a stream that is asked when
//! its client has taken what there was: nothing is kept for a slow client but the one buffer that it has.
//!
//! * `listener`, `door`: the sockets, who may connect, and who may ask
//! * `handle`: one request: route, form, verb
//! * `discovery`, `openapi`, `read`, `watch`, `write`, `delete`, `log`, `log_socket`,
//!   `exec`, `ipc`, `net`, `capture`, `metrics`: the verbs
//! * `route`, `query`, `accept`, `selection`, `input`: what a request says
//! * `shape`, `body`, `error`: what an answer looks like
//! * `websocket`: the handshake of `exec`, `attach` and logs
//! * `pages`: lists that are read page by page
//! * `limits`: how much one server takes on

mod accept;
mod body;
mod capture;
mod delete;
mod discovery;
mod door;
mod error;
mod exec;
mod handle;
mod input;
mod ipc;
pub mod limits;
mod listener;
mod log;
mod log_socket;
mod metrics;
mod net;
mod of_pod;
mod openapi;
mod pages;
mod query;
mod read;
mod route;
mod selection;
mod shape;
#[cfg(test)]
mod tests;
mod watch;
mod websocket;
mod write;

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use wasmpod_node::Agent;

use crate::Status;
use door::Door;
use limits::{
    CLOSING_TIME, HEAD_TIMEOUT, MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS, MAX_LONG_REQUESTS,
};
use listener::{Accepted, Accepting};
pub use listener::{ListenError, Listener};

/// What all requests share.
#[derive(Debug)]
struct Context {
    agent: Arc<Agent>,
    pages: pages::Pages,
    metrics: metrics::Metrics,
    long_requests: Arc<Semaphore>,
    /// Becomes true when the server ends.
    closing: tokio::sync::watch::Receiver<bool>,
}

impl Context {
    /// The right to answer a request that goes on.
    fn long_request(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = Arc::clone(&self.long_requests).try_acquire_owned();
        permit.map_err(|_| error::too_many_requests())
    }
}

/// What a connection does after it has become something else than HTTP.
#[derive(Clone, Default)]
struct AfterUpgrade(Arc<Mutex<Option<BoxFuture>>>);

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl AfterUpgrade {
    fn set(&self, what: BoxFuture) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    fn take(&self) -> Option<BoxFuture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How long the server waits when it cannot accept: the process has no more file descriptors, which will pass.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What one gets who connects when there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 133\r\n\r\n\
    {\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"too many connections\",\"reason\":\
    \"TooManyRequests\",\"code\":429,\"metadata\":{}}";

/// Serves the agent's objects on every listener until `shutdown` is ready; then requests that go on are ended, and this returns within
/// [`CLOSING_TIME`]. Needs a tokio runtime with I/O and time.
///
/// # Errors
///
/// When a listener cannot be used.
pub async fn serve(
    agent: Arc<Agent>,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let doors: Vec<_> = listeners
        .iter()
        .map(|listener| Ok((listener.start()?, Door::of(listener.address()))))
        .collect::<io::Result<_>>()?;
    let (close, closing) = tokio::sync::watch::channel(false);
    let context = Arc::new(Context {
        agent,
        pages: pages::Pages::default(),
        metrics: metrics::Metrics::default(),
        long_requests: Arc::new(Semaphore::new(MAX_LONG_REQUESTS)),
        closing,
    });
    let mut connections = JoinSet::new();
    let mut ticks = interval(metrics::PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            _ = ticks.tick() => context.metrics.note(&context.agent),
            (accepted, door) = any(&doors) => {
                let context = Arc::clone(&context);
                let has_room = connections.len() < MAX_CONNECTIONS;
                match accepted {
                    #[cfg(unix)]
                    Ok(Accepted::Unix(stream)) if has_room => drop(connections.spawn(connection(context, door, stream))),
                    #[cfg(unix)]
                    Ok(Accepted::Unix(stream)) => refuse(stream),
                    Ok(Accepted::Tcp(stream)) if has_room => {
                        // Answers are written whole: waiting for more only costs time.
                        drop(stream.set_nodelay(true));
                        drop(connections.spawn(connection(context, door, stream)));
                    }
                    Ok(Accepted::Tcp(stream)) => refuse(stream),
                    Err(_) => sleep(ACCEPT_RETRY).await,
                }
            }
        }
    }
    drop(listeners);
    close.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    drop(timeout(CLOSING_TIME, ended).await);
    Ok(())
}

/// The next connection of any listener, and the door that it is at.
async fn any(doors: &[(Accepting, Door)]) -> (io::Result<Accepted>, Door) {
    let all = doors
        .iter()
        .map(|(accepting, door)| Box::pin(async move { (accepting.accept().await, door.clone()) }));
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return std::future::pending().await;
    }
    // Not to have accepted loses nothing.
    futures_util::future::select_all(all).await.0
}

/// Says that there is no room, to one who has not even asked. The text fits into every socket's buffer.
fn refuse(mut stream: impl AsyncWrite + Unpin) {
    use futures_util::FutureExt;
    drop(stream.write_all(NO_ROOM).now_or_never());
}

/// Ready when the server ends.
async fn closed(mut closing: tokio::sync::watch::Receiver<bool>) {
    // An error means that the server is gone already.
    drop(closing.wait_for(|closing| *closing).await);
}

/// One connection, from its first request to its end, and what it becomes.
async fn connection(
    context: Arc<Context>,
    door: Door,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) {
    let after = AfterUpgrade::default();
    let closing = context.closing.clone();
    {
        let service = service_fn(|request| {
            let (context, door, after) = (Arc::clone(&context), door.clone(), after.clone());
            async move { Ok::<_, Infallible>(handle::handle(&context, &door, request, &after).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut served = pin!(served);
        // What goes wrong on a connection is the client's affair.
        tokio::select! {
            _ = served.as_mut() => {}
            () = closed(closing.clone()) => {
                served.as_mut().graceful_shutdown();
                drop(served.await);
            }
        }
    }
    if let Some(session) = after.take() {
        tokio::select! {
            () = session => {}
            () = closed(closing) => {}
        }
    }
}
