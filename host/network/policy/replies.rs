//! The datagrams that are answers: what a pod was sent lately, and so may answer whatever its rules for egress say.
//!
//! Linux' connection tracking for UDP, of which it is asked only where there are rules. Pure but for the time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::time::Instant;

use crate::limits::{MAX_UDP_FLOWS, UDP_FLOW_IDLE};
use crate::lock::lock;

/// Whom a pod may answer.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// By the pod's own address and the other one's.
    asked: Mutex<HashMap<(SocketAddr, SocketAddr), Instant>>,
}

impl Replies {
    /// Notes that `from` has sent something to `own`. Beyond [`MAX_UDP_FLOWS`] the one that was silent longest is
    /// forgotten.
    pub(crate) fn note(&self, own: SocketAddr, from: SocketAddr, now: Instant) {
        let mut asked = lock(&self.asked);
        if asked.len() >= MAX_UDP_FLOWS && !asked.contains_key(&(own, from)) {
            asked.retain(|_, at| now.duration_since(*at) < UDP_FLOW_IDLE);
            let oldest = asked.iter().min_by_key(|(_, at)| **at);
            if let Some((oldest, _)) = oldest.map(|(key, at)| (*key, *at))
                && asked.len() >= MAX_UDP_FLOWS
            {
                asked.remove(&oldest);
            }
        }
        asked.insert((own, from), now);
    }

    /// Whether what `own` sends to `to` is an answer.
    pub(crate) fn is_reply(&self, own: SocketAddr, to: SocketAddr, now: Instant) -> bool {
        let asked = lock(&self.asked);
        let last = asked.get(&(own, to));
        last.is_some_and(|at| now.duration_since(*at) < UDP_FLOW_IDLE)
    }

    pub(crate) fn clear(&self) {
        lock(&self.asked).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_is_one_while_the_question_is_not_old() {
        let (replies, now) = (Replies::default(), Instant::now());
        let address = |port: u16| SocketAddr::from(([10, 244, 0, 2], port));
        replies.note(address(53), address(4000), now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(replies.is_reply(address(53), address(4000), later(119)));
        assert!(!replies.is_reply(address(53), address(4000), later(120)));
        assert!(!replies.is_reply(address(53), address(4001), now));
        assert!(!replies.is_reply(address(4000), address(53), now));
        replies.clear();
        assert!(!replies.is_reply(address(53), address(4000), now));
    }

    #[test]
    fn who_was_silent_longest_makes_room() {
        let (replies, now) = (Replies::default(), Instant::now());
        let address = |port: u16| SocketAddr::from(([10, 244, 0, 2], port));
        let count = u16::try_from(MAX_UDP_FLOWS).unwrap();
        for port in 1..=count + 1 {
            replies.note(
                address(53),
                address(port),
                now + Duration::from_millis(port.into()),
            );
        }
        assert!(!replies.is_reply(address(53), address(1), now));
        assert!(replies.is_reply(address(53), address(2), now));
        assert_eq!(lock(&replies.asked).len(), MAX_UDP_FLOWS);
    }
}
