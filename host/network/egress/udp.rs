//! Datagrams to the outside: one real socket for each flow, which is a socket of a guest and an address outside.
//!
//! The real socket is connected, so that the kernel throws away what comes from anybody else. A flow is a task of the pod;
//! it ends when nothing has gone over it for a while. What does not fit into its queue is dropped, as UDP may.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::counters::Protocol;
use crate::limits::{MAX_DATAGRAM_BYTES, MAX_EGRESS_FLOWS, MAX_EGRESS_QUEUED, UDP_FLOW_IDLE};
use crate::pod::PodNetwork;

/// A datagram of a guest that the host is to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) data: Bytes,
    /// The guest's socket.
    pub(crate) from: SocketAddr,
    /// The address outside, as the guest has named it.
    pub(crate) to: SocketAddr,
    /// The real one.
    pub(crate) real: SocketAddr,
}

type Key = (SocketAddr, SocketAddr);

/// The flows of a pod.
#[derive(Debug)]
pub(crate) struct DatagramsOut {
    pod: PodNetwork,
    senders: HashMap<Key, (mpsc::Sender<Bytes>, Instant)>,
    flows: JoinSet<Key>,
}

impl DatagramsOut {
    pub(crate) fn new(pod: PodNetwork) -> Self {
        Self {
            pod,
            senders: HashMap::new(),
            flows: JoinSet::new(),
        }
    }

    /// Gives a datagram to its flow, and makes that if need be, at the cost of the one that was silent longest.
    pub(crate) fn send(&mut self, datagram: Outgoing) {
        while let Some(ended) = self.flows.try_join_next() {
            // There may be a new one of the same ends already.
            if let Ok(key) = ended
                && self
                    .senders
                    .get(&key)
                    .is_some_and(|(sender, _)| sender.is_closed())
            {
                self.senders.remove(&key);
            }
        }
        let Outgoing {
            data,
            from,
            to,
            real,
        } = datagram;
        let (key, now) = ((from, to), Instant::now());
        if let Some((sender, last)) = self.senders.get_mut(&key)
            && !sender.is_closed()
        {
            *last = now;
            // Full is dropped.
            drop(sender.try_send(data));
            return;
        }
        if self.senders.len() >= MAX_EGRESS_FLOWS {
            let oldest = self.senders.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                // Its task ends when its sender is gone.
                self.senders.remove(&oldest);
            }
        }
        let (sender, receiver) = mpsc::channel(MAX_EGRESS_QUEUED);
        drop(sender.try_send(data));
        self.senders.insert(key, (sender, now));
        let flow = Flow {
            pod: self.pod.clone(),
            from,
            to,
            real,
        };
        self.flows.spawn(async move {
            // A failure of the host's socket is a loss, as on any way.
            drop(flow.carry(receiver).await);
            key
        });
    }
}

struct Flow {
    pod: PodNetwork,
    from: SocketAddr,
    to: SocketAddr,
    real: SocketAddr,
}

impl Flow {
    async fn carry(self, mut outgoing: mpsc::Receiver<Bytes>) -> io::Result<()> {
        let any = match self.real.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(self.real).await?;
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        let mut until = Instant::now() + UDP_FLOW_IDLE;
        loop {
            tokio::select! {
                data = outgoing.recv() => match data {
                    // What the host cannot send now is lost, and an ICMP error concerns an earlier datagram.
                    Some(data) => drop(socket.send(&data).await),
                    None => return Ok(()),
                },
                received = socket.recv(&mut buffer) => {
                    // An ICMP error: the guest's next datagram may be heard again.
                    if let Ok(length) = received {
                        self.deliver(buffer.get(..length).unwrap_or_default());
                    }
                }
                () = sleep_until(until) => return Ok(()),
            }
            until = Instant::now() + UDP_FLOW_IDLE;
        }
    }

    /// An answer, if network policies still allow that it was asked for.
    fn deliver(&self, data: &[u8]) {
        let pod = self.pod.pod();
        if pod.may_go_outward(Protocol::Udp, self.to).is_err() {
            return;
        }
        if let Some(receiver) = pod.udp_socket_at(self.from) {
            receiver.deliver(Bytes::copy_from_slice(data), self.to, Some(self.from));
        }
    }
}
