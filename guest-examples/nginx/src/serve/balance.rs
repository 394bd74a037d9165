//! Which server of an upstream is asked: taking turns by weight, or the one with the fewest requests under way.

use http_loop::clock::Instant;

use crate::config::model::{Peer, Upstream};

/// What is known of one server.
#[derive(Debug, Default, Clone)]
struct Standing {
    /// Smooth weighted turns: grows by the weight each round, shrinks by the total when chosen.
    credit: i64,
    under_way: u64,
    fails: u32,
    last_fail: Instant,
}

/// The state of one upstream.
#[derive(Debug)]
pub struct Balancer {
    peers: Vec<Peer>,
    standings: Vec<Standing>,
    least_conn: bool,
    /// Idle connections that may be kept.
    pub keepalive: usize,
}

impl Balancer {
    /// All servers at their start.
    #[must_use]
    pub fn new(upstream: &Upstream) -> Self {
        Self {
            peers: upstream.peers.clone(),
            standings: vec![Standing::default(); upstream.peers.len()],
            least_conn: upstream.least_conn,
            keepalive: upstream.keepalive,
        }
    }

    /// The server for a request that has failed on those in `tried`.
    pub fn choose(&mut self, tried: &[usize], now: Instant) -> Option<usize> {
        let only_one = self.peers.len() == 1;
        let usable = |backup: bool| {
            let standings = &self.standings;
            self.peers.iter().enumerate().zip(standings).filter_map(
                move |((index, peer), standing)| {
                    let is_aside = !only_one
                        && peer.max_fails > 0
                        && standing.fails >= peer.max_fails
                        && now.saturating_sub(standing.last_fail) < peer.fail_timeout;
                    (peer.backup == backup && !peer.down && !is_aside && !tried.contains(&index))
                        .then_some(index)
                },
            )
        };
        let mut candidates: Vec<usize> = usable(false).collect();
        if candidates.is_empty() {
            candidates = usable(true).collect();
        }
        if self.least_conn {
            let load = |index: &usize| {
                let under_way = self
                    .standings
                    .get(*index)
                    .map_or(0, |standing| standing.under_way);
                let weight = self
                    .peers
                    .get(*index)
                    .map_or(1, |peer| u64::from(peer.weight));
                // Compared as fractions, in thousandths.
                under_way.saturating_mul(1000) / weight.max(1)
            };
            let least = candidates.iter().map(load).min()?;
            candidates.retain(|index| load(index) == least);
        }
        let total: i64 = candidates
            .iter()
            .filter_map(|index| self.peers.get(*index))
            .map(|peer| i64::from(peer.weight))
            .sum();
        for index in &candidates {
            if let (Some(standing), Some(peer)) =
                (self.standings.get_mut(*index), self.peers.get(*index))
            {
                standing.credit += i64::from(peer.weight);
            }
        }
        // The first of equals, as in the file.
        let best = candidates.into_iter().rev().max_by_key(|index| {
            self.standings
                .get(*index)
                .map_or(i64::MIN, |standing| standing.credit)
        })?;
        let standing = self.standings.get_mut(best)?;
        standing.credit -= total;
        standing.under_way += 1;
        Some(best)
    }

    /// A server's address.
    #[must_use]
    pub fn address(&self, peer: usize) -> Option<std::net::SocketAddr> {
        self.peers.get(peer).map(|peer| peer.address)
    }

    /// A request to a server has ended.
    pub fn end(&mut self, peer: usize, failed: bool, now: Instant) {
        let (Some(standing), Some(peer)) = (self.standings.get_mut(peer), self.peers.get(peer))
        else {
            return;
        };
        standing.under_way = standing.under_way.saturating_sub(1);
        if !failed {
            standing.fails = 0;
            return;
        }
        if now.saturating_sub(standing.last_fail) >= peer.fail_timeout {
            standing.fails = 0;
        }
        standing.fails = standing.fails.saturating_add(1);
        standing.last_fail = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_loop::clock::SECOND;

    fn balancer(weights: &[u32], least_conn: bool) -> Balancer {
        let peer = |weight: &u32| Peer {
            address: std::net::SocketAddr::from(([127, 0, 0, 1], 80)),
            weight: (*weight).max(1),
            // Weight 0 marks the backup in these tests.
            backup: *weight == 0,
            down: false,
            max_fails: 1,
            fail_timeout: 10 * SECOND,
        };
        Balancer::new(&Upstream {
            peers: weights.iter().map(peer).collect(),
            least_conn,
            ..Upstream::default()
        })
    }

    #[test]
    fn turns_follow_the_weights_and_are_spread() {
        let mut balancer = balancer(&[3, 1], false);
        let order: Vec<_> = (0..8).filter_map(|_| balancer.choose(&[], 0)).collect();
        assert_eq!(order, [0, 0, 1, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn the_fewest_under_way_come_first() {
        let mut balancer = balancer(&[1, 1], true);
        assert_eq!(balancer.choose(&[], 0), Some(0));
        assert_eq!(balancer.choose(&[], 0), Some(1));
        balancer.end(1, false, 0);
        assert_eq!(balancer.choose(&[], 0), Some(1));
    }

    #[test]
    fn a_failed_server_rests_and_the_backup_steps_in_only_when_all_have_failed() {
        let mut balancer = balancer(&[1, 1, 0], false);
        balancer.end(0, true, SECOND);
        assert_eq!(balancer.choose(&[], 2 * SECOND), Some(1));
        assert_eq!(balancer.choose(&[1], 2 * SECOND), Some(2));
        assert_eq!(balancer.choose(&[1, 2], 2 * SECOND), None);
        assert_eq!(balancer.choose(&[1], 11 * SECOND), Some(0));
    }

    #[test]
    fn an_only_server_never_rests() {
        let mut balancer = balancer(&[1], false);
        balancer.end(0, true, 0);
        assert_eq!(balancer.choose(&[], 1), Some(0));
    }
}
