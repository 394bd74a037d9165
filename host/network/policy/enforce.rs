//! What a change of rules does to what is there: a connection that the new rules do not allow is reset, both ends of it.
//!
//! Only the ends that opened a connection are looked at, since every connection has one. An attempt that waits for room in
//! a listen queue is looked at as well.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::PodPolicy;
use crate::address::seen_from_pod;
use crate::counters::Protocol;
use crate::fabric::Fabric;
use crate::pod::Pod;
use crate::{AddressFamily, Errno};

/// A connection as the end that opened it knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) client: SocketAddr,
    /// Where it ends, which is not the address of a service.
    pub(crate) server: SocketAddr,
    /// Who opened it.
    pub(crate) by: Opener,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opener {
    /// A container of the pod.
    Guest,
    /// The host for a client outside of the pods.
    Outsider,
    /// The host for itself.
    Node,
}

impl Fabric {
    /// Takes on new rules and ends what they forbid.
    pub(crate) fn set_policies(&self, new: HashMap<Arc<str>, PodPolicy>) {
        if !self.policies.set(new) {
            return;
        }
        for pod in self.all_pods() {
            pod.replies.clear();
            pod.reset_where(&|opened| self.forbids(&pod, opened));
        }
    }

    /// Whether a connection that was opened in `pod` may not be any more.
    fn forbids(&self, pod: &Pod, opened: Opened) -> bool {
        let Opened { client, server, by } = opened;
        let rules = self.policies.read();
        let judged = match by {
            Opener::Guest => rules.any(pod, Protocol::Tcp, server, |ip| self.pod(ip)),
            Opener::Outsider => rules.inward(pod, client.ip(), Protocol::Tcp, server.port()),
            Opener::Node => Ok(()),
        };
        judged.is_err()
    }
}

impl Pod {
    /// Whether a client outside of the pods may open a port of this one, under the address by which the pod sees it.
    ///
    /// # Errors
    /// `EACCES` when the pod's rules do not let it in.
    pub(crate) fn admit(
        &self,
        client: SocketAddr,
        protocol: Protocol,
        at: SocketAddr,
    ) -> Result<(), Errno> {
        let Some(fabric) = self.fabric().filter(|fabric| fabric.policies.has_any()) else {
            return Ok(());
        };
        let seen: IpAddr = seen_from_pod(client, AddressFamily::of(at.ip())).ip();
        let rules = fabric.policies.read();
        let judged = rules.inward(self, seen, protocol, at.port());
        judged.map_err(|_| Errno::Acces)
    }
}
