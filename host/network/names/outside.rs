//! Names outside of the cluster, for one question: what was learnt of them, and which one has to be asked for.
//!
//! Answering is a plain function of what is known. Where it wants a name of which nothing is known yet, that is noted; who
//! can wait asks the host's resolver and answers anew, who cannot takes the answer as it is.

use std::cell::RefCell;
use std::net::IpAddr;

use super::hosts::ResolveError;
use crate::egress::{Egress, HOST_NAMES};
use crate::event::NetworkEvent;
use crate::limits::MAX_OUTSIDE_LOOKUPS;
use crate::pod::Pod;

/// What one question has learnt.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    found: Vec<(String, Vec<IpAddr>)>,
    missing: RefCell<Option<String>>,
    denied: RefCell<Option<String>>,
}

impl Learnt {
    /// The addresses of a name outside, which is in lower case and without its last dot; nothing if it is not known, or not
    /// yet.
    pub(super) fn look(&self, egress: Option<&Egress>, name: &str) -> Option<Vec<IpAddr>> {
        if let Some((_, addresses)) = self.found.iter().find(|(known, _)| known == name) {
            return Some(addresses.clone());
        }
        let known = egress.and_then(|egress| egress.known(name));
        if let Some(known) = known.filter(|known| !known.is_empty() || !is_machine(name)) {
            return Some(known);
        }
        if !is_machine(name) && egress.is_some_and(|egress| egress.asks(name)) {
            keep_first(&self.missing, name);
        } else if is_of_the_world(name) {
            keep_first(&self.denied, name);
        }
        None
    }

    /// The name that has to be asked for.
    pub(super) fn take_missing(&self) -> Option<String> {
        self.missing.take()
    }

    /// Tells the user of a name that no rule allows to ask for.
    pub(super) fn tell(&self, pod: &Pod) {
        if let Some(name) = self.denied.take() {
            pod.hint(|| NetworkEvent::NameDenied { name });
        }
    }
}

/// Whether it is a name of the machine that pods run on.
fn is_machine(name: &str) -> bool {
    HOST_NAMES.contains(&name)
}

fn keep_first(place: &RefCell<Option<String>>, name: &str) {
    place.borrow_mut().get_or_insert_with(|| name.to_owned());
}

/// Whether a name may be one of the internet's, as far as a hint is worth it: a single word is a service that is not there.
fn is_of_the_world(name: &str) -> bool {
    name.contains('.') && !name.ends_with(".arpa") && !name.ends_with(".local")
}

/// The addresses of a name as a pod's C library finds them, wherever it is known.
pub(crate) async fn resolve_outside(pod: &Pod, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    answering(pod, |learnt| pod.resolve(name, learnt)).await
}

/// Answers, asking the host's resolver for what is missing.
pub(super) async fn answering<T>(pod: &Pod, mut answer: impl FnMut(&Learnt) -> T) -> T {
    let mut learnt = Learnt::default();
    loop {
        let missing = {
            let answered = answer(&learnt);
            match learnt.take_missing() {
                Some(missing) if learnt.found.len() < MAX_OUTSIDE_LOOKUPS => missing,
                _ => {
                    learnt.tell(pod);
                    return answered;
                }
            }
        };
        let egress = pod.fabric().and_then(|fabric| fabric.egress());
        let addresses = match egress {
            Some(egress) => {
                let lookup = egress.fetch(&missing).await;
                if let Some(refused) = lookup.refused {
                    let name = missing.clone();
                    pod.hint(|| NetworkEvent::NameRefused { name, ip: refused });
                }
                if lookup.allowed.is_empty() && lookup.has_others {
                    keep_first(&learnt.denied, &missing);
                }
                lookup.allowed
            }
            None => Vec::new(),
        };
        learnt.found.push((missing, addresses));
    }
}
