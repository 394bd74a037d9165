//! Who is connected to whom, and how much went over it.
//!
//! Every byte between containers passes this crate, so each socket counts from its start; a list of them is a snapshot.
//! Sockets count under the lock that they hold anyway. When one is gone, what it has counted is added to its container's
//! sums, which live as long as the pod.

use std::fmt;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::lock::lock;

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
    /// Has sent its last, and the peer has not: `FIN-WAIT-2` of RFC 9293.
    Finished,
    /// The peer has sent its last, and this socket has not: `CLOSE-WAIT` of RFC 9293.
    PeerFinished,
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
    /// Bytes that have arrived and were not read.
    pub receive_queue_bytes: usize,
    /// Bytes that were written and for which the peer's receive buffer has no room yet.
    pub send_queue_bytes: usize,
    /// What there is to say of a listener.
    pub listening: Option<Listening>,
    /// When it was made; for an accepted connection, when it was established.
    pub opened_at: Instant,
}

/// A listener at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Connections that wait to be accepted.
    pub queued: usize,
    /// How many may.
    pub backlog: usize,
    /// Clients that wait for room among them.
    pub waiting: usize,
    /// Connections that were accepted so far.
    pub accepted: u64,
    /// Clients that found no room, and had to wait for it or gave up.
    pub overflowed: u64,
}

/// What all sockets of a container came to, those that are closed included. Containers of one name are one, however often
/// it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerTraffic {
    /// Its name; [`crate::HOST`] for the host itself.
    pub container: Arc<str>,
    /// Connections; listeners have no traffic.
    pub tcp: Totals,
    /// UDP sockets.
    pub udp: Totals,
}

/// Sums over sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sockets that there are now.
    pub open: u64,
    /// Sockets that there ever were.
    pub opened: u64,
    /// What went over all of them.
    pub traffic: Traffic,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        let Self {
            rx_bytes,
            tx_bytes,
            rx_messages,
            tx_messages,
            rx_dropped,
        } = self;
        for (sum, more) in [
            (rx_bytes, other.rx_bytes),
            (tx_bytes, other.tx_bytes),
            (rx_messages, other.rx_messages),
            (tx_messages, other.tx_messages),
            (rx_dropped, other.rx_dropped),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.open = self.open.saturating_add(other.open);
        self.opened = self.opened.saturating_add(other.opened);
        self.traffic += other.traffic;
    }
}

impl ContainerTraffic {
    pub(crate) fn none(container: &Arc<str>) -> Self {
        Self {
            container: Arc::clone(container),
            tcp: Totals::default(),
            udp: Totals::default(),
        }
    }

    /// Adds a socket. A TCP socket that has no connection has nothing to add.
    pub(crate) fn add(&mut self, socket: &SocketInfo) {
        let sum = match socket.protocol {
            Protocol::Tcp if socket.peer.is_none() => return,
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        };
        *sum += Totals {
            open: 1,
            opened: 1,
            traffic: socket.traffic,
        };
    }
}

/// What a container's sockets came to that are gone.
#[derive(Debug)]
pub(crate) struct Past(Mutex<ContainerTraffic>);

impl Past {
    pub(crate) fn new(container: &Arc<str>) -> Self {
        Self(Mutex::new(ContainerTraffic::none(container)))
    }

    /// Adds a socket that is gone.
    pub(crate) fn add(&self, protocol: Protocol, traffic: Traffic) {
        let mut sums = lock(&self.0);
        let sum = match protocol {
            Protocol::Tcp => &mut sums.tcp,
            Protocol::Udp => &mut sums.udp,
        };
        *sum += Totals {
            open: 0,
            opened: 1,
            traffic,
        };
    }

    pub(crate) fn sums(&self) -> ContainerTraffic {
        lock(&self.0).clone()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::tests::{connecting, connection, listen, pod};
    use crate::{AddressFamily, PodNetwork};

    fn sums(pod: &PodNetwork, container: &str) -> ContainerTraffic {
        let all = pod.traffic();
        let mut own = all.into_iter().filter(|sum| &*sum.container == container);
        let sum = own.next().unwrap();
        assert!(own.next().is_none(), "one for each name");
        sum
    }

    #[test]
    fn what_is_closed_still_counts_for_its_container_also_after_a_restart() {
        let (pod, a, b) = pod();
        let (near, far) = connection(&a, &b);
        near.try_write(&mut Bytes::from_static(b"12345")).unwrap();
        let during = sums(&pod, "a").tcp;
        assert_eq!((during.open, during.opened), (1, 1));
        assert_eq!(
            (during.traffic.tx_bytes, during.traffic.tx_messages),
            (5, 1)
        );
        drop((near, far, a));

        let again = pod.attach("a");
        let socket = again.udp_socket(AddressFamily::Ipv4).unwrap();
        let to = "127.0.0.1:9".parse().unwrap();
        socket
            .try_send_to(&Bytes::from_static(b"123"), Some(to))
            .unwrap();
        let after = sums(&pod, "a");
        assert_eq!((after.tcp.open, after.tcp.opened), (0, 1));
        assert_eq!(after.tcp.traffic, during.traffic);
        assert_eq!((after.udp.open, after.udp.traffic.tx_bytes), (1, 3));
        let server = sums(&pod, "b").tcp;
        assert_eq!((server.opened, server.traffic.rx_bytes), (1, 5));
    }

    #[test]
    fn a_listener_tells_of_its_queue_and_of_who_found_it_full() {
        let (pod, a, b) = pod();
        let listener = listen(&b, "127.0.0.1:80");
        listener
            .set_options(|options| options.set_backlog(2))
            .unwrap();
        let clients: Vec<_> = (0..5).map(|_| connecting(&a, "127.0.0.1:80")).collect();
        let now = || {
            pod.sockets()
                .into_iter()
                .find_map(|one| one.listening)
                .unwrap()
        };
        let full = Listening {
            // One more than the backlog, as on Linux.
            queued: 3,
            backlog: 2,
            waiting: 2,
            accepted: 0,
            overflowed: 2,
        };
        assert_eq!(now(), full);
        listener.try_accept().unwrap();
        drop(clients);
        let after = Listening {
            waiting: 0,
            accepted: 1,
            ..full
        };
        assert_eq!(now(), after);
    }

    #[test]
    fn what_waits_is_in_the_receivers_queue_until_that_is_full() {
        let (pod, a, b) = pod();
        let (near, far) = connection(&a, &b);
        near.try_write(&mut Bytes::from(vec![0; 200_000])).unwrap();
        let queues = |container: &str| {
            let sockets = pod.sockets().into_iter();
            let mut own = sockets.filter(|one| &*one.container == container && one.peer.is_some());
            let own = own.next().unwrap();
            (own.state, own.receive_queue_bytes, own.send_queue_bytes)
        };
        let held = crate::limits::DEFAULT_RECEIVE_BUFFER_BYTES;
        assert_eq!(queues("b"), (SocketState::Connected, held, 0));
        assert_eq!(queues("a"), (SocketState::Connected, 0, 200_000 - held));
        near.shutdown(crate::Shutdown::Send).unwrap();
        assert_eq!(queues("a").0, SocketState::Finished);
        assert_eq!(queues("b").0, SocketState::PeerFinished);
        drop(far);
        assert_eq!(queues("a"), (SocketState::Closed, 0, 0));
    }

    #[test]
    fn datagrams_that_wait_are_counted_in_bytes() {
        let (pod, a, b) = pod();
        let receiver = b.udp_socket(AddressFamily::Ipv4).unwrap();
        receiver.bind("127.0.0.1:53".parse().unwrap()).unwrap();
        let sender = a.udp_socket(AddressFamily::Ipv4).unwrap();
        for _ in 0..3 {
            let to = receiver.local_addr().unwrap();
            sender
                .try_send_to(&Bytes::from_static(b"1234"), Some(to))
                .unwrap();
        }
        let sockets = pod.sockets();
        let own = sockets.iter().find(|one| &*one.container == "b").unwrap();
        assert_eq!((own.receive_queue_bytes, own.traffic.rx_messages), (12, 3));
    }
}
