//! A connection between a client of the host and a pod: one task, which polls both directions.
//!
//! Backpressure is the absence of buffers: a direction reads only what the other side has room for. EOF on one side is a
//! half-close on the other; a reset on one side is a reset on the other, so a pod that refuses is seen as closed at once.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream as HostStream;

use super::handover::Handover;
use super::{Counters, ProxyProtocol, count};
use crate::Errno;
use crate::limits::{
    PUBLISH_READ_BYTES, PUBLISH_TRANSFERS_PER_TURN, PUBLISH_WRITE_BYTES, PUBLISH_WRITE_SLICES,
};
use crate::pod::PodNetwork;
use crate::tcp::{Shutdown, TcpStream};

/// A connection that another thread has accepted for this pod.
pub(crate) async fn carry_handed(handed: Handover, pod: PodNetwork) {
    let Handover {
        stream,
        client,
        port,
        counters,
        proxy,
        mut permission,
    } = handed;
    // An error means that this thread's event loop takes no more: the client sees a close.
    if let Ok(host) = HostStream::from_std(stream) {
        let carrying = carry(host, client, (pod, port), proxy, counters);
        tokio::select! {
            () = carrying => {}
            // Nothing is ever sent: it is closed with the publication, and what is carried is reset by its drop.
            _ = permission.changed() => {}
        }
    }
}

/// One connection from its accept to its end.
pub(super) async fn carry(
    host: HostStream,
    client: SocketAddr,
    (pod, port): (PodNetwork, u16),
    proxy: Option<ProxyProtocol>,
    counters: Arc<Counters>,
) {
    // Small answers must not wait for acknowledgements; a failure costs only latency.
    let _ = host.set_nodelay(true);
    let host = Outside {
        stream: host,
        has_ended: false,
    };
    let Ok(inside) = pod.dial_for(client, port).await else {
        counters.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    if let (Some(proxy), Ok(at)) = (proxy, host.stream.local_addr()) {
        // It fits into an empty buffer; a pod that is gone already is found out below.
        let _ = inside.write_all(proxy.header(client, at)).await;
    }
    counters.connections.fetch_add(1, Ordering::Relaxed);
    pipe(host, inside, counters).await;
}

/// Carries between the host and the pod until both directions have ended.
pub(crate) async fn join(host: HostStream, inside: TcpStream) {
    let host = Outside {
        stream: host,
        has_ended: false,
    };
    pipe(host, inside, Arc::default()).await;
}

async fn pipe(host: Outside, inside: TcpStream, counters: Arc<Counters>) {
    let mut pipes = Pipes {
        host,
        inside,
        counters,
        upstream: Upstream::default(),
        downstream: Downstream::default(),
    };
    // The host's error or the pod's: both sides learn of it as a reset.
    pipes.host.has_ended = poll_fn(|cx| pipes.poll(cx)).await.is_ok();
}

/// Makes the drop of a host connection a reset. If the host refuses, it is an ordinary close.
pub(super) fn reset(host: &HostStream) {
    let _ = host.set_zero_linger();
}

/// The client's end. Unless it has ended in order, its drop is a reset: for an error, for the end of the pod, for that of
/// the publication.
struct Outside {
    stream: HostStream,
    has_ended: bool,
}

impl Drop for Outside {
    fn drop(&mut self) {
        if !self.has_ended {
            reset(&self.stream);
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        if !self.host.has_ended {
            self.inside.abort();
        }
    }
}

/// The two directions of a connection.
struct Pipes {
    host: Outside,
    inside: TcpStream,
    counters: Arc<Counters>,
    upstream: Upstream,
    downstream: Downstream,
}

/// From the host into the pod.
#[derive(Default)]
struct Upstream {
    ended: bool,
    buffer: BytesMut,
    read_bytes: usize,
}

/// From the pod to the host.
#[derive(Default)]
struct Downstream {
    ended: bool,
    inside_ended: bool,
    /// The pod's end was reset: to be passed on after what it had sent.
    reset: bool,
    waiting: VecDeque<Bytes>,
}

/// One direction is broken: the connection ends with a reset.
struct Broken;

/// What one transfer of a direction came to.
enum Step {
    /// It did something and may have more to do.
    Moved,
    /// Nothing to do now; the task will be woken.
    Waiting,
    /// The direction has ended in order.
    Ended,
}

impl Pipes {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut more = false;
        if !self.upstream.ended {
            match turn(|| self.poll_upstream(cx)) {
                Err(broken) => return Poll::Ready(Err(broken)),
                Ok(Step::Ended) => self.upstream.ended = true,
                Ok(Step::Moved) => more = true,
                Ok(Step::Waiting) => {}
            }
        }
        if !self.downstream.ended {
            match turn(|| self.poll_downstream(cx)) {
                Err(broken) => return Poll::Ready(Err(broken)),
                Ok(Step::Ended) => self.downstream.ended = true,
                Ok(Step::Moved) => more = true,
                Ok(Step::Waiting) => {}
            }
        }
        if self.upstream.ended && self.downstream.ended {
            return Poll::Ready(Ok(()));
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// One read of the host's data, at most as much as the pod's socket has room for.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        // Also when there is nothing to write: a pod that has closed wants no more, and the host should learn it.
        if self.inside.poll_write_closed(cx).is_ready() {
            // Told once: the other direction still has to give the host what the pod sent before the reset.
            self.downstream.reset |= self.inside.write_capacity() == Err(Errno::ConnReset);
            // Unread data of the client, now or later, makes the kernel answer it with a reset.
            return Ok(Step::Ended);
        }
        if self.inside.poll_write_ready(cx).is_pending() {
            return Ok(Step::Waiting);
        }
        let Ok(room) = self.inside.write_capacity() else {
            return Err(Broken);
        };
        if room == 0 {
            return Ok(Step::Moved);
        }
        match self.host.stream.poll_read_ready(cx) {
            Poll::Pending => {
                // An idle connection holds no buffer.
                self.upstream.buffer = BytesMut::new();
                return Ok(Step::Waiting);
            }
            Poll::Ready(Err(_)) => return Err(Broken),
            Poll::Ready(Ok(())) => {}
        }
        let wish = self.upstream.next_read_bytes().min(room);
        match self.upstream.read(&mut self.host.stream, wish, cx) {
            Poll::Pending => Ok(Step::Waiting),
            Poll::Ready(Err(_)) => Err(Broken),
            Poll::Ready(Ok(data)) if data.is_empty() => {
                // A refusal means that the pod has closed, which the other direction finds.
                let _ = self.inside.shutdown(Shutdown::Send);
                Ok(Step::Ended)
            }
            Poll::Ready(Ok(mut data)) => {
                count(&self.counters.to_pod_bytes, data.len());
                let taken = self.inside.try_write(&mut data);
                if taken.is_ok() && data.is_empty() {
                    Ok(Step::Moved)
                } else {
                    Err(Broken)
                }
            }
        }
    }

    /// One write of the pod's data to the host.
    fn poll_downstream(&mut self, cx: &mut Context<'_>) -> Result<Step, Broken> {
        self.downstream.fill(&self.inside);
        let waiting = &mut self.downstream.waiting;
        if waiting.is_empty() {
            if self.downstream.inside_ended {
                if self.downstream.reset {
                    return Err(Broken);
                }
                return match Pin::new(&mut self.host.stream).poll_shutdown(cx) {
                    Poll::Pending => Ok(Step::Waiting),
                    Poll::Ready(Ok(())) => Ok(Step::Ended),
                    Poll::Ready(Err(_)) => Err(Broken),
                };
            }
            return Ok(if self.inside.poll_read_ready(cx).is_ready() {
                Step::Moved
            } else {
                Step::Waiting
            });
        }
        match self.host.stream.poll_write_ready(cx) {
            Poll::Pending => return Ok(Step::Waiting),
            Poll::Ready(Err(_)) => return Err(Broken),
            Poll::Ready(Ok(())) => {}
        }
        let written = {
            let mut slices = [IoSlice::new(&[]); PUBLISH_WRITE_SLICES];
            let mut used = 0;
            for (slice, chunk) in slices.iter_mut().zip(waiting.iter()) {
                *slice = IoSlice::new(chunk);
                used += 1;
            }
            self.host
                .stream
                .try_write_vectored(slices.get(..used).unwrap_or(&[]))
        };
        match written {
            Ok(written) => {
                count(&self.counters.from_pod_bytes, written);
                self.downstream.advance(written);
                Ok(Step::Moved)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::Moved),
            Err(_) => Err(Broken),
        }
    }
}

/// Repeats a transfer until it waits, ends, or has had its turn.
fn turn(mut step: impl FnMut() -> Result<Step, Broken>) -> Result<Step, Broken> {
    for _ in 0..PUBLISH_TRANSFERS_PER_TURN {
        match step()? {
            Step::Moved => {}
            other => return Ok(other),
        }
    }
    Ok(Step::Moved)
}

impl Upstream {
    fn next_read_bytes(&self) -> usize {
        self.read_bytes
            .clamp(*PUBLISH_READ_BYTES.start(), *PUBLISH_READ_BYTES.end())
    }

    /// Reads at most `wish` bytes; none is EOF. What fills little of the buffer is copied out of it, so that no queue of the
    /// pod holds a large buffer for a few bytes.
    fn read(
        &mut self,
        host: &mut HostStream,
        wish: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        self.buffer.clear();
        self.buffer.reserve(wish);
        let read = {
            let mut limited = (&mut self.buffer).limit(wish);
            // Polled once: this future holds nothing that is lost when it is dropped.
            ready!(pin!(host.read_buf(&mut limited)).poll(cx))?
        };
        self.adapt(read, wish);
        if read < wish / 4 {
            return Poll::Ready(Ok(Bytes::copy_from_slice(&self.buffer)));
        }
        Poll::Ready(Ok(self.buffer.split().freeze()))
    }

    /// Doubles the next read after a full one, halves it after one that was nearly empty.
    fn adapt(&mut self, read: usize, wish: usize) {
        let now = self.next_read_bytes();
        self.read_bytes = match read {
            _ if read == wish => now.saturating_mul(2),
            _ if read < now / 4 => now / 2,
            _ => now,
        };
    }
}

impl Downstream {
    /// Takes what the pod has, up to [`PUBLISH_WRITE_BYTES`] and one vectored write.
    fn fill(&mut self, inside: &TcpStream) {
        let mut bytes: usize = self.waiting.iter().map(Bytes::len).sum();
        while !self.inside_ended
            && bytes < PUBLISH_WRITE_BYTES
            && self.waiting.len() < PUBLISH_WRITE_SLICES
        {
            match inside.try_read(PUBLISH_WRITE_BYTES.saturating_sub(bytes)) {
                Ok(data) if data.is_empty() => self.inside_ended = true,
                Ok(data) => {
                    bytes = bytes.saturating_add(data.len());
                    self.waiting.push_back(data);
                }
                Err(Errno::Again) => break,
                Err(_) => {
                    self.inside_ended = true;
                    self.reset = true;
                }
            }
        }
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.waiting.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written = written.saturating_sub(first.len());
            self.waiting.pop_front();
        }
    }
}
