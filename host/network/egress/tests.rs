//! Egress over real sockets of the loopback, and what a hostile resolver can do.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket as HostUdp};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{EgressConfig, HOST_NAMES, Resolving, Upstream};
use crate::limits::{NAME_PINNED, UPSTREAM_TIMEOUT};
use crate::lock::lock;
use crate::tests::{CountingWaker, connecting};
use crate::{
    AddressFamily, ContainerNetwork, Errno, GATEWAY, GATEWAY6, NAMESERVER, Network, PodNetwork,
    PodNetworkConfig, PodPolicy, PolicyPeer, PolicyRule, ResolveError, TcpStream, UdpSocket,
};

/// Longer than anything here takes, on however busy a machine.
const LONG: Duration = Duration::from_secs(30);

/// A resolver that says what it is told to say, and counts how often it is asked.
#[derive(Debug, Default)]
struct Scripted {
    /// What it says to each question about a name; the last answer is repeated.
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
    is_silent: bool,
}

impl Upstream for Scripted {
    fn resolve(&self, name: &str) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_silent {
            return Box::pin(std::future::pending());
        }
        let answer = lock(&self.answers).get_mut(name).map(|answers| {
            if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0].clone()
            }
        });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// A pod with a container, whose own task runs while this is kept.
struct World {
    network: Network,
    upstream: Arc<Scripted>,
    pod: PodNetwork,
    container: ContainerNetwork,
    task: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl World {
    fn new(rules: &[&str], names: &[(&str, &[&str])]) -> Self {
        let answers = names.iter().map(|(name, ips)| {
            let ips = ips.iter().map(|text| ip(text)).collect();
            ((*name).to_owned(), vec![ips])
        });
        Self::with(
            rules,
            Scripted {
                answers: Mutex::new(answers.collect()),
                ..Scripted::default()
            },
        )
    }

    fn with(rules: &[&str], upstream: Scripted) -> Self {
        let upstream = Arc::new(upstream);
        let network = Network::with_egress(EgressConfig {
            rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
            upstream: Arc::<Scripted>::clone(&upstream),
        });
        let config = PodNetworkConfig {
            hostname: "pod".to_owned(),
            namespace: "default".to_owned(),
            identity: Arc::from("pod"),
            nameservers: vec![NAMESERVER.into()],
            search: ["default.svc.cluster.local", "cluster.local"]
                .map(str::to_owned)
                .into(),
            ndots: 5,
            ..Default::default()
        };
        let pod = network.create_pod(config).unwrap();
        let container = pod.attach("c");
        let task = tokio::spawn(pod.clone().serve());
        Self {
            network,
            upstream,
            pod,
            container,
            task,
        }
    }

    async fn connect(&self, to: SocketAddr) -> Result<TcpStream, Errno> {
        let socket = connecting(&self.container, &to.to_string());
        let outcome = std::future::poll_fn(|cx| socket.poll_connect(cx));
        timeout(LONG, outcome).await.unwrap()
    }

    fn udp(&self) -> UdpSocket {
        let socket = self.container.udp_socket(AddressFamily::Ipv4).unwrap();
        socket.bind(([0, 0, 0, 0], 0).into()).unwrap();
        socket
    }

    async fn lookup(&self, name: &str) -> Option<Vec<IpAddr>> {
        timeout(LONG, self.container.lookup(name))
            .await
            .unwrap()
            .ok()
    }

    /// What the pod was told.
    fn events(&self) -> Vec<String> {
        let waker = CountingWaker::new();
        let next = || match self.pod.poll_event(&mut waker.context()) {
            Poll::Ready(event) => Some(event.to_string()),
            Poll::Pending => None,
        };
        std::iter::from_fn(next).collect()
    }

    fn set_policy(&self, egress: Vec<PolicyRule>) {
        let policy = PodPolicy {
            ingress: None,
            egress: Some(egress),
        };
        self.network
            .set_policies([(Arc::from("pod"), policy)].into());
    }
}

async fn received(socket: &UdpSocket) -> crate::Datagram {
    let ready = std::future::poll_fn(|cx| socket.poll_recv_ready(cx));
    timeout(LONG, ready).await.unwrap();
    socket.try_recv_from(9999).unwrap()
}

/// A server on the loopback of this machine.
async fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn at_gateway(port: u16) -> SocketAddr {
    SocketAddr::new(GATEWAY.into(), port)
}

#[tokio::test]
async fn the_loopback_of_the_machine_is_behind_the_gateway_for_who_may_reach_it() {
    let (listener, port) = server().await;
    let world = World::new(&[&format!("127.0.0.1/32:{port}")], &[]);
    let inside = world.connect(at_gateway(port)).await.unwrap();
    let (mut outside, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    inside.write_all(Bytes::from_static(b"ping")).await.unwrap();
    let mut heard = [0; 4];
    outside.read_exact(&mut heard).await.unwrap();
    outside.write_all(b"pong").await.unwrap();
    outside.shutdown().await.unwrap();
    assert_eq!(
        (&heard, inside.read(99).await.unwrap()),
        (b"ping", "pong".into())
    );
    assert_eq!(inside.read(99).await.unwrap(), "", "the end passes");
    assert_eq!(inside.peer_addr(), at_gateway(port));
    drop(inside);
    assert_eq!(outside.read(&mut heard).await.unwrap(), 0);

    for name in HOST_NAMES {
        assert_eq!(
            world.lookup(name).await,
            Some(vec![GATEWAY.into()]),
            "{name}"
        );
    }
    let closed = port.checked_add(1).unwrap_or(1);
    assert_eq!(
        world.connect(at_gateway(closed)).await.err(),
        Some(Errno::HostUnreach)
    );
    assert_eq!(
        world.events(),
        [format!(
            "container \"c\": 10.244.0.1:{closed} (TCP) is outside of the pods' network; \
             what would allow it: --allow-egress 127.0.0.1/32:{closed}"
        )]
    );
}

/// `::1` is another place than 127.0.0.1, with a gateway of its own.
#[tokio::test]
async fn the_ipv6_loopback_of_the_machine_is_behind_the_gateway_of_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        // A machine without IPv6 has nothing to reach.
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let datagrams = HostUdp::bind(("::1", port)).await.unwrap();
    let world = World::new(
        &[&format!("[::1]:{port}"), &format!("[::1]:{port}/udp")],
        &[],
    );
    let gateway = SocketAddr::new(GATEWAY6.into(), port);
    for name in HOST_NAMES {
        let found = world.lookup(name).await;
        assert_eq!(found, Some(vec![GATEWAY6.into()]), "{name}");
    }
    let inside = world.connect(gateway).await.unwrap();
    let (mut outside, client) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    assert!(client.ip().is_loopback());
    inside.write_all(Bytes::from_static(b"ping")).await.unwrap();
    let mut heard = [0; 9];
    outside.read_exact(&mut heard[..4]).await.unwrap();
    outside.write_all(b"pong").await.unwrap();
    assert_eq!(inside.read(9).await.unwrap(), "pong");
    assert_eq!(inside.peer_addr(), gateway);

    let socket = world.container.udp_socket(AddressFamily::Ipv6).unwrap();
    socket.bind("[::]:0".parse().unwrap()).unwrap();
    let question = Bytes::from_static(b"question");
    socket.try_send_to(&question, Some(gateway)).unwrap();
    let asked = timeout(LONG, datagrams.recv_from(&mut heard)).await;
    let (length, client) = asked.unwrap().unwrap();
    assert_eq!(heard[..length], question);
    datagrams.send_to(b"answer", client).await.unwrap();
    let answer = received(&socket).await;
    assert_eq!((answer.data, answer.from), ("answer".into(), gateway));

    // The pod's own `::1` is the pod; the other family's loopback and neighbours are not meant.
    for (to, errno) in [
        (SocketAddr::new(ip("::1"), port), Errno::ConnRefused),
        (at_gateway(port), Errno::HostUnreach),
        (
            SocketAddr::new(ip("fd00:10:244::2"), port),
            Errno::HostUnreach,
        ),
        (SocketAddr::new(ip("::ffff:7f00:1"), port), Errno::Inval),
        (SocketAddr::new(ip("fe80::1"), port), Errno::NetUnreach),
    ] {
        let socket = world
            .container
            .tcp_socket(AddressFamily::of(to.ip()))
            .unwrap();
        let outcome = match socket.connect(to) {
            Ok(()) => timeout(LONG, std::future::poll_fn(|cx| socket.poll_connect(cx))).await,
            Err(errno) => Ok(Err(errno)),
        };
        assert_eq!(outcome.unwrap().err(), Some(errno), "{to}");
    }
    let events = world.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].ends_with(&format!("--allow-egress 127.0.0.1/32:{port}")));
    assert!(events[1].ends_with(&format!("--allow-egress [fe80::1/128]:{port}")));
}

#[tokio::test]
async fn what_the_machine_cannot_connect_to_refuses_the_guest() {
    let (listener, port) = server().await;
    let world = World::new(&["127.0.0.1/32:*"], &[]);
    drop(listener);
    let refused = world.connect(at_gateway(port)).await;
    assert_eq!(refused.err(), Some(Errno::ConnRefused));
}

#[tokio::test]
async fn nothing_else_is_reached_and_the_hint_says_what_would_allow_it() {
    let world = World::new(&["example.com:443"], &[]);
    for (to, errno) in [
        ("192.0.2.1:80", Errno::NetUnreach),
        ("198.51.100.1:443", Errno::NetUnreach),
        ("169.254.169.254:80", Errno::NetUnreach),
        ("10.244.0.1:443", Errno::HostUnreach),
        ("10.244.0.9:443", Errno::HostUnreach),
        ("[2001:db8::1]:443", Errno::NetUnreach),
    ] {
        let outcome = world.connect(to.parse().unwrap()).await;
        assert_eq!(outcome.err(), Some(errno), "{to}");
    }
    assert_eq!(world.lookup("evil.example.com").await, None);
    assert_eq!(world.lookup("host.docker.internal").await, None);
    let socket = world.udp();
    let sent = socket.try_send_to(&Bytes::new(), Some("192.0.2.1:443".parse().unwrap()));
    assert_eq!(sent, Err(Errno::NetUnreach));
    let events = world.events();
    let rules = events
        .iter()
        .map(|event| event.split("--allow-egress ").nth(1).unwrap());
    assert_eq!(
        rules.collect::<Vec<_>>(),
        [
            "192.0.2.1/32:80",
            "198.51.100.1/32:443",
            "169.254.169.254/32:80",
            "127.0.0.1/32:443",
            "[2001:db8::1/128]:443",
            "evil.example.com:PORT",
            "127.0.0.1/32:PORT",
            "192.0.2.1/32:443/udp",
        ]
    );
    assert_eq!(world.upstream.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_of_which_no_address_is_allowed_is_told_once() {
    let names: &[(&str, &[&str])] = &[
        ("in.example", &["192.0.2.1", "198.51.100.1"]),
        ("out.example", &["198.51.100.1"]),
    ];
    let world = World::new(&["192.0.2.0/24:443"], names);
    assert_eq!(
        world.lookup("in.example").await,
        Some(vec![ip("192.0.2.1")])
    );
    for _ in 0..2 {
        assert_eq!(world.lookup("out.example").await, None);
    }
    let events = world.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].ends_with("--allow-egress out.example:PORT"),
        "{events:?}"
    );
}

#[tokio::test]
async fn datagrams_go_out_and_only_who_was_asked_may_answer() {
    let server = HostUdp::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let world = World::new(&[&format!("127.0.0.1/32:{port}/udp")], &[]);
    let socket = world.udp();
    let mut buffer = [0; 9];
    for text in ["one", "two"] {
        let data = Bytes::from_static(text.as_bytes());
        socket.try_send_to(&data, Some(at_gateway(port))).unwrap();
        let heard = timeout(LONG, server.recv_from(&mut buffer)).await.unwrap();
        let (length, client) = heard.unwrap();
        assert_eq!(&buffer[..length], text.as_bytes());
        // A stranger who knows the port is not heard.
        let stranger = HostUdp::bind("127.0.0.1:0").await.unwrap();
        stranger.send_to(b"evil", client).await.unwrap();
        server.send_to(b"answer", client).await.unwrap();
        let answer = received(&socket).await;
        assert_eq!(
            (answer.data, answer.from),
            ("answer".into(), at_gateway(port))
        );
        assert_eq!(socket.try_recv_from(9), Err(Errno::Again));
    }
}

#[tokio::test]
async fn a_client_of_a_published_port_is_answered_from_it_also_where_egress_leads_to_the_client() {
    let world = World::new(&["127.0.0.1/32:*/udp"], &[]);
    let socket = world.udp();
    let published = crate::publish::publish(crate::publish::PublishConfig {
        host: "127.0.0.1:0".parse().unwrap(),
        pod: world.pod.clone(),
        pod_name: "pod".to_owned(),
        port: socket.local_addr().unwrap().port(),
        protocol: crate::Protocol::Udp,
        proxy: None,
    });
    let published = published.await.unwrap();
    let client = HostUdp::bind("127.0.0.1:0").await.unwrap();
    // Connected: what comes from another port is not heard.
    client.connect(published.local_addr()).await.unwrap();
    let serving = tokio::spawn(published.serve());
    client.send(b"question").await.unwrap();
    let question = received(&socket).await;
    let answer = Bytes::from_static(b"answer");
    socket.try_send_to(&answer, Some(question.from)).unwrap();
    let mut heard = [0; 9];
    let length = timeout(LONG, client.recv(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&heard[..length], b"answer");
    serving.abort();
}

#[tokio::test]
async fn network_policies_are_asked_too_and_a_change_resets_what_is_there() {
    let (listener, port) = server().await;
    let world = World::new(&[&format!("127.0.0.1/32:{port}")], &[]);
    let gateway = |cidr: &str| PolicyRule {
        peers: Some(vec![PolicyPeer::Block {
            block: cidr.parse().unwrap(),
            except: Vec::new(),
        }]),
        ports: None,
    };
    world.set_policy(vec![gateway("10.244.0.1/32")]);
    let inside = world.connect(at_gateway(port)).await.unwrap();
    let (mut outside, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    world.set_policy(vec![gateway("192.0.2.0/24")]);
    assert_eq!(inside.read(9).await, Err(Errno::ConnReset));
    let end = timeout(LONG, outside.read(&mut [0; 9])).await.unwrap();
    assert!(end.is_err(), "the reset passes: {end:?}");
    let socket = connecting(&world.container, &at_gateway(port).to_string());
    assert_eq!(
        socket.try_connect().err(),
        Some(Errno::Again),
        "nobody answers"
    );
}

#[tokio::test]
async fn the_end_of_a_pod_ends_its_connections_outside() {
    let (listener, port) = server().await;
    let world = World::new(&[&format!("127.0.0.1/32:{port}")], &[]);
    let _inside = world.connect(at_gateway(port)).await.unwrap();
    let (mut outside, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    world.pod.close();
    let end = timeout(LONG, outside.read(&mut [0; 9])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(
        world.container.tcp_socket(AddressFamily::Ipv4).err(),
        Some(Errno::NetDown)
    );
}

/// A pod that is connected to by a name: what the name stands for is reached, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_name_allows_what_was_looked_up_and_not_for_ever() {
    let names: &[(&str, &[&str])] = &[("api.example.com", &["192.0.2.7", "2001:db8::7"])];
    let world = World::new(&["*.example.com:443"], names);
    let egress = || world.pod.pod().fabric().unwrap().egress().unwrap();
    let may = |to: &str| {
        let to = to.parse().unwrap();
        egress().admit(crate::Protocol::Tcp, to) == Some(to)
    };
    assert!(!may("192.0.2.7:443"), "nobody has asked for it");
    let found = world.lookup("api.example.com").await;
    assert_eq!(found, Some(vec![ip("192.0.2.7"), ip("2001:db8::7")]));
    assert!(may("192.0.2.7:443") && may("[2001:db8::7]:443"));
    assert!(!may("192.0.2.7:80") && !may("192.0.2.8:443"));
    // Again at once: nobody is asked.
    assert_eq!(world.lookup("API.example.com.").await, found);
    assert_eq!(world.upstream.asked.load(Ordering::SeqCst), 1);
    tokio::time::advance(NAME_PINNED).await;
    assert!(!may("192.0.2.7:443"), "it was long ago");
    assert_eq!(world.lookup("api.example.com").await, found);
    assert!(may("192.0.2.7:443"));
}

#[tokio::test]
async fn a_name_that_turns_into_this_machine_gets_nobody_there() {
    let (_listener, port) = server().await;
    let answers = |ips: &[&[&str]]| {
        let answers = ips
            .iter()
            .map(|ips| ips.iter().map(|text| ip(text)).collect());
        answers.collect::<Vec<Vec<IpAddr>>>()
    };
    // First a harmless address, then this machine: what is known as DNS rebinding.
    let script = [
        ("rebind.example", answers(&[&["192.0.2.1"], &["127.0.0.1"]])),
        (
            "loop.example",
            answers(&[&["127.0.0.1", "::1", "::ffff:127.0.0.1"]]),
        ),
        ("link.example", answers(&[&["169.254.169.254", "fe80::1"]])),
        ("any.example", answers(&[&["0.0.0.0", "::"]])),
        ("pods.example", answers(&[&["10.244.0.1", "10.96.0.10"]])),
        ("mixed.example", answers(&[&["127.0.0.1", "192.0.2.2"]])),
    ];
    let upstream = Scripted {
        answers: Mutex::new(script.map(|(name, all)| (name.to_owned(), all)).into()),
        ..Scripted::default()
    };
    let world = World::with(
        &[&format!("*.example:{port}"), "[::/0]:*", "0.0.0.0/0:*"],
        upstream,
    );
    for name in [
        "loop.example",
        "link.example",
        "any.example",
        "pods.example",
    ] {
        assert_eq!(world.lookup(name).await, None, "{name}");
    }
    let mixed = world.lookup("mixed.example").await;
    assert_eq!(mixed, Some(vec![ip("192.0.2.2")]));
    assert_eq!(
        world.lookup("rebind.example").await,
        Some(vec![ip("192.0.2.1")])
    );
    tokio::time::pause();
    tokio::time::advance(NAME_PINNED).await;
    assert_eq!(world.lookup("rebind.example").await, None);
    tokio::time::resume();
    // Also who does not ask but knows where to go.
    for (to, errno) in [
        ("127.0.0.1", Errno::ConnRefused),
        ("10.244.0.1", Errno::HostUnreach),
        ("169.254.169.254", Errno::NetUnreach),
        ("10.96.0.9", Errno::HostUnreach),
    ] {
        let to = SocketAddr::new(ip(to), port);
        assert_eq!(world.connect(to).await.err(), Some(errno), "{to}");
    }
    let events = world.events();
    for (name, address) in [
        ("loop.example", "127.0.0.1/32"),
        ("link.example", "[fe80::1/128]"),
        ("rebind.example", "127.0.0.1/32"),
    ] {
        let is_told = |event: &&String| {
            event.contains(&format!("name {name:?}"))
                && event.ends_with(&format!("--allow-egress {address}:PORT"))
        };
        assert!(
            events.iter().any(|event| is_told(&event)),
            "{name}: {events:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn programs_with_a_resolver_of_their_own_are_told_the_same() {
    let names: &[(&str, &[&str])] = &[
        ("api.example.com", &["192.0.2.7"]),
        ("evil.example.com", &["127.0.0.1"]),
    ];
    let world = World::new(&["*.example.com:443"], names);
    let server = SocketAddr::new(NAMESERVER.into(), 53);
    for (name, expected) in [
        ("api.example.com", Some(ip("192.0.2.7"))),
        ("evil.example.com", None),
        ("api.example.org", None),
        ("gone.example.com", None),
    ] {
        let query = crate::between_pods::query(name);
        let socket = world.udp();
        socket.try_send_to(&query, Some(server)).unwrap();
        let answer = received(&socket).await;
        assert_eq!(answer.from, server, "{name}");
        assert_eq!(address_in(&answer.data), expected, "{name} by UDP");

        let stream = world.connect(server).await.unwrap();
        let length = u16::try_from(query.len()).unwrap().to_be_bytes();
        let message = [&length[..], &query].concat();
        stream.write_all(message.into()).await.unwrap();
        let answer = stream.read(9999).await.unwrap();
        assert_eq!(address_in(&answer[2..]), expected, "{name} by TCP");
    }
}

fn address_in(answer: &[u8]) -> Option<IpAddr> {
    use simple_dns::rdata::RData;
    let packet = simple_dns::Packet::parse(answer).unwrap();
    let mut answers = packet.answers.iter();
    answers.find_map(|record| match &record.rdata {
        RData::A(a) => Some(IpAddr::V4(a.address.into())),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_does_not_answer_is_not_waited_for_for_ever() {
    let upstream = Scripted {
        is_silent: true,
        ..Scripted::default()
    };
    let world = World::with(&["*.example.com:443"], upstream);
    let begin = tokio::time::Instant::now();
    let found = world.container.lookup("a.example.com").await;
    assert!(matches!(found, Err(ResolveError::Unresolvable { .. })));
    assert_eq!(begin.elapsed(), UPSTREAM_TIMEOUT);
}

#[tokio::test]
async fn a_pod_without_the_clusters_server_knows_the_world_and_not_the_cluster() {
    let world = World::new(&["example.com:443"], &[("example.com", &["192.0.2.7"])]);
    let config = PodNetworkConfig {
        hostname: "default".to_owned(),
        nameservers: vec![NAMESERVER.into()],
        knows_cluster: false,
        ..Default::default()
    };
    let pod = world.network.create_pod(config).unwrap();
    let container = pod.attach("c");
    let found = container.lookup("example.com").await;
    assert_eq!(found, Ok(vec![ip("192.0.2.7")]));
    let own = "10-244-0-3.default.pod.cluster.local";
    assert!(container.lookup(own).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn lookups_in_numbers_ask_once_and_leave_nothing() {
    let world = World::new(&["0.0.0.0/0:443"], &[("example.com", &["192.0.2.7"])]);
    let lookups = (0..100).map(|_| world.container.lookup("example.com"));
    let all: Vec<_> = lookups.map(tokio::spawn).collect();
    for one in all {
        assert_eq!(one.await.unwrap(), Ok(vec![ip("192.0.2.7")]));
    }
    let asked = world.upstream.asked.load(Ordering::SeqCst);
    assert!(asked <= crate::limits::MAX_UPSTREAM_LOOKUPS, "{asked}");
}
