//! The two byte streams of a TCP connection.
//!
//! Bytes move by reference between the pipe and the call of the guest; the copies into and out of the guest's memory
//! are the engine's. Readiness is exact: `ready` returns only when the call that follows gets something, because guests
//! (and the engine, which gives up after ten) rely on it.

use std::future::poll_fn;

use bytes::Bytes;
use wasmpod_network::{Errno, TcpStream};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use super::error::of_stream;

/// The most that one call moves, in bytes: it bounds what the host allocates for a call. The size of the buffers that
/// WASI's C library uses; more waits for the next call.
const MAX_TRANSFER_BYTES: usize = 64 * 1024;

/// The receiving stream of a connection.
pub(super) struct Input {
    stream: TcpStream,
    is_closed: bool,
}

impl Input {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            is_closed: false,
        }
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        if size == 0 {
            return Ok(Bytes::new());
        }
        match self.stream.try_read(size.min(MAX_TRANSFER_BYTES)) {
            Ok(bytes) if bytes.is_empty() => {
                self.is_closed = true;
                Err(StreamError::Closed)
            }
            Ok(bytes) => Ok(bytes),
            Err(Errno::Again) => Ok(Bytes::new()),
            Err(errno) => {
                self.is_closed = true;
                Err(of_stream(errno))
            }
        }
    }
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        if !self.is_closed {
            poll_fn(|cx| self.stream.poll_read_ready(cx)).await;
        }
    }
}

/// The sending stream of a connection.
///
/// `check-write` promises room that `write` then uses. The room is this end's own, but the memory behind it belongs to
/// the pod and may be taken by others meanwhile: what then does not fit waits in `unsent`, and no more is promised.
pub(super) struct Output {
    stream: TcpStream,
    permit: usize,
    unsent: Bytes,
    is_closed: bool,
}

impl Output {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            permit: 0,
            unsent: Bytes::new(),
            is_closed: false,
        }
    }

    /// Sends what fits of `unsent`.
    fn send(&mut self) -> StreamResult<()> {
        while !self.unsent.is_empty() {
            match self.stream.try_write(&mut self.unsent) {
                Ok(_) => {}
                Err(Errno::Again) => break,
                Err(errno) => return Err(self.fail(errno)),
            }
        }
        Ok(())
    }

    fn fail(&mut self, errno: Errno) -> StreamError {
        self.is_closed = true;
        self.unsent = Bytes::new();
        of_stream(errno)
    }

    /// Waits until nothing is left over, or nothing can be sent any more.
    async fn sent(&mut self) -> StreamResult<()> {
        loop {
            self.send()?;
            if self.unsent.is_empty() {
                return Ok(());
            }
            poll_fn(|cx| self.stream.poll_write_ready(cx)).await;
        }
    }
}

#[async_trait]
impl OutputStream for Output {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.permit = 0;
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        self.send()?;
        if self.unsent.is_empty() {
            match self.stream.write_capacity() {
                Ok(bytes) => self.permit = bytes.min(MAX_TRANSFER_BYTES),
                Err(Errno::Again) => {}
                Err(errno) => return Err(self.fail(errno)),
            }
        }
        Ok(self.permit)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        if bytes.len() > self.permit {
            return Err(StreamError::trap("write beyond what check-write permitted"));
        }
        self.permit -= bytes.len();
        self.unsent = bytes;
        self.send()
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.is_closed {
            Err(StreamError::Closed)
        } else {
            Ok(())
        }
    }

    /// What was accepted is on its way: unlike the default this does not wait for room for even more, which a peer
    /// that reads nothing would never give.
    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        self.sent().await?;
        self.permit = 0;
        self.unsent = bytes;
        self.sent().await
    }

    /// The guest drops the stream: what it was told is written must still go out.
    async fn cancel(&mut self) {
        // A connection that failed has nobody left to tell.
        drop(self.sent().await);
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        if self.is_closed {
            return;
        }
        // Left-over bytes go first: ready means that check-write will promise something, or fail.
        while self.sent().await.is_ok() {
            poll_fn(|cx| self.stream.poll_write_ready(cx)).await;
            if self.stream.write_capacity() != Ok(0) {
                return;
            }
        }
    }
}
