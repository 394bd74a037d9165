//! What pods see of each other, of services and of the name server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use crate::tests::{CountingWaker, connecting, listen, service, service_name};
use crate::{
    AddressFamily, ContainerNetwork, Errno, NAMESERVER, Network, PodNetwork, PodNetworkConfig,
    Service, ServiceAddress, SocketState, TcpSocket, UdpSocket,
};

/// Pods with the IPs 10.244.0.2 and following, each with a container `c`.
fn pods<const COUNT: usize>(network: &Network) -> [(PodNetwork, ContainerNetwork); COUNT] {
    std::array::from_fn(|number| {
        let pod = network.create_pod(PodNetworkConfig {
            hostname: format!("pod-{number}"),
            namespace: "default".to_owned(),
            nameservers: vec![NAMESERVER.into()],
            search: vec!["default.svc.cluster.local".to_owned()],
            ndots: 5,
            ..Default::default()
        });
        let pod = pod.unwrap();
        let container = pod.attach("c");
        (pod, container)
    })
}

fn udp(container: &ContainerNetwork, port: u16) -> UdpSocket {
    let socket = container.udp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], port).into()).unwrap();
    socket
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// The pods of the servers that have a connection to accept, taking it.
fn accepted_by(servers: &[&TcpSocket]) -> Vec<usize> {
    let with_number = servers.iter().enumerate();
    with_number
        .filter_map(|(number, server)| server.try_accept().is_ok().then_some(number))
        .collect()
}

#[test]
fn a_connection_between_pods_has_the_addresses_of_both() {
    let network = Network::new();
    let [(one, a), (two, b)] = pods(&network);
    let listener = listen(&a, "0.0.0.0:80");
    let near = connecting(&b, "10.244.0.2:80").try_connect().unwrap();
    let far = listener.try_accept().unwrap().stream().unwrap();
    assert_eq!(far.peer_addr(), near.local_addr());
    assert_eq!(far.peer_addr().ip(), two.pod_ip());
    assert_eq!(near.peer_addr(), far.local_addr());

    let data = Bytes::from(vec![7; 5000]);
    near.try_write(&mut data.clone()).unwrap();
    let got = far.try_read(5000).unwrap();
    assert_eq!(got.as_ptr(), data.as_ptr(), "moved, not copied");

    let names = |pod: &PodNetwork| -> Vec<String> {
        let sockets = pod.sockets().into_iter();
        sockets
            .filter_map(|one| Some(one.peer_container?.to_string()))
            .collect()
    };
    assert_eq!(
        (names(&one), names(&two)),
        (vec!["pod-1/c".to_owned()], vec!["pod-0/c".to_owned()],)
    );
}

#[test]
fn what_is_not_there_refuses_or_is_unreachable() {
    let network = Network::new();
    let [(_one, a), (_two, b)] = pods(&network);
    let _loopback_only = listen(&a, "127.0.0.1:81");
    network.set_service(service_name("empty"), service("10.96.0.20", &[80], &[]));
    let errno = |to: &str| connecting(&b, to).try_connect().err();
    for (to, expected) in [
        ("10.244.0.2:80", Errno::ConnRefused),
        ("10.244.0.2:81", Errno::ConnRefused),
        ("10.244.0.9:80", Errno::HostUnreach),
        ("10.244.0.1:80", Errno::HostUnreach),
        ("10.96.0.20:80", Errno::ConnRefused),
        ("10.96.0.20:81", Errno::ConnRefused),
        ("10.96.0.21:80", Errno::HostUnreach),
        ("10.96.0.10:54", Errno::ConnRefused),
        ("93.184.216.34:80", Errno::NetUnreach),
        ("169.254.169.254:80", Errno::NetUnreach),
        ("[fd00::1]:80", Errno::NetUnreach),
    ] {
        assert_eq!(errno(to), Some(expected), "{to}");
    }
    let bound = b.tcp_socket(AddressFamily::Ipv4).unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    bound.connect("10.244.0.2:80".parse().unwrap()).unwrap();
    assert_eq!(bound.try_connect().err(), Some(Errno::Inval));
}

#[test]
fn a_pod_that_ends_resets_its_connections_and_leaves_nothing() {
    let network = Network::new();
    let [(one, a), (two, b)] = pods(&network);
    let listener = listen(&a, "0.0.0.0:80");
    let near = connecting(&b, "10.244.0.2:80").try_connect().unwrap();
    let waiting = connecting(&b, "10.244.0.2:80").try_connect().unwrap();
    let _far = listener.try_accept().unwrap();
    let waker = CountingWaker::new();
    assert!(near.poll_read_ready(&mut waker.context()).is_pending());
    one.close();
    assert_eq!(waker.count(), 1);
    for stream in [&near, &waiting] {
        assert_eq!(stream.try_read(1), Err(Errno::ConnReset));
    }
    let refused = connecting(&b, "10.244.0.2:80").try_connect().err();
    assert_eq!(refused, Some(Errno::HostUnreach));
    drop((listener, _far, a, one));
    assert_eq!(
        network.pods(),
        1,
        "a connection does not keep the other pod"
    );
    drop((near, waiting));
    assert!(two.sockets().is_empty());
}

#[test]
fn pods_on_two_threads_exchange_bytes_in_order() {
    let network = Network::new();
    let [(_one, a), (_two, b)] = pods(&network);
    let listener = listen(&a, "0.0.0.0:80");
    let total = 8 * 1024 * 1024;
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            std::future::poll_fn(|cx| listener.poll_accept_ready(cx)).await;
            let stream = listener.try_accept().unwrap().stream().unwrap();
            let mut place = 0;
            loop {
                let part = stream.read(100_000).await.unwrap();
                if part.is_empty() {
                    return place;
                }
                for byte in part {
                    assert_eq!(byte, crate::tests::pattern(place), "byte {place}");
                    place += 1;
                }
            }
        })
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = connecting(&b, "10.244.0.2:80").try_connect().unwrap();
        let data: Bytes = (0..total)
            .map(crate::tests::pattern)
            .collect::<Vec<_>>()
            .into();
        let mut place = 0;
        for size in [1, 10, 1000, 70_000, 1_000_000].into_iter().cycle() {
            let end = total.min(place + size);
            stream.write_all(data.slice(place..end)).await.unwrap();
            place = end;
            if place == total {
                break;
            }
        }
        stream.shutdown(crate::Shutdown::Send).unwrap();
    });
    assert_eq!(server.join().unwrap(), total);
}

#[test]
fn datagrams_go_between_pods_and_show_their_senders_ip() {
    let network = Network::new();
    let [(_one, a), (two, b)] = pods(&network);
    let (server, client) = (udp(&a, 53), udp(&b, 0));
    client
        .try_send_to(&text("ping"), Some(([10, 244, 0, 2], 53).into()))
        .unwrap();
    let got = server.try_recv_from(99).unwrap();
    let port = client.local_addr().unwrap().port();
    assert_eq!(
        (&got.data[..], got.from),
        (&b"ping"[..], (two.pod_ip(), port).into())
    );
    server.try_send_to(&text("pong"), Some(got.from)).unwrap();
    assert_eq!(
        client.try_recv_from(99).unwrap().from,
        ([10, 244, 0, 2], 53).into()
    );
    for (to, expected) in [
        ("10.244.0.2:99", Ok(())),
        ("10.244.0.9:53", Err(Errno::HostUnreach)),
        ("8.8.8.8:53", Err(Errno::NetUnreach)),
    ] {
        assert_eq!(
            client.try_send_to(&text("x"), Some(to.parse().unwrap())),
            expected,
            "{to}"
        );
    }
    let loopback = b.udp_socket(AddressFamily::Ipv4).unwrap();
    loopback.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let sent = loopback.try_send_to(&text("x"), Some(([10, 244, 0, 2], 53).into()));
    assert_eq!(sent, Err(Errno::Inval));
}

#[test]
fn a_service_spreads_connections_over_its_ready_pods_and_follows_changes_at_once() {
    let network = Network::new();
    let [(_one, a), (_two, b), (_three, c), (_four, client)] = pods(&network);
    let servers = [&a, &b, &c].map(|container| listen(container, "0.0.0.0:80"));
    let servers = servers.each_ref();
    network.set_service(
        service_name("web"),
        service("10.96.0.20", &[80], &[2, 3, 4]),
    );
    let mut counts = [0; 3];
    for _ in 0..300 {
        let stream = connecting(&client, "10.96.0.20:80").try_connect().unwrap();
        assert_eq!(stream.peer_addr(), ([10, 96, 0, 20], 80).into());
        for number in accepted_by(&servers) {
            counts[number] += 1;
        }
    }
    // A fair choice is outside of 60 to 140 once in a million runs.
    assert!(
        counts.iter().all(|count| (50..=150).contains(count)),
        "{counts:?}"
    );
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[3]));
    for _ in 0..20 {
        connecting(&client, "10.96.0.20:80").try_connect().unwrap();
        assert_eq!(accepted_by(&servers), [1]);
    }
    network.remove_service(&service_name("web"));
    let gone = connecting(&client, "10.96.0.20:80").try_connect().err();
    assert_eq!(gone, Some(Errno::HostUnreach));
}

#[test]
fn a_pod_reaches_itself_by_its_ip_and_by_its_service() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    let server = listen(&a, "0.0.0.0:80");
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[2]));
    for to in ["10.244.0.2:80", "10.96.0.20:80", "127.0.0.1:80"] {
        let stream = connecting(&a, to).try_connect().unwrap();
        let accepted = server.try_accept().unwrap();
        assert_eq!(stream.peer_addr().to_string(), to);
        assert_eq!(accepted.peer_addr(), Ok(stream.local_addr()));
    }
    let container = |one: crate::SocketInfo| Some(one.peer_container?.to_string());
    assert!(
        one.sockets()
            .into_iter()
            .filter_map(container)
            .all(|name| name == "c")
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_with_affinity_stays_until_it_was_away_for_the_timeout() {
    let network = Network::new();
    let [(_one, a), (_two, b), (_three, client)] = pods(&network);
    let servers = [&a, &b].map(|container| listen(container, "0.0.0.0:80"));
    let servers = servers.each_ref();
    let sticky = Service {
        affinity: Some(Duration::from_secs(60)),
        ..service("10.96.0.20", &[80], &[2, 3])
    };
    network.set_service(service_name("web"), sticky);
    let connect = || {
        connecting(&client, "10.96.0.20:80").try_connect().unwrap();
        accepted_by(&servers)
    };
    let mut seen = Vec::new();
    for _ in 0..40 {
        let first = connect();
        assert!((0..20).all(|_| connect() == first));
        seen.push(first);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert!(
        seen.contains(&vec![0]) && seen.contains(&vec![1]),
        "{seen:?}"
    );
}

#[test]
fn datagrams_to_a_service_stay_with_one_pod_and_are_answered_by_the_service() {
    let network = Network::new();
    let [(_one, a), (_two, b), (_three, client)] = pods(&network);
    let servers = [udp(&a, 53), udp(&b, 53)];
    network.set_service(service_name("dns"), service("10.96.0.20", &[53], &[2, 3]));
    let at: SocketAddr = ([10, 96, 0, 20], 53).into();
    let serves = |socket: &UdpSocket| {
        socket.try_send_to(&text("q"), Some(at)).unwrap();
        let got = servers
            .iter()
            .enumerate()
            .find_map(|(number, server)| Some((number, server.try_recv_from(9).ok()?.from)));
        let (number, from) = got.unwrap();
        servers[number].try_send_to(&text("a"), Some(from)).unwrap();
        assert_eq!(socket.try_recv_from(9).unwrap().from, at);
        number
    };
    let socket = udp(&client, 0);
    let first = serves(&socket);
    assert!((0..20).all(|_| serves(&socket) == first));
    let other = 1 - first;
    let lasts = [2 + u8::try_from(other).unwrap()];
    network.set_service(service_name("dns"), service("10.96.0.20", &[53], &lasts));
    assert_eq!(serves(&socket), other, "its pod is no endpoint any more");

    let connected = udp(&client, 0);
    connected.connect(at).unwrap();
    assert_eq!(serves_connected(&connected, &servers[other]), at);
    network.set_service(service_name("dns"), service("10.96.0.20", &[53], &[]));
    assert_eq!(
        connected.try_send_to(&text("q"), None),
        Err(Errno::ConnRefused)
    );
    assert_eq!(socket.try_send_to(&text("q"), Some(at)), Ok(()), "lost");
}

fn serves_connected(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    client.try_send_to(&text("q"), None).unwrap();
    let from = server.try_recv_from(9).unwrap().from;
    server.try_send_to(&text("a"), Some(from)).unwrap();
    client.try_recv_from(9).unwrap().from
}

/// A question for addresses.
pub(crate) fn query(name: &str) -> Bytes {
    question(name, TYPE::A)
}

fn question(name: &str, kind: TYPE) -> Bytes {
    let mut packet = Packet::new_query(9);
    packet.questions.push(Question::new(
        Name::new(name).unwrap(),
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().unwrap().into()
}

/// A headless service with so many ready pods.
fn headless(count: u8) -> Service {
    Service {
        address: ServiceAddress::Headless,
        ..service("10.96.0.1", &[80], &(2..2 + count).collect::<Vec<_>>())
    }
}

#[test]
fn the_name_server_answers_datagrams_at_once() {
    let network = Network::new();
    let [(_one, a)] = pods(&network);
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[]));
    network.set_service(service_name("many"), headless(100));
    let socket = udp(&a, 0);
    let ask = |name: &str| {
        let server = (NAMESERVER, 53).into();
        socket
            .try_send_to(&question(name, TYPE::A), Some(server))
            .unwrap();
        let answer = socket.try_recv_from(9999).unwrap();
        assert_eq!(answer.from, server);
        let packet = Packet::parse(&answer.data).unwrap();
        let is_cut = packet.has_flags(PacketFlag::TRUNCATION);
        (packet.rcode(), packet.answers.len(), is_cut)
    };
    assert_eq!(
        ask("web.default.svc.cluster.local"),
        (RCODE::NoError, 1, false)
    );
    assert_eq!(ask("example.com"), (RCODE::NameError, 0, false));
    let (code, count, is_cut) = ask("many.default.svc.cluster.local");
    assert_eq!((code, is_cut), (RCODE::NoError, true));
    assert!(count < 100);
    socket
        .try_send_to(&text("no question"), Some((NAMESERVER, 53).into()))
        .unwrap();
    assert_eq!(socket.try_recv_from(99), Err(Errno::Again));
}

#[tokio::test]
async fn the_name_server_answers_long_answers_over_tcp_one_after_the_other() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    network.set_service(service_name("many"), headless(100));
    let served = tokio::spawn(one.clone().serve());
    let stream = connecting(&a, "10.96.0.10:53").try_connect().unwrap();
    for _ in 0..2 {
        let question = question("many.default.svc.cluster.local", TYPE::A);
        let length = u16::try_from(question.len()).unwrap().to_be_bytes();
        // In pieces, as they may come.
        stream
            .write_all(Bytes::copy_from_slice(&length[..1]))
            .await
            .unwrap();
        stream
            .write_all(Bytes::copy_from_slice(&length[1..]))
            .await
            .unwrap();
        stream.write_all(question).await.unwrap();
        let mut heard = Vec::new();
        while heard.len() < 2
            || heard.len() < 2 + usize::from(u16::from_be_bytes([heard[0], heard[1]]))
        {
            let part = stream.read(4096).await.unwrap();
            assert!(!part.is_empty());
            heard.extend_from_slice(&part);
        }
        assert_eq!(Packet::parse(&heard[2..]).unwrap().answers.len(), 100);
    }
    one.close();
    tokio::time::timeout(Duration::from_secs(10), served)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_senseless_connection_to_the_name_server_is_closed() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    let _served = tokio::spawn(one.clone().serve());
    for nonsense in [&[][..], &[0, 2, 1], &[0, 2, 1, 1], &[255, 255, 0]] {
        let socket = connecting(&a, "10.96.0.10:53");
        let stream = socket.try_connect().unwrap();
        stream
            .write_all(Bytes::from_static(nonsense))
            .await
            .unwrap();
        let end = stream.read(99).await;
        assert!(
            matches!(&end, Ok(data) if data.is_empty()) || end == Err(Errno::ConnReset),
            "{end:?}"
        );
        assert_eq!(socket.state(), SocketState::Connected);
    }
    assert!(one.sockets().iter().all(|socket| &*socket.container == "c"));
}
