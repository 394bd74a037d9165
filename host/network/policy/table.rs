//! The rules of all pods, and the one place where a connection or a datagram is judged.
//!
//! A connection is judged and made under the same read lock, so that a change of rules finds it either not yet judged or
//! already made, and never in between. Without any rules a datagram costs one load of a flag.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::{NAME_SERVER_IDENTITY, Party, PodPolicy};
use crate::counters::Protocol;
use crate::fabric::{DNS_PORT, NAMESERVER};
use crate::pod::Pod;

/// The rules by identity.
type ByPod = HashMap<Arc<str>, PodPolicy>;

/// The rules of all pods.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    has_any: AtomicBool,
    by_pod: RwLock<ByPod>,
}

/// The rules as they are for as long as this is held. Hold it briefly: who changes them waits.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    by_pod: RwLockReadGuard<'a, ByPod>,
}

/// Whose rules do not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Those of the pod that opens.
    Egress,
    /// Those of the pod that is opened.
    Ingress,
}

impl Policies {
    /// Takes on new rules; whether any have changed.
    pub(super) fn set(&self, new: ByPod) -> bool {
        let mut by_pod = self.by_pod.write().unwrap_or_else(PoisonError::into_inner);
        if *by_pod == new {
            return false;
        }
        self.has_any.store(!new.is_empty(), Ordering::Release);
        *by_pod = new;
        true
    }

    /// Whether any pod has rules.
    pub(crate) fn has_any(&self) -> bool {
        self.has_any.load(Ordering::Acquire)
    }

    pub(crate) fn read(&self) -> Rules<'_> {
        Rules {
            by_pod: self.by_pod.read().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Rules<'_> {
    /// Whether `client` may open `at`, an address of `server`.
    pub(crate) fn between(
        &self,
        client: &Pod,
        server: &Pod,
        protocol: Protocol,
        at: SocketAddr,
    ) -> Result<(), Denied> {
        self.out(client, Some(&server.identity), protocol, at)?;
        let from = Party {
            identity: Some(&client.identity),
            ip: IpAddr::V4(client.addresses.ip),
        };
        self.entering(server, from, protocol, at.port())
    }

    /// Whether `client` may open an address that is no pod's.
    pub(crate) fn outward(
        &self,
        client: &Pod,
        protocol: Protocol,
        at: SocketAddr,
    ) -> Result<(), Denied> {
        let is_name_server = at.ip() == IpAddr::V4(NAMESERVER);
        let identity = is_name_server.then_some(NAME_SERVER_IDENTITY);
        self.out(client, identity, protocol, at)
    }

    /// Whether a client outside of the pods, seen as `from`, may open a port of `server`.
    pub(crate) fn inward(
        &self,
        server: &Pod,
        from: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> Result<(), Denied> {
        let from = Party {
            identity: None,
            ip: from,
        };
        self.entering(server, from, protocol, port)
    }

    /// Whether a pod may ask the name server, in either way.
    pub(crate) fn may_ask_names(&self, client: &Pod) -> bool {
        let at = SocketAddr::new(IpAddr::V4(NAMESERVER), DNS_PORT);
        [Protocol::Udp, Protocol::Tcp]
            .into_iter()
            .any(|protocol| self.outward(client, protocol, at).is_ok())
    }

    /// Whether `client` may open `at`, whatever that is; `pod` finds a pod by its address.
    pub(super) fn any(
        &self,
        client: &Pod,
        protocol: Protocol,
        at: SocketAddr,
        pod: impl FnOnce(Ipv4Addr) -> Option<Arc<Pod>>,
    ) -> Result<(), Denied> {
        if client.addresses.contains(at.ip()) {
            return Ok(());
        }
        let server = match at.ip() {
            IpAddr::V4(ip) => pod(ip),
            IpAddr::V6(_) => None,
        };
        match server {
            Some(server) => self.between(client, &server, protocol, at),
            None => self.outward(client, protocol, at),
        }
    }

    fn out(
        &self,
        client: &Pod,
        identity: Option<&str>,
        protocol: Protocol,
        at: SocketAddr,
    ) -> Result<(), Denied> {
        let to = Party {
            identity,
            ip: at.ip(),
        };
        let policy = self.by_pod.get(&client.identity);
        let is_allowed = policy.is_none_or(|policy| policy.lets_out(to, protocol, at.port()));
        if is_allowed {
            Ok(())
        } else {
            Err(Denied::Egress)
        }
    }

    fn entering(
        &self,
        server: &Pod,
        from: Party<'_>,
        protocol: Protocol,
        port: u16,
    ) -> Result<(), Denied> {
        let policy = self.by_pod.get(&server.identity);
        let is_allowed = policy.is_none_or(|policy| policy.lets_in(from, protocol, port));
        if is_allowed {
            Ok(())
        } else {
            Err(Denied::Ingress)
        }
    }
}
