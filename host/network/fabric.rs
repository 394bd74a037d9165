//! What connects the pods of one host: which pod, if any, is behind an address.
//!
//! Whatever a pod reaches outside of itself is found here, and what is not found is unreachable: there is no default
//! route, only what the rules of `egress` name. It is asked once for a connection and once for a datagram, never for traffic within a pod, and holds none of
//! the traffic: a connection between pods is the same object as one within a pod, whose ends may be on two threads.
//!
//! | address | answer |
//! |---|---|
//! | a service's, one of its ports | one of its endpoints; refused when it has none |
//! | a service's, another port | refused, as kube-proxy rejects it |
//! | [`NAMESERVER`] | the pod's own name server |
//! | a pod's | that pod |
//! | one that the rules of `egress` allow | the outside |
//! | any other of the pods' or services' ranges | `EHOSTUNREACH` |
//! | any other | `ENETUNREACH` |

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak};

use tokio::time::Instant;

use crate::Errno;
use crate::address::{GATEWAY6, behind_gateway};
use crate::capture::Switch;
use crate::counters::Protocol;
use crate::egress::Egress;
use crate::limits::MAX_POD_ADDRESSES;
use crate::lock::lock;
use crate::pod::{Handle, Pod};
use crate::policy::Policies;
use crate::service::{Backends, Found, Service, ServiceName, Services};

/// The range of pod IPs in CIDR notation: kubeadm's and flannel's usual one. Its first address after the network's own is
/// the [`crate::GATEWAY`].
pub const POD_CIDR: &str = "10.244.0.0/16";

/// The range of services' addresses in CIDR notation: kubeadm's.
pub const SERVICE_CIDR: &str = "10.96.0.0/12";

/// The name server of every pod, which answers on port 53: kubeadm's address of the service `kube-dns`.
pub const NAMESERVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The port of DNS (RFC 1035 4.2).
pub(crate) const DNS_PORT: u16 = 53;

const FIRST_POD_IP: u32 = u32::from_be_bytes([10, 244, 0, 2]);

/// The pods and services of a host.
#[derive(Debug)]
pub(crate) struct Fabric {
    pods: Mutex<Pods>,
    services: RwLock<Services>,
    pub(crate) policies: Policies,
    egress: Option<Egress>,
    /// Counts the changes of services.
    generation: AtomicU64,
    random: AtomicU64,
    /// Whether anybody captures in any of the pods.
    pub(crate) capturing: Arc<Switch>,
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
    /// Lives as long as somebody holds the pod's [`crate::PodNetwork`].
    handle: Weak<Handle>,
}

/// Where something goes that leaves its pod.
#[derive(Debug)]
pub(crate) enum Route {
    /// To this pod, and there to this address.
    Pod(Arc<Pod>, SocketAddr),
    /// To the pod's name server.
    Names,
    /// Out of the virtual network.
    Outside {
        /// The address as pods know it.
        at: SocketAddr,
        /// The real one.
        real: SocketAddr,
    },
    /// Nowhere.
    Nowhere(Errno),
}

/// The endpoint to which earlier datagrams for a service went, and the generation of services then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) endpoint: SocketAddr,
    pub(crate) generation: u64,
}

impl Default for Fabric {
    fn default() -> Self {
        use std::hash::{BuildHasher, RandomState};
        // Two hosts do not choose alike; nothing here needs to be unpredictable.
        let seed = RandomState::new().hash_one(0_u8);
        Self {
            pods: Mutex::default(),
            services: RwLock::default(),
            policies: Policies::default(),
            egress: None,
            generation: AtomicU64::new(0),
            random: AtomicU64::new(seed),
            capturing: Arc::default(),
        }
    }
}

impl Fabric {
    /// One from which some things outside are reached.
    pub(crate) fn with_egress(egress: Egress) -> Self {
        Self {
            egress: Some(egress),
            ..Self::default()
        }
    }

    /// What may be reached outside, if anything may.
    pub(crate) fn egress(&self) -> Option<&Egress> {
        self.egress.as_ref()
    }

    /// Takes a free pod IP for what `make` makes of it.
    pub(crate) fn add_pod<T>(
        self: &Arc<Self>,
        make: impl FnOnce(Lease) -> (T, Weak<Handle>, Weak<Pod>),
    ) -> Option<T> {
        let mut pods = lock(&self.pods);
        let ip = pods.free_ip()?;
        let (made, handle, pod) = make(Lease {
            fabric: Arc::clone(self),
            ip,
        });
        pods.by_ip.insert(ip, Known { pod, handle });
        Some(made)
    }

    /// How many pods have an IP.
    pub(crate) fn pods(&self) -> usize {
        lock(&self.pods).by_ip.len()
    }

    pub(crate) fn pod(&self, ip: Ipv4Addr) -> Option<Arc<Pod>> {
        lock(&self.pods).by_ip.get(&ip)?.pod.upgrade()
    }

    /// Every pod of which anything is left.
    pub(crate) fn all_pods(&self) -> Vec<Arc<Pod>> {
        let pods = lock(&self.pods);
        let known = pods.by_ip.values();
        known.filter_map(|known| known.pod.upgrade()).collect()
    }

    /// Whether a pod of this namespace has this IP.
    pub(crate) fn has_pod(&self, ip: Ipv4Addr, namespace: &str) -> bool {
        self.pod(ip).is_some_and(|pod| pod.namespace == namespace)
    }

    pub(crate) fn handle(&self, ip: Ipv4Addr) -> Option<Arc<Handle>> {
        lock(&self.pods).by_ip.get(&ip)?.handle.upgrade()
    }

    /// The services. Hold it briefly: who changes them waits.
    pub(crate) fn services(&self) -> RwLockReadGuard<'_, Services> {
        self.services.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a service, or removes it.
    pub(crate) fn change_service(&self, name: ServiceName, service: Option<Service>) {
        let mut services = self
            .services
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match service {
            Some(service) => services.set(name, service),
            None => services.remove(&name),
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// A number that is as likely as any other: SplitMix64 (Steele, Lea and Flood, 2014).
    pub(crate) fn random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.random.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The endpoint of a service that a client gets.
    pub(crate) fn choose(
        &self,
        name: &ServiceName,
        port: u16,
        protocol: Protocol,
        client: IpAddr,
    ) -> Option<SocketAddr> {
        let services = self.services();
        let backends = services.port(name, port, protocol)?;
        backends.choose(client, Instant::now(), self.random())
    }

    /// Where a connection of `client` to an address goes.
    pub(crate) fn route(&self, protocol: Protocol, client: IpAddr, to: SocketAddr) -> Route {
        let choose = |backends: &Backends| backends.choose(client, Instant::now(), self.random());
        self.route_by(protocol, to, choose)
    }

    /// Where a datagram goes: to the endpoint that the client had before, while that may have connections. Gives the
    /// generation of services with it.
    pub(crate) fn route_datagram(
        &self,
        client: IpAddr,
        to: SocketAddr,
        before: Option<Choice>,
    ) -> (Route, u64) {
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(before) = before
            && before.generation == generation
        {
            return (self.to_pod(Protocol::Udp, before.endpoint), generation);
        }
        let choose = |backends: &Backends| match before {
            Some(before) if backends.has(before.endpoint) => Some(before.endpoint),
            _ => backends.choose(client, Instant::now(), self.random()),
        };
        (self.route_by(Protocol::Udp, to, choose), generation)
    }

    fn route_by(
        &self,
        protocol: Protocol,
        to: SocketAddr,
        choose: impl FnOnce(&Backends) -> Option<SocketAddr>,
    ) -> Route {
        let IpAddr::V4(ip) = to.ip() else {
            return self.to_outside(protocol, to, unreachable_errno(to.ip()));
        };
        let chosen = match self.services().find(ip, to.port(), protocol) {
            Found::Port(backends) => choose(backends).ok_or(Errno::ConnRefused),
            Found::OtherPorts => Err(Errno::ConnRefused),
            Found::Nothing if ip == NAMESERVER => {
                return if to.port() == DNS_PORT {
                    Route::Names
                } else {
                    Route::Nowhere(Errno::ConnRefused)
                };
            }
            Found::Nothing => Ok(to),
        };
        match chosen {
            Ok(at) => self.to_pod(protocol, at),
            Err(errno) => Route::Nowhere(errno),
        }
    }

    fn to_pod(&self, protocol: Protocol, at: SocketAddr) -> Route {
        let IpAddr::V4(ip) = at.ip() else {
            return Route::Nowhere(Errno::NetUnreach);
        };
        match self.pod(ip).filter(|pod| !pod.is_closed()) {
            Some(pod) => Route::Pod(pod, at),
            None => self.to_outside(protocol, at, unreachable_errno(at.ip())),
        }
    }

    fn to_outside(&self, protocol: Protocol, at: SocketAddr, otherwise: Errno) -> Route {
        let is_own = otherwise == Errno::HostUnreach && behind_gateway(at.ip()).is_none();
        let egress = self.egress.as_ref().filter(|_| !is_own);
        match egress.and_then(|egress| egress.admit(protocol, at)) {
            Some(real) => Route::Outside { at, real },
            None => Route::Nowhere(otherwise),
        }
    }
}

/// Why nothing is reached at an address that nobody has.
fn unreachable_errno(ip: IpAddr) -> Errno {
    let is_own = match ip {
        // POD_CIDR and SERVICE_CIDR.
        IpAddr::V4(v4) => matches!(v4.octets(), [10, 244 | 96..=111, ..]),
        // The /64 of the gateway.
        IpAddr::V6(v6) => v6.segments().starts_with(&GATEWAY6.segments()[..4]),
    };
    if is_own {
        Errno::HostUnreach
    } else {
        Errno::NetUnreach
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

/// A pod's claim on its IP, and its way to the other pods; dropping it frees the IP.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) ip: Ipv4Addr,
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.fabric.pods).by_ip.remove(&self.ip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ips_run_out_in_order_and_come_back() {
        let mut pods = Pods::default();
        for _ in 0..MAX_POD_ADDRESSES {
            let ip = pods.free_ip().unwrap();
            pods.by_ip.insert(ip, Known::default());
        }
        let last = Ipv4Addr::new(10, 244, 255, 254);
        assert_eq!(pods.by_ip.keys().next_back(), Some(&last));
        assert_eq!(pods.free_ip(), None);
        let freed = Ipv4Addr::new(10, 244, 9, 9);
        pods.by_ip.remove(&freed);
        assert_eq!(pods.free_ip(), Some(freed));
    }

    #[test]
    fn what_nobody_has_is_unreachable_and_only_our_ranges_have_hosts() {
        let fabric = Fabric::default();
        for (to, expected) in [
            ("10.244.0.9:80", Errno::HostUnreach),
            ("10.96.0.99:80", Errno::HostUnreach),
            ("10.111.255.255:80", Errno::HostUnreach),
            ("10.96.0.10:80", Errno::ConnRefused),
            ("10.112.0.1:80", Errno::NetUnreach),
            ("10.0.0.1:80", Errno::NetUnreach),
            ("192.168.1.1:80", Errno::NetUnreach),
            ("169.254.169.254:80", Errno::NetUnreach),
            ("93.184.216.34:443", Errno::NetUnreach),
            ("[2001:db8::1]:80", Errno::NetUnreach),
            ("[fd00:10:244::1]:80", Errno::HostUnreach),
            ("[fd00:10:244::1:af4:2]:80", Errno::HostUnreach),
            ("[fd00:10:245::1]:80", Errno::NetUnreach),
        ] {
            let to = to.parse().unwrap();
            let route = fabric.route(Protocol::Tcp, [10, 244, 0, 2].into(), to);
            let Route::Nowhere(errno) = route else {
                panic!("{to}: {route:?}")
            };
            assert_eq!(errno, expected, "{to}");
        }
    }
}
