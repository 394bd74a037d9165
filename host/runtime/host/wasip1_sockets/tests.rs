//! What the tests here have in common, and what a socket with POSIX' verbs does.

use std::task::{Context, Waker};

use bytes::Bytes;
use wasmpod_network::{
    AddressFamily, ContainerNetwork, Errno, PodNetwork, PodNetworkConfig, Shutdown,
};

use super::errno::{EAGAIN, EMSGSIZE, ENOTCONN, ENOTSUP};
use super::socket::{Direction, Socket};
use super::subscription::Happening;
use crate::host::guest_memory::Failure;

/// Two containers of a pod.
pub(super) struct Neighbours {
    pub(super) client: ContainerNetwork,
    pub(super) server: ContainerNetwork,
    _pod: PodNetwork,
}

impl Neighbours {
    pub(super) fn new() -> Self {
        let pod = PodNetwork::new(PodNetworkConfig {
            hostname: "pod".to_owned(),
            ..PodNetworkConfig::default()
        });
        Self {
            client: pod.attach("client"),
            server: pod.attach("server"),
            _pod: pod,
        }
    }

    /// A listener at port 80.
    fn listener(&self) -> Socket {
        let mut listener = tcp(&self.server);
        listener
            .bind(([0, 0, 0, 0], 80).into(), &self.server)
            .unwrap();
        listener.listen(1, &self.server).unwrap();
        listener
    }

    /// A connection: the client's end and the server's.
    fn connection(&self) -> (Socket, Socket) {
        let (listener, mut client) = (self.listener(), tcp(&self.client));
        client
            .connect(([127, 0, 0, 1], 80).into(), &self.client)
            .unwrap();
        (client, listener.try_accept().unwrap())
    }
}

pub(super) fn tcp(container: &ContainerNetwork) -> Socket {
    Socket::tcp(container.tcp_socket(AddressFamily::Ipv4).unwrap())
}

pub(super) fn udp(container: &ContainerNetwork) -> Socket {
    Socket::udp(container.udp_socket(AddressFamily::Ipv4).unwrap())
}

fn send(socket: &mut Socket, data: &'static str) -> Result<usize, Failure> {
    let room = socket.room(data.len())?;
    socket.try_send(Bytes::from_static(&data.as_bytes()[..room]), None)
}

fn receive(socket: &mut Socket) -> Result<Bytes, Failure> {
    Ok(socket.try_receive(64, false)?.data)
}

fn is_ready(socket: &mut Socket, direction: Direction) -> bool {
    let cx = &mut Context::from_waker(Waker::noop());
    let polled = match direction {
        Direction::Receive => socket.poll_readable(cx),
        Direction::Send => socket.poll_writable(cx),
    };
    polled.is_ready()
}

fn of(errno: Errno) -> Failure {
    errno.into()
}

#[test]
fn a_connection_carries_bytes_until_it_is_shut_down() {
    let pod = Neighbours::new();
    let (mut client, mut server) = pod.connection();
    assert_eq!(receive(&mut server), Err(EAGAIN));
    assert!(!is_ready(&mut server, Direction::Receive));
    assert_eq!(send(&mut client, "hello"), Ok(5));
    assert!(is_ready(&mut server, Direction::Receive));
    let (bytes, hangup) = (5, false);
    assert_eq!(server.readable(), Happening::Readable { bytes, hangup });
    let peeked = server.try_receive(2, true).unwrap();
    assert_eq!((peeked.data, peeked.truncated), ("he".into(), false));
    assert_eq!(receive(&mut server).unwrap(), "hello");
    client.shutdown(Shutdown::Send).unwrap();
    assert_eq!(send(&mut client, "x"), Err(of(Errno::Pipe)));
    let (bytes, hangup) = (0, true);
    assert_eq!(server.readable(), Happening::Readable { bytes, hangup });
    assert_eq!(receive(&mut server).unwrap(), "");
    assert_eq!(send(&mut server, "still"), Ok(5));
    assert_eq!(receive(&mut client).unwrap(), "still");
}

#[test]
fn both_ends_know_their_addresses() {
    let pod = Neighbours::new();
    let (mut client, mut server) = pod.connection();
    assert_eq!(server.local_addr(), Ok(([127, 0, 0, 1], 80).into()));
    assert_eq!(client.peer_addr(), Ok(([127, 0, 0, 1], 80).into()));
    assert_eq!(server.peer_addr(), client.local_addr());
    let mut fresh = tcp(&pod.client);
    assert_eq!(fresh.local_addr(), Ok(([0, 0, 0, 0], 0).into()));
    assert_eq!(fresh.peer_addr(), Err(ENOTCONN));
}

#[test]
fn a_socket_whose_connect_was_refused_can_connect_again() {
    let pod = Neighbours::new();
    let mut client = tcp(&pod.client);
    client.options.reuse_address = true;
    let to = ([127, 0, 0, 1], 80).into();
    for _ in 0..2 {
        assert_eq!(client.connect(to, &pod.client), Err(of(Errno::ConnRefused)));
        assert_eq!(client.take_error(), None, "it was told");
    }
    let _listener = pod.listener();
    assert_eq!(client.connect(to, &pod.client), Ok(()));
    assert_eq!(client.connect(to, &pod.client), Err(of(Errno::IsConn)));
}

#[test]
fn a_connect_that_waits_for_its_turn_is_in_progress_until_it_is_there() {
    let pod = Neighbours::new();
    let (listener, to) = (pod.listener(), ([127, 0, 0, 1], 80).into());
    // One more than the backlog, as on Linux.
    let mut first = [tcp(&pod.client), tcp(&pod.client)];
    for first in &mut first {
        first.connect(to, &pod.client).unwrap();
    }
    let (mut second, mut third) = (tcp(&pod.client), tcp(&pod.client));
    for waiting in [&mut second, &mut third] {
        let begun = waiting.connect(to, &pod.client);
        assert_eq!(begun, Err(super::errno::EINPROGRESS));
        assert!(!is_ready(waiting, Direction::Send));
        assert!(!is_ready(waiting, Direction::Receive));
        assert_eq!(receive(waiting), Err(EAGAIN));
    }
    listener.try_accept().unwrap();
    assert!(is_ready(&mut second, Direction::Send));
    assert!(!is_ready(&mut second, Direction::Receive));
    assert_eq!((second.take_error(), second.connected()), (None, Ok(())));
    listener.close();
    assert!(is_ready(&mut third, Direction::Send));
    assert!(is_ready(&mut third, Direction::Receive));
    assert_eq!(third.take_error(), Some(Errno::ConnRefused));
}

#[test]
fn a_socket_that_is_not_connected_cannot_read_or_write() {
    let pod = Neighbours::new();
    for mut socket in [tcp(&pod.client), pod.listener()] {
        assert_eq!(receive(&mut socket), Err(ENOTCONN));
        assert_eq!(send(&mut socket, "x"), Err(ENOTCONN));
        assert_eq!(socket.shutdown(Shutdown::Both), Err(ENOTCONN));
    }
    assert_eq!(udp(&pod.client).listen(1, &pod.client), Err(ENOTSUP));
    assert_eq!(udp(&pod.client).try_accept().err(), Some(ENOTSUP));
}

#[test]
fn an_unbound_socket_that_listens_gets_a_port_and_a_listener_another_backlog() {
    let pod = Neighbours::new();
    let mut socket = tcp(&pod.server);
    for _ in 0..2 {
        socket.listen(0, &pod.server).unwrap();
        assert!(socket.is_listening());
    }
    assert_ne!(socket.local_addr().unwrap().port(), 0);
}

#[test]
fn a_close_with_linger_of_zero_resets() {
    let pod = Neighbours::new();
    let (mut client, mut server) = pod.connection();
    client.options.linger = Some(0);
    client.close();
    assert_eq!(receive(&mut server), Err(of(Errno::ConnReset)));
}

#[test]
fn a_reset_that_came_in_the_middle_is_told_by_the_next_call() {
    let pod = Neighbours::new();
    let (_client, mut server) = pod.connection();
    server.tell_later(Errno::ConnReset);
    assert!(is_ready(&mut server, Direction::Receive));
    assert_eq!(receive(&mut server), Err(of(Errno::ConnReset)));
    assert_eq!(receive(&mut server), Err(EAGAIN));
}

#[test]
fn a_datagram_is_sent_whole_and_cut_where_the_receiver_has_no_room() {
    let pod = Neighbours::new();
    let (mut client, mut server) = (udp(&pod.client), udp(&pod.server));
    let to = ([127, 0, 0, 1], 53).into();
    server.bind(to, &pod.server).unwrap();
    assert_eq!(client.room(65508), Err(EMSGSIZE));
    assert_eq!(send(&mut client, "x"), Err(of(Errno::DestAddrReq)));
    let sent = client.try_send(Bytes::from_static(b"question"), Some(to));
    assert_eq!(sent, Ok(8));
    let (bytes, hangup) = (8, false);
    assert_eq!(server.readable(), Happening::Readable { bytes, hangup });
    for peek in [true, false] {
        let received = server.try_receive(4, peek).unwrap();
        assert_eq!((received.data, received.truncated), ("ques".into(), true));
        let port = client.local_addr().unwrap().port();
        assert_eq!(received.from, Some(([127, 0, 0, 1], port).into()));
    }
    assert!(!is_ready(&mut server, Direction::Receive));
    client.connect(to, &pod.client).unwrap();
    assert_eq!(send(&mut client, "again"), Ok(5));
    assert_eq!(receive(&mut server).unwrap(), "again");
}
