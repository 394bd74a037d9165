//! The networks of all pods of one host: it hands out pod IPs, and finds a pod by its IP.
//!
//! What it deliberately does not do yet: carry anything from one pod's guests to another. [`Network::pod`] is the door
//! for it; the host itself uses it for hooks that call another pod.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, Weak};

use crate::limits::MAX_POD_ADDRESSES;
use crate::lock::lock;
use crate::pod::{Handle, Pod, PodNetwork, PodNetworkConfig};

/// The range of pod IPs in CIDR notation: kubeadm's and flannel's usual one. Its first address after the network's own is
/// the [`crate::GATEWAY`].
pub const POD_CIDR: &str = "10.244.0.0/16";

const FIRST_POD_IP: u32 = u32::from_be_bytes([10, 244, 0, 2]);

/// Why a pod got no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Every address of [`POD_CIDR`] is taken.
    #[error("no pod IP is free for pod {pod:?}: all {MAX_POD_ADDRESSES} of {POD_CIDR} are taken")]
    Exhausted {
        /// The pod that asked.
        pod: String,
    },
}

/// The networks of a host. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pods: Arc<Mutex<Pods>>,
}

#[derive(Debug, Default)]
struct Pods {
    by_ip: BTreeMap<Ipv4Addr, Known>,
    next: usize,
}

/// A pod that has an IP.
#[derive(Debug, Default)]
struct Known {
    /// Lives as long as anything of the pod, a socket included.
    pod: Weak<Pod>,
    /// Lives as long as somebody holds the pod's [`PodNetwork`].
    handle: Weak<Handle>,
}

impl Network {
    /// A host without pods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a pod's network with an IP of its own, instead of `config.pod_ip`. The IP is free again when the last handle
    /// and socket of that pod are gone.
    ///
    /// # Errors
    /// [`NetworkError::Exhausted`] when no IP is free.
    pub fn create_pod(&self, mut config: PodNetworkConfig) -> Result<PodNetwork, NetworkError> {
        let mut pods = lock(&self.pods);
        let Some(ip) = pods.free_ip() else {
            return Err(NetworkError::Exhausted {
                pod: config.hostname,
            });
        };
        config.pod_ip = ip;
        let lease = Lease {
            pods: Arc::downgrade(&self.pods),
            ip,
        };
        let pod = PodNetwork::with_lease(config, Some(lease));
        let (handle, weak) = pod.weak();
        pods.by_ip.insert(ip, Known { pod: weak, handle });
        Ok(pod)
    }

    /// How many pods have an IP.
    #[must_use]
    pub fn pods(&self) -> usize {
        lock(&self.pods).by_ip.len()
    }

    /// Whether a pod has this IP.
    #[must_use]
    pub fn is_pod(&self, ip: Ipv4Addr) -> bool {
        lock(&self.pods)
            .by_ip
            .get(&ip)
            .is_some_and(|known| known.pod.strong_count() > 0)
    }

    /// The network of the pod that has this IP, while somebody holds it.
    #[must_use]
    pub fn pod(&self, ip: Ipv4Addr) -> Option<PodNetwork> {
        let handle = lock(&self.pods).by_ip.get(&ip)?.handle.upgrade()?;
        Some(PodNetwork::of(handle))
    }
}

impl Pods {
    /// The next address that is free, going round, so that a pod does not get its predecessor's at once.
    fn free_ip(&mut self) -> Option<Ipv4Addr> {
        for _ in 0..MAX_POD_ADDRESSES {
            let offset = u32::try_from(self.next).ok()?;
            self.next = self.next.saturating_add(1) % MAX_POD_ADDRESSES;
            let ip = Ipv4Addr::from(FIRST_POD_IP.saturating_add(offset));
            if !self.by_ip.contains_key(&ip) {
                return Some(ip);
            }
        }
        None
    }
}

/// A pod's claim on its IP; dropping it frees the IP.
#[derive(Debug)]
pub(crate) struct Lease {
    pods: Weak<Mutex<Pods>>,
    ip: Ipv4Addr,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pods) = self.pods.upgrade() {
            lock(&pods).by_ip.remove(&self.ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressFamily;

    #[test]
    fn each_pod_has_an_ip_of_its_own_until_nothing_of_it_is_left() {
        let network = Network::new();
        let [one, two] = ["one", "two"].map(|name| {
            network
                .create_pod(PodNetworkConfig {
                    hostname: name.to_owned(),
                    ..Default::default()
                })
                .unwrap()
        });
        assert_eq!(one.pod_ip(), Ipv4Addr::new(10, 244, 0, 2));
        assert_eq!(two.pod_ip(), Ipv4Addr::new(10, 244, 0, 3));
        assert_eq!(
            network
                .pod(two.pod_ip())
                .map(|pod| pod.hostname().to_owned()),
            Some("two".to_owned())
        );
        let container = one.attach("a");
        let socket = container.tcp_socket(AddressFamily::Ipv4).unwrap();
        drop(one);
        assert!(network.pod(Ipv4Addr::new(10, 244, 0, 2)).is_none());
        drop(container);
        assert!(
            network.is_pod(Ipv4Addr::new(10, 244, 0, 2)),
            "a socket still lives there"
        );
        drop(socket);
        assert!(!network.is_pod(Ipv4Addr::new(10, 244, 0, 2)));
        assert_eq!(network.pods(), 1);
    }

    #[test]
    fn ips_run_out_in_order_and_come_back() {
        let network = Network::new();
        {
            let mut pods = lock(&network.pods);
            let first = pods.free_ip().unwrap();
            pods.by_ip.insert(first, Known::default());
            for _ in 1..MAX_POD_ADDRESSES {
                let ip = pods.free_ip().unwrap();
                pods.by_ip.insert(ip, Known::default());
            }
            assert_eq!(
                pods.by_ip.keys().next_back(),
                Some(&Ipv4Addr::new(10, 244, 255, 254))
            );
        }
        let refused = network.create_pod(PodNetworkConfig {
            hostname: "web".to_owned(),
            ..Default::default()
        });
        assert_eq!(
            refused.err(),
            Some(NetworkError::Exhausted {
                pod: "web".to_owned()
            })
        );
        lock(&network.pods)
            .by_ip
            .remove(&Ipv4Addr::new(10, 244, 9, 9));
        let pod = network.create_pod(PodNetworkConfig::default()).unwrap();
        assert_eq!(pod.pod_ip(), Ipv4Addr::new(10, 244, 9, 9));
    }
}
