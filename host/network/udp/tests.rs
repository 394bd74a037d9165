//! What a program sees of UDP.

use bytes::Bytes;

use super::UdpSocket;
use crate::limits::{MAX_DATAGRAM_BYTES, MAX_QUEUED_DATAGRAMS};
use crate::tests::{CountingWaker, pod};
use crate::{AddressFamily, ContainerNetwork, Errno, SocketState};

fn bound(container: &ContainerNetwork, address: &str) -> UdpSocket {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let socket = container
        .udp_socket(AddressFamily::of(address.ip()))
        .unwrap();
    socket.bind(address).unwrap();
    socket
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn a_datagram_arrives_whole_with_its_senders_address() {
    let (_pod, a, b) = pod();
    let server = bound(&b, "0.0.0.0:53");
    let client = a.udp_socket(AddressFamily::Ipv4).unwrap();
    let waker = CountingWaker::new();
    assert!(server.poll_recv_ready(&mut waker.context()).is_pending());
    client
        .try_send_to(&text("question"), Some("127.0.0.1:53".parse().unwrap()))
        .unwrap();
    client
        .try_send_to(&text(""), Some("10.244.0.2:53".parse().unwrap()))
        .unwrap();
    assert_eq!(waker.count(), 1);
    let first = server.try_peek_from(4).unwrap();
    assert_eq!(server.try_recv_from(4).unwrap(), first);
    assert_eq!((&first.data[..], first.full_length), (&b"ques"[..], 8));
    let port = client.local_addr().unwrap().port();
    assert_eq!(first.from, ([127, 0, 0, 1], port).into());
    let second = server.try_recv_from(4).unwrap();
    assert_eq!(
        (second.full_length, second.from),
        (0, ([10, 244, 0, 2], port).into())
    );
    assert_eq!(server.try_recv_from(4), Err(Errno::Again));
    assert_eq!(server.try_peek_from(4), Err(Errno::Again));
    server
        .try_send_to(&text("answer"), Some(first.from))
        .unwrap();
    assert_eq!(client.try_recv_from(99).unwrap().data, "answer");
}

#[test]
fn a_connected_socket_hears_only_its_peer() {
    let (pod, a, b) = pod();
    let (server, stranger) = (bound(&b, "127.0.0.1:53"), bound(&b, "127.0.0.1:54"));
    let client = bound(&a, "127.0.0.1:0");
    let at = client.local_addr().unwrap();
    assert_eq!(
        client.try_send_to(&text("x"), None),
        Err(Errno::DestAddrReq)
    );
    client.connect(server.local_addr().unwrap()).unwrap();
    client.try_send_to(&text("hello"), None).unwrap();
    assert_eq!(
        client.try_send_to(&text("x"), stranger.local_addr().ok()),
        Err(Errno::IsConn)
    );
    stranger.try_send_to(&text("noise"), Some(at)).unwrap();
    server.try_send_to(&text("signal"), Some(at)).unwrap();
    assert_eq!(client.try_recv_from(99).unwrap().data, "signal");
    assert_eq!(client.try_recv_from(99), Err(Errno::Again));
    assert_eq!(client.peer_addr(), server.local_addr());
    client.disconnect().unwrap();
    assert_eq!(
        (client.disconnect(), client.peer_addr()),
        (Err(Errno::NotConn), Err(Errno::NotConn))
    );
    stranger.try_send_to(&text("now heard"), Some(at)).unwrap();
    assert_eq!(client.try_recv_from(99).unwrap().data, "now heard");
    assert!(
        pod.sockets()
            .iter()
            .any(|one| one.traffic.tx_messages == 2 && one.state == SocketState::Bound)
    );
}

#[test]
fn a_send_is_refused_or_lost_as_udp_says() {
    let (_pod, a, b) = pod();
    let server = bound(&b, "127.0.0.1:53");
    let client = a.udp_socket(AddressFamily::Ipv4).unwrap();
    let big = Bytes::from(vec![0; MAX_DATAGRAM_BYTES + 1]);
    for (data, to, expected) in [
        (big.clone(), "127.0.0.1:53", Err(Errno::MsgSize)),
        (big.slice(1..), "127.0.0.1:53", Ok(())),
        (text("x"), "127.0.0.1:99", Ok(())),
        (text("x"), "10.244.0.3:53", Err(Errno::NetUnreach)),
        (text("x"), "8.8.8.8:53", Err(Errno::NetUnreach)),
        (text("x"), "127.0.0.1:0", Err(Errno::Inval)),
        (text("x"), "[::1]:53", Err(Errno::AfNoSupport)),
    ] {
        assert_eq!(
            client.try_send_to(&data, Some(to.parse().unwrap())),
            expected,
            "{to}"
        );
    }
    assert_eq!(
        server.try_recv_from(usize::MAX).unwrap().data.len(),
        MAX_DATAGRAM_BYTES
    );
    let other = a.udp_socket(AddressFamily::Ipv4).unwrap();
    assert_eq!(
        other.bind("0.0.0.0:53".parse().unwrap()),
        Err(Errno::AddrInUse)
    );
    assert!(
        a.tcp_socket(AddressFamily::Ipv4)
            .unwrap()
            .bind("0.0.0.0:53".parse().unwrap())
            .is_ok()
    );
}

#[test]
fn a_full_queue_drops_the_newest_and_counts_it() {
    let (pod, a, b) = pod();
    let server = bound(&b, "127.0.0.1:53");
    let client = a.udp_socket(AddressFamily::Ipv4).unwrap();
    client.connect("127.0.0.1:53".parse().unwrap()).unwrap();
    for _ in 0..MAX_QUEUED_DATAGRAMS + 5 {
        client.try_send_to(&text(""), None).unwrap();
    }
    let dropped = || {
        pod.sockets()
            .iter()
            .map(|one| one.traffic.rx_dropped)
            .sum::<u64>()
    };
    assert_eq!(dropped(), 5, "by count");
    while server.try_recv_from(9).is_ok() {}
    server.set_receive_buffer_bytes(4096).unwrap();
    for _ in 0..5 {
        client
            .try_send_to(&Bytes::from(vec![0; 1500]), None)
            .unwrap();
    }
    assert_eq!(dropped(), 5 + 3, "by bytes");
}

#[test]
fn the_end_of_a_container_frees_its_ports_and_wakes_its_readers() {
    let (_pod, a, b) = pod();
    let server = bound(&b, "127.0.0.1:53");
    let waker = CountingWaker::new();
    assert!(server.poll_recv_ready(&mut waker.context()).is_pending());
    drop(b);
    assert_eq!(waker.count(), 1);
    assert_eq!(server.try_recv_from(9), Err(Errno::BadF));
    bound(&a, "127.0.0.1:53");
}

#[test]
fn a_connected_socket_hears_once_that_nobody_was_there() {
    let (_pod, a, b) = pod();
    let client = a.udp_socket(AddressFamily::Ipv4).unwrap();
    let nobody = "127.0.0.1:53".parse().unwrap();
    client.connect(nobody).unwrap();
    let waker = CountingWaker::new();
    assert!(client.poll_recv_ready(&mut waker.context()).is_pending());
    client.try_send_to(&text("x"), None).unwrap();
    assert_eq!(waker.count(), 1);
    assert_eq!(client.try_recv_from(9), Err(Errno::ConnRefused));
    assert_eq!(client.try_recv_from(9), Err(Errno::Again));

    client.try_send_to(&text("x"), None).unwrap();
    assert_eq!(
        client.try_send_to(&text("not sent"), None),
        Err(Errno::ConnRefused)
    );
    // A server that talks to another client only is nobody, too.
    let server = bound(&b, "127.0.0.1:53");
    server.connect("127.0.0.1:99".parse().unwrap()).unwrap();
    client.try_send_to(&text("x"), None).unwrap();
    assert_eq!(client.try_recv_from(9), Err(Errno::ConnRefused));
    server.disconnect().unwrap();
    client.try_send_to(&text("x"), None).unwrap();
    assert_eq!(client.try_recv_from(9), Err(Errno::Again));
    assert_eq!(server.try_recv_from(9).unwrap().data, "x");

    client.disconnect().unwrap();
    client
        .try_send_to(&text("x"), "127.0.0.1:9".parse().ok())
        .unwrap();
    assert_eq!(client.try_recv_from(9), Err(Errno::Again));
}
