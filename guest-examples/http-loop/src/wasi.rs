//! The network of WASI 0.2: `wasi:sockets`, `wasi:io`, `wasi:clocks`.
//!
//! A subscription is kept as long as its stream, because making and dropping one is two host calls.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};

use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
    Network,
};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use crate::clock::{Instant, MILLISECOND, SECOND};
use crate::net::{Closed, ConnectError, Interest, Net, Stream};

/// How many connections may wait to be accepted: nginx's backlog on Linux.
const LISTEN_BACKLOG: u64 = 511;

/// How long the guest sleeps when what was ready gives nothing, in nanoseconds.
///
/// A host on tokio may run out of its task's budget in the midst of a turn: then a stream is ready, but takes and
/// gives nothing until the task has slept. Only sleeping, not asking again, makes it go on.
const PAUSE: Instant = MILLISECOND;

thread_local! {
    /// Whether anything has moved since the last wait.
    static PROGRESS: Cell<bool> = const { Cell::new(true) };
}

fn note_progress() {
    PROGRESS.with(|progress| progress.set(true));
}

/// One TCP connection. The pollables come first: they must be dropped before the streams, and these before the
/// socket.
#[derive(Debug)]
pub struct WasiStream {
    readable: Option<Pollable>,
    writable: Option<Pollable>,
    connecting: Option<Pollable>,
    streams: Option<(InputStream, OutputStream)>,
    socket: TcpSocket,
}

impl WasiStream {
    fn new(socket: TcpSocket, streams: Option<(InputStream, OutputStream)>) -> Self {
        Self {
            readable: None,
            writable: None,
            connecting: None,
            streams,
            socket,
        }
    }
}

impl Stream for WasiStream {
    type Pollable = Pollable;

    fn read(&mut self, max: usize) -> Result<Vec<u8>, Closed> {
        let (input, _) = self.streams.as_ref().ok_or(Closed)?;
        let bytes = input
            .read(u64::try_from(max).unwrap_or(u64::MAX))
            .map_err(|_| Closed);
        // An end is progress too.
        if bytes != Ok(Vec::new()) {
            note_progress();
        }
        bytes
    }

    fn writable(&mut self) -> Result<usize, Closed> {
        let (_, output) = self.streams.as_ref().ok_or(Closed)?;
        let room = output.check_write().map_err(|_| {
            note_progress();
            Closed
        })?;
        if room > 0 {
            note_progress();
        }
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let (_, output) = self.streams.as_ref().ok_or(Closed)?;
        output.write(bytes).map_err(|_| Closed)
    }

    fn shutdown_send(&mut self) {
        // It fails only on a connection that is gone, which is what is wanted.
        let _ = self.socket.shutdown(ShutdownType::Send);
    }

    fn finish_connect(&mut self) -> Result<bool, ConnectError> {
        if self.streams.is_some() {
            return Ok(true);
        }
        match self.socket.finish_connect() {
            Ok(streams) => {
                note_progress();
                self.connecting = None;
                self.streams = Some(streams);
                Ok(true)
            }
            Err(ErrorCode::WouldBlock) => Ok(false),
            Err(code) => {
                note_progress();
                Err(connect_error(code))
            }
        }
    }

    fn subscribe(&mut self, interest: Interest) {
        match (&self.streams, interest) {
            (Some((input, _)), Interest::Read) if self.readable.is_none() => {
                self.readable = Some(input.subscribe())
            }
            (Some((_, output)), Interest::Write) if self.writable.is_none() => {
                self.writable = Some(output.subscribe());
            }
            (None, _) if self.connecting.is_none() => {
                self.connecting = Some(self.socket.subscribe())
            }
            _ => {}
        }
    }

    fn pollable(&self, interest: Interest) -> Option<&Pollable> {
        match (&self.streams, interest) {
            (None, _) => self.connecting.as_ref(),
            (Some(_), Interest::Read) => self.readable.as_ref(),
            (Some(_), Interest::Write) => self.writable.as_ref(),
        }
    }
}

fn connect_error(code: ErrorCode) -> ConnectError {
    match code {
        ErrorCode::ConnectionRefused => ConnectError::Refused,
        ErrorCode::RemoteUnreachable => ConnectError::Unreachable,
        ErrorCode::Timeout => ConnectError::TimedOut,
        _ => ConnectError::Failed,
    }
}

/// A listening socket; its pollable is dropped first.
#[derive(Debug)]
struct Listener {
    pollable: Pollable,
    socket: TcpSocket,
}

/// A timer that is used again while its moment is the one wanted.
#[derive(Debug)]
struct Timer {
    at: Instant,
    pollable: Pollable,
}

/// The network of this guest.
#[derive(Debug)]
pub struct WasiNet {
    /// By number; those that were closed are gone.
    listeners: Vec<Option<Listener>>,
    /// What else ends a wait.
    wake: Option<Pollable>,
    timer: Option<Timer>,
    /// The clock when it was last read.
    now: Instant,
    network: Network,
}

impl Default for WasiNet {
    fn default() -> Self {
        Self::new()
    }
}

impl WasiNet {
    /// The network without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self {
            listeners: Vec::new(),
            wake: None,
            timer: None,
            now: 0,
            network: instance_network(),
        }
    }

    /// Ends each wait while this is ready, too.
    pub fn wake_on(&mut self, wake: Pollable) {
        self.wake = Some(wake);
    }

    /// Listens on one more address; listeners are counted from 0, closed ones included.
    ///
    /// # Errors
    /// With the operating system's error when the address is in use, not ours, or not allowed.
    pub fn listen(&mut self, address: SocketAddr) -> Result<(), ListenError> {
        let family = if address.is_ipv4() {
            IpAddressFamily::Ipv4
        } else {
            IpAddressFamily::Ipv6
        };
        let at = |call| move |code| ListenError { call, code };
        let socket = create_tcp_socket(family).map_err(at("socket"))?;
        let pollable = socket.subscribe();
        socket
            .start_bind(&self.network, to_wasi(address))
            .map_err(at("bind"))?;
        until_done(&pollable, || socket.finish_bind()).map_err(at("bind"))?;
        // The backlog is a wish: a host that does not know it has its own.
        let _ = socket.set_listen_backlog_size(LISTEN_BACKLOG);
        socket.start_listen().map_err(at("listen"))?;
        until_done(&pollable, || socket.finish_listen()).map_err(at("listen"))?;
        self.listeners.push(Some(Listener { pollable, socket }));
        Ok(())
    }

    /// The addresses of a name, in the resolver's order; empty when there are none.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let mut found = Vec::new();
        let Ok(stream) = resolve_addresses(&self.network, name) else {
            return found;
        };
        let pollable = stream.subscribe();
        while let Ok(Some(address)) = until_done(&pollable, || stream.resolve_next_address()) {
            found.push(match address {
                IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
                IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
            });
        }
        drop(pollable);
        found
    }
}

/// Why a listener could not be made.
#[derive(Debug, Clone, Copy)]
pub struct ListenError {
    /// The failed call: `socket`, `bind` or `listen`.
    pub call: &'static str,
    code: ErrorCode,
}

impl ListenError {
    /// Errno's number and words, as nginx's log has them.
    #[must_use]
    pub fn errno_text(&self) -> &'static str {
        match self.code {
            ErrorCode::AddressInUse => "98: Address already in use",
            ErrorCode::AddressNotBindable => "99: Cannot assign requested address",
            ErrorCode::AccessDenied => "13: Permission denied",
            ErrorCode::NewSocketLimit => "24: Too many open files",
            ErrorCode::OutOfMemory => "12: Cannot allocate memory",
            ErrorCode::NotSupported => "97: Address family not supported by protocol",
            ErrorCode::InvalidArgument => "22: Invalid argument",
            _ => "5: Input/output error",
        }
    }

    /// Whether the host has no IPv6 (or no IPv4) at all.
    #[must_use]
    pub fn is_unsupported_family(&self) -> bool {
        self.code == ErrorCode::NotSupported
    }
}

fn until_done<T>(
    pollable: &Pollable,
    mut call: impl FnMut() -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    loop {
        match call() {
            Err(ErrorCode::WouldBlock) => pollable.block(),
            outcome => return outcome,
        }
    }
}

impl Net for WasiNet {
    type Pollable = Pollable;
    type Stream = WasiStream;

    fn accept(&mut self, listener: usize) -> Option<(WasiStream, SocketAddr)> {
        let listener = self.listeners.get(listener)?.as_ref()?;
        let (socket, input, output) = listener.socket.accept().ok()?;
        note_progress();
        let peer = socket
            .remote_address()
            .map_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)), from_wasi);
        Some((WasiStream::new(socket, Some((input, output))), peer))
    }

    fn connect(&mut self, to: SocketAddr) -> Result<WasiStream, ConnectError> {
        let family = if to.is_ipv4() {
            IpAddressFamily::Ipv4
        } else {
            IpAddressFamily::Ipv6
        };
        let socket = create_tcp_socket(family).map_err(connect_error)?;
        socket
            .start_connect(&self.network, to_wasi(to))
            .map_err(connect_error)?;
        Ok(WasiStream::new(socket, None))
    }

    fn close_listener(&mut self, listener: usize) {
        if let Some(listener) = self.listeners.get_mut(listener) {
            *listener = None;
        }
    }

    fn wait<'a>(
        &'a mut self,
        mut set: Vec<&'a Pollable>,
        listeners: &[usize],
        until: Option<Instant>,
    ) -> Vec<u32> {
        // All of these are open: the loop closes them itself.
        let open = listeners
            .iter()
            .filter_map(|number| self.listeners.get(*number)?.as_ref());
        set.extend(open.map(|listener| &listener.pollable));
        if let Some(until) = until {
            // A timer that comes too early costs one turn; one that would come too late is made anew.
            let stands = self
                .timer
                .as_ref()
                .is_some_and(|timer| timer.at <= until && timer.at > self.now);
            if !stands {
                self.timer = Some(Timer {
                    at: until,
                    pollable: monotonic_clock::subscribe_instant(until),
                });
            }
            set.extend(self.timer.as_ref().map(|timer| &timer.pollable));
        }
        set.extend(&self.wake);
        if set.is_empty() {
            return Vec::new();
        }
        let stuck = !PROGRESS.with(|progress| progress.replace(false));
        let ready = poll(&set);
        // Behind the poll, which has used the budget itself when many are ready at once.
        if stuck {
            monotonic_clock::subscribe_duration(PAUSE).block();
        }
        ready
    }

    fn now(&mut self) -> Instant {
        self.now = monotonic_clock::now();
        self.now
    }

    fn wall_clock(&mut self) -> u128 {
        let now = wall_clock::now();
        u128::from(now.seconds) * u128::from(SECOND) + u128::from(now.nanoseconds)
    }
}

fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: address.scope_id(),
            })
        }
    }
}

fn from_wasi(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(address) => {
            let (a, b, c, d) = address.address;
            SocketAddr::from(([a, b, c, d], address.port))
        }
        IpSocketAddress::Ipv6(address) => {
            let (a, b, c, d, e, f, g, h) = address.address;
            SocketAddr::from(([a, b, c, d, e, f, g, h], address.port))
        }
    }
}

/// Standard output or error, written without a copy into the C library.
#[derive(Debug)]
pub struct Stdio(OutputStream);

impl Stdio {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self(wasip2::cli::stdout::get_stdout())
    }

    /// Standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self(wasip2::cli::stderr::get_stderr())
    }
}

impl io::Write for Stdio {
    /// Blocks while the reader is slow.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let room = self
                .0
                .check_write()
                .map_err(|_| io::ErrorKind::BrokenPipe)?;
            if room == 0 {
                self.0.subscribe().block();
                continue;
            }
            let count = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            self.0
                .write(bytes.get(..count).unwrap_or_default())
                .map_err(|_| io::ErrorKind::BrokenPipe)?;
            return Ok(count);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
