//! The glue of `wasi:sockets`, driven as a guest drives it: handles, two-phase verbs, error codes, streams, pollables.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wasmpod_network::{PodNetwork, PodNetworkConfig};
use wasmtime_wasi::p2::bindings::sockets::instance_network::Host as _;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host as _, HostResolveAddressStream as _,
};
use wasmtime_wasi::p2::bindings::sockets::network::{
    IpAddress, IpSocketAddress, Ipv4SocketAddress,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{HostTcpSocket as _, ShutdownType};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostIncomingDatagramStream as _, HostOutgoingDatagramStream as _, HostUdpSocket as _,
    OutgoingDatagram,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p2::{TcpSocket, UdpSocket};
use wasmtime_wasi_io::bindings::wasi::io::poll::HostPollable as _;
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError};

use super::*;

/// One container's side: its handles and its seat in the network.
struct Guest {
    table: ResourceTable,
    network: ContainerNetwork,
}

impl Guest {
    fn new(pod: &PodNetwork, name: &str) -> Self {
        Self {
            table: ResourceTable::new(),
            network: pod.attach(name),
        }
    }

    fn view(&mut self) -> View<'_> {
        View {
            table: &mut self.table,
            network: &self.network,
        }
    }

    fn network(&mut self) -> Resource<NetworkHandle> {
        self.view().instance_network().unwrap()
    }

    fn tcp(&mut self) -> Resource<TcpSocket> {
        self.view()
            .create_tcp_socket(IpAddressFamily::Ipv4)
            .unwrap()
    }

    fn bind(&mut self, socket: &Resource<TcpSocket>, to: IpSocketAddress) -> Result<(), ErrorCode> {
        let network = self.network();
        let mut view = self.view();
        now(view.start_bind(again(socket), network, to)).map_err(|e| e.downcast().unwrap())?;
        view.finish_bind(again(socket))
            .map_err(|e| e.downcast().unwrap())
    }

    fn listen(&mut self, port: u16) -> Resource<TcpSocket> {
        let socket = self.tcp();
        self.bind(&socket, localhost(port)).unwrap();
        now(self.view().start_listen(again(&socket))).unwrap();
        self.view().finish_listen(again(&socket)).unwrap();
        socket
    }

    fn connect(&mut self, port: u16) -> (Resource<TcpSocket>, Streams) {
        let (socket, network) = (self.tcp(), self.network());
        self.view()
            .start_connect(again(&socket), network, localhost(port))
            .unwrap();
        let streams = self.view().finish_connect(again(&socket)).unwrap();
        (socket, streams)
    }

    fn pollable(&mut self, socket: &Resource<TcpSocket>) -> Resource<DynPollable> {
        self.view().subscribe(again(socket)).unwrap()
    }

    fn is_ready(&mut self, pollable: &Resource<DynPollable>) -> bool {
        now(self.table.ready(Resource::new_borrow(pollable.rep()))).unwrap()
    }

    fn read(&mut self, (input, _): &Streams, size: usize) -> Result<Bytes, StreamError> {
        self.table.get_mut(input).unwrap().read(size)
    }

    fn write(&mut self, (_, output): &Streams, bytes: &'static [u8]) -> Result<(), StreamError> {
        let output = self.table.get_mut(output).unwrap();
        assert!(output.check_write()? >= bytes.len());
        output.write(Bytes::from_static(bytes))
    }
}

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// The same handle again, as a guest borrows it for each call.
fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

fn pod() -> PodNetwork {
    PodNetwork::new(PodNetworkConfig {
        hostname: "web".into(),
        ..Default::default()
    })
}

fn localhost(port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, 1),
    })
}

/// The result of a call that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the call waits"),
    }
}

fn code_of<T>(result: SocketResult<T>) -> ErrorCode {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error.downcast().unwrap(),
    }
}

#[test]
fn two_containers_talk_over_localhost() {
    let pod = pod();
    let (mut server, mut client) = (Guest::new(&pod, "server"), Guest::new(&pod, "client"));
    let listener = server.listen(5000);
    let incoming = server.pollable(&listener);
    assert!(!server.is_ready(&incoming));
    assert_eq!(
        code_of(server.view().accept(again(&listener))),
        ErrorCode::WouldBlock
    );

    let (socket, near) = client.connect(5000);
    assert!(server.is_ready(&incoming));
    let (accepted, input, output) = server.view().accept(again(&listener)).unwrap();
    let far = (input, output);
    assert!(!server.is_ready(&incoming));

    assert_eq!(
        server.read(&far, 10).unwrap(),
        "",
        "nothing yet, and not at its end"
    );
    client.write(&near, b"ping").unwrap();
    assert_eq!(server.read(&far, 2).unwrap(), "pi");
    assert_eq!(server.read(&far, 10).unwrap(), "ng");
    server.write(&far, b"pong").unwrap();
    assert_eq!(client.read(&near, 10).unwrap(), "pong");

    let theirs = client.view().local_address(again(&socket)).unwrap();
    let seen = server.view().remote_address(again(&accepted)).unwrap();
    assert_eq!(
        std::net::SocketAddr::from(theirs),
        std::net::SocketAddr::from(seen)
    );

    // A half-close: the other direction stays open.
    client
        .view()
        .shutdown(again(&socket), ShutdownType::Send)
        .unwrap();
    assert!(matches!(server.read(&far, 10), Err(StreamError::Closed)));
    assert!(
        matches!(server.read(&far, 10), Err(StreamError::Closed)),
        "and it stays closed"
    );
    assert!(matches!(
        client.write(&near, b"x"),
        Err(StreamError::Closed)
    ));
    server.write(&far, b"bye").unwrap();
    assert_eq!(client.read(&near, 10).unwrap(), "bye");
}

#[test]
fn a_full_connection_promises_nothing_until_the_peer_reads() {
    let pod = pod();
    let (mut server, mut client) = (Guest::new(&pod, "server"), Guest::new(&pod, "client"));
    let listener = server.listen(5000);
    let (_socket, near) = client.connect(5000);
    let (_accepted, input, output) = server.view().accept(again(&listener)).unwrap();
    let far = (input, output);
    let mut sent = 0;
    loop {
        let output = client.table.get_mut(&near.1).unwrap();
        let room = output.check_write().unwrap();
        if room == 0 {
            break;
        }
        output.write(Bytes::from(vec![7; room])).unwrap();
        sent += room;
        assert!(sent < 64 << 20, "a connection is bounded");
    }
    {
        let output = client.table.get_mut(&near.1).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(output.ready().as_mut().poll(&mut context).is_pending());
    }
    let mut received = 0;
    while received < sent {
        received += server.read(&far, usize::MAX).unwrap().len();
    }
    assert_eq!(received, sent);
    let output = client.table.get_mut(&near.1).unwrap();
    now(output.ready());
    assert!(output.check_write().unwrap() > 0);
}

#[test]
fn more_than_was_permitted_is_a_trap() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let _listener = guest.listen(5000);
    let (_socket, (_, output)) = guest.connect(5000);
    let output = guest.table.get_mut(&output).unwrap();
    assert!(matches!(
        output.write(Bytes::from_static(b"x")),
        Err(StreamError::Trap(_))
    ));
}

#[test]
fn a_connection_that_is_dropped_with_unread_data_resets_its_peer() {
    let pod = pod();
    let (mut server, mut client) = (Guest::new(&pod, "server"), Guest::new(&pod, "client"));
    let listener = server.listen(5000);
    let (_socket, near) = client.connect(5000);
    client.write(&near, b"unread").unwrap();
    let (accepted, input, output) = server.view().accept(again(&listener)).unwrap();
    server.table.delete(input).unwrap();
    server.table.delete(output).unwrap();
    server
        .view()
        .drop(Resource::<TcpSocket>::new_own(accepted.rep()))
        .unwrap();
    let error = client.read(&near, 10).unwrap_err();
    let StreamError::LastOperationFailed(error) = error else {
        panic!("{error}")
    };
    assert_eq!(
        error.downcast::<ErrorCode>().unwrap(),
        ErrorCode::ConnectionReset
    );
    assert!(matches!(client.read(&near, 10), Err(StreamError::Closed)));
}

#[test]
fn the_end_of_a_container_closes_its_connections() {
    let pod = pod();
    let (mut server, mut client) = (Guest::new(&pod, "server"), Guest::new(&pod, "client"));
    let listener = server.listen(5000);
    let (_socket, near) = client.connect(5000);
    let _accepted = server.view().accept(again(&listener)).unwrap();
    drop(server);
    assert!(matches!(client.read(&near, 10), Err(StreamError::Closed)));
    let (socket, network) = (client.tcp(), client.network());
    client
        .view()
        .start_connect(again(&socket), network, localhost(5000))
        .unwrap();
    let refused = code_of(client.view().finish_connect(again(&socket)));
    assert_eq!(refused, ErrorCode::ConnectionRefused);
}

#[test]
fn each_verb_in_the_wrong_state_gives_the_code_that_wasi_names() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let socket = guest.tcp();
    let this = || again(&socket);
    assert_eq!(
        code_of(guest.view().local_address(this())),
        ErrorCode::InvalidState
    );
    assert_eq!(
        code_of(guest.view().remote_address(this())),
        ErrorCode::InvalidState
    );
    assert_eq!(
        code_of(guest.view().finish_bind(this())),
        ErrorCode::NotInProgress
    );
    assert_eq!(
        code_of(guest.view().finish_connect(this())),
        ErrorCode::NotInProgress
    );
    assert_eq!(
        code_of(guest.view().finish_listen(this())),
        ErrorCode::NotInProgress
    );
    assert_eq!(
        code_of(now(guest.view().start_listen(this()))),
        ErrorCode::InvalidState
    );
    assert_eq!(
        code_of(guest.view().accept(this())),
        ErrorCode::InvalidState
    );
    let shutdown = guest.view().shutdown(this(), ShutdownType::Both);
    assert_eq!(code_of(shutdown), ErrorCode::InvalidState);
    assert_eq!(
        code_of(guest.view().set_hop_limit(this(), 0)),
        ErrorCode::InvalidArgument
    );
    assert_eq!(
        code_of(guest.view().set_listen_backlog_size(this(), 0)),
        ErrorCode::InvalidArgument
    );

    let outside = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 80,
        address: (192, 0, 2, 1),
    });
    assert_eq!(
        guest.bind(&socket, outside),
        Err(ErrorCode::AddressNotBindable)
    );
    let multicast = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 80,
        address: (224, 0, 0, 1),
    });
    assert_eq!(
        guest.bind(&socket, multicast),
        Err(ErrorCode::InvalidArgument)
    );
    assert_eq!(guest.bind(&socket, localhost(80)), Ok(()));
    assert_eq!(
        guest.bind(&socket, localhost(81)),
        Err(ErrorCode::InvalidState)
    );
    let second = guest.tcp();
    assert_eq!(
        guest.bind(&second, localhost(80)),
        Err(ErrorCode::AddressInUse)
    );

    // While one operation is in progress no other may start.
    let network = guest.network();
    now(guest
        .view()
        .start_bind(again(&second), network, localhost(82)))
    .unwrap();
    let network = guest.network();
    let busy = guest
        .view()
        .start_connect(again(&second), network, localhost(80));
    assert_eq!(code_of(busy), ErrorCode::ConcurrencyConflict);
    let busy = now(guest.view().start_listen(again(&second)));
    assert_eq!(code_of(busy), ErrorCode::ConcurrencyConflict);
    guest.view().finish_bind(again(&second)).unwrap();

    now(guest.view().start_listen(this())).unwrap();
    guest.view().finish_listen(this()).unwrap();
    assert!(guest.view().is_listening(this()).unwrap());
    assert_eq!(
        code_of(now(guest.view().start_listen(this()))),
        ErrorCode::InvalidState
    );
    let network = guest.network();
    let listening = guest.view().start_connect(this(), network, localhost(82));
    assert_eq!(code_of(listening), ErrorCode::InvalidState);
}

#[test]
fn socket_options_are_kept() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let socket = guest.tcp();
    let this = || again(&socket);
    let mut view = guest.view();
    view.set_keep_alive_enabled(this(), true).unwrap();
    assert!(view.keep_alive_enabled(this()).unwrap());
    view.set_keep_alive_idle_time(this(), 5_000_000_000)
        .unwrap();
    assert_eq!(view.keep_alive_idle_time(this()).unwrap(), 5_000_000_000);
    view.set_keep_alive_interval(this(), 2_000_000_000).unwrap();
    assert_eq!(view.keep_alive_interval(this()).unwrap(), 2_000_000_000);
    view.set_keep_alive_count(this(), 3).unwrap();
    assert_eq!(view.keep_alive_count(this()).unwrap(), 3);
    view.set_hop_limit(this(), 9).unwrap();
    assert_eq!(view.hop_limit(this()).unwrap(), 9);
    view.set_receive_buffer_size(this(), 65536).unwrap();
    assert_eq!(view.receive_buffer_size(this()).unwrap(), 65536);
    view.set_send_buffer_size(this(), 65536).unwrap();
    assert_eq!(view.send_buffer_size(this()).unwrap(), 65536);
    assert_eq!(view.address_family(this()).unwrap(), IpAddressFamily::Ipv4);
}

#[test]
fn ten_thousand_sockets_stop_at_the_containers_limit() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let mut made = Vec::new();
    let refused = loop {
        match guest.view().create_tcp_socket(IpAddressFamily::Ipv4) {
            Ok(socket) => made.push(socket),
            Err(error) => break error.downcast().unwrap(),
        }
        assert!(made.len() < 10_000);
    };
    assert_eq!(refused, ErrorCode::NewSocketLimit);
    let one = made.remove(0);
    guest
        .view()
        .drop(Resource::<TcpSocket>::new_own(one.rep()))
        .unwrap();
    assert!(
        guest
            .view()
            .create_tcp_socket(IpAddressFamily::Ipv4)
            .is_ok()
    );
}

#[test]
fn names_of_the_pod_resolve_and_others_do_not() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let network = guest.network();
    let stream = guest
        .view()
        .resolve_addresses(again(&network), "localhost".into())
        .unwrap();
    let mut addresses = Vec::new();
    while let Some(address) = guest.view().resolve_next_address(again(&stream)).unwrap() {
        addresses.push(address);
    }
    assert!(
        addresses
            .iter()
            .any(|a| matches!(a, IpAddress::Ipv4((127, 0, 0, 1))))
    );
    let lookup = |guest: &mut Guest, name: &str| {
        code_of(guest.view().resolve_addresses(again(&network), name.into()))
    };
    assert_eq!(
        lookup(&mut guest, "example.com"),
        ErrorCode::NameUnresolvable
    );
    assert_eq!(lookup(&mut guest, ""), ErrorCode::InvalidArgument);
}

#[test]
fn a_network_handle_that_was_dropped_gives_no_rights() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let (socket, network) = (guest.tcp(), guest.network());
    let copy = again(&network);
    network::HostNetwork::drop(&mut guest.view(), network).unwrap();
    let error = guest
        .view()
        .start_connect(again(&socket), copy, localhost(1))
        .unwrap_err();
    assert!(error.downcast().is_err(), "it traps");
}

fn udp(guest: &mut Guest, port: u16) -> Resource<UdpSocket> {
    let socket = now(guest.view().create_udp_socket(IpAddressFamily::Ipv4)).unwrap();
    let network = guest.network();
    let mut view = guest.view();
    let this = || again(&socket);
    now(wit_udp::HostUdpSocket::start_bind(
        &mut view,
        this(),
        network,
        localhost(port),
    ))
    .unwrap();
    wit_udp::HostUdpSocket::finish_bind(&mut view, this()).unwrap();
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
    let sender = wit_udp::HostUdpSocket::local_address(&mut client.view(), again(&there)).unwrap();
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
