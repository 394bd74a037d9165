//! Egress: what pods may reach outside of the virtual network, and the real sockets that carry it.
//!
//! Without rules nothing outside is reached, and no file of this folder does anything. With them a connection to an allowed
//! address is opened by the host on the guest's behalf: the guest has one end of a bounded stream in memory, a task of its
//! pod carries between the other end and the real socket, and ends with the pod. No guest ever holds a host socket.
//!
//! What is allowed is said by blocks of addresses or by names. A name allows only the addresses that this host's own
//! resolver has given for it lately, so that nobody reaches an address by calling it names. An address that means this
//! machine, its link or the virtual network itself is reached by nothing but a block within just that range: that a name
//! resolves to it (DNS rebinding) or that a large block happens to contain it allows nothing.
//!
//! `rule` reads what a user writes, `special` knows the ranges, `allowance` decides (pure but for the time), `names` asks
//! the host's resolver, `tcp` and `udp` carry. Network policies are asked as well, by `pod`; both must allow.

mod allowance;
mod names;
mod rule;
mod special;
mod tcp;
mod udp;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use names::{Resolving, SystemUpstream, Upstream};
pub use rule::{EgressRule, EgressRuleError, EgressTarget};
pub(crate) use tcp::{Departure, carry_out};
pub(crate) use udp::{DatagramsOut, Outgoing};

use crate::address::behind_gateway;
use crate::counters::Protocol;
use crate::limits::MAX_UPSTREAM_LOOKUPS;
use crate::lock::lock;
use allowance::Allowance;

/// The names by which pods know the machine that they run on, as podman and docker call it. They stand for
/// [`crate::GATEWAY`] and [`crate::GATEWAY6`], and whoever connects there gets to the machine's own 127.0.0.1 and `::1`, if a
/// rule allows that.
pub const HOST_NAMES: [&str; 2] = ["host.containers.internal", "host.docker.internal"];

/// What pods may reach outside.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// The rules, of which one must allow it.
    pub rules: Vec<EgressRule>,
    /// Who resolves names outside of the cluster.
    pub upstream: Arc<dyn Upstream>,
}

impl EgressConfig {
    /// These rules, and the resolver of this machine.
    #[must_use]
    pub fn new(rules: Vec<EgressRule>) -> Self {
        Self {
            rules,
            upstream: Arc::new(SystemUpstream),
        }
    }
}

/// What pods of a host may reach outside, and what is known of names there.
#[derive(Debug)]
pub(crate) struct Egress {
    allowance: Mutex<Allowance>,
    upstream: Arc<dyn Upstream>,
    /// Bounds the questions to the host's resolver.
    lookups: Arc<Semaphore>,
}

/// What became of a lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The addresses that may be told.
    pub(crate) allowed: Vec<IpAddr>,
    /// One that may not, because it is of a special range and the name is no reason to go there.
    pub(crate) refused: Option<IpAddr>,
    /// There are addresses of which no rule says anything.
    pub(crate) has_others: bool,
}

impl Egress {
    pub(crate) fn new(config: EgressConfig) -> Self {
        Self {
            allowance: Mutex::new(Allowance::new(config.rules)),
            upstream: config.upstream,
            lookups: Arc::new(Semaphore::new(MAX_UPSTREAM_LOOKUPS)),
        }
    }

    /// The real address to which a connection to `to` goes, if it may.
    pub(crate) fn admit(&self, protocol: Protocol, to: SocketAddr) -> Option<SocketAddr> {
        let loopback = behind_gateway(to.ip());
        let real = loopback.map_or(to, |ip| SocketAddr::new(ip, to.port()));
        let allowance = lock(&self.allowance);
        let is_allowed = allowance.allows(protocol, real, Instant::now());
        is_allowed.then_some(real)
    }
}
