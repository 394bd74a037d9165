//! Captures of what sockets do, read back.

mod file;

use bytes::Bytes;
use proptest::prelude::*;

use self::file::{File, fetch, read};
use crate::limits::{CAPTURE_SEGMENT_BYTES, MAX_CAPTURED_PASSAGES, MAX_CAPTURES_PER_POD};
use crate::tests::{connecting, connection, listen, pattern, pod, service, service_name};
use crate::{
    AddressFamily, Capture, CaptureError, CaptureOptions, ContainerNetwork, Interface, NAMESERVER,
    Network, PodNetwork, PodNetworkConfig, Shutdown, TcpStream, UdpSocket,
};

fn capture(pod: &PodNetwork) -> Capture {
    pod.capture(CaptureOptions::default()).unwrap()
}

fn write(stream: &TcpStream, text: &'static str) {
    let mut data = Bytes::from_static(text.as_bytes());
    assert_eq!(stream.try_write(&mut data), Ok(text.len()));
}

fn udp(container: &ContainerNetwork, port: u16) -> UdpSocket {
    let socket = container.udp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], port).into()).unwrap();
    socket
}

fn send(socket: &UdpSocket, text: &'static str, to: &str) {
    let data = Bytes::from_static(text.as_bytes());
    socket
        .try_send_to(&data, Some(to.parse().unwrap()))
        .unwrap();
}

fn pods<const COUNT: usize>(network: &Network) -> [(PodNetwork, ContainerNetwork); COUNT] {
    std::array::from_fn(|number| {
        let pod = network.create_pod(PodNetworkConfig {
            hostname: format!("pod-{number}"),
            namespace: "default".to_owned(),
            ..Default::default()
        });
        let pod = pod.unwrap();
        let container = pod.attach("c");
        (pod, container)
    })
}

#[test]
fn a_connection_is_shown_from_its_handshake_to_its_end() {
    for address in ["127.0.0.1:80", "[::1]:80", "[fd00::2]:80"] {
        let (pod, a, b) = pod();
        let mut capture = capture(&pod);
        let listener = listen(&b, address);
        let near = connecting(&a, address).try_connect().unwrap();
        let far = listener.try_accept().unwrap().stream().unwrap();
        write(&near, "question");
        far.try_read(99).unwrap();
        write(&far, "answer");
        near.try_read(99).unwrap();
        near.shutdown(Shutdown::Send).unwrap();
        drop(near);
        drop(far);
        let file = read(&mut capture);
        assert_eq!(
            file.lines(),
            [
                "a> SYN 0",
                "b> SYN,ACK 0",
                "a> ACK 0",
                "a> PSH,ACK 8",
                "b> ACK 0",
                "b> PSH,ACK 6",
                "a> ACK 0",
                "a> FIN,ACK 0",
                "b> ACK 0",
                "b> FIN,ACK 0",
                "a> ACK 0",
            ],
            "{address}"
        );
        file.check_tcp();
        assert_eq!(file.packets[0].to, address.parse().unwrap());
        let times: Vec<_> = file.packets.iter().map(|packet| packet.time).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(file.writer.starts_with("wasmpod "), "{}", file.writer);
    }
}

#[test]
fn a_connection_with_itself_is_shown_as_of_one_end() {
    let (pod, a, _b) = pod();
    let mut capture = capture(&pod);
    let socket = a.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind("127.0.0.1:80".parse().unwrap()).unwrap();
    socket.connect("127.0.0.1:80".parse().unwrap()).unwrap();
    let stream = socket.try_connect().unwrap();
    write(&stream, "hello");
    stream.try_read(99).unwrap();
    drop((socket, stream));
    let file = read(&mut capture);
    assert_eq!(
        file.lines(),
        [
            "a> SYN 0",
            "a> SYN,ACK 0",
            "a> ACK 0",
            "a> PSH,ACK 5",
            "a> ACK 0",
            "a> FIN,ACK 0",
            "a> ACK 0",
        ]
    );
    let address = "127.0.0.1:80".parse().unwrap();
    assert!(
        file.packets
            .iter()
            .all(|packet| (packet.from, packet.to) == (address, address))
    );
}

#[test]
fn refusals_and_resets_are_shown() {
    let (pod, a, b) = pod();
    let mut refused = capture(&pod);
    assert!(connecting(&a, "127.0.0.1:9").try_connect().is_err());
    assert_eq!(read(&mut refused).lines(), ["a> SYN 0", "a< RST,ACK 0"]);

    let mut capture = capture(&pod);
    let (near, far) = connection(&a, &b);
    write(&near, "unread");
    drop(far);
    drop(near);
    let (near, _far) = connection(&a, &b);
    near.abort();
    let file = read(&mut capture);
    let lines = file.lines();
    assert_eq!(lines[3..6], ["a> PSH,ACK 6", "b> ACK 0", "b> RST,ACK 0"]);
    assert_eq!(lines[9..], ["a> RST,ACK 0"], "{lines:?}");
    file.check_tcp();
}

#[test]
fn a_capture_that_begins_late_has_the_numbers_of_the_middle() {
    let (pod, a, b) = pod();
    let mut early = capture(&pod);
    let (near, far) = connection(&a, &b);
    write(&near, "before");
    far.shutdown(Shutdown::Send).unwrap();
    let mut late = capture(&pod);
    write(&near, "after");
    near.shutdown(Shutdown::Send).unwrap();
    let (early, late) = (read(&mut early), read(&mut late));
    late.check_tcp();
    early.check_tcp();
    let numbers = |file: &File| -> Vec<_> {
        let headers = file.packets.iter().filter_map(|packet| packet.tcp.clone());
        headers
            .map(|tcp| (tcp.sequence_number, tcp.acknowledgment_number))
            .collect()
    };
    assert_eq!(
        late.lines(),
        ["a> PSH,ACK 5", "b> ACK 0", "a> FIN,ACK 0", "b> ACK 0"]
    );
    let of_early = numbers(&early);
    assert_eq!(numbers(&late), of_early[of_early.len() - 4..]);
}

#[test]
fn a_write_that_is_larger_than_a_packet_is_shown_as_several() {
    let (pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    let mut capture = capture(&pod);
    let data: Bytes = (0..200_000).map(pattern).collect();
    near.try_write(&mut data.clone()).unwrap();
    let file = read(&mut capture);
    let rest = 200_000 - 3 * CAPTURE_SEGMENT_BYTES;
    let whole = format!("a> ACK {CAPTURE_SEGMENT_BYTES}");
    let last = format!("a> PSH,ACK {rest}");
    assert_eq!(file.lines(), [&whole, &whole, &whole, &last, "b> ACK 0"]);
    let bytes = file.check_tcp();
    assert_eq!(bytes[&(near.local_addr(), near.peer_addr())], data);
    drop(far);
}

#[test]
fn a_part_of_each_packet_is_enough_for_who_says_so() {
    let (pod, a, b) = pod();
    let (near, _far) = connection(&a, &b);
    let mut capture = pod
        .capture(CaptureOptions {
            snaplen: 0,
            ..Default::default()
        })
        .unwrap();
    let before = fetch(&mut capture).0.len();
    near.try_write(&mut Bytes::from(vec![0; 60_000])).unwrap();
    let (bytes, _) = fetch(&mut capture);
    assert!(
        before < 300 && bytes.len() < 400,
        "{before} {}",
        bytes.len()
    );
    let original = 60_000_u32 + 40;
    assert!(bytes.windows(4).any(|four| four == original.to_le_bytes()));
}

#[test]
fn between_pods_each_sees_its_own_addresses() {
    let network = Network::new();
    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[2]));
    let [(one, server), (two, client)] = pods(&network);
    let (mut at_server, mut at_client) = (capture(&one), capture(&two));
    let listener = listen(&server, "0.0.0.0:80");
    let near = connecting(&client, "10.96.0.20:80").try_connect().unwrap();
    let far = listener.try_accept().unwrap();
    write(&near, "hello");
    let (at_server, at_client) = (read(&mut at_server), read(&mut at_client));
    assert_eq!(
        at_client.lines(),
        [
            "c> SYN 0",
            "c< SYN,ACK 0",
            "c> ACK 0",
            "c> PSH,ACK 5",
            "c< ACK 0"
        ]
    );
    assert_eq!(
        at_server.lines(),
        [
            "c< SYN 0",
            "c> SYN,ACK 0",
            "c< ACK 0",
            "c< PSH,ACK 5",
            "c> ACK 0"
        ]
    );
    assert_eq!(at_client.packets[0].to, "10.96.0.20:80".parse().unwrap());
    assert_eq!(at_server.packets[0].to, "10.244.0.2:80".parse().unwrap());
    assert_eq!(at_server.packets[0].from, near.local_addr());
    at_client.check_tcp();
    at_server.check_tcp();
    // A pod without a capture is not shown because of another's.
    drop(far);
}

#[test]
fn datagrams_are_shown_as_the_pods_own_sockets_see_them() {
    let network = Network::new();
    network.set_service(service_name("dns"), service("10.96.0.20", &[53], &[2]));
    let [(one, a), (two, b)] = pods(&network);
    let (mut at_one, mut at_two) = (capture(&one), capture(&two));
    let (server, client) = (udp(&a, 53), udp(&b, 0));
    send(&client, "ask", "10.96.0.20:53");
    let asked = server.try_recv_from(99).unwrap();
    server
        .try_send_to(&Bytes::from_static(b"reply"), Some(asked.from))
        .unwrap();
    client.try_recv_from(99).unwrap();
    // Nobody is there; the pod's kernel would send it all the same.
    send(&client, "lost", "127.0.0.1:99");
    let (at_one, at_two) = (read(&mut at_one), read(&mut at_two));
    assert_eq!(at_one.lines(), ["c< UDP 3", "c> UDP 5"]);
    assert_eq!(at_two.lines(), ["c> UDP 3", "c< UDP 5", "c> UDP 4"]);
    let port = client.local_addr().unwrap().port();
    let own = (two.pod_ip(), port).into();
    let addresses = |packet: &file::Read| (packet.from, packet.to);
    let (seen, real) = (
        "10.96.0.20:53".parse().unwrap(),
        "10.244.0.2:53".parse().unwrap(),
    );
    assert_eq!(addresses(&at_two.packets[0]), (own, seen));
    assert_eq!(addresses(&at_two.packets[1]), (seen, own));
    assert_eq!(addresses(&at_one.packets[0]), (own, real));
    assert_eq!(addresses(&at_one.packets[1]), (real, own));
}

#[test]
fn questions_to_the_name_server_and_its_answers_are_shown() {
    let network = Network::new();
    let [(one, a)] = pods(&network);
    let mut capture = capture(&one);
    let client = udp(&a, 0);
    // A question for the root's name servers (RFC 1035 4.1), which gets an answer of any kind.
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01";
    let to = (NAMESERVER, 53).into();
    client
        .try_send_to(&Bytes::from_static(question), Some(to))
        .unwrap();
    let file = read(&mut capture);
    assert_eq!(file.lines().len(), 2, "{:?}", file.lines());
    assert_eq!((file.packets[0].to, file.packets[1].from), (to, to));
    assert_eq!(file.packets[0].payload, question);
    assert_eq!(file.packets[1].payload[..2], question[..2]);
    assert!(file.packets[0].is_outbound && !file.packets[1].is_outbound);
}

#[tokio::test]
async fn clients_of_the_host_come_from_outside() {
    let (pod, _a, b) = pod();
    let mut capture = capture(&pod);
    let listener = listen(&b, "0.0.0.0:80");
    let near = pod
        .dial("127.0.0.1:5000".parse().unwrap(), 80)
        .await
        .unwrap();
    write(&near, "GET /");
    drop(listener);
    let file = read(&mut capture);
    assert_eq!(
        file.lines()[..4],
        ["b< SYN 0", "b> SYN,ACK 0", "b< ACK 0", "b< PSH,ACK 5"]
    );
    assert_eq!(file.packets[0].from, "10.244.0.1:5000".parse().unwrap());
    assert_eq!(file.interfaces.len(), 1, "{:?}", file.interfaces);
}

#[test]
fn only_what_is_wanted_is_captured() {
    let (pod, a, b) = pod();
    let of = |containers: &[&str], ports: &[u16]| {
        let containers = containers.iter().map(|name| (*name).to_owned()).collect();
        pod.capture(CaptureOptions {
            containers,
            ports: ports.to_vec(),
            ..Default::default()
        })
        .unwrap()
    };
    let captures = [
        of(&["c"], &[]),
        of(&["b"], &[]),
        of(&[], &[7]),
        of(&["a"], &[8]),
    ];
    let (one, _two) = (udp(&a, 7), udp(&b, 8));
    let alone = udp(&a, 9);
    send(&one, "x", "127.0.0.1:8");
    send(&alone, "y", "127.0.0.1:10");
    let seen = captures.map(|mut capture| read(&mut capture).packets.len());
    assert_eq!(seen, [0, 1, 1, 1]);
}

#[test]
fn a_capture_describes_its_interfaces_and_ends_after_its_packets() {
    let (pod, a, b) = pod();
    let mut capture = pod
        .capture(CaptureOptions {
            count: Some(4),
            interfaces: vec![Interface {
                name: "b".to_owned(),
                description: "container b: image web".to_owned(),
            }],
            comment: "pod default/web".to_owned(),
            now_ns: 1_700_000_000_000_000_000,
            ..Default::default()
        })
        .unwrap();
    let (near, _far) = connection(&a, &b);
    write(&near, "not all of it");
    let (bytes, has_ended) = fetch(&mut capture);
    let file = File::of(&bytes);
    assert!(has_ended);
    assert_eq!(file.packets.len(), 4);
    assert!(file.packets[0].time >= 1_700_000_000_000_000_000);
    let described = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        file.interfaces,
        [
            described("b", "container b: image web"),
            described("a", "container a")
        ]
    );
    assert_eq!(file.statistics["a"], (3, 0));
    assert_eq!(file.statistics["b"], (1, 0));
    assert!(bytes.windows(15).any(|part| part == b"pod default/web"));
}

#[test]
fn a_reader_that_is_too_slow_loses_packets_and_is_told_how_many() {
    let (pod, a, _b) = pod();
    let mut capture = capture(&pod);
    drop(read(&mut capture));
    let socket = udp(&a, 0);
    let sent = MAX_CAPTURED_PASSAGES + 100;
    for _ in 0..sent {
        send(&socket, "x", "127.0.0.1:99");
    }
    let file = File::of(&[&head("a")[..], &fetch(&mut capture).0].concat());
    assert_eq!(file.packets.len(), MAX_CAPTURED_PASSAGES);
    assert_eq!(file.statistics["a"], (sent as u64, 100));

    // There is room again.
    send(&socket, "x", "127.0.0.1:99");
    let file = File::of(&[&head("a")[..], &fetch(&mut capture).0].concat());
    assert_eq!((file.packets.len(), file.statistics.len()), (1, 0));
    pod.close();
    let (bytes, has_ended) = fetch(&mut capture);
    let file = File::of(&[&head("a")[..], &bytes].concat());
    assert!(has_ended);
    assert_eq!(file.statistics["a"], (sent as u64 + 1, 100));
}

/// An interface as a capture describes it by itself, for the rest of a file whose beginning was read.
fn head(name: &str) -> Vec<u8> {
    let (pod, a, _b) = pod();
    let mut capture = pod
        .capture(CaptureOptions {
            interfaces: vec![Interface {
                name: name.to_owned(),
                description: name.to_owned(),
            }],
            ..Default::default()
        })
        .unwrap();
    drop(a);
    fetch(&mut capture).0.to_vec()
}

#[test]
fn large_payloads_that_nobody_fetches_are_bounded() {
    let (pod, a, _b) = pod();
    let mut capture = capture(&pod);
    let socket = udp(&a, 0);
    let data = Bytes::from(vec![0; 60_000]);
    for _ in 0..1000 {
        let to = "127.0.0.1:99".parse().unwrap();
        socket.try_send_to(&data, Some(to)).unwrap();
    }
    let file = read(&mut capture);
    let kept = file.packets.len();
    assert_eq!(kept, crate::limits::MAX_CAPTURED_BYTES / 60_000);
    assert_eq!(file.statistics["a"], (1000, 1000 - kept as u64));
}

#[test]
fn captures_are_counted_and_end_with_their_readers_or_the_pod() {
    let (pod, a, _b) = pod();
    let mut captures: Vec<_> = (0..MAX_CAPTURES_PER_POD).map(|_| capture(&pod)).collect();
    let refused = pod.capture(CaptureOptions::default());
    assert_eq!(refused.unwrap_err(), CaptureError::TooMany);
    captures.truncate(1);
    drop(capture(&pod));
    assert!(pod.pod().tap.switch().is_on());
    drop(captures);
    assert!(!pod.pod().tap.switch().is_on());

    let mut last = capture(&pod);
    let socket = udp(&a, 0);
    send(&socket, "x", "127.0.0.1:99");
    pod.close();
    let (bytes, has_ended) = fetch(&mut last);
    assert!(has_ended && !pod.pod().tap.switch().is_on());
    assert_eq!(
        File::of(&bytes).packets.len(),
        1,
        "what had passed is there"
    );
    let refused = pod.capture(CaptureOptions::default());
    assert_eq!(refused.unwrap_err(), CaptureError::Closed);
}

#[tokio::test]
async fn a_reader_is_woken_by_what_passes_and_by_the_end() {
    let (pod, a, _b) = pod();
    let mut capture = capture(&pod);
    let reader = tokio::spawn(async move {
        let mut chunks = 0;
        while capture.next().await.is_some() {
            chunks += 1;
        }
        chunks
    });
    tokio::task::yield_now().await;
    let socket = udp(&a, 0);
    send(&socket, "x", "127.0.0.1:99");
    tokio::task::yield_now().await;
    pod.close();
    assert_eq!(
        reader.await.unwrap(),
        3,
        "the head, a packet, the statistics"
    );
}

/// Something that an end of a connection does.
#[derive(Clone, Debug)]
enum Step {
    Write(bool, usize),
    Read(bool, usize),
    Shutdown(bool, Shutdown),
    Abort(bool),
    Capture,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        Just(Shutdown::Receive),
        Just(Shutdown::Send),
        Just(Shutdown::Both)
    ];
    prop_oneof![
        8 => (any::<bool>(), 1..100_000_usize).prop_map(|(end, size)| Step::Write(end, size)),
        6 => (any::<bool>(), 1..100_000_usize).prop_map(|(end, size)| Step::Read(end, size)),
        1 => (any::<bool>(), how).prop_map(|(end, how)| Step::Shutdown(end, how)),
        1 => any::<bool>().prop_map(Step::Abort),
        2 => Just(Step::Capture),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_on_a_connection_a_capture_of_it_is_sound(
        steps in proptest::collection::vec(step(), 0..40)
    ) {
        let (pod, a, b) = pod();
        let mut captures = vec![capture(&pod)];
        let (near, far) = connection(&a, &b);
        let mut sent = [0, 0];
        for step in steps {
            let end = |is_far: bool| if is_far { &far } else { &near };
            match step {
                Step::Write(is_far, size) => {
                    let mut data = Bytes::from(vec![7; size]);
                    if let Ok(accepted) = end(is_far).try_write(&mut data) {
                        sent[usize::from(is_far)] += accepted;
                    }
                }
                Step::Read(is_far, size) => drop(end(is_far).try_read(size)),
                Step::Shutdown(is_far, how) => drop(end(is_far).shutdown(how)),
                Step::Abort(is_far) => end(is_far).abort(),
                Step::Capture if captures.len() < MAX_CAPTURES_PER_POD => {
                    captures.push(capture(&pod));
                }
                Step::Capture => {}
            }
        }
        let (from, to) = (near.local_addr(), near.peer_addr());
        drop((near, far));
        let mut files = captures.iter_mut().map(read);
        let bytes = files.next().unwrap().check_tcp();
        prop_assert_eq!(bytes[&(from, to)].len(), sent[0]);
        prop_assert_eq!(bytes[&(to, from)].len(), sent[1]);
        files.for_each(|file| drop(file.check_tcp()));
    }
}
