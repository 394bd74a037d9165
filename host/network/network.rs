//! The network of all pods of one host: it hands out pod IPs, knows the services, and finds a pod by its IP.
//!
//! This is the host's own handle. What a pod's guests reach is decided in `fabric`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::counters::Protocol;
use crate::egress::{Egress, EgressConfig};
use crate::errno::Errno;
use crate::fabric::{Fabric, POD_CIDR, Route};
use crate::limits::MAX_POD_ADDRESSES;
use crate::pod::{PodNetwork, PodNetworkConfig};
use crate::policy::PodPolicy;
use crate::service::{NamedPort, Service, ServiceName};

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

/// The network of a host. Cheap to clone; all clones are the same.
///
/// ```
/// use wasmpod_network::{AddressFamily, Errno, Network, PodNetworkConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Network::new();
/// let [one, two] = [
///     network.create_pod(PodNetworkConfig { hostname: "one".into(), ..Default::default() })?,
///     network.create_pod(PodNetworkConfig { hostname: "two".into(), ..Default::default() })?,
/// ];
/// let (server, client) = (one.attach("server"), two.attach("client"));
/// let listener = server.tcp_socket(AddressFamily::Ipv4)?;
/// listener.bind(([0, 0, 0, 0], 80).into())?;
/// listener.listen()?;
///
/// let socket = client.tcp_socket(AddressFamily::Ipv4)?;
/// socket.connect((one.pod_ip(), 80).into())?;
/// socket.try_connect()?;
/// assert_eq!(listener.try_accept()?.peer_addr()?.ip(), two.pod_ip());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Network {
    fabric: Arc<Fabric>,
}

impl Network {
    /// A host without pods and services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A host without pods and services, whose pods may reach something outside.
    #[must_use]
    pub fn with_egress(config: EgressConfig) -> Self {
        let fabric = Fabric::with_egress(Egress::new(config));
        Self {
            fabric: Arc::new(fabric),
        }
    }

    /// Makes a pod's network with an IP of its own, instead of `config.pod_ip`. The IP is free again when the last handle
    /// and socket of that pod are gone.
    ///
    /// # Errors
    /// [`NetworkError::Exhausted`] when no IP is free.
    pub fn create_pod(&self, mut config: PodNetworkConfig) -> Result<PodNetwork, NetworkError> {
        let hostname = config.hostname.clone();
        let pod = self.fabric.add_pod(|lease| {
            config.pod_ip = lease.ip;
            let pod = PodNetwork::with_lease(config, Some(lease));
            let (handle, weak) = pod.weak();
            (pod, handle, weak)
        });
        pod.ok_or(NetworkError::Exhausted { pod: hostname })
    }

    /// How many pods have an IP.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.fabric.pods()
    }

    /// Whether a pod has this IP.
    #[must_use]
    pub fn is_pod(&self, ip: Ipv4Addr) -> bool {
        self.fabric.pod(ip).is_some()
    }

    /// The network of the pod that has this IP, while somebody holds it.
    #[must_use]
    pub fn pod(&self, ip: Ipv4Addr) -> Option<PodNetwork> {
        self.fabric.handle(ip).map(PodNetwork::of)
    }

    /// Lets there be a service, in the place of what had its name. It counts for the next connection; those that there are
    /// stay where they are.
    pub fn set_service(&self, name: ServiceName, service: Service) {
        self.fabric.change_service(name, Some(service));
    }

    /// Removes a service.
    pub fn remove_service(&self, name: &ServiceName) {
        self.fabric.change_service(name.clone(), None);
    }

    /// Takes on the rules of all pods, by their identities ([`PodNetworkConfig::identity`]), in the place of all that were
    /// there. They count at once: what may not be opened any more is not, and a connection that is there and that they do
    /// not allow is reset. A pod may have rules before it has a network.
    pub fn set_policies(&self, policies: HashMap<Arc<str>, PodPolicy>) {
        self.fabric.set_policies(policies);
    }

    /// A service as it was set.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<Service> {
        self.fabric.services().get(name).cloned()
    }

    /// The names of all services.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceName> {
        let services = self.fabric.services();
        services.all().map(|(name, _)| name.clone()).collect()
    }

    /// The endpoint that a client outside of the pods gets on a port of a service, if there is any.
    #[must_use]
    pub fn endpoint(
        &self,
        service: &ServiceName,
        port: u16,
        protocol: Protocol,
        client: IpAddr,
    ) -> Option<SocketAddr> {
        self.fabric.choose(service, port, protocol, client)
    }

    /// Whether a service has a port of this number.
    #[must_use]
    pub fn has_port(&self, service: &ServiceName, port: u16, protocol: Protocol) -> bool {
        self.fabric
            .services()
            .port(service, port, protocol)
            .is_some()
    }

    /// The number of a service's port of this name.
    #[must_use]
    pub fn named_port(&self, service: &ServiceName, name: &str, protocol: Protocol) -> Option<u16> {
        let services = self.fabric.services();
        let mut ports = services.get(service)?.ports.iter();
        let same = |port: &&NamedPort| port.name == name && port.protocol == protocol;
        ports.find(same).map(|port| port.port)
    }

    /// What a port of a service says that is spoken there (`appProtocol`).
    #[must_use]
    pub fn app_protocol(
        &self,
        service: &ServiceName,
        port: u16,
        protocol: Protocol,
    ) -> Option<String> {
        let services = self.fabric.services();
        let mut ports = services.get(service)?.ports.iter();
        let same = |own: &&NamedPort| own.port == port && own.protocol == protocol;
        ports.find(same)?.app_protocol.clone()
    }

    /// Whether clients outside of the pods may get this endpoint on a port of a service.
    pub(crate) fn has_endpoint(
        &self,
        service: &ServiceName,
        port: u16,
        protocol: Protocol,
        endpoint: SocketAddr,
    ) -> bool {
        let services = self.fabric.services();
        let backends = services.port(service, port, protocol);
        backends.is_some_and(|backends| backends.has(endpoint))
    }

    /// The pod behind the address of a pod or a service, and the address there; for the host's own connections.
    ///
    /// # Errors
    /// `ECONNREFUSED` when a service has no endpoint there, `EHOSTUNREACH` and `ENETUNREACH` when nobody has the address.
    pub fn find(
        &self,
        protocol: Protocol,
        client: IpAddr,
        to: SocketAddr,
    ) -> Result<(PodNetwork, SocketAddr), Errno> {
        match self.fabric.route(protocol, client, to) {
            Route::Pod(pod, at) => {
                let held = self.pod(pod.addresses.ip).ok_or(Errno::HostUnreach)?;
                Ok((held, at))
            }
            Route::Names => Err(Errno::ConnRefused),
            // The host has ways of its own.
            Route::Outside { .. } => Err(Errno::NetUnreach),
            Route::Nowhere(errno) => Err(errno),
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
}
