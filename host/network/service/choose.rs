//! Which endpoint a connection gets: pure functions.
//!
//! As kube-proxy: one of the ready endpoints, each as likely as the next (its iptables rules are a chain of
//! probabilities that come to this). When none is ready, those that end but still serve get it, so that the last pods
//! of a rollout lose nobody (`virtual-ips#traffic-to-terminating-endpoints`). There is one node, so topology and traffic
//! policies have nothing to decide.

use std::net::{IpAddr, SocketAddr};

use super::{Endpoint, NamedPort};

/// Where connections to `port` of a service may go.
pub(super) fn targets(endpoints: &[Endpoint], port: &NamedPort) -> Vec<SocketAddr> {
    let those = |wanted: fn(&Endpoint) -> bool| -> Vec<SocketAddr> {
        let found = endpoints.iter().filter(|endpoint| wanted(endpoint));
        found
            .filter_map(|endpoint| {
                let number = number(endpoint, port)?;
                Some(SocketAddr::new(IpAddr::V4(endpoint.ip), number))
            })
            .collect()
    };
    let ready = those(|endpoint| endpoint.conditions.ready);
    if !ready.is_empty() {
        return ready;
    }
    those(|endpoint| endpoint.conditions.serving && endpoint.conditions.terminating)
}

/// An endpoint's own number of a service's port.
pub(crate) fn number(endpoint: &Endpoint, port: &NamedPort) -> Option<u16> {
    let mut ports = endpoint.ports.iter();
    let same = |own: &&NamedPort| own.name == port.name && own.protocol == port.protocol;
    ports.find(same).map(|own| own.port)
}

/// One of `all`, given a random number of 64 bits.
pub(super) fn pick<T: Copy>(all: &[T], random: u64) -> Option<T> {
    all.get(pick_index(all.len(), random)?).copied()
}

/// A place below `length`, given a random number of 64 bits; the bias of the multiplication is below one in 2^48.
pub(crate) fn pick_index(length: usize, random: u64) -> Option<usize> {
    let product = u128::from(random).wrapping_mul(u128::try_from(length).ok()?);
    let index = usize::try_from(product >> 64).ok()?;
    (index < length).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;
    use crate::service::Conditions;

    fn port(name: &str, protocol: Protocol, port: u16) -> NamedPort {
        NamedPort {
            name: name.to_owned(),
            protocol,
            port,
            app_protocol: None,
        }
    }

    /// `r` ready, `s` serving, `t` terminating.
    fn endpoint(last: u8, conditions: &str, ports: &[NamedPort]) -> Endpoint {
        Endpoint {
            ip: [10, 244, 0, last].into(),
            hostname: None,
            conditions: Conditions {
                ready: conditions.contains('r'),
                serving: conditions.contains('s'),
                terminating: conditions.contains('t'),
            },
            ports: ports.to_vec(),
        }
    }

    #[test]
    fn connections_go_to_ready_endpoints_else_to_those_that_end_and_serve() {
        let http = port("http", Protocol::Tcp, 80);
        let own = [port("http", Protocol::Tcp, 8080)];
        for (endpoints, expected) in [
            (&["rs", "rs", ""][..], &[1, 2][..]),
            (&["", "rs", "st"], &[2]),
            (&["", "st", "t"], &[2]),
            (&["", "s", "t"], &[]),
            (&[], &[]),
        ] {
            let endpoints: Vec<_> = (1..)
                .zip(endpoints)
                .map(|(last, conditions)| endpoint(last, conditions, &own))
                .collect();
            let expected: Vec<SocketAddr> = expected
                .iter()
                .map(|last| ([10, 244, 0, *last], 8080).into())
                .collect();
            assert_eq!(targets(&endpoints, &http), expected, "{endpoints:?}");
        }
    }

    #[test]
    fn a_port_is_the_endpoints_own_of_the_same_name_and_protocol() {
        let endpoints = [
            endpoint(
                1,
                "rs",
                &[
                    port("dns", Protocol::Tcp, 5300),
                    port("dns", Protocol::Udp, 5301),
                ],
            ),
            endpoint(2, "rs", &[port("dns", Protocol::Tcp, 53)]),
        ];
        let found = |protocol| {
            let all = targets(&endpoints, &port("dns", protocol, 53));
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(Protocol::Tcp), ["10.244.0.1:5300", "10.244.0.2:53"]);
        assert_eq!(found(Protocol::Udp), ["10.244.0.1:5301"]);
        assert!(targets(&endpoints, &port("web", Protocol::Tcp, 80)).is_empty());
    }

    #[test]
    fn every_endpoint_is_as_likely() {
        for (random, expected) in [
            (0, Some(1)),
            (u64::MAX / 3, Some(1)),
            (u64::MAX / 3 + 1, Some(2)),
            (u64::MAX / 3 * 2 + 2, Some(3)),
            (u64::MAX, Some(3)),
        ] {
            assert_eq!(pick(&[1, 2, 3], random), expected, "{random}");
        }
        assert_eq!(pick::<u8>(&[], 7), None);
    }
}
