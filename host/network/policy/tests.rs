//! The judgement as a table, and what pods see of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, advance};

use super::{NAME_SERVER_IDENTITY, Party, PodPolicy, PolicyPeer, PolicyPort, PolicyRule};
use crate::limits::{UDP_FLOW_IDLE, UNANSWERED_CONNECT};
use crate::tests::{CountingWaker, connecting, listen, service, service_name};
use crate::{
    AddressFamily, ContainerNetwork, Errno, NAMESERVER, Network, NetworkEvent, PodNetwork,
    PodNetworkConfig, Protocol, ResolveError, UdpSocket,
};

const TCP: Protocol = Protocol::Tcp;
const UDP: Protocol = Protocol::Udp;

/// Pods `pod-0` and following with the IPs 10.244.0.2 and following and their names as identities.
fn pods<const COUNT: usize>(network: &Network) -> [(PodNetwork, ContainerNetwork); COUNT] {
    std::array::from_fn(|number| {
        let config = PodNetworkConfig {
            hostname: format!("pod-{number}"),
            namespace: "default".to_owned(),
            identity: Arc::from(format!("pod-{number}")),
            nameservers: vec![NAMESERVER.into()],
            search: vec!["default.svc.cluster.local".to_owned()],
            ndots: 5,
            ..Default::default()
        };
        let pod = network.create_pod(config).unwrap();
        let container = pod.attach("c");
        (pod, container)
    })
}

fn of_pods(names: &[&str]) -> PolicyPeer {
    PolicyPeer::Pods(Arc::new(
        names.iter().map(|name| Arc::from(*name)).collect(),
    ))
}

fn block(block: &str, except: &[&str]) -> PolicyPeer {
    PolicyPeer::Block {
        block: block.parse().unwrap(),
        except: except.iter().map(|part| part.parse().unwrap()).collect(),
    }
}

fn port(protocol: Protocol, first: u16, last: u16) -> PolicyPort {
    PolicyPort {
        protocol,
        ports: first..=last,
    }
}

/// A rule of these peers and ports; `None` is all.
fn rule(peers: Option<Vec<PolicyPeer>>, ports: Option<Vec<PolicyPort>>) -> PolicyRule {
    PolicyRule { peers, ports }
}

fn ingress(rules: Vec<PolicyRule>) -> PodPolicy {
    PodPolicy {
        ingress: Some(rules),
        egress: None,
    }
}

fn egress(rules: Vec<PolicyRule>) -> PodPolicy {
    PodPolicy {
        ingress: None,
        egress: Some(rules),
    }
}

fn set(network: &Network, policies: &[(&str, PodPolicy)]) {
    let policies = policies.iter();
    let policies = policies.map(|(name, policy)| (Arc::from(*name), policy.clone()));
    network.set_policies(policies.collect::<HashMap<_, _>>());
}

#[test]
fn rules_add_up_and_each_needs_a_peer_and_a_port_of_it() {
    let web = || Some(vec![of_pods(&["web"])]);
    let lan = || Some(vec![block("10.0.0.0/8", &["10.1.0.0/16"])]);
    let http = || Some(vec![port(TCP, 80, 80)]);
    let pod = |name: &'static str| (Some(name), "10.244.0.9");
    for (rules, peer, protocol, number, expected) in [
        (None, pod("web"), TCP, 80, true),
        (Some(vec![]), pod("web"), TCP, 80, false),
        (Some(vec![rule(None, None)]), pod("web"), UDP, 1, true),
        (
            Some(vec![rule(Some(vec![]), None)]),
            pod("web"),
            TCP,
            80,
            false,
        ),
        (
            Some(vec![rule(None, Some(vec![]))]),
            pod("web"),
            TCP,
            80,
            false,
        ),
        (Some(vec![rule(web(), None)]), pod("web"), UDP, 9, true),
        (Some(vec![rule(web(), None)]), pod("db"), UDP, 9, false),
        (Some(vec![rule(web(), http())]), pod("web"), TCP, 80, true),
        (Some(vec![rule(web(), http())]), pod("web"), TCP, 81, false),
        (Some(vec![rule(web(), http())]), pod("web"), UDP, 80, false),
        (
            Some(vec![rule(None, Some(vec![port(UDP, 100, 200)]))]),
            pod("db"),
            UDP,
            200,
            true,
        ),
        (
            Some(vec![rule(None, Some(vec![port(UDP, 100, 200)]))]),
            pod("db"),
            UDP,
            201,
            false,
        ),
        // One rule's peer with another's port is neither.
        (
            Some(vec![rule(web(), None), rule(None, http())]),
            pod("db"),
            TCP,
            81,
            false,
        ),
        (
            Some(vec![rule(web(), http()), rule(lan(), http())]),
            (None, "10.2.0.1"),
            TCP,
            80,
            true,
        ),
        (
            Some(vec![rule(lan(), None)]),
            (None, "10.1.0.1"),
            TCP,
            80,
            false,
        ),
        (
            Some(vec![rule(lan(), None)]),
            (None, "11.0.0.1"),
            TCP,
            80,
            false,
        ),
        (
            Some(vec![rule(lan(), None)]),
            (None, "2001:db8::1"),
            TCP,
            80,
            false,
        ),
        // A block is about addresses, also those of pods; nobody without identity is of a set of pods.
        (Some(vec![rule(lan(), None)]), pod("web"), TCP, 80, true),
        (
            Some(vec![rule(web(), None)]),
            (None, "10.244.0.9"),
            TCP,
            80,
            false,
        ),
        (
            Some(vec![rule(Some(vec![block("2001:db8::/32", &[])]), None)]),
            (None, "2001:db8::1"),
            TCP,
            80,
            true,
        ),
    ] {
        let policy = PodPolicy {
            ingress: rules.clone(),
            egress: rules,
        };
        let (identity, ip) = peer;
        let party = Party {
            identity,
            ip: ip.parse().unwrap(),
        };
        assert_eq!(
            policy.lets_in(party, protocol, number),
            expected,
            "{policy:?} {peer:?}"
        );
        assert_eq!(
            policy.lets_out(party, protocol, number),
            expected,
            "{policy:?} {peer:?}"
        );
    }
}

fn attempt(client: &ContainerNetwork, to: &str) -> Result<(), Errno> {
    connecting(client, to).try_connect().map(drop)
}

#[tokio::test(start_paused = true)]
async fn both_ends_must_agree_also_through_a_service_and_the_node_is_let_in() {
    let network = Network::new();
    let [(one, a), (_two, b)] = pods(&network);
    let _listener = listen(&a, "0.0.0.0:80");
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[2]));
    let to_one = || Some(vec![of_pods(&["pod-0"])]);
    let from_two = || Some(vec![of_pods(&["pod-1"])]);
    for (policies, expected) in [
        (vec![], Ok(())),
        (vec![("pod-0", ingress(vec![]))], Err(Errno::Again)),
        (vec![("pod-1", egress(vec![]))], Err(Errno::Again)),
        (
            vec![("pod-0", egress(vec![])), ("pod-1", ingress(vec![]))],
            Ok(()),
        ),
        (
            vec![("pod-0", ingress(vec![rule(from_two(), None)]))],
            Ok(()),
        ),
        (
            vec![
                ("pod-0", ingress(vec![rule(from_two(), None)])),
                (
                    "pod-1",
                    egress(vec![rule(to_one(), Some(vec![port(TCP, 80, 80)]))]),
                ),
            ],
            Ok(()),
        ),
        (
            vec![
                ("pod-0", ingress(vec![rule(from_two(), None)])),
                (
                    "pod-1",
                    egress(vec![rule(to_one(), Some(vec![port(TCP, 81, 81)]))]),
                ),
            ],
            Err(Errno::Again),
        ),
    ] {
        set(&network, &policies);
        for to in ["10.244.0.2:80", "10.96.0.20:80"] {
            assert_eq!(attempt(&b, to), expected, "{to} {policies:?}");
        }
        // Its own address is its own affair, and a probe is the node's.
        assert_eq!(attempt(&a, "10.244.0.2:80"), Ok(()));
        assert_eq!(attempt(&a, "10.96.0.20:80"), Ok(()));
        assert_eq!(attempt(&a, "127.0.0.1:80"), Ok(()));
        let probe = one.dial("127.0.0.1:1".parse().unwrap(), 80).await;
        assert!(probe.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_gets_no_answer_until_its_time_is_up() {
    let network = Network::new();
    let [(_one, a), (two, b)] = pods(&network);
    let _listener = listen(&a, "0.0.0.0:80");
    set(&network, &[("pod-0", ingress(vec![]))]);
    let begin = Instant::now();
    // A port without a listener is no different: nothing tells what is there.
    for to in ["10.244.0.2:80", "10.244.0.2:81"] {
        let begin_one = Instant::now();
        let socket = connecting(&b, to);
        assert_eq!(socket.try_connect().err(), Some(Errno::Again));
        let outcome = std::future::poll_fn(|cx| socket.poll_connect(cx)).await;
        assert_eq!(outcome.err(), Some(Errno::TimedOut));
        assert_eq!(begin_one.elapsed(), UNANSWERED_CONNECT);
    }
    assert_eq!(begin.elapsed(), 2 * UNANSWERED_CONNECT);
    // One that nobody polls is over as well.
    let socket = connecting(&b, "10.244.0.2:80");
    advance(UNANSWERED_CONNECT).await;
    assert_eq!(socket.try_connect().err(), Some(Errno::TimedOut));

    let mut told = Vec::new();
    let waker = CountingWaker::new();
    while let std::task::Poll::Ready(event) = two.poll_event(&mut waker.context()) {
        assert_eq!(event.reason(), "NetworkPolicyDenied");
        told.push(event.to_string());
    }
    let line = |port| {
        format!(
            "container \"c\": 10.244.0.2:{port} (TCP) dropped: no ingress rule of the pod there allows it"
        )
    };
    assert_eq!(told, [line(80), line(81)], "each destination once");
}

#[tokio::test(start_paused = true)]
async fn a_client_from_outside_is_let_in_by_its_address_as_the_pod_sees_it() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    let _listener = listen(&a, "0.0.0.0:80");
    let from = |cidr: &str| ingress(vec![rule(Some(vec![block(cidr, &[])]), None)]);
    for (client, policy, expected) in [
        ("127.0.0.1:4000", None, Ok(())),
        ("127.0.0.1:4000", Some(ingress(vec![])), Err(Errno::Acces)),
        (
            "127.0.0.1:4000",
            Some(from("127.0.0.0/8")),
            Err(Errno::Acces),
        ),
        ("127.0.0.1:4000", Some(from("10.244.0.1/32")), Ok(())),
        ("192.0.2.9:4000", Some(from("192.0.2.0/24")), Ok(())),
        (
            "192.0.3.9:4000",
            Some(from("192.0.2.0/24")),
            Err(Errno::Acces),
        ),
        (
            "192.0.3.9:4000",
            Some(ingress(vec![rule(None, None)])),
            Ok(()),
        ),
    ] {
        let policies: Vec<_> = policy.into_iter().map(|policy| ("pod-0", policy)).collect();
        set(&network, &policies);
        let dialed = one.dial_for(client.parse().unwrap(), 80).await;
        assert_eq!(dialed.map(drop), expected, "{client} {policies:?}");
    }
}

#[test]
fn a_change_resets_what_it_forbids_and_nothing_else() {
    let network = Network::new();
    let [(_one, a), (_two, b), (_three, c)] = pods(&network);
    let listener = listen(&a, "0.0.0.0:80");
    let open = |client: &ContainerNetwork| {
        let near = connecting(client, "10.244.0.2:80").try_connect().unwrap();
        let far = listener.try_accept().unwrap().stream().unwrap();
        (near, far)
    };
    let (forbidden, forbidden_far) = open(&b);
    let (allowed, allowed_far) = open(&c);
    let (own, own_far) = open(&a);
    forbidden
        .try_write(&mut Bytes::from_static(b"lost"))
        .unwrap();
    let waker = CountingWaker::new();
    assert!(forbidden.poll_read_ready(&mut waker.context()).is_pending());
    // A connection that nobody has accepted, and one whose outcome nobody has taken.
    let waiting = connecting(&b, "10.244.0.2:80");

    let only_three = rule(Some(vec![of_pods(&["pod-2"])]), None);
    set(&network, &[("pod-0", ingress(vec![only_three]))]);
    assert_eq!(waker.count(), 1);
    for end in [&forbidden, &forbidden_far] {
        assert_eq!(end.try_read(9), Err(Errno::ConnReset));
        assert_eq!(end.try_read(9).unwrap(), "");
        assert_eq!(
            end.try_write(&mut Bytes::from_static(b"x")),
            Err(Errno::Pipe)
        );
    }
    assert_eq!(waiting.try_connect().err(), Some(Errno::ConnReset));
    for (near, far) in [(&allowed, &allowed_far), (&own, &own_far)] {
        near.try_write(&mut Bytes::from_static(b"kept")).unwrap();
        assert_eq!(far.try_read(9).unwrap(), "kept");
    }
    set(&network, &[("pod-2", egress(vec![]))]);
    assert_eq!(allowed_far.try_read(9), Err(Errno::ConnReset));
    assert_eq!(own_far.try_read(9), Err(Errno::Again));
    assert!(connecting(&b, "10.244.0.2:80").try_connect().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_published_connection_does_not_survive_its_permission_and_a_probe_does() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    let _listener = listen(&a, "0.0.0.0:80");
    let client: SocketAddr = "192.0.2.9:4000".parse().unwrap();
    let published = one.dial_for(client, 80).await.unwrap();
    let probe = one.dial("127.0.0.1:1".parse().unwrap(), 80).await.unwrap();
    set(&network, &[("pod-0", ingress(vec![]))]);
    assert_eq!(published.try_read(1), Err(Errno::ConnReset));
    assert_eq!(probe.try_read(1), Err(Errno::Again));
}

fn udp(container: &ContainerNetwork, port: u16) -> UdpSocket {
    let socket = container.udp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], port).into()).unwrap();
    socket
}

fn send(socket: &UdpSocket, to: SocketAddr) {
    socket
        .try_send_to(&Bytes::from_static(b"x"), Some(to))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_datagram_is_judged_when_it_is_sent_and_an_answer_needs_no_rule() {
    let network = Network::new();
    let [(_one, a), (_two, b)] = pods(&network);
    let (server, client) = (udp(&a, 53), udp(&b, 4000));
    let at: SocketAddr = "10.244.0.2:53".parse().unwrap();
    let back: SocketAddr = "10.244.0.3:4000".parse().unwrap();
    let answers_only = || {
        let from_client = rule(
            Some(vec![of_pods(&["pod-1"])]),
            Some(vec![port(UDP, 53, 53)]),
        );
        PodPolicy {
            ingress: Some(vec![from_client]),
            egress: Some(vec![]),
        }
    };
    set(
        &network,
        &[("pod-0", answers_only()), ("pod-1", ingress(vec![]))],
    );
    send(&server, back);
    assert_eq!(client.try_recv_from(9), Err(Errno::Again), "not asked yet");
    send(&client, at);
    assert_eq!(server.try_recv_from(9).unwrap().from, back);
    send(&server, back);
    assert_eq!(client.try_recv_from(9).unwrap().from, at);
    advance(UDP_FLOW_IDLE + Duration::from_secs(1)).await;
    send(&server, back);
    assert_eq!(
        client.try_recv_from(9),
        Err(Errno::Again),
        "asked too long ago"
    );

    send(&client, at);
    let _ = server.try_recv_from(9).unwrap();
    set(
        &network,
        &[(
            "pod-0",
            PodPolicy {
                ingress: Some(vec![]),
                egress: Some(vec![]),
            },
        )],
    );
    send(&server, back);
    assert_eq!(
        client.try_recv_from(9),
        Err(Errno::Again),
        "the rules have changed"
    );
    send(&client, at);
    assert_eq!(server.try_recv_from(9), Err(Errno::Again));
}

#[tokio::test(start_paused = true)]
async fn the_name_server_is_reached_by_who_may_reach_the_one_of_kubernetes() {
    let network = Network::new();
    let [(pod, c)] = pods(&network);
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[2]));
    let dns = Some(vec![of_pods(&[NAME_SERVER_IDENTITY])]);
    let by_udp = || Some(vec![port(UDP, 53, 53)]);
    for (policy, expected) in [
        (egress(vec![]), false),
        (egress(vec![rule(dns.clone(), by_udp())]), true),
        (
            egress(vec![rule(dns.clone(), Some(vec![port(TCP, 80, 80)]))]),
            false,
        ),
        (egress(vec![rule(None, by_udp())]), true),
        (
            egress(vec![rule(Some(vec![block("10.96.0.10/32", &[])]), None)]),
            true,
        ),
        (
            egress(vec![rule(Some(vec![of_pods(&["pod-0"])]), None)]),
            false,
        ),
        (ingress(vec![]), true),
    ] {
        set(&network, &[("pod-0", policy.clone())]);
        let resolved = c.resolve("web");
        let denied = ResolveError::Temporary {
            name: "web".to_owned(),
        };
        let found = Ok(vec!["10.96.0.20".parse().unwrap()]);
        assert_eq!(
            resolved,
            if expected { found } else { Err(denied) },
            "{policy:?}"
        );
        assert!(
            c.resolve("pod-0").is_ok(),
            "the hosts file is the pod's own"
        );
        let question = udp(&c, 0);
        let query = crate::between_pods::query("web.default.svc.cluster.local");
        let to = SocketAddr::new(NAMESERVER.into(), 53);
        question.try_send_to(&query, Some(to)).unwrap();
        assert_eq!(question.try_recv_from(999).is_ok(), expected, "{policy:?}");
    }
    drop(pod);
}

#[test]
fn one_hint_is_given_for_a_destination_and_not_for_thousands() {
    let network = Network::new();
    let [(pod, c)] = pods(&network);
    set(&network, &[("pod-0", egress(vec![]))]);
    let socket = udp(&c, 0);
    for port in 1..=2000 {
        let _ = socket.try_send_to(
            &Bytes::from_static(b"x"),
            Some(SocketAddr::new(NAMESERVER.into(), 53)),
        );
        let _ = socket.try_send_to(
            &Bytes::from_static(b"x"),
            Some(SocketAddr::from(([10, 244, 0, 2], port))),
        );
    }
    let waker = CountingWaker::new();
    let mut told = 0;
    while let std::task::Poll::Ready(event) = pod.poll_event(&mut waker.context()) {
        assert!(matches!(event, NetworkEvent::PolicyDenied { .. }));
        told += 1;
    }
    assert_eq!(told, 1, "its own address is no matter of policies");
}
