//! Standard input, output and error, as WASI's streams on the sandbox's.
//!
//! A log is always ready: a write is done when the call returns, and how much one call takes is bounded, so that a guest
//! that prints without end yields to its neighbours between its calls. A client's pipe makes the guest wait while its
//! reader is slow; a reader that is gone closes the stream (`EPIPE`). Readiness is exact, because guests rely on it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmpod_sandbox::stdio::Closed;
use wasmpod_sandbox::{GuestInput, GuestOutput};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// The most that one read gives, in bytes: it bounds what the host allocates for a call.
const MAX_READ_BYTES: usize = 64 * 1024;

/// A container's input.
#[derive(Clone, Debug)]
pub(super) struct Stdin(pub(super) GuestInput);

impl Stdin {
    /// `Ready` with no bytes is the end.
    fn try_read(&self, max: usize) -> Poll<Bytes> {
        match &self.0 {
            GuestInput::Empty => Poll::Ready(Bytes::new()),
            GuestInput::Pipe(reader) => reader.try_read(max.min(MAX_READ_BYTES)),
        }
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            GuestInput::Empty => Poll::Ready(()),
            GuestInput::Pipe(reader) => reader.poll_ready(cx),
        }
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        matches!(&self.0, GuestInput::Pipe(reader) if reader.is_terminal())
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        match self.try_read(size) {
            // A terminal's end passes: the guest may ask again.
            Poll::Ready(bytes) if bytes.is_empty() => Err(StreamError::Closed),
            Poll::Ready(bytes) => Ok(bytes),
            Poll::Pending => Ok(Bytes::new()),
        }
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.poll_ready(cx));
            if let Poll::Ready(bytes) = self.try_read(buffer.remaining()) {
                buffer.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// How a guest learns that its reader is gone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Farewell {
    /// A component: its stream is closed, which C libraries call `EPIPE`.
    Closed,
    /// A core module: the engine translates a closed stream to `EIO`, but this error to `EPIPE`.
    BrokenPipe,
}

impl Farewell {
    fn error(self) -> StreamError {
        match self {
            Self::Closed => StreamError::Closed,
            Self::BrokenPipe => StreamError::LastOperationFailed(broken_pipe().into()),
        }
    }
}

/// One of a container's two outputs.
#[derive(Clone, Debug)]
pub(super) struct Stdout(pub(super) GuestOutput, pub(super) Farewell);

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Stream {
            output: self.0.clone(),
            farewell: self.1,
            unsent: Bytes::new(),
        })
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.try_write(bytes) {
                Ok(0) if !bytes.is_empty() => ready!(self.0.poll_ready(cx)),
                result => return Poll::Ready(result.map_err(|Closed| broken_pipe())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `EPIPE`, as the system says it: the engine looks at the number.
fn broken_pipe() -> io::Error {
    #[cfg(unix)]
    let error = rustix::io::Errno::PIPE.into();
    #[cfg(not(unix))]
    let error = io::ErrorKind::BrokenPipe.into();
    error
}

/// A guest's handle of one of its outputs.
///
/// `check-write` promises room that `write` then uses; another handle of the same pipe may take it meanwhile. What then
/// does not fit waits in `unsent`, and no more is promised.
struct Stream {
    output: GuestOutput,
    farewell: Farewell,
    unsent: Bytes,
}

impl Stream {
    /// Sends what fits of `unsent`.
    fn send(&mut self) -> StreamResult<()> {
        while !self.unsent.is_empty() {
            match self.output.try_write(&self.unsent) {
                Ok(0) => break,
                Ok(taken) => self.unsent.advance(taken),
                Err(Closed) => {
                    self.unsent = Bytes::new();
                    return Err(self.farewell.error());
                }
            }
        }
        Ok(())
    }

    /// Waits until nothing is left over.
    async fn sent(&mut self) -> StreamResult<()> {
        loop {
            self.send()?;
            if self.unsent.is_empty() {
                return Ok(());
            }
            poll_fn(|cx| self.output.poll_ready(cx)).await;
        }
    }
}

#[async_trait]
impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if !self.unsent.is_empty() {
            return Err(StreamError::trap("write beyond what check-write permitted"));
        }
        self.unsent = bytes;
        self.send()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.send()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.send()?;
        if self.unsent.is_empty() {
            self.output
                .capacity()
                .map_err(|Closed| self.farewell.error())
        } else {
            Ok(0)
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.sent().await?;
        self.unsent = bytes;
        self.sent().await
    }

    /// The guest drops the stream: what it was told is written must still go out.
    async fn cancel(&mut self) {
        // A reader that is gone has nobody to tell.
        drop(self.sent().await);
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        while self.sent().await.is_ok() {
            poll_fn(|cx| self.output.poll_ready(cx)).await;
            if self.output.capacity() != Ok(0) {
                return;
            }
        }
    }
}
