//! Sockets as POSIX has them, safely: one thin method a call, every failure an errno.
//!
//! `std::net` hides much of what is checked here (listening with a backlog of one, the outcome of a connect that did not
//! wait, connecting once more), so all goes through the C library.

#![expect(unsafe_code, reason = "calls of the C library")]

use std::fmt;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use libc::{c_int, c_short, c_void, socklen_t};

/// Why a call failed; shown by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(c_int);

const NAMES: &[(c_int, &str)] = &[
    (libc::EACCES, "EACCES"),
    (libc::EADDRINUSE, "EADDRINUSE"),
    (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::EALREADY, "EALREADY"),
    (libc::EBADF, "EBADF"),
    (libc::ECONNABORTED, "ECONNABORTED"),
    (libc::ECONNREFUSED, "ECONNREFUSED"),
    (libc::ECONNRESET, "ECONNRESET"),
    (libc::EDESTADDRREQ, "EDESTADDRREQ"),
    (libc::EHOSTUNREACH, "EHOSTUNREACH"),
    (libc::EINPROGRESS, "EINPROGRESS"),
    (libc::EINVAL, "EINVAL"),
    (libc::EIO, "EIO"),
    (libc::EISCONN, "EISCONN"),
    (libc::EMFILE, "EMFILE"),
    (libc::EMSGSIZE, "EMSGSIZE"),
    (libc::ENETUNREACH, "ENETUNREACH"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
    (libc::ENOTCONN, "ENOTCONN"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::EPIPE, "EPIPE"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
];

impl Errno {
    pub(crate) const AGAIN: Self = Self(libc::EAGAIN);
    pub(crate) const IN_PROGRESS: Self = Self(libc::EINPROGRESS);
    pub(crate) const CONN_REFUSED: Self = Self(libc::ECONNREFUSED);

    fn last() -> Self {
        Self(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or_default(),
        )
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// The answer of a call that gives -1 when it fails.
fn answer(value: impl TryInto<usize>) -> Result<usize> {
    value.try_into().map_err(|_| Errno::last())
}

/// An integer option: its level and its name.
pub(crate) type Opt = (c_int, c_int);

pub(crate) const SO_TYPE: Opt = (libc::SOL_SOCKET, TYPE);
pub(crate) const SO_ERROR: Opt = (libc::SOL_SOCKET, libc::SO_ERROR);
pub(crate) const SO_ACCEPTCONN: Opt = (libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
pub(crate) const SO_REUSEADDR: Opt = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
pub(crate) const SO_KEEPALIVE: Opt = (libc::SOL_SOCKET, libc::SO_KEEPALIVE);
pub(crate) const SO_RCVBUF: Opt = (libc::SOL_SOCKET, libc::SO_RCVBUF);
pub(crate) const SO_SNDBUF: Opt = (libc::SOL_SOCKET, libc::SO_SNDBUF);
pub(crate) const TCP_NODELAY: Opt = (libc::IPPROTO_TCP, libc::TCP_NODELAY);
pub(crate) const TCP_KEEPIDLE: Opt = (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
pub(crate) const TCP_KEEPINTVL: Opt = (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL);
pub(crate) const TCP_KEEPCNT: Opt = (libc::IPPROTO_TCP, libc::TCP_KEEPCNT);
pub(crate) const IP_TTL: Opt = (libc::IPPROTO_IP, libc::IP_TTL);
pub(crate) const IPV6_UNICAST_HOPS: Opt = (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS);
pub(crate) const IPV6_V6ONLY: Opt = (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);

/// `SO_TYPE`, which the crate `libc` does not name for WASI.
const TYPE: c_int = 3;

#[derive(Clone, Copy)]
pub(crate) enum Half {
    Read,
    Write,
    Both,
}

/// A socket; closed when dropped.
pub(crate) struct Socket(OwnedFd);

impl Socket {
    fn new(domain: c_int, kind: c_int) -> Result<Self> {
        // SAFETY: no pointers are involved.
        let fd = unsafe { libc::socket(domain, kind, 0) };
        Self::own(fd)
    }

    fn own(fd: c_int) -> Result<Self> {
        answer(fd)?;
        // SAFETY: the descriptor is open, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn tcp() -> Result<Self> {
        Self::new(libc::AF_INET, libc::SOCK_STREAM)
    }

    pub(crate) fn tcp6() -> Result<Self> {
        Self::new(libc::AF_INET6, libc::SOCK_STREAM)
    }

    pub(crate) fn udp() -> Result<Self> {
        Self::new(libc::AF_INET, libc::SOCK_DGRAM)
    }

    pub(crate) fn udp6() -> Result<Self> {
        Self::new(libc::AF_INET6, libc::SOCK_DGRAM)
    }

    fn fd(&self) -> c_int {
        self.0.as_raw_fd()
    }

    pub(crate) fn bind(&self, to: SocketAddr) -> Result<()> {
        let address = Address::from(to);
        let (pointer, len) = address.get();
        // SAFETY: the pointer is to `len` readable bytes.
        answer(unsafe { libc::bind(self.fd(), pointer, len) }).map(drop)
    }

    pub(crate) fn listen(&self, backlog: c_int) -> Result<()> {
        // SAFETY: no pointers are involved.
        answer(unsafe { libc::listen(self.fd(), backlog) }).map(drop)
    }

    pub(crate) fn accept(&self) -> Result<(Self, SocketAddr)> {
        let mut from = Address::empty();
        let (pointer, len) = from.get_mut();
        // SAFETY: the pointers are to as much writable memory as `len` says.
        let fd = unsafe { libc::accept(self.fd(), pointer, len) };
        Ok((Self::own(fd)?, from.address()?))
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> Result<()> {
        let address = Address::from(to);
        let (pointer, len) = address.get();
        // SAFETY: the pointer is to `len` readable bytes.
        answer(unsafe { libc::connect(self.fd(), pointer, len) }).map(drop)
    }

    /// Undoes the connect of a UDP socket.
    pub(crate) fn disconnect(&self) -> Result<()> {
        let mut address = Address::from(SocketAddr::from(([0, 0, 0, 0], 0)));
        address.storage.ss_family =
            libc::sa_family_t::try_from(libc::AF_UNSPEC).unwrap_or_default();
        let (pointer, len) = address.get();
        // SAFETY: the pointer is to `len` readable bytes.
        answer(unsafe { libc::connect(self.fd(), pointer, len) }).map(drop)
    }

    pub(crate) fn local(&self) -> Result<SocketAddr> {
        let mut address = Address::empty();
        let (pointer, len) = address.get_mut();
        // SAFETY: the pointers are to as much writable memory as `len` says.
        answer(unsafe { libc::getsockname(self.fd(), pointer, len) })?;
        address.address()
    }

    pub(crate) fn peer(&self) -> Result<SocketAddr> {
        let mut address = Address::empty();
        let (pointer, len) = address.get_mut();
        // SAFETY: the pointers are to as much writable memory as `len` says.
        answer(unsafe { libc::getpeername(self.fd(), pointer, len) })?;
        address.address()
    }

    pub(crate) fn send(&self, data: &[u8]) -> Result<usize> {
        let pointer = data.as_ptr().cast::<c_void>();
        // SAFETY: the pointer is to as many readable bytes.
        answer(unsafe { libc::send(self.fd(), pointer, data.len(), 0) })
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        self.receive_as(buffer, 0)
    }

    pub(crate) fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        self.receive_as(buffer, libc::MSG_PEEK)
    }

    fn receive_as(&self, buffer: &mut [u8], flags: c_int) -> Result<usize> {
        let pointer = buffer.as_mut_ptr().cast::<c_void>();
        // SAFETY: the pointer is to as many writable bytes.
        answer(unsafe { libc::recv(self.fd(), pointer, buffer.len(), flags) })
    }

    pub(crate) fn send_to(&self, data: &[u8], to: SocketAddr) -> Result<usize> {
        let address = Address::from(to);
        let ((pointer, len), bytes) = (address.get(), data.as_ptr().cast::<c_void>());
        // SAFETY: both pointers are to as many readable bytes as the lengths say.
        answer(unsafe { libc::sendto(self.fd(), bytes, data.len(), 0, pointer, len) })
    }

    pub(crate) fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        let mut from = Address::empty();
        let ((pointer, len), bytes) = (from.get_mut(), buffer.as_mut_ptr().cast::<c_void>());
        // SAFETY: the pointers are to as much writable memory as the lengths say.
        let count =
            answer(unsafe { libc::recvfrom(self.fd(), bytes, buffer.len(), 0, pointer, len) })?;
        Ok((count, from.address()?))
    }

    pub(crate) fn shutdown(&self, half: Half) -> Result<()> {
        let how = match half {
            Half::Read => libc::SHUT_RD,
            Half::Write => libc::SHUT_WR,
            Half::Both => libc::SHUT_RDWR,
        };
        // SAFETY: no pointers are involved.
        answer(unsafe { libc::shutdown(self.fd(), how) }).map(drop)
    }

    pub(crate) fn get(&self, (level, name): Opt) -> Result<c_int> {
        let (mut value, mut len) = (0_i32, length_of::<c_int>());
        let pointer = (&raw mut value).cast::<c_void>();
        // SAFETY: the pointers are to an integer and its length.
        answer(unsafe { libc::getsockopt(self.fd(), level, name, pointer, &raw mut len) })?;
        Ok(value)
    }

    pub(crate) fn set(&self, option: Opt, value: c_int) -> Result<()> {
        self.set_value(option, &value)
    }

    fn set_value<T>(&self, (level, name): Opt, value: &T) -> Result<()> {
        let pointer = (&raw const *value).cast::<c_void>();
        // SAFETY: the pointer is to a value of this length.
        answer(unsafe { libc::setsockopt(self.fd(), level, name, pointer, length_of::<T>()) })
            .map(drop)
    }

    /// The error that waits for this socket; none is "none".
    pub(crate) fn error(&self) -> Result<String> {
        Ok(match self.get(SO_ERROR)? {
            0 => "none".to_owned(),
            number => Errno(number).to_string(),
        })
    }

    pub(crate) fn set_receive_timeout(&self, timeout: Duration) -> Result<()> {
        // SAFETY: all zeros are a time.
        let mut time: libc::timeval = unsafe { mem::zeroed() };
        time.tv_usec = timeout.subsec_micros().into();
        self.set_value((libc::SOL_SOCKET, libc::SO_RCVTIMEO), &time)
    }

    /// `SO_LINGER` with a time of 0: closing resets.
    pub(crate) fn reset_at_close(&self) -> Result<()> {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        self.set_value((libc::SOL_SOCKET, libc::SO_LINGER), &linger)
    }

    pub(crate) fn set_nonblocking(&self) -> Result<()> {
        let mut on: c_int = 1;
        // SAFETY: the pointer is to an integer, as FIONBIO takes it.
        answer(unsafe { libc::ioctl(self.fd(), libc::FIONBIO, &raw mut on) }).map(drop)
    }

    /// Waits until reading or writing would not wait, or the time is over: which of `IN OUT ERR HUP`, or `nothing`.
    pub(crate) fn poll(&self, events: c_short, limit: Duration) -> Result<String> {
        let mut one = libc::pollfd {
            fd: self.fd(),
            events,
            revents: 0,
        };
        let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the pointer is to one element.
        answer(unsafe { libc::poll(&raw mut one, 1, milliseconds) })?;
        let known = [
            (libc::POLLIN, "IN"),
            (libc::POLLOUT, "OUT"),
            (libc::POLLERR, "ERR"),
            (libc::POLLHUP, "HUP"),
        ];
        let seen = known.iter().filter(|(bit, _)| one.revents & bit != 0);
        let names: Vec<_> = seen.map(|(_, name)| *name).collect();
        Ok(if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(" ")
        })
    }

    /// [`Socket::poll`] for what should come: waits long.
    pub(crate) fn wait(&self, events: c_short) -> Result<String> {
        self.poll(events, PATIENCE)
    }

    /// [`Socket::poll`] for what should not come: waits a moment.
    pub(crate) fn glance(&self, events: c_short) -> Result<String> {
        self.poll(events, MOMENT)
    }

    /// Sends all, waiting for room at most [`PATIENCE`].
    pub(crate) fn send_all(&self, mut data: &[u8]) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while !data.is_empty() {
            match self.send(data) {
                Ok(sent) => data = data.get(sent..).unwrap_or_default(),
                Err(Errno::AGAIN) if Instant::now() < limit => {
                    self.poll(libc::POLLOUT, MOMENT)?;
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

pub(crate) use libc::{POLLIN as IN, POLLOUT as OUT};

/// How long something may take that must come. A connect that found the listen queue full is tried again by Linux after
/// 1, 3 and 7 seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited for what must not come.
const MOMENT: Duration = Duration::from_millis(30);

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(mem::size_of::<T>()).unwrap_or_default()
}

/// Room for an address of either family, as the C library has it.
struct Address {
    storage: libc::sockaddr_storage,
    len: socklen_t,
}

impl Address {
    fn empty() -> Self {
        Self {
            // SAFETY: all zeros are an address of no family.
            storage: unsafe { mem::zeroed() },
            len: length_of::<libc::sockaddr_storage>(),
        }
    }

    fn get(&self) -> (*const libc::sockaddr, socklen_t) {
        ((&raw const self.storage).cast(), self.len)
    }

    fn get_mut(&mut self) -> (*mut libc::sockaddr, *mut socklen_t) {
        ((&raw mut self.storage).cast(), &raw mut self.len)
    }

    fn v4(&mut self) -> &mut libc::sockaddr_in {
        let pointer: *mut libc::sockaddr_in = (&raw mut self.storage).cast();
        // SAFETY: the storage is larger than any address, as strictly aligned, and initialized.
        unsafe { &mut *pointer }
    }

    fn v6(&mut self) -> &mut libc::sockaddr_in6 {
        let pointer: *mut libc::sockaddr_in6 = (&raw mut self.storage).cast();
        // SAFETY: the storage is larger than any address, as strictly aligned, and initialized.
        unsafe { &mut *pointer }
    }

    fn address(&mut self) -> Result<SocketAddr> {
        let family = c_int::from(self.storage.ss_family);
        if family == libc::AF_INET {
            let v4 = self.v4();
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Ok(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        } else if family == libc::AF_INET6 {
            let v6 = self.v6();
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Ok(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port)))
        } else {
            Err(Errno(libc::EAFNOSUPPORT))
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(from: SocketAddr) -> Self {
        let mut address = Self::empty();
        let family = |family: c_int| libc::sa_family_t::try_from(family).unwrap_or_default();
        match from {
            SocketAddr::V4(from) => {
                let v4 = address.v4();
                v4.sin_family = family(libc::AF_INET);
                v4.sin_port = from.port().to_be();
                v4.sin_addr.s_addr = u32::from(*from.ip()).to_be();
                address.len = length_of::<libc::sockaddr_in>();
            }
            SocketAddr::V6(from) => {
                let v6 = address.v6();
                v6.sin6_family = family(libc::AF_INET6);
                v6.sin6_port = from.port().to_be();
                v6.sin6_addr.s6_addr = from.ip().octets();
                address.len = length_of::<libc::sockaddr_in6>();
            }
        }
        address
    }
}
