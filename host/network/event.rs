//! What a pod's network has to tell its pod: faults that a user should read as a Kubernetes event.
//!
//! A bounded queue with one reader, the pod's driver. Traffic is not an event; see `counters`.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::address::behind_gateway;
use crate::counters::Protocol;
use crate::egress::{EgressRule, EgressTarget, HOST_NAMES};
use crate::limits::MAX_PENDING_EVENTS;
use crate::lock::lock;
use crate::wakers::Wakers;

/// Something that happened between the containers of a pod. Its `Display` is the event's message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// A container bound an address that another container holds; it saw `EADDRINUSE`.
    PortInUse {
        /// Who asked.
        container: Arc<str>,
        /// For what.
        address: SocketAddr,
        /// TCP or UDP.
        protocol: Protocol,
        /// Who has it.
        held_by: Arc<str>,
    },
    /// A container tried to reach something outside of the pods' network that no rule allows. Told once for each
    /// destination.
    EgressDenied {
        /// Who tried.
        container: Arc<str>,
        /// TCP or UDP.
        protocol: Protocol,
        /// What it tried to reach.
        to: SocketAddr,
    },
    /// A name outside of the cluster was looked up that no rule allows. Told once for each name.
    NameDenied {
        /// The name.
        name: String,
    },
    /// A name outside of the cluster stands for an address that only a rule about just that address allows.
    NameRefused {
        /// The name.
        name: String,
        /// The address.
        ip: IpAddr,
    },
    /// A network policy did not allow what a container tried; nobody answers it. Told once for each destination.
    PolicyDenied {
        /// Who tried.
        container: Arc<str>,
        /// TCP or UDP.
        protocol: Protocol,
        /// What it tried to reach.
        to: SocketAddr,
        /// Whether the policies of the pod that was to be reached do not allow it; else this pod's do not.
        by_receiver: bool,
    },
}

impl NetworkEvent {
    /// The event's reason, as in `kubectl get events`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } => "PortInUse",
            Self::EgressDenied { .. } | Self::NameDenied { .. } | Self::NameRefused { .. } => {
                "EgressDenied"
            }
            Self::PolicyDenied { .. } => "NetworkPolicyDenied",
        }
    }
}

impl fmt::Display for NetworkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse {
                container,
                address,
                protocol: Protocol::Tcp,
                held_by,
            } => {
                write!(
                    f,
                    "container {container:?}: bind {address}: address in use by container {held_by:?}"
                )
            }
            Self::PortInUse {
                container,
                address,
                protocol,
                held_by,
            } => {
                write!(
                    f,
                    "container {container:?}: bind {address} ({protocol}): address in use by container {held_by:?}"
                )
            }
            Self::EgressDenied {
                container,
                protocol,
                to,
            } => {
                let rule = rule_for(*protocol, *to);
                write!(
                    f,
                    "container {container:?}: {to} ({protocol}) is outside of the pods' network; what would allow it: --allow-egress {rule}"
                )
            }
            Self::NameDenied { name } => {
                let target = if HOST_NAMES.contains(&name.as_str()) {
                    "127.0.0.1/32"
                } else {
                    name
                };
                write!(
                    f,
                    "name {name:?} is outside of the cluster and was not looked up; what would allow it: --allow-egress {target}:PORT"
                )
            }
            Self::NameRefused { name, ip } => {
                let rule = rule_for(Protocol::Tcp, SocketAddr::new(*ip, 0)).to_string();
                let rule = rule.trim_end_matches('0');
                write!(
                    f,
                    "name {name:?} stands for {ip}, which no name gives access to; what would allow it: --allow-egress {rule}PORT"
                )
            }
            Self::PolicyDenied {
                container,
                protocol,
                to,
                by_receiver,
            } => {
                let whose = if *by_receiver {
                    "no ingress rule of the pod there"
                } else {
                    "no egress rule of this pod"
                };
                write!(
                    f,
                    "container {container:?}: {to} ({protocol}) dropped: {whose} allows it"
                )
            }
        }
    }
}

/// The rule that would allow an address, as a user writes it.
fn rule_for(protocol: Protocol, to: SocketAddr) -> EgressRule {
    // Who names the gateway means the machine.
    let ip = behind_gateway(to.ip()).unwrap_or_else(|| to.ip());
    EgressRule {
        to: EgressTarget::Block(ip.into()),
        ports: to.port()..=to.port(),
        protocol,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: Mutex<(VecDeque<NetworkEvent>, Wakers)>,
}

impl Events {
    /// Queues an event; at [`MAX_PENDING_EVENTS`] the oldest goes.
    pub(crate) fn push(&self, event: NetworkEvent) {
        let wakers = {
            let (queue, wakers) = &mut *lock(&self.queue);
            if queue.len() >= MAX_PENDING_EVENTS {
                queue.pop_front();
            }
            queue.push_back(event);
            wakers.take()
        };
        wakers.wake();
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<NetworkEvent> {
        let (queue, wakers) = &mut *lock(&self.queue);
        match queue.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                wakers.register(cx.waker());
                Poll::Pending
            }
        }
    }
}
