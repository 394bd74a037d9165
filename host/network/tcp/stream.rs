//! The handles of a connection: the whole, and one for each direction.
//!
//! All are handles of the same end, which closes when the last of them (and the socket) is gone; dropping one direction's
//! handle alone ends nothing. The rules of reading, writing and closing are in `connection`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime::Id;

use super::connection::End;
use super::options::TcpOptions;
use crate::Errno;
use crate::container::{Entry, Registration};
use crate::counters::{Protocol, SocketInfo, Traffic};
use crate::lock::lock;
use crate::pod::{HOST, PortLease};
use crate::policy::{Opened, Opener};

/// Which direction `shutdown` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// `SHUT_RD`: what is unread and what still comes is thrown away, reads give EOF.
    Receive,
    /// `SHUT_WR`: the peer reads what was sent and then EOF; writes give `EPIPE`.
    Send,
    /// `SHUT_RDWR`.
    Both,
}

/// One end of a TCP connection. Clones are handles of the same end.
#[derive(Clone, Debug)]
pub struct TcpStream {
    shared: Arc<StreamShared>,
}

/// The reading handle of an end.
#[derive(Debug)]
pub struct ReadHalf {
    shared: Arc<StreamShared>,
}

/// The writing handle of an end.
#[derive(Debug)]
pub struct WriteHalf {
    shared: Arc<StreamShared>,
}

#[derive(Debug)]
pub(crate) struct StreamShared {
    end: End,
    registration: Arc<Registration>,
    options: Arc<Mutex<TcpOptions>>,
    /// A client's port; an accepted connection has none of its own.
    lease: Mutex<Option<Arc<PortLease>>>,
    /// The host has opened it for a client outside of the pods.
    for_outsider: AtomicBool,
}

impl StreamShared {
    pub(super) const fn new(
        end: End,
        registration: Arc<Registration>,
        options: Arc<Mutex<TcpOptions>>,
        lease: Option<Arc<PortLease>>,
    ) -> Self {
        Self {
            end,
            registration,
            options,
            lease: Mutex::new(lease),
            for_outsider: AtomicBool::new(false),
        }
    }

    /// Closes this end though handles of it are left.
    pub(crate) fn close(&self, reset: bool) {
        self.end.close(reset);
        let lease = lock(&self.lease).take();
        drop(lease);
    }

    /// Resets both ends of a connection that was opened here, if it is forbidden.
    pub(crate) fn reset_if(&self, is_forbidden: &dyn Fn(Opened) -> bool) {
        let Some((client, server)) = self.end.opened() else {
            return;
        };
        let by = if &**self.registration.container_name() != HOST {
            Opener::Guest
        } else if self.for_outsider.load(Ordering::Acquire) {
            Opener::Outsider
        } else {
            Opener::Node
        };
        if is_forbidden(Opened { client, server, by }) {
            self.end.sever();
        }
    }

    pub(crate) fn info(&self, container: &Arc<str>) -> SocketInfo {
        let (state, receive_queue_bytes, send_queue_bytes) = self.end.condition();
        SocketInfo {
            container: Arc::clone(container),
            protocol: Protocol::Tcp,
            state,
            local: Some(self.end.local().address),
            peer: Some(self.end.peer_address()),
            peer_container: Some(Arc::clone(self.end.peer_container())),
            traffic: self.end.traffic(),
            receive_queue_bytes,
            send_queue_bytes,
            listening: None,
            opened_at: self.end.opened_at(),
        }
    }
}

impl Drop for StreamShared {
    fn drop(&mut self) {
        // Closed, it counts no more.
        self.end.close(false);
        self.registration.retire(Protocol::Tcp, self.end.traffic());
    }
}

impl TcpStream {
    pub(crate) fn new(
        end: End,
        registration: Registration,
        options: TcpOptions,
        lease: Option<Arc<PortLease>>,
    ) -> Result<Self, Errno> {
        Self::with_shared(StreamShared::new(
            end,
            Arc::new(registration),
            Arc::new(Mutex::new(options)),
            lease,
        ))
    }

    /// Registers the connection; `ENETDOWN` (and it is closed) when the container was released meanwhile.
    pub(super) fn with_shared(shared: StreamShared) -> Result<Self, Errno> {
        let shared = Arc::new(shared);
        shared
            .registration
            .set(Entry::Stream(Arc::downgrade(&shared)))?;
        Ok(Self { shared })
    }

    /// As [`StreamShared::reset_if`].
    pub(super) fn reset_if(&self, is_forbidden: &dyn Fn(Opened) -> bool) {
        self.shared.reset_if(is_forbidden);
    }

    /// Notes that the host has opened this connection for a client outside of the pods.
    pub(crate) fn belongs_to_outsider(&self) {
        self.shared.for_outsider.store(true, Ordering::Release);
    }

    pub(super) fn registration(&self) -> &Arc<Registration> {
        &self.shared.registration
    }

    pub(super) fn options(&self) -> &Arc<Mutex<TcpOptions>> {
        &self.shared.options
    }

    pub(super) fn resize(&self, options: &TcpOptions) {
        self.shared.end.resize(options);
    }

    /// At most `max` bytes, as they came in, without a copy: what is returned may be less than what waits. Empty is EOF
    /// (or `max` is 0).
    ///
    /// # Errors
    /// `EAGAIN` when nothing is there yet; `ECONNRESET` once after a reset; `EBADF` when the container was released.
    pub fn try_read(&self, max: usize) -> Result<Bytes, Errno> {
        self.shared.end.read(max)
    }

    /// As [`TcpStream::try_read`], but the bytes stay to be read (`MSG_PEEK`): as many as wait, a copy where they are not in
    /// one piece.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_peek(&self, max: usize) -> Result<Bytes, Errno> {
        self.shared.end.peek(max)
    }

    /// Bytes that wait to be read (`FIONREAD`).
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.shared.end.unread()
    }

    /// Ready when [`TcpStream::try_read`] would not give `EAGAIN`.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.end.poll_readable(cx)
    }

    /// Gives as much of `data` as there is room for, without a copy unless it is little; what is left stays in `data`.
    /// Returns how many bytes were taken.
    ///
    /// # Errors
    /// `EAGAIN` when there is no room; `EPIPE` when this end's sending was shut down, or the peer has closed and something
    /// was written since; `ECONNRESET` once after a reset; `EBADF` when the container was released.
    pub fn try_write(&self, data: &mut Bytes) -> Result<usize, Errno> {
        self.shared.end.write(data)
    }

    /// How many bytes [`TcpStream::try_write`] would take now; 0 stands for its `EAGAIN`.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`]; a reset that is told here is not told again.
    pub fn write_capacity(&self) -> Result<usize, Errno> {
        self.shared.end.room()
    }

    /// Ready when [`TcpStream::try_write`] would not give `EAGAIN`. One who waits is woken when half of the buffer is free.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.end.poll_writable(cx)
    }

    /// Ready when nothing that is written will be read any more: the peer has closed or reset, or this end has.
    pub fn poll_write_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.end.poll_write_end(cx)
    }

    /// [`TcpStream::try_read`], waiting for data.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`] without `EAGAIN`.
    pub async fn read(&self, max: usize) -> Result<Bytes, Errno> {
        loop {
            poll_fn(|cx| self.poll_read_ready(cx)).await;
            match self.try_read(max) {
                Err(Errno::Again) => {}
                outcome => return outcome,
            }
        }
    }

    /// Writes all of `data`, waiting for room.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`] without `EAGAIN`; then a part may have been written.
    pub async fn write_all(&self, mut data: Bytes) -> Result<(), Errno> {
        while !data.is_empty() {
            poll_fn(|cx| self.poll_write_ready(cx)).await;
            match self.try_write(&mut data) {
                Ok(_) | Err(Errno::Again) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// `ENOTCONN` after a reset.
    pub fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let (receive, send) = match how {
            Shutdown::Receive => (true, false),
            Shutdown::Send => (false, true),
            Shutdown::Both => (true, true),
        };
        self.shared.end.shutdown(receive, send)
    }

    /// Closes this end with a reset, as `SO_LINGER` with time 0 does, though handles of it are left.
    pub fn abort(&self) {
        self.shared.close(true);
    }

    /// This end's address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.end.local().address
    }

    /// The other end's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.shared.end.peer_address()
    }

    /// The event loop on whose thread the peer has opened the connection, on a server's end: it is probably there still.
    #[must_use]
    pub fn peer_event_loop(&self) -> Option<Id> {
        self.shared.end.peer_event_loop()
    }

    /// What went over this connection so far, as this end sees it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.end.traffic()
    }

    /// A handle for each direction.
    #[must_use]
    pub fn split(&self) -> (ReadHalf, WriteHalf) {
        (
            ReadHalf {
                shared: Arc::clone(&self.shared),
            },
            WriteHalf {
                shared: Arc::clone(&self.shared),
            },
        )
    }
}

impl ReadHalf {
    /// As [`TcpStream::try_read`].
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_read(&self, max: usize) -> Result<Bytes, Errno> {
        self.shared.end.read(max)
    }

    /// As [`TcpStream::poll_read_ready`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.end.poll_readable(cx)
    }
}

impl WriteHalf {
    /// As [`TcpStream::try_write`].
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    pub fn try_write(&self, data: &mut Bytes) -> Result<usize, Errno> {
        self.shared.end.write(data)
    }

    /// As [`TcpStream::write_capacity`].
    ///
    /// # Errors
    /// As [`TcpStream::write_capacity`].
    pub fn write_capacity(&self) -> Result<usize, Errno> {
        self.shared.end.room()
    }

    /// As [`TcpStream::poll_write_ready`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.end.poll_writable(cx)
    }

    /// `SHUT_WR`.
    ///
    /// # Errors
    /// `ENOTCONN` after a reset.
    pub fn shutdown(&self) -> Result<(), Errno> {
        self.shared.end.shutdown(false, true)
    }
}
