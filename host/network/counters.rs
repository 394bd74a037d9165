//! Who is connected to whom, and how much went over it.
//!
//! Every byte between containers passes this crate, so each socket counts from its start; a list of them is a snapshot.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

/// A transport protocol, with Kubernetes' spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `TCP`.
    Tcp,
    /// `UDP`.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// What a socket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// Made, and neither bound nor connected.
    Unbound,
    /// Has a local address.
    Bound,
    /// Accepts connections.
    Listening,
    /// Waits for room in a listen queue.
    Connecting,
    /// Has a peer.
    Connected,
    /// Closed, or failed to connect; only waits to be dropped.
    Closed,
}

/// Bytes and messages that a socket has sent and received since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received: accepted into this socket's queue, read or not.
    pub rx_bytes: u64,
    /// Bytes sent: accepted from this socket's writer.
    pub tx_bytes: u64,
    /// UDP: datagrams received. TCP: writes of the peer.
    pub rx_messages: u64,
    /// UDP: datagrams sent. TCP: writes.
    pub tx_messages: u64,
    /// UDP: datagrams dropped because this socket's queue was full.
    pub rx_dropped: u64,
}

/// One socket of a pod at one moment.
#[derive(Clone, Debug)]
pub struct SocketInfo {
    /// Who holds it; [`crate::HOST`] for the host itself.
    pub container: Arc<str>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// What it is doing.
    pub state: SocketState,
    /// Its own address.
    pub local: Option<SocketAddr>,
    /// The other end's address.
    pub peer: Option<SocketAddr>,
    /// The other end's container, where there is one; `POD/CONTAINER` in another pod.
    pub peer_container: Option<Arc<str>>,
    /// What went over it. Nothing for a listener: each accepted connection counts for itself.
    pub traffic: Traffic,
    /// Listener: connections that wait to be accepted.
    pub queued_connections: usize,
    /// Listener: connections that were accepted since it listens.
    pub accepted_connections: u64,
    /// When it was made; for an accepted connection, when it was established.
    pub opened_at: Instant,
}
