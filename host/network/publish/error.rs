//! Why a port could not be published, in words for the user.

use std::io;
use std::net::SocketAddr;

use crate::counters::Protocol;

/// The host did not give the port. `Display` leaves out the source, as everywhere; the report prints the chain.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish {what} port {port}{} on host {} port {}", suffix(*.protocol), .host.ip(), .host.port())]
pub struct PublishError {
    /// What was to be published: `pod "web"` or `service "default/web"`.
    pub what: String,
    /// The pod's name, if it is a pod.
    pub pod: Option<String>,
    /// The port of that.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The host address that was wanted.
    pub host: SocketAddr,
    /// What the host said.
    pub source: io::Error,
}

impl PublishError {
    /// What the user can do, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let port = self.port;
        match (self.source.kind(), &self.pod) {
            (io::ErrorKind::PermissionDenied, Some(pod)) if self.host.port() < 1024 => {
                let free = if port < 1024 {
                    port.saturating_add(8000)
                } else {
                    port
                };
                Some(format!(
                    "ports below 1024 need privileges this program does not ask for; use --publish {free}:{pod}:{port}"
                ))
            }
            (io::ErrorKind::AddrInUse, Some(pod)) => Some(format!(
                "another program listens on host port {}; stop it or choose another host port with \
                 --publish HOSTPORT:{pod}:{port}",
                self.host.port()
            )),
            (io::ErrorKind::AddrInUse, None) => Some(format!(
                "another program listens on host port {}; stop it or choose another nodePort",
                self.host.port()
            )),
            (io::ErrorKind::AddrNotAvailable, _) => Some(format!(
                "{} is not an address of this host; use 127.0.0.1",
                self.host.ip()
            )),
            _ => None,
        }
    }
}

const fn suffix(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "",
        Protocol::Udp => "/UDP",
    }
}
