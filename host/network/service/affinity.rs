//! `sessionAffinity: ClientIP`: which endpoint a client got last.
//!
//! Kept for one port of one service. As kube-proxy's: the time begins anew with every connection, and an endpoint that
//! takes no connections any more is forgotten (`virtual-ips#session-affinity`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::choose::pick;
use crate::limits::MAX_AFFINITY_CLIENTS;
use crate::lock::lock;

#[derive(Debug)]
pub(super) struct Affinity {
    pub(super) timeout: Duration,
    recent: Mutex<HashMap<IpAddr, Recent>>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    endpoint: SocketAddr,
    at: Instant,
}

impl Affinity {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            recent: Mutex::default(),
        }
    }

    /// The endpoint of a client: the one that it has, else one picked.
    pub(super) fn choose(
        &self,
        client: IpAddr,
        targets: &[SocketAddr],
        now: Instant,
        random: u64,
    ) -> Option<SocketAddr> {
        let mut recent = lock(&self.recent);
        let alive = |found: &Recent| now.duration_since(found.at) < self.timeout;
        let known = recent.get(&client).filter(|found| alive(found));
        let endpoint = match known.filter(|found| targets.contains(&found.endpoint)) {
            Some(found) => found.endpoint,
            None => pick(targets, random)?,
        };
        if recent.len() >= MAX_AFFINITY_CLIENTS && !recent.contains_key(&client) {
            recent.retain(|_, found| alive(found));
            if recent.len() >= MAX_AFFINITY_CLIENTS {
                let oldest = recent.iter().min_by_key(|(_, found)| found.at);
                let oldest = oldest.map(|(client, _)| *client);
                oldest.and_then(|oldest| recent.remove(&oldest));
            }
        }
        recent.insert(client, Recent { endpoint, at: now });
        Some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u8) -> Vec<SocketAddr> {
        (1..=count)
            .map(|last| ([10, 244, 0, last], 80).into())
            .collect()
    }

    #[test]
    fn a_client_keeps_its_endpoint_until_it_was_away_for_long_or_the_endpoint_is_gone() {
        let (affinity, all) = (Affinity::new(Duration::from_secs(10)), addresses(3));
        let (start, client) = (Instant::now(), "10.244.0.9".parse().unwrap());
        let choose = |targets: &[SocketAddr], seconds, random| {
            let now = start + Duration::from_secs(seconds);
            affinity.choose(client, targets, now, random)
        };
        assert_eq!(choose(&all, 0, 0), Some(all[0]));
        assert_eq!(choose(&all, 9, u64::MAX), Some(all[0]), "its own");
        assert_eq!(
            choose(&all, 18, u64::MAX),
            Some(all[0]),
            "the time begins anew"
        );
        assert_eq!(choose(&all, 28, u64::MAX), Some(all[2]), "it was away");
        assert_eq!(choose(&all[..2], 29, 0), Some(all[0]), "it is gone");
        assert_eq!(choose(&all, 30, u64::MAX), Some(all[0]));
        assert_eq!(choose(&[], 31, 0), None);
        let other = affinity.choose("10.244.0.8".parse().unwrap(), &all, start, u64::MAX);
        assert_eq!(other, Some(all[2]), "another client");
    }

    #[test]
    fn the_client_that_was_away_longest_makes_room() {
        let (affinity, all) = (Affinity::new(Duration::from_secs(1_000_000)), addresses(2));
        let start = Instant::now();
        let client = |number: usize| {
            let number = u32::try_from(number).unwrap();
            IpAddr::from(std::net::Ipv4Addr::from(number))
        };
        for number in 0..=MAX_AFFINITY_CLIENTS {
            let now = start + Duration::from_millis(u64::try_from(number).unwrap());
            affinity.choose(client(number), &all, now, 0);
        }
        let recent = lock(&affinity.recent);
        assert_eq!(recent.len(), MAX_AFFINITY_CLIENTS);
        assert!(!recent.contains_key(&client(0)) && recent.contains_key(&client(1)));
    }
}
