//! UDP as a component sees it.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::UdpSocket;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostIncomingDatagramStream as _, HostOutgoingDatagramStream as _, HostUdpSocket as _,
    OutgoingDatagram,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;

use super::{Guest, again, code_of, localhost, now, pod};

fn udp(guest: &mut Guest, port: u16) -> Resource<UdpSocket> {
    let socket = now(guest.view().create_udp_socket(IpAddressFamily::Ipv4)).unwrap();
    let network = guest.network();
    let mut view = guest.view();
    let this = || again(&socket);
    now(view.start_bind(this(), network, localhost(port))).unwrap();
    view.finish_bind(this()).unwrap();
    socket
}

#[test]
fn datagrams_arrive_whole_with_their_sender() {
    let pod = pod();
    let (mut server, mut client) = (Guest::new(&pod, "server"), Guest::new(&pod, "client"));
    let (here, there) = (udp(&mut server, 53), udp(&mut client, 0));
    let (incoming, _outgoing) = now(server.view().stream(again(&here), None)).unwrap();
    let to_server = Some(localhost(53));
    let (_incoming, outgoing) = now(client.view().stream(again(&there), to_server)).unwrap();

    assert!(
        server
            .view()
            .receive(again(&incoming), 10)
            .unwrap()
            .is_empty()
    );
    let datagram = |data: &[u8], remote_address| OutgoingDatagram {
        data: data.into(),
        remote_address,
    };
    let many = vec![datagram(b"one", None), datagram(b"two", None)];
    let unpermitted = client
        .view()
        .send(again(&outgoing), many.clone())
        .unwrap_err();
    assert!(unpermitted.downcast().is_err(), "it traps");
    assert!(client.view().check_send(again(&outgoing)).unwrap() >= 2);
    assert_eq!(client.view().send(again(&outgoing), many).unwrap(), 2);
    let received = server.view().receive(again(&incoming), 10).unwrap();
    assert_eq!(received.len(), 2);
    assert_eq!(
        (&received[0].data[..], &received[1].data[..]),
        (&b"one"[..], &b"two"[..])
    );
    let sender = client.view().local_address(again(&there)).unwrap();
    assert_eq!(
        std::net::SocketAddr::from(received[0].remote_address),
        std::net::SocketAddr::from(sender)
    );

    let mut send = |datagram| {
        client.view().check_send(again(&outgoing)).unwrap();
        code_of(client.view().send(again(&outgoing), vec![datagram]))
    };
    assert_eq!(
        send(datagram(b"x", Some(localhost(54)))),
        ErrorCode::InvalidArgument
    );
    assert_eq!(
        send(datagram(&[0; 70_000], None)),
        ErrorCode::DatagramTooLarge
    );
}

#[test]
fn a_udp_socket_without_peer_needs_a_destination() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let socket = udp(&mut guest, 0);
    let (_incoming, outgoing) = now(guest.view().stream(again(&socket), None)).unwrap();
    guest.view().check_send(again(&outgoing)).unwrap();
    let nowhere = vec![OutgoingDatagram {
        data: vec![1],
        remote_address: None,
    }];
    let refused = code_of(guest.view().send(again(&outgoing), nowhere));
    assert_eq!(refused, ErrorCode::InvalidArgument);
    let unbound = now(guest.view().create_udp_socket(IpAddressFamily::Ipv4)).unwrap();
    let refused = code_of(now(guest.view().stream(again(&unbound), None)));
    assert_eq!(refused, ErrorCode::InvalidState);
}
