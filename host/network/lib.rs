//! The virtual network of pods, and the bridges from real ports into it.
//!
//! The containers of a pod share one network namespace: one IP address, one port space, one `localhost`. Here that is a
//! table of Rust objects, [`PodNetwork`], with the behaviour of TCP and UDP sockets as a program sees it and no packets
//! beneath: a connection is two bounded queues of [`bytes::Bytes`], which move by reference.
//!
//! The pods of a host make one [`Network`]: they reach each other by their IPs, and services by their addresses and names.
//! Network policies say who may reach whom. Beyond that there is nothing: an address that nobody here has is unreachable,
//! and a name outside of the cluster's zone does not exist, unless [`EgressConfig`] allows it.
//!
//! This crate knows neither Wasm nor Kubernetes objects. It starts no task of its own: everything wakes by
//! [`std::task::Waker`], and a publication is a future that the caller spawns. No guest ever holds a host socket; only
//! [`publish`] and `egress` open real ones.
//!
//! ```
//! use bytes::Bytes;
//! use wasmpod_network::{AddressFamily, Errno, PodNetwork, PodNetworkConfig};
//!
//! # fn main() -> Result<(), Errno> {
//! let pod = PodNetwork::new(PodNetworkConfig { hostname: "web".into(), ..Default::default() });
//! let (server, client) = (pod.attach("server"), pod.attach("client"));
//!
//! let listener = server.tcp_socket(AddressFamily::Ipv4)?;
//! listener.bind(([127, 0, 0, 1], 8080).into())?;
//! listener.listen()?;
//!
//! let socket = client.tcp_socket(AddressFamily::Ipv4)?;
//! socket.connect(([127, 0, 0, 1], 8080).into())?;
//! let near = socket.try_connect()?;
//! near.try_write(&mut Bytes::from_static(b"hello"))?;
//!
//! let far = listener.try_accept()?.stream().ok_or(Errno::NotConn)?;
//! assert_eq!(far.try_read(64)?, "hello");
//! assert_eq!(far.try_read(64), Err(Errno::Again));
//! # Ok(())
//! # }
//! ```

mod fabric;
mod network;
mod pod;
mod policy;
mod serve;
mod service;

mod container;
mod tcp;
mod udp;

pub mod publish;

mod egress;

mod address;
mod capture;
mod counters;
mod errno;
mod event;
mod event_loops;
pub mod limits;
mod names;

mod lock;
mod mailbox;
mod ports;
mod wakers;

#[cfg(test)]
mod between_pods;
#[cfg(test)]
mod tests;

pub use address::{AddressFamily, GATEWAY, GATEWAY6};
pub use capture::{Capture, CaptureError, CaptureOptions, Interface};
pub use container::ContainerNetwork;
pub use counters::{
    ContainerTraffic, Listening, Protocol, SocketInfo, SocketState, Totals, Traffic,
};
pub use egress::{
    EgressConfig, EgressRule, EgressRuleError, EgressTarget, HOST_NAMES, Resolving, SystemUpstream,
    Upstream,
};
pub use errno::Errno;
pub use event::NetworkEvent;
pub use event_loops::{EventLoop, EventLoops};
pub use fabric::{NAMESERVER, POD_CIDR, SERVICE_CIDR};
pub use names::ResolveError;
pub use network::{Network, NetworkError};
pub use pod::{HOST, PodNetwork, PodNetworkConfig};
pub use policy::{NAME_SERVER_IDENTITY, PodPolicy, PolicyPeer, PolicyPort, PolicyRule};
pub use service::{Conditions, Endpoint, NamedPort, Service, ServiceAddress, ServiceName};
pub use tcp::{ReadHalf, Shutdown, TcpOptions, TcpSocket, TcpStream, WriteHalf};
pub use udp::{Datagram, UdpSocket};
