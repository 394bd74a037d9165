//! Publishing: a real port of the host whose traffic goes to a virtual port of a pod or of a service.
//!
//! With `egress` the only place of this crate that opens a host socket. A publication binds at once, so that a port in use is found before
//! anything starts; then it is a future to be spawned among the tasks of the pod, or of whoever keeps the services. Dropping
//! that future (or the [`Published`]) frees the host port and resets every connection that came in by it.
//!
//! A service's publication only chooses: an accepted connection is handed over to the chosen pod, whose own task carries it
//! on the pod's own thread and ends it with the pod or the publication. A server may ask for other threads
//! ([`EventLoops`](crate::EventLoops)).
//!
//! `tcp` accepts, `carry` pipes connections with backpressure and half-close both ways, `handover` brings them to another
//! thread, `udp` keeps a flow for each client, `proxy_protocol` tells the pod who its client is.
//!
//! Whatever ends a publication, the end of its pod or service included, resets the connections that came in by it: nobody
//! may take what was cut for whole.

mod carry;
mod error;
mod handover;
mod proxy_protocol;
mod target;
mod tcp;
mod udp;

#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use carry::{carry_handed, join};
pub use error::PublishError;
pub(crate) use handover::Handover;
pub use proxy_protocol::{NoProxyProtocol, ProxyProtocol};

use crate::counters::Protocol;
use crate::network::Network;
use crate::pod::PodNetwork;
use crate::service::ServiceName;
use target::Target;

/// What of a service is to be published where.
#[derive(Clone, Debug)]
pub struct PublishServiceConfig {
    /// The host address to listen on; port 0 lets the host choose.
    pub host: SocketAddr,
    /// Who knows the service and its pods.
    pub network: Network,
    /// The service.
    pub service: ServiceName,
    /// The service's own port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How the pods learn who their clients are, over TCP; nothing to leave that out.
    pub proxy: Option<ProxyProtocol>,
}

/// What is to be published where.
#[derive(Clone, Debug)]
pub struct PublishConfig {
    /// The host address to listen on; port 0 lets the host choose. Nothing here widens it: who wants only this machine to
    /// reach the pod says 127.0.0.1.
    pub host: SocketAddr,
    /// The pod's network.
    pub pod: PodNetwork,
    /// The pod's name, for errors.
    pub pod_name: String,
    /// The pod's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How the pod learns who its clients are, over TCP; nothing to leave that out.
    pub proxy: Option<ProxyProtocol>,
}

/// A published port, bound on the host. Nothing is carried until [`Published::serve`] runs; a client that comes before is
/// kept waiting by the host's kernel.
#[derive(Debug)]
pub struct Published {
    local: SocketAddr,
    counters: Arc<Counters>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp(tcp::Publication),
    Udp(Box<udp::Publication>),
}

/// What a publication has carried; a handle of running numbers.
#[derive(Clone, Debug)]
pub struct PublishedTraffic {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    refused: AtomicU64,
    to_pod_bytes: AtomicU64,
    from_pod_bytes: AtomicU64,
}

/// Binds a host port for a port of a pod.
///
/// # Errors
/// The host port is in use, needs privileges, is not one of this host's, or the host refuses otherwise.
pub async fn publish(config: PublishConfig) -> Result<Published, PublishError> {
    let target = Target::Pod {
        pod: config.pod,
        port: config.port,
    };
    let bound = bind(config.host, config.protocol, target, config.proxy);
    bound.map_err(|source| PublishError {
        what: format!("pod {:?}", config.pod_name),
        pod: Some(config.pod_name),
        port: config.port,
        protocol: config.protocol,
        host: config.host,
        source,
    })
}

/// Binds a host port for a port of a service: each connection goes to the endpoint that kube-proxy's rules choose then.
/// A client of a service without endpoints is reset, as the host's kernel has accepted it before anybody could refuse. To be
/// called within a tokio runtime with I/O.
///
/// # Errors
/// As [`publish`].
pub fn publish_service(config: PublishServiceConfig) -> Result<Published, PublishError> {
    let what = format!("service \"{}\"", config.service);
    let target = Target::Service {
        network: config.network,
        service: config.service,
        port: config.port,
    };
    let bound = bind(config.host, config.protocol, target, config.proxy);
    bound.map_err(|source| PublishError {
        what,
        pod: None,
        port: config.port,
        protocol: config.protocol,
        host: config.host,
        source,
    })
}

fn bind(
    host: SocketAddr,
    protocol: Protocol,
    target: Target,
    proxy: Option<ProxyProtocol>,
) -> std::io::Result<Published> {
    let counters = Arc::new(Counters::default());
    let (kind, local) = match protocol {
        Protocol::Tcp => {
            let (bound, local) = tcp::Publication::bind(host, target, proxy, &counters)?;
            (Kind::Tcp(bound), local)
        }
        Protocol::Udp => {
            let (bound, local) = udp::Publication::bind(host, target, &counters)?;
            (Kind::Udp(Box::new(bound)), local)
        }
    };
    Ok(Published {
        local,
        counters,
        kind,
    })
}

/// Listens on a host port for a caller that speaks a protocol itself and chooses by it, as an ingress does. What it does
/// with a connection is its own affair; it reaches pods by [`PodNetwork::dial`].
///
/// # Errors
/// The host port is in use, needs privileges, or is not one of this host's.
pub fn listen(host: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(host)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Asks whether a host port could be published now, so that a port in use is found before a pod is begun. It is free
/// again when this returns: somebody else may take it.
///
/// # Errors
/// As [`publish`].
pub async fn check(
    host: SocketAddr,
    protocol: Protocol,
    pod_name: &str,
    port: u16,
) -> Result<(), PublishError> {
    try_bind(host, protocol)
        .await
        .map_err(|source| PublishError {
            what: format!("pod {pod_name:?}"),
            pod: Some(pod_name.to_owned()),
            port,
            protocol,
            host,
            source,
        })
}

/// As [`check`], for a port of a service.
///
/// # Errors
/// As [`publish`].
pub async fn check_service(
    host: SocketAddr,
    protocol: Protocol,
    service: &ServiceName,
    port: u16,
) -> Result<(), PublishError> {
    try_bind(host, protocol)
        .await
        .map_err(|source| PublishError {
            what: format!("service \"{service}\""),
            pod: None,
            port,
            protocol,
            host,
            source,
        })
}

async fn try_bind(host: SocketAddr, protocol: Protocol) -> std::io::Result<()> {
    match protocol {
        Protocol::Tcp => tokio::net::TcpListener::bind(host).await.map(drop),
        Protocol::Udp => tokio::net::UdpSocket::bind(host).await.map(drop),
    }
}

impl Published {
    /// The host address that was bound.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What it carries, to be read while it serves.
    #[must_use]
    pub fn traffic(&self) -> PublishedTraffic {
        PublishedTraffic {
            counters: Arc::clone(&self.counters),
        }
    }

    /// Carries traffic until it is dropped; it never ends by itself. It must run in a tokio runtime with I/O and time.
    /// Connections are tasks of a set that belongs to this future: they are aborted when it is dropped.
    pub async fn serve(self) {
        match self.kind {
            Kind::Tcp(publication) => publication.serve().await,
            Kind::Udp(publication) => publication.serve().await,
        }
    }
}

impl PublishedTraffic {
    /// TCP connections that reached the pod, or UDP clients.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// TCP connections that the pod refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counters.refused.load(Ordering::Relaxed)
    }

    /// Bytes carried into the pod.
    #[must_use]
    pub fn to_pod_bytes(&self) -> u64 {
        self.counters.to_pod_bytes.load(Ordering::Relaxed)
    }

    /// Bytes carried out of the pod.
    #[must_use]
    pub fn from_pod_bytes(&self) -> u64 {
        self.counters.from_pod_bytes.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Ordering::Relaxed);
}
