//! How the host reaches a container: a connection over the virtual network, seen by the pod as one from its gateway.
//!
//! There is no way from here to a real network: an address that is no pod's and no service's is unreachable, and a name
//! that the pod itself cannot resolve does not exist. The errors are worded as Go's `net.Dial` words them.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use wasmpod_network::{Errno, GATEWAY, Network, PodNetwork, Protocol, TcpStream};

/// The ports that outgoing connections seem to come from, in turn; Linux' `ip_local_port_range`.
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 60_999;

/// Makes connections to one pod, or to another one by its IP.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(crate) pod: PodNetwork,
    pub(crate) network: Arc<Network>,
}

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DialError {
    host: String,
    port: u16,
    why: Why,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    NoSuchHost,
    Errno(Errno),
}

impl DialError {
    pub(crate) fn is_refused(&self) -> bool {
        self.why == Why::Errno(Errno::ConnRefused)
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::NoSuchHost => write!(f, "dial tcp: lookup {}: no such host", self.host),
            Why::Errno(errno) => {
                let address = host_port(&self.host, self.port);
                write!(f, "dial tcp {address}: connect: {}", words(errno))
            }
        }
    }
}

/// What `strerror` says.
pub(crate) fn words(errno: Errno) -> Cow<'static, str> {
    Cow::Borrowed(match errno {
        Errno::ConnRefused => "connection refused",
        Errno::ConnReset => "connection reset by peer",
        Errno::HostUnreach => "no route to host",
        Errno::NetDown => "network is down",
        Errno::NetUnreach => "network is unreachable",
        Errno::MFile => "too many open files",
        Errno::Pipe => "broken pipe",
        Errno::TimedOut => "connection timed out",
        Errno::Acces => "permission denied",
        Errno::NotConn | Errno::BadF => "transport endpoint is not connected",
        other => return Cow::Owned(other.to_string()),
    })
}

/// The message of a dial that took too long.
pub(crate) fn timed_out(host: &str, port: u16) -> String {
    format!("dial tcp {}: i/o timeout", host_port(host, port))
}

/// `host:port`, with an IPv6 address in brackets.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl Dialer {
    /// The host that an action names, or the pod.
    pub(crate) fn host<'a>(&self, named: Option<&'a str>) -> Cow<'a, str> {
        match named.filter(|host| !host.is_empty()) {
            Some(host) => Cow::Borrowed(host),
            None => Cow::Owned(self.pod.pod_ip().to_string()),
        }
    }

    /// Connects.
    pub(crate) async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let error = |why| DialError {
            host: host.to_owned(),
            port,
            why,
        };
        let (pod, port) = self.find(host, port).map_err(error)?;
        pod.dial(source(), port)
            .await
            .map_err(|errno| error(Why::Errno(errno)))
    }

    /// The pod behind a host, and the port there.
    fn find(&self, host: &str, port: u16) -> Result<(PodNetwork, u16), Why> {
        let addresses = match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => self.pod.resolve(host).map_err(|_| Why::NoSuchHost)?,
        };
        let own = |ip: &IpAddr| {
            *ip == IpAddr::V4(self.pod.pod_ip()) || self.pod.pod_ip6().map(IpAddr::V6) == Some(*ip)
        };
        if addresses.iter().any(own) {
            return Ok((self.pod.clone(), port));
        }
        // The caller is the node, on whose loopback nobody listens.
        let mut errno = Errno::ConnRefused;
        for ip in addresses.into_iter().filter(|ip| !ip.is_loopback()) {
            let to = SocketAddr::new(ip, port);
            match self.network.find(Protocol::Tcp, IpAddr::V4(GATEWAY), to) {
                Ok((pod, at)) => return Ok((pod, at.port())),
                Err(why) => errno = why,
            }
        }
        Err(Why::Errno(errno))
    }
}

fn source() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = NEXT.fetch_add(1, Ordering::Relaxed) % (LAST_PORT - FIRST_PORT + 1);
    SocketAddr::new(IpAddr::V4(GATEWAY), FIRST_PORT + offset)
}
