//! One socket of a guest, with POSIX' verbs: the network's socket, and what a descriptor adds to it (whether it blocks,
//! time-outs, the error that nobody was told yet).
//!
//! No verb waits here: `EAGAIN`, and [`Socket::waiter`] is what to wait on. Standard: POSIX.1-2024, `socket(7)`,
//! `tcp(7)`, `udp(7)`. Where the network crate follows `wasi:sockets` instead, this makes up for it: `listen` binds an
//! unbound socket, and one whose connect failed can be used again.

use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use wasmpod_network::limits::MAX_DATAGRAM_BYTES;
use wasmpod_network::{
    ContainerNetwork, Errno, Shutdown, SocketState, TcpOptions, TcpSocket, TcpStream, UdpSocket,
};

use super::errno::{EAGAIN, EINPROGRESS, EMSGSIZE, ENOTCONN, ENOTSUP};
use super::subscription::Happening;
use crate::host::guest_memory::Failure;

/// A socket that a guest has a number of.
#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    /// `O_NONBLOCK`
    pub(super) nonblocking: bool,
    pub(super) options: SocketOptions,
    /// What went wrong without a call that could have told: `SO_ERROR`.
    error: Option<Errno>,
}

/// What can be set at any socket and is kept here.
#[derive(Clone, Debug, Default)]
pub(super) struct SocketOptions {
    /// `SO_RCVTIMEO`: how long a call waits for something to read.
    pub(super) receive_timeout: Option<Duration>,
    /// `SO_SNDTIMEO`: how long a call waits for room, or for a connection.
    pub(super) send_timeout: Option<Duration>,
    /// `SO_LINGER` in seconds. Only 0 has an effect: a close resets the connection. Any other close is told to the
    /// peer at once and loses nothing, so there is nothing to linger for.
    pub(super) linger: Option<u32>,
    /// `SO_REUSEADDR`, without effect: no port of this network lingers after its socket.
    pub(super) reuse_address: bool,
    /// `SO_BROADCAST`, without effect: nobody receives broadcasts.
    pub(super) broadcast: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Tcp {
        socket: TcpSocket,
        /// The connection, once there is one.
        stream: Option<TcpStream>,
    },
    Udp(UdpSocket),
}

/// What a receive gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) data: Bytes,
    pub(super) from: Option<SocketAddr>,
    /// A part of the datagram was cut off.
    pub(super) truncated: bool,
}

/// Which direction of a socket is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Receive,
    Send,
}

/// A handle to wait on while the guest's sockets stay where they are.
#[derive(Debug)]
pub(super) struct Waiter {
    on: WaitOn,
    direction: Direction,
}

#[derive(Debug)]
enum WaitOn {
    Tcp(TcpSocket),
    Stream(TcpStream),
    Udp(UdpSocket),
}

impl Waiter {
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match (&self.on, self.direction) {
            (WaitOn::Tcp(socket), _) => socket.poll_ready(cx),
            (WaitOn::Stream(stream), Direction::Receive) => stream.poll_read_ready(cx),
            (WaitOn::Stream(stream), Direction::Send) => stream.poll_write_ready(cx),
            (WaitOn::Udp(socket), Direction::Receive) => socket.poll_recv_ready(cx),
            (WaitOn::Udp(socket), Direction::Send) => socket.poll_send_ready(cx),
        }
    }
}

impl Socket {
    pub(super) fn tcp(socket: TcpSocket) -> Self {
        let stream = socket.stream();
        Self::new(Kind::Tcp { socket, stream })
    }

    pub(super) fn udp(socket: UdpSocket) -> Self {
        Self::new(Kind::Udp(socket))
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            nonblocking: false,
            options: SocketOptions::default(),
            error: None,
        }
    }

    pub(super) const fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) const fn is_datagram(&self) -> bool {
        matches!(self.kind, Kind::Udp(_))
    }

    /// Whether it accepts connections: `SO_ACCEPTCONN`.
    pub(super) fn is_listening(&self) -> bool {
        matches!(&self.kind, Kind::Tcp { socket, .. } if socket.state() == SocketState::Listening)
    }

    /// What to wait on until a call in this direction can do something.
    pub(super) fn waiter(&self, direction: Direction) -> Waiter {
        let on = match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => WaitOn::Stream(stream.clone()),
            Kind::Tcp { socket, .. } => WaitOn::Tcp(socket.clone()),
            Kind::Udp(socket) => WaitOn::Udp(socket.clone()),
        };
        Waiter { on, direction }
    }

    /// How long a call in this direction waits; `None` is forever.
    pub(super) const fn timeout(&self, direction: Direction) -> Option<Duration> {
        match direction {
            Direction::Receive => self.options.receive_timeout,
            Direction::Send => self.options.send_timeout,
        }
    }

    /// Keeps an error for the next call, because this one has done a part of its work.
    pub(super) const fn tell_later(&mut self, errno: Errno) {
        self.error = Some(errno);
    }

    /// The error that nobody was told yet, once: `SO_ERROR`.
    pub(super) fn take_error(&mut self) -> Option<Errno> {
        self.settle();
        self.error.take()
    }

    /// Takes the outcome of a connect that was begun, if there is one.
    fn settle(&mut self) {
        if let Kind::Tcp { socket, stream } = &mut self.kind
            && stream.is_none()
            && socket.state() == SocketState::Connecting
        {
            match socket.try_connect() {
                Ok(connected) => *stream = Some(connected),
                Err(Errno::Again) => {}
                Err(errno) => self.error = Some(errno),
            }
        }
    }

    /// A fresh socket in the place of one whose connect failed.
    fn renew(&mut self, network: &ContainerNetwork) -> Result<(), Errno> {
        self.settle();
        if let Kind::Tcp { socket, stream } = &mut self.kind
            && stream.is_none()
            && socket.state() == SocketState::Closed
        {
            let fresh = network.tcp_socket(socket.family())?;
            let options = socket.options();
            fresh.set_options(|fresh| {
                *fresh = options;
                Ok(())
            })?;
            *socket = fresh;
        }
        Ok(())
    }

    /// bind(2)
    pub(super) fn bind(
        &mut self,
        address: SocketAddr,
        network: &ContainerNetwork,
    ) -> Result<(), Failure> {
        self.renew(network)?;
        match &self.kind {
            Kind::Tcp { socket, .. } => socket.bind(address)?,
            Kind::Udp(socket) => socket.bind(address)?,
        }
        Ok(())
    }

    /// listen(2): binds to a free port if need be; on a listener it changes the backlog only.
    pub(super) fn listen(
        &mut self,
        backlog: u32,
        network: &ContainerNetwork,
    ) -> Result<(), Failure> {
        self.renew(network)?;
        let Kind::Tcp { socket, .. } = &self.kind else {
            return Err(ENOTSUP);
        };
        let backlog = u64::from(backlog).max(1);
        match socket.state() {
            SocketState::Listening => {}
            state => {
                if state == SocketState::Unbound {
                    socket.bind((socket.family().unspecified(), 0).into())?;
                }
                socket.listen()?;
            }
        }
        Ok(socket.set_options(|options| options.set_backlog(backlog))?)
    }

    /// accept(2)
    pub(super) fn try_accept(&self) -> Result<Self, Failure> {
        let Kind::Tcp { socket, .. } = &self.kind else {
            return Err(ENOTSUP);
        };
        Ok(Self::tcp(socket.try_accept()?))
    }

    /// Begins what connect(2) does: `EINPROGRESS` says that the outcome is still to come.
    pub(super) fn connect(
        &mut self,
        to: SocketAddr,
        network: &ContainerNetwork,
    ) -> Result<(), Failure> {
        self.renew(network)?;
        // What an earlier connect left is nothing that this one should tell.
        self.error = None;
        match &self.kind {
            Kind::Udp(socket) => return Ok(socket.connect(to)?),
            Kind::Tcp { socket, .. } => socket.connect(to)?,
        }
        self.connected()
    }

    /// The outcome of a connect that was begun.
    pub(super) fn connected(&mut self) -> Result<(), Failure> {
        self.settle();
        if let Some(errno) = self.error.take() {
            return Err(errno.into());
        }
        match &self.kind {
            Kind::Tcp {
                stream: None,
                socket,
            } if socket.state() == SocketState::Connecting => Err(EINPROGRESS),
            Kind::Tcp { stream: None, .. } => Err(ENOTCONN),
            _ => Ok(()),
        }
    }

    /// Receives at most `max` bytes, or one datagram; with `peek` it stays.
    pub(super) fn try_receive(&mut self, max: usize, peek: bool) -> Result<Received, Failure> {
        self.settle();
        if let Some(errno) = self.error.take() {
            return Err(errno.into());
        }
        match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => {
                let data = if peek {
                    stream.try_peek(max)?
                } else {
                    stream.try_read(max)?
                };
                Ok(Received {
                    data,
                    from: Some(stream.peer_addr()),
                    truncated: false,
                })
            }
            Kind::Tcp { socket, .. } => Err(not_connected(socket)),
            Kind::Udp(socket) => {
                let datagram = if peek {
                    socket.try_peek_from(max)?
                } else {
                    socket.try_recv_from(max)?
                };
                Ok(Received {
                    truncated: datagram.full_length > datagram.data.len(),
                    data: datagram.data,
                    from: Some(datagram.from),
                })
            }
        }
    }

    /// How many bytes of `total` a send would take now: all of a datagram; `EAGAIN` if none.
    pub(super) fn room(&mut self, total: usize) -> Result<usize, Failure> {
        self.settle();
        if let Some(errno) = self.error.take() {
            return Err(errno.into());
        }
        match &self.kind {
            Kind::Udp(_) if total > MAX_DATAGRAM_BYTES => Err(EMSGSIZE),
            Kind::Udp(_) => Ok(total),
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => match stream.write_capacity()? {
                0 if total > 0 => Err(EAGAIN),
                room => Ok(room.min(total)),
            },
            Kind::Tcp { socket, .. } => Err(not_connected(socket)),
        }
    }

    /// Sends what [`Socket::room`] has room for; how many bytes were taken. A connection goes nowhere else than to its
    /// peer.
    pub(super) fn try_send(
        &self,
        mut data: Bytes,
        to: Option<SocketAddr>,
    ) -> Result<usize, Failure> {
        match &self.kind {
            Kind::Udp(socket) => {
                socket.try_send_to(&data, to)?;
                Ok(data.len())
            }
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => Ok(stream.try_write(&mut data)?),
            Kind::Tcp { socket, .. } => Err(not_connected(socket)),
        }
    }

    /// shutdown(2)
    pub(super) fn shutdown(&mut self, how: Shutdown) -> Result<(), Failure> {
        self.settle();
        match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => Ok(stream.shutdown(how)?),
            Kind::Tcp { .. } => Err(ENOTCONN),
            // A connected one only, and there is nothing to tell the peer.
            Kind::Udp(socket) => Ok(socket.peer_addr().map(drop)?),
        }
    }

    /// close(2)
    pub(super) fn close(self) {
        if let Kind::Tcp {
            stream: Some(stream),
            ..
        } = &self.kind
            && self.options.linger == Some(0)
        {
            stream.abort();
        }
    }

    /// getsockname(2): `0.0.0.0:0` for an unbound socket, as on Linux.
    pub(super) fn local_addr(&self) -> Result<SocketAddr, Failure> {
        let (address, family) = match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => return Ok(stream.local_addr()),
            Kind::Tcp { socket, .. } => (socket.local_addr(), socket.family()),
            Kind::Udp(socket) => (socket.local_addr(), socket.family()),
        };
        Ok(address.unwrap_or_else(|_| (family.unspecified(), 0).into()))
    }

    /// getpeername(2)
    pub(super) fn peer_addr(&mut self) -> Result<SocketAddr, Failure> {
        self.settle();
        match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => Ok(stream.peer_addr()),
            Kind::Tcp { .. } => Err(ENOTCONN),
            Kind::Udp(socket) => Ok(socket.peer_addr()?),
        }
    }

    /// Ready when a call that reads or accepts would not wait.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.poll_settled(cx)) {
            return Poll::Ready(());
        }
        match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => stream.poll_read_ready(cx),
            Kind::Tcp { socket, .. } => socket.poll_accept_ready(cx),
            Kind::Udp(socket) => socket.poll_recv_ready(cx),
        }
    }

    /// Ready when a call that writes would not wait, or a connect has its outcome.
    pub(super) fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.poll_settled(cx)) {
            return Poll::Ready(());
        }
        match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => stream.poll_write_ready(cx),
            Kind::Tcp { .. } => Poll::Ready(()),
            Kind::Udp(socket) => socket.poll_send_ready(cx),
        }
    }

    /// Ready when no connect is under way; true if there is an error to be told.
    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.settle();
        if self.error.is_none()
            && let Kind::Tcp {
                socket,
                stream: None,
            } = &self.kind
        {
            ready!(socket.poll_connect_ready(cx));
            self.settle();
        }
        Poll::Ready(self.error.is_some())
    }

    /// What there is to read, of a socket that is readable.
    pub(super) fn readable(&self) -> Happening {
        let (bytes, hangup) = match &self.kind {
            Kind::Tcp {
                stream: Some(stream),
                ..
            } => {
                let bytes = stream.unread_bytes();
                (bytes, bytes == 0)
            }
            // One connection, or an error.
            Kind::Tcp { .. } => (1, false),
            Kind::Udp(socket) => {
                let first = socket.try_peek_from(0);
                (first.map_or(0, |datagram| datagram.full_length), false)
            }
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Happening::Readable { bytes, hangup }
    }

    /// Changes what the network keeps of a TCP socket's options.
    pub(super) fn set_tcp_options(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> Result<(), Errno>,
    ) -> Result<(), Failure> {
        match &self.kind {
            Kind::Tcp { socket, .. } => Ok(socket.set_options(change)?),
            Kind::Udp(_) => Err(ENOTSUP),
        }
    }
}

/// Why a socket without a connection can neither read nor write.
fn not_connected(socket: &TcpSocket) -> Failure {
    match socket.state() {
        SocketState::Connecting => EAGAIN,
        _ => ENOTCONN,
    }
}
