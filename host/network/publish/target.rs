//! What stands behind a published port.

use std::net::{IpAddr, SocketAddr};

use crate::counters::Protocol;
use crate::network::Network;
use crate::pod::PodNetwork;
use crate::service::ServiceName;

/// A port of a pod, or of a service.
#[derive(Debug)]
pub(super) enum Target {
    Pod {
        pod: PodNetwork,
        port: u16,
    },
    Service {
        network: Network,
        service: ServiceName,
        /// The service's own.
        port: u16,
    },
}

impl Target {
    /// Where the first datagram of a client goes: the pod and the addresses there, the first one that is bound counts.
    pub(super) fn for_datagrams_of(&self, client: IpAddr) -> Option<(PodNetwork, Vec<SocketAddr>)> {
        match self {
            Self::Pod { pod, port } => {
                let ips = [
                    Some(IpAddr::V4(pod.pod_ip())),
                    pod.pod_ip6().map(IpAddr::V6),
                ];
                let ips = ips.into_iter().flatten();
                let addresses = ips.map(|ip| SocketAddr::new(ip, *port)).collect();
                Some((pod.clone(), addresses))
            }
            Self::Service {
                network,
                service,
                port,
            } => {
                let at = network.endpoint(service, *port, Protocol::Udp, client)?;
                match at.ip() {
                    IpAddr::V4(ip) => Some((network.pod(ip)?, vec![at])),
                    IpAddr::V6(_) => None,
                }
            }
        }
    }

    /// Whether a client's datagrams may go on to this endpoint.
    pub(super) fn still_has(&self, endpoint: SocketAddr) -> bool {
        match self {
            Self::Pod { .. } => true,
            Self::Service {
                network,
                service,
                port,
            } => network.has_endpoint(service, *port, Protocol::Udp, endpoint),
        }
    }
}
