//! Publishing: a real port of the host whose traffic goes into a pod's virtual port.
//!
//! The only place of this crate that opens a host socket. A publication binds at once, so that a port in use is found before
//! anything starts; then it is a future to be spawned among the pod's tasks. Dropping that future (or the [`Published`])
//! frees the host port and ends every connection.
//!
//! `tcp` pipes connections with backpressure and half-close both ways, `udp` keeps a flow for each client.

mod error;
mod tcp;
mod udp;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use error::PublishError;

use crate::counters::Protocol;
use crate::pod::PodNetwork;

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
    Udp(udp::Publication),
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
    let counters = Arc::new(Counters::default());
    let bound = match config.protocol {
        Protocol::Tcp => tcp::Publication::bind(&config, &counters)
            .await
            .map(|(tcp, at)| (Kind::Tcp(tcp), at)),
        Protocol::Udp => udp::Publication::bind(&config, &counters)
            .await
            .map(|(udp, at)| (Kind::Udp(udp), at)),
    };
    let (kind, local) = bound.map_err(|source| PublishError::new(&config, source))?;
    Ok(Published {
        local,
        counters,
        kind,
    })
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
    let bound = match protocol {
        Protocol::Tcp => tokio::net::TcpListener::bind(host).await.map(drop),
        Protocol::Udp => tokio::net::UdpSocket::bind(host).await.map(drop),
    };
    bound.map_err(|source| PublishError {
        pod: pod_name.to_owned(),
        port,
        protocol,
        host,
        source,
    })
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
