//! A published UDP port: a bounded set of flows, one for each client that has sent something lately.
//!
//! One task does it all. A client of a service keeps its endpoint while that may have connections. The pod sees a client under the address that `address::seen_from_pod` gives; its answers come back
//! through the pod's `ExternalPort` and leave from the published host port. A datagram that the host cannot send now is
//! dropped, as UDP may.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::target::Target;
use super::{Counters, count};
use crate::AddressFamily;
use crate::address::seen_from_pod;
use crate::limits::{MAX_DATAGRAM_BYTES, MAX_UDP_FLOWS, PUBLISH_TRANSFERS_PER_TURN, UDP_FLOW_IDLE};
use crate::pod::PodNetwork;
use crate::udp::ExternalPort;

#[derive(Debug)]
pub(super) struct Publication {
    socket: UdpSocket,
    target: Target,
    external: Arc<ExternalPort>,
    flows: HashMap<SocketAddr, Flow>,
    counters: Arc<Counters>,
}

/// One client, under the address by which the pod knows it.
#[derive(Debug)]
struct Flow {
    client: SocketAddr,
    pod: PodNetwork,
    /// The pod's address that it talks to.
    at: SocketAddr,
    last_seen: Instant,
}

impl Publication {
    pub(super) fn bind(
        host: SocketAddr,
        target: Target,
        counters: &Arc<Counters>,
    ) -> io::Result<(Self, SocketAddr)> {
        let socket = std::net::UdpSocket::bind(host)?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        let publication = Self {
            socket,
            target,
            external: Arc::new(ExternalPort::new()),
            flows: HashMap::new(),
            counters: Arc::clone(counters),
        };
        Ok((publication, local))
    }

    pub(super) async fn serve(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES.saturating_add(1)];
        poll_fn(|cx| self.poll(cx, &mut buffer)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        for _ in 0..PUBLISH_TRANSFERS_PER_TURN {
            let incoming = self.poll_incoming(cx, buffer);
            let outgoing = self.external.poll_outgoing(cx);
            if let Poll::Ready((data, to)) = &outgoing {
                self.send(data, *to);
            }
            if incoming.is_pending() && outgoing.is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One datagram from the host into the pod.
    fn poll_incoming(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        let mut buffer = ReadBuf::new(buffer);
        match self.socket.poll_recv_from(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            // An ICMP error about an earlier answer: it concerns one client, who will find out by itself.
            Poll::Ready(Err(_)) => {}
            Poll::Ready(Ok(client)) if buffer.filled().len() <= MAX_DATAGRAM_BYTES => {
                self.deliver(client, buffer.filled());
            }
            Poll::Ready(Ok(_)) => {}
        }
        Poll::Ready(())
    }

    /// A datagram of a client to its pod; lost when nobody is there.
    fn deliver(&mut self, client: SocketAddr, data: &[u8]) {
        let Some((pod, at, from)) = self.known(client).or_else(|| self.choose(client)) else {
            return;
        };
        let Some(receiver) = pod.pod().udp_socket_at(at) else {
            return;
        };
        if pod.pod().admit(client, crate::Protocol::Udp, at).is_err() {
            return;
        }
        self.note(from, client, &pod, at);
        count(&self.counters.to_pod_bytes, data.len());
        receiver.deliver(Bytes::copy_from_slice(data), from, Some(at));
    }

    /// The pod of a client that was heard of lately, the address there, and how the pod sees the client.
    fn known(&self, client: SocketAddr) -> Option<(PodNetwork, SocketAddr, SocketAddr)> {
        let families = [AddressFamily::Ipv4, AddressFamily::Ipv6];
        families.into_iter().find_map(|family| {
            let from = seen_from_pod(client, family);
            let flow = self.flows.get(&from)?;
            let is_good = flow.client == client
                && AddressFamily::of(flow.at.ip()) == family
                && flow.last_seen.elapsed() < UDP_FLOW_IDLE
                && self.target.still_has(flow.at)
                && flow.pod.pod().udp_socket_at(flow.at).is_some();
            is_good.then(|| (flow.pod.clone(), flow.at, from))
        })
    }

    fn choose(&self, client: SocketAddr) -> Option<(PodNetwork, SocketAddr, SocketAddr)> {
        let (pod, addresses) = self.target.for_datagrams_of(client.ip())?;
        let mut bound = addresses.into_iter();
        let at = bound.find(|at| pod.pod().udp_socket_at(*at).is_some())?;
        let from = seen_from_pod(client, AddressFamily::of(at.ip()));
        Some((pod, at, from))
    }

    /// Keeps the way back to a client open, at the cost of the longest idle one if there are too many.
    fn note(&mut self, seen: SocketAddr, client: SocketAddr, pod: &PodNetwork, at: SocketAddr) {
        let last_seen = Instant::now();
        if let Some(flow) = self.flows.get_mut(&seen)
            && flow.client == client
            && flow.at == at
        {
            flow.last_seen = last_seen;
            return;
        }
        if self.flows.len() >= MAX_UDP_FLOWS {
            self.flows.retain(|seen, flow| {
                let alive = last_seen.duration_since(flow.last_seen) < UDP_FLOW_IDLE;
                if !alive {
                    self.external.remove_client(*seen);
                }
                alive
            });
        }
        if self.flows.len() >= MAX_UDP_FLOWS
            && let Some(oldest) = self
                .flows
                .iter()
                .min_by_key(|(_, flow)| flow.last_seen)
                .map(|(seen, _)| *seen)
        {
            self.flows.remove(&oldest);
            self.external.remove_client(oldest);
        }
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let flow = Flow {
            client,
            pod: pod.clone(),
            at,
            last_seen,
        };
        self.flows.insert(seen, flow);
        pod.pod().add_external_udp(&self.external);
        self.external.add_client(seen, at);
    }

    /// One datagram of the pod to a client that was heard of lately.
    fn send(&mut self, data: &Bytes, to: SocketAddr) {
        let Some(flow) = self.flows.get(&to) else {
            return;
        };
        if flow.last_seen.elapsed() >= UDP_FLOW_IDLE {
            self.flows.remove(&to);
            self.external.remove_client(to);
        } else if let Ok(sent) = self.socket.try_send_to(data, flow.client) {
            count(&self.counters.from_pod_bytes, sent);
        }
    }
}
