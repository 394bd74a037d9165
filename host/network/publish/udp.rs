//! A published UDP port: a bounded set of flows, one for each client that has sent something lately.
//!
//! One task does it all. The pod sees a client under the address that `address::seen_from_pod` gives; its answers come back
//! through the pod's `ExternalPort` and leave from the published host port. A datagram that the host cannot send now is
//! dropped, as UDP may.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::{Counters, PublishConfig, count};
use crate::AddressFamily;
use crate::address::seen_from_pod;
use crate::limits::{MAX_DATAGRAM_BYTES, MAX_UDP_FLOWS, PUBLISH_TRANSFERS_PER_TURN, UDP_FLOW_IDLE};
use crate::pod::PodNetwork;
use crate::udp::ExternalPort;

#[derive(Debug)]
pub(super) struct Publication {
    socket: UdpSocket,
    pod: PodNetwork,
    port: u16,
    external: Arc<ExternalPort>,
    flows: HashMap<SocketAddr, Flow>,
    counters: Arc<Counters>,
}

/// One client, under the address by which the pod knows it.
#[derive(Debug)]
struct Flow {
    client: SocketAddr,
    last_seen: Instant,
}

impl Publication {
    pub(super) async fn bind(
        config: &PublishConfig,
        counters: &Arc<Counters>,
    ) -> io::Result<(Self, SocketAddr)> {
        let socket = UdpSocket::bind(config.host).await?;
        let local = socket.local_addr()?;
        let external = Arc::new(ExternalPort::new(config.port));
        config.pod.pod().add_external_udp(&external);
        let (pod, counters) = (config.pod.clone(), Arc::clone(counters));
        let publication = Self {
            socket,
            pod,
            port: config.port,
            external,
            flows: HashMap::new(),
            counters,
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
                let addresses = [
                    Some(IpAddr::V4(self.pod.pod_ip())),
                    self.pod.pod_ip6().map(IpAddr::V6),
                ];
                for ip in addresses.into_iter().flatten() {
                    let Some(receiver) =
                        self.pod.pod().udp_socket_at(SocketAddr::new(ip, self.port))
                    else {
                        continue;
                    };
                    let from = seen_from_pod(client, AddressFamily::of(ip));
                    self.note(from, client);
                    count(&self.counters.to_pod_bytes, buffer.filled().len());
                    receiver.deliver(Bytes::copy_from_slice(buffer.filled()), from);
                    break;
                }
            }
            Poll::Ready(Ok(_)) => {}
        }
        Poll::Ready(())
    }

    /// Keeps the way back to a client open, at the cost of the longest idle one if there are too many.
    fn note(&mut self, seen: SocketAddr, client: SocketAddr) {
        let last_seen = Instant::now();
        if let Some(flow) = self.flows.get_mut(&seen) {
            *flow = Flow { client, last_seen };
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
        self.flows.insert(seen, Flow { client, last_seen });
        self.external.add_client(seen);
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
