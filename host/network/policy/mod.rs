//! Who may reach whom: the rules of pods, and the judgement whether something agrees with them.
//!
//! Whoever knows the objects (the agent) says what the rules of each pod are, with names of ports and selectors already
//! turned into numbers and sets of pods; this module only compares. Followed: `network-policies` of Kubernetes' concepts:
//! * a pod without rules for a direction may be reached by all, or may reach all; one with rules only what one of them
//!   allows, and never is anything forbidden that a rule allows;
//! * both ends must agree;
//! * rules are about pods, after a service's address was translated into an endpoint's, and about who opens a connection:
//!   what comes back needs no rule;
//! * what stays within a pod, and what comes from the node for the node's sake (probes), is nobody's affair.
//!
//! This file is pure. `table` keeps the rules and is asked when a connection is opened or a datagram sent; `enforce` ends
//! what a change forbids; `replies` knows the datagrams that are answers.

mod enforce;
mod replies;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

pub(crate) use enforce::{Opened, Opener};
pub(crate) use replies::Replies;
pub(crate) use table::{Denied, Policies};

use crate::counters::Protocol;

/// The identity that the name server has in rules, which is no pod here: who writes rules for Kubernetes' own name server
/// means this one.
pub const NAME_SERVER_IDENTITY: &str = "kube-dns";

/// The rules of one pod: the sum of all policies that select it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodPolicy {
    /// What may be opened to it; without it, anything.
    pub ingress: Option<Vec<PolicyRule>>,
    /// What it may open; without it, anything.
    pub egress: Option<Vec<PolicyRule>>,
}

/// One rule: any of these peers, on any of these ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// Without it everybody; empty is nobody.
    pub peers: Option<Vec<PolicyPeer>>,
    /// Without it all; empty is none.
    pub ports: Option<Vec<PolicyPort>>,
}

/// Some peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyPeer {
    /// The pods with these identities ([`crate::PodNetworkConfig::identity`]).
    Pods(Arc<BTreeSet<Arc<str>>>),
    /// Whoever has an address of `block` and of none of `except`.
    Block {
        /// The addresses.
        block: IpNet,
        /// Those of them that are not meant.
        except: Vec<IpNet>,
    },
}

/// Some ports of the end that is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPort {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Their numbers.
    pub ports: RangeInclusive<u16>,
}

/// The other end, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party<'a> {
    /// If it is a pod.
    pub(crate) identity: Option<&'a str>,
    pub(crate) ip: IpAddr,
}

impl PodPolicy {
    /// Whether `from` may open this port of the pod.
    pub(crate) fn lets_in(&self, from: Party<'_>, protocol: Protocol, port: u16) -> bool {
        allow(self.ingress.as_deref(), from, protocol, port)
    }

    /// Whether the pod may open this port of `to`.
    pub(crate) fn lets_out(&self, to: Party<'_>, protocol: Protocol, port: u16) -> bool {
        allow(self.egress.as_deref(), to, protocol, port)
    }
}

fn allow(rules: Option<&[PolicyRule]>, peer: Party<'_>, protocol: Protocol, port: u16) -> bool {
    let Some(rules) = rules else { return true };
    rules.iter().any(|rule| {
        let ports = rule.ports.as_deref();
        let peers = rule.peers.as_deref();
        ports.is_none_or(|ports| ports.iter().any(|one| one.is(protocol, port)))
            && peers.is_none_or(|peers| peers.iter().any(|one| one.is(peer)))
    })
}

impl PolicyPort {
    fn is(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && self.ports.contains(&port)
    }
}

impl PolicyPeer {
    fn is(&self, peer: Party<'_>) -> bool {
        match self {
            Self::Pods(pods) => peer
                .identity
                .is_some_and(|identity| pods.contains(identity)),
            Self::Block { block, except } => {
                block.contains(&peer.ip) && !except.iter().any(|part| part.contains(&peer.ip))
            }
        }
    }
}
