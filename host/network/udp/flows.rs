//! Which endpoints a UDP socket talks to behind services, so that answers come from the address that it has asked.
//!
//! What Linux' connection tracking does for kube-proxy, kept with the socket and ended with it. A service's endpoint stays
//! the same while datagrams go there and it may have connections. Pure but for the time, which is a parameter.

use std::net::SocketAddr;

use tokio::time::Instant;

use crate::fabric::Choice;
use crate::limits::{MAX_SERVICE_FLOWS, SERVICE_FLOW_IDLE};

#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: Vec<Flow>,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    service: SocketAddr,
    choice: Choice,
    at: Instant,
}

impl Flows {
    /// The endpoint that a service had for this socket lately.
    pub(super) fn choice(&self, service: SocketAddr, now: Instant) -> Option<Choice> {
        let mut flows = self.flows.iter();
        let flow = flows.find(|flow| flow.service == service)?;
        (now.duration_since(flow.at) < SERVICE_FLOW_IDLE).then_some(flow.choice)
    }

    /// Notes a datagram that was sent to `to` and went to `choice`.
    pub(super) fn note(&mut self, to: SocketAddr, choice: Choice, now: Instant) {
        if to == choice.endpoint {
            // It is asked by its own name now: so it answers.
            if !self.flows.is_empty() {
                self.flows.retain(|flow| flow.choice.endpoint != to);
            }
            return;
        }
        let flow = Flow {
            service: to,
            choice,
            at: now,
        };
        if let Some(known) = self.flows.iter_mut().find(|known| known.service == to) {
            *known = flow;
            return;
        }
        if self.flows.len() >= MAX_SERVICE_FLOWS {
            let oldest = self
                .flows
                .iter()
                .enumerate()
                .min_by_key(|(_, flow)| flow.at);
            if let Some((oldest, _)) = oldest {
                self.flows.swap_remove(oldest);
            }
        }
        self.flows.push(flow);
    }

    /// The address under which the socket knows a sender.
    pub(super) fn seen(&self, from: SocketAddr) -> SocketAddr {
        let of_sender = self
            .flows
            .iter()
            .filter(|flow| flow.choice.endpoint == from);
        // Two services with one endpoint: the one that was asked last.
        let last = of_sender.max_by_key(|flow| flow.at);
        last.map_or(from, |flow| flow.service)
    }

    pub(super) fn clear(&mut self) {
        self.flows = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 53).into()
    }

    fn choice(last: u8) -> Choice {
        Choice {
            endpoint: address(last),
            generation: 0,
        }
    }

    #[test]
    fn an_answer_is_seen_from_the_service_that_was_asked() {
        let (mut flows, now) = (Flows::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(flows.seen(address(1)), address(1));
        flows.note(address(100), choice(1), now);
        assert_eq!(flows.choice(address(100), later(119)), Some(choice(1)));
        assert_eq!(flows.choice(address(100), later(120)), None, "idle");
        assert_eq!(flows.choice(address(101), now), None);
        assert_eq!(flows.seen(address(1)), address(100));
        flows.note(address(101), choice(1), later(1));
        assert_eq!(flows.seen(address(1)), address(101), "asked last");
        flows.note(address(1), choice(1), later(2));
        assert_eq!(flows.seen(address(1)), address(1), "asked itself");
    }

    #[test]
    fn the_service_that_was_not_asked_for_longest_makes_room() {
        let (mut flows, now) = (Flows::default(), Instant::now());
        for (last, seconds) in (0_u8..).zip(0..=u64::try_from(MAX_SERVICE_FLOWS).unwrap()) {
            let later = now + Duration::from_secs(seconds);
            flows.note(address(last), choice(200), later);
        }
        assert_eq!(flows.flows.len(), MAX_SERVICE_FLOWS);
        assert_eq!(flows.choice(address(0), now), None);
        assert!(flows.choice(address(1), now).is_some());
    }
}
