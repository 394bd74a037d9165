//! Why a port could not be published, in words for the user.

use std::io;
use std::net::SocketAddr;

use super::PublishConfig;
use crate::counters::Protocol;

/// The host did not give the port. `Display` leaves out the source, as everywhere; the report prints the chain.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish pod {pod:?} port {port}{} on host {} port {}", suffix(*.protocol), .host.ip(), .host.port())]
pub struct PublishError {
    /// The pod's name.
    pub pod: String,
    /// The pod's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The host address that was wanted.
    pub host: SocketAddr,
    /// What the host said.
    pub source: io::Error,
}

impl PublishError {
    pub(super) fn new(config: &PublishConfig, source: io::Error) -> Self {
        Self {
            pod: config.pod_name.clone(),
            port: config.port,
            protocol: config.protocol,
            host: config.host,
            source,
        }
    }

    /// What the user can do, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let (pod, port) = (&self.pod, self.port);
        match self.source.kind() {
            io::ErrorKind::PermissionDenied if self.host.port() < 1024 => {
                let free = if port < 1024 {
                    port.saturating_add(8000)
                } else {
                    port
                };
                Some(format!(
                    "ports below 1024 need privileges this program does not ask for; use --publish {free}:{pod}:{port}"
                ))
            }
            io::ErrorKind::AddrInUse => Some(format!(
                "another program listens on host port {}; stop it or choose another host port with \
                 --publish HOSTPORT:{pod}:{port}",
                self.host.port()
            )),
            io::ErrorKind::AddrNotAvailable => Some(format!(
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
