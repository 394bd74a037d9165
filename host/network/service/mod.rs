//! Services: one address, or one name, in front of the pods that stand behind it.
//!
//! Whoever knows the objects (the agent) says what services there are; this module decides which pod a connection gets.
//! It deliberately knows no selector and watches nothing. Followed: `service`, `virtual-ips` and `endpoint-slices` of
//! Kubernetes' concepts, and kube-proxy for the choice; each file names its part.
//!
//! `choose` is the choice as a pure function, `affinity` remembers clients, `table` finds the service of an address.

mod affinity;
mod choose;
mod table;

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

pub(crate) use choose::{number, pick_index};
pub(crate) use table::{Backends, Found, Services};

use crate::counters::Protocol;

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A service as the network needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How it is reached.
    pub address: ServiceAddress,
    /// Its own ports.
    pub ports: Vec<NamedPort>,
    /// `sessionAffinity: ClientIP` and its time-out; without it every connection is a new choice.
    pub affinity: Option<Duration>,
    /// What stands behind it, ready or not.
    pub endpoints: Vec<Endpoint>,
}

/// How a service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAddress {
    /// By an address that stands for all endpoints.
    ClusterIp(Ipv4Addr),
    /// By the endpoints' own addresses, which its name stands for (`clusterIP: None`).
    Headless,
    /// Its name is another one's alias (`type: ExternalName`).
    ExternalName(String),
}

/// A port with the name under which a service and its endpoints know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPort {
    /// Empty for the only port of a service.
    pub name: String,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// 1 to 65535.
    pub port: u16,
    /// `appProtocol`: what is spoken there. Proxies read it; the network carries bytes.
    pub app_protocol: Option<String>,
}

/// What stands behind a service: a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub ip: Ipv4Addr,
    /// The name before the service's that means it alone (`spec.hostname` of a pod with the service as its subdomain).
    pub hostname: Option<String>,
    /// Whether it may get connections.
    pub conditions: Conditions,
    /// Its numbers for the service's ports, by their names.
    pub ports: Vec<NamedPort>,
}

/// `endpoints[*].conditions` of an EndpointSlice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// It is ready and does not end, or readiness does not count for its service.
    pub ready: bool,
    /// It is ready, whether it ends or not.
    pub serving: bool,
    /// It ends.
    pub terminating: bool,
}
