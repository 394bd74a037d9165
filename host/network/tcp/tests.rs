//! What a program sees of TCP: states, addresses, closing, limits, waking.

use std::time::Duration;

use bytes::Bytes;

use super::{Shutdown, TcpOptions, TcpSocket};
use crate::limits::{
    DEFAULT_RECEIVE_BUFFER_BYTES, DEFAULT_SEND_BUFFER_BYTES, MAX_SOCKETS_PER_CONTAINER,
};
use crate::tests::{CountingWaker, connecting, connection, listen, pod};
use crate::{
    AddressFamily, ContainerNetwork, Errno, NetworkEvent, Protocol, SocketState, TcpStream,
};

const PIPE_BYTES: usize = DEFAULT_SEND_BUFFER_BYTES + DEFAULT_RECEIVE_BUFFER_BYTES;

fn write(stream: &TcpStream, data: &'static str) -> Result<usize, Errno> {
    stream.try_write(&mut Bytes::from_static(data.as_bytes()))
}

fn tcp4(container: &ContainerNetwork) -> TcpSocket {
    container.tcp_socket(AddressFamily::Ipv4).unwrap()
}

#[test]
fn both_ends_know_both_addresses() {
    let (_pod, a, b) = pod();
    for (bound, to, from) in [
        ("0.0.0.0:80", "127.0.0.1:80", "127.0.0.1"),
        ("0.0.0.0:81", "127.0.0.9:81", "127.0.0.1"),
        ("0.0.0.0:82", "10.244.0.2:82", "10.244.0.2"),
        ("10.244.0.2:83", "10.244.0.2:83", "10.244.0.2"),
        ("[::]:80", "[::1]:80", "::1"),
        ("[::]:81", "[fd00::2]:81", "fd00::2"),
    ] {
        let listener = listen(&b, bound);
        let near = connecting(&a, to).try_connect().unwrap();
        let accepted = listener.try_accept().unwrap();
        let to = to.parse().unwrap();
        assert_eq!((near.peer_addr(), accepted.local_addr()), (to, Ok(to)));
        assert_eq!(
            near.local_addr().ip(),
            from.parse::<std::net::IpAddr>().unwrap()
        );
        assert_eq!(accepted.peer_addr(), Ok(near.local_addr()));
    }
}

#[test]
fn a_socket_that_connects_to_where_it_is_bound_is_connected_to_itself() {
    let (pod, a, _b) = pod();
    for (bound, to) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("0.0.0.0:80", "10.244.0.2:80"),
        ("[::]:80", "[::1]:80"),
    ] {
        let [bound, to] = [bound, to].map(|text| text.parse::<std::net::SocketAddr>().unwrap());
        let socket = a.tcp_socket(AddressFamily::of(bound.ip())).unwrap();
        socket.bind(bound).unwrap();
        socket.connect(to).unwrap();
        let stream = socket.try_connect().unwrap();
        assert_eq!((stream.local_addr(), stream.peer_addr()), (to, to));

        let waker = CountingWaker::new();
        assert!(stream.poll_read_ready(&mut waker.context()).is_pending());
        assert_eq!(write(&stream, "hello"), Ok(5));
        assert_eq!(waker.count(), 1);
        let listed = pod.sockets();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0].receive_queue_bytes, 5);
        assert_eq!(
            (listed[0].traffic.tx_bytes, listed[0].traffic.rx_bytes),
            (5, 5)
        );
        assert_eq!(stream.try_read(99).unwrap(), "hello");

        // It has the buffers of one connection's direction, and no more.
        let mut much = Bytes::from(vec![7; 2 * PIPE_BYTES]);
        assert_eq!(stream.try_write(&mut much), Ok(PIPE_BYTES));
        assert_eq!(stream.try_write(&mut much), Err(Errno::Again));
        assert!(stream.poll_write_ready(&mut waker.context()).is_pending());
        assert!(!stream.try_read(PIPE_BYTES).unwrap().is_empty());

        // It is the one that ends and the one that is told.
        stream.shutdown(Shutdown::Send).unwrap();
        while !stream.try_read(PIPE_BYTES).unwrap().is_empty() {}
        assert_eq!(write(&stream, "more"), Err(Errno::Pipe));
        drop((socket, stream));
        assert!(pod.sockets().is_empty());
        let again = a.tcp_socket(AddressFamily::of(bound.ip())).unwrap();
        again.bind(bound).unwrap();
    }
}

#[tokio::test]
async fn pieces_that_are_written_together_are_one_write_as_far_as_there_is_room() {
    use std::io::IoSlice;
    use tokio::io::AsyncWriteExt;
    let (_pod, a, b) = pod();
    let (mut near, far) = connection(&a, &b);
    let pieces = ["one", "", "two"].map(|text| IoSlice::new(text.as_bytes()));
    assert_eq!(near.write_vectored(&pieces).await.unwrap(), 6);
    assert_eq!(near.traffic().tx_messages, 1);
    assert_eq!(far.try_read(99).unwrap(), "onetwo");
    let much = vec![7; PIPE_BYTES];
    let pieces = [IoSlice::new(b"x"), IoSlice::new(&much)];
    assert_eq!(near.write_vectored(&pieces).await.unwrap(), PIPE_BYTES);
}

#[test]
fn only_who_chose_its_port_connects_to_itself() {
    let (_pod, a, _b) = pod();
    for port in crate::limits::EPHEMERAL_PORTS.take(3) {
        let to = format!("127.0.0.1:{port}");
        let refused = connecting(&a, &to).try_connect();
        assert_eq!(refused.err(), Some(Errno::ConnRefused), "{to}");
    }
    let elsewhere = tcp4(&a);
    elsewhere.bind("127.0.0.2:80".parse().unwrap()).unwrap();
    elsewhere.connect("127.0.0.1:80".parse().unwrap()).unwrap();
    assert_eq!(elsewhere.try_connect().err(), Some(Errno::ConnRefused));
}

#[test]
fn a_connect_is_refused_where_nobody_of_its_family_listens() {
    let (_pod, a, b) = pod();
    let _listeners = [listen(&b, "127.0.0.1:80"), listen(&b, "[::]:90")];
    let bound = tcp4(&b);
    bound.bind("127.0.0.1:70".parse().unwrap()).unwrap();
    for (to, errno) in [
        ("127.0.0.1:81", Errno::ConnRefused),
        ("127.0.0.2:80", Errno::ConnRefused),
        ("10.244.0.2:80", Errno::ConnRefused),
        ("[::1]:80", Errno::ConnRefused),
        ("127.0.0.1:90", Errno::ConnRefused),
        ("127.0.0.1:70", Errno::ConnRefused),
        ("10.244.0.3:80", Errno::NetUnreach),
        ("93.184.216.34:80", Errno::NetUnreach),
        ("[2001:db8::1]:80", Errno::NetUnreach),
    ] {
        let socket = connecting(&a, to);
        assert_eq!(socket.try_connect().err(), Some(errno), "{to}");
        assert_eq!(socket.state(), SocketState::Closed);
        assert!(
            socket.local_addr().is_ok(),
            "the address outlives a refusal"
        );
    }
}

#[test]
fn a_verb_in_the_wrong_state_is_refused_as_wasi_says() {
    let (_pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let to = "127.0.0.1:80".parse().unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    assert_eq!(listener.bind(any), Err(Errno::Inval));
    assert_eq!(listener.listen(), Err(Errno::Inval));
    assert_eq!(listener.connect(to), Err(Errno::OpNotSupp));
    assert_eq!(listener.peer_addr(), Err(Errno::NotConn));
    assert_eq!(listener.shutdown(Shutdown::Both), Err(Errno::NotConn));
    let socket = tcp4(&a);
    assert_eq!(socket.listen(), Err(Errno::DestAddrReq));
    assert_eq!(socket.local_addr(), Err(Errno::Inval));
    assert_eq!(socket.try_accept().err(), Some(Errno::Inval));
    assert_eq!(socket.try_connect().err(), Some(Errno::Inval));
    assert_eq!(
        socket.bind("[::1]:0".parse().unwrap()),
        Err(Errno::AfNoSupport)
    );
    socket.connect(to).unwrap();
    assert_eq!(socket.connect(to), Err(Errno::Already));
    assert_eq!(socket.listen(), Err(Errno::IsConn));
    socket.try_connect().unwrap();
    assert_eq!(socket.connect(to), Err(Errno::IsConn));
    assert_eq!(socket.try_connect().err(), Some(Errno::IsConn));
}

#[test]
fn a_port_of_another_container_is_in_use_and_the_event_names_it() {
    let (pod, a, b) = pod();
    let held = listen(&a, "127.0.0.1:8080");
    let waker = CountingWaker::new();
    assert!(pod.poll_event(&mut waker.context()).is_pending());
    assert_eq!(
        tcp4(&a).bind("0.0.0.0:8080".parse().unwrap()),
        Err(Errno::AddrInUse)
    );
    assert!(
        pod.poll_event(&mut waker.context()).is_pending(),
        "its own affair"
    );
    assert_eq!(
        tcp4(&b).bind("127.0.0.1:8080".parse().unwrap()),
        Err(Errno::AddrInUse)
    );
    assert_eq!(waker.count(), 1);
    let std::task::Poll::Ready(event) = pod.poll_event(&mut waker.context()) else {
        panic!("no event")
    };
    let NetworkEvent::PortInUse {
        container,
        held_by,
        protocol,
        ..
    } = &event
    else {
        panic!("{event}")
    };
    assert_eq!(
        (&**container, &**held_by, *protocol),
        ("b", "a", Protocol::Tcp)
    );
    assert_eq!(
        event.to_string(),
        "container \"b\": bind 127.0.0.1:8080: address in use by container \"a\""
    );
    drop(held);
    assert_eq!(tcp4(&b).bind("127.0.0.1:8080".parse().unwrap()), Ok(()));
}

#[test]
fn a_half_closed_connection_still_carries_the_other_direction() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    write(&near, "question").unwrap();
    near.shutdown(Shutdown::Send).unwrap();
    assert_eq!(write(&near, "more"), Err(Errno::Pipe));
    assert_eq!(far.try_read(3).unwrap(), "que");
    assert_eq!(far.try_read(99).unwrap(), "stion");
    assert_eq!(far.try_read(99).unwrap(), "");
    assert_eq!(near.try_read(99), Err(Errno::Again));
    write(&far, "answer").unwrap();
    drop(far);
    assert_eq!(near.try_read(99).unwrap(), "answer");
    assert_eq!(near.try_read(99).unwrap(), "");
}

#[test]
fn a_close_with_unread_data_resets_the_peer_and_any_other_close_is_eof() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    write(&near, "never read").unwrap();
    write(&far, "sent before").unwrap();
    drop(far);
    assert_eq!(
        near.try_read(99).unwrap(),
        "sent before",
        "what has arrived stays readable"
    );
    assert_eq!(near.try_read(99), Err(Errno::ConnReset));
    assert_eq!(near.try_read(99).unwrap(), "", "told once");
    assert_eq!(write(&near, "x"), Err(Errno::Pipe));
    assert_eq!(near.shutdown(Shutdown::Send), Err(Errno::NotConn));

    let (near, far) = connection(&a, &b);
    drop(far);
    assert_eq!(near.try_read(99).unwrap(), "");
    let waker = CountingWaker::new();
    assert!(near.poll_write_ready(&mut waker.context()).is_ready());
    assert_eq!(write(&near, "x"), Ok(1), "only the answer can tell");
    assert_eq!(near.try_read(99).unwrap(), "", "the reset is no news");
    assert_eq!(write(&near, "x"), Err(Errno::Pipe));
    assert_eq!(near.write_capacity(), Err(Errno::Pipe));

    let (near, far) = connection(&a, &b);
    far.shutdown(Shutdown::Send).unwrap();
    write(&near, "never read").unwrap();
    far.abort();
    assert_eq!(near.try_read(99).unwrap(), "", "EOF came before the reset");
    assert_eq!(write(&near, "x"), Err(Errno::Pipe));
}

#[test]
fn a_peek_sees_what_a_read_will_give_and_takes_nothing() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    assert_eq!(near.try_peek(9), Err(Errno::Again));
    write(&far, "hello").unwrap();
    assert_eq!(near.try_peek(3).unwrap(), "hel");
    assert_eq!(
        (near.try_peek(9).unwrap(), near.unread_bytes()),
        ("hello".into(), 5)
    );
    assert_eq!(near.try_read(9).unwrap(), "hello");
    far.shutdown(Shutdown::Send).unwrap();
    assert_eq!(
        (near.try_peek(9).unwrap(), near.unread_bytes()),
        ("".into(), 0)
    );
    far.abort();
    assert_eq!(write(&near, "x"), Err(Errno::Pipe));
}

#[test]
fn a_peer_that_peeked_and_did_not_read_resets_when_it_closes() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    write(&far, "unread").unwrap();
    assert_eq!(near.try_peek(9).unwrap(), "unread");
    drop(near);
    assert_eq!(far.try_peek(9), Err(Errno::ConnReset));
    assert_eq!(far.try_peek(9).unwrap(), "");
}

#[test]
fn after_receive_is_shut_down_the_peers_data_is_thrown_away() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    while near.try_write(&mut Bytes::from(vec![0; 65536])).is_ok() {}
    let waker = CountingWaker::new();
    assert!(near.poll_write_ready(&mut waker.context()).is_pending());
    far.shutdown(Shutdown::Receive).unwrap();
    assert_eq!(waker.count(), 1);
    assert_eq!(far.try_read(9).unwrap(), "");
    for _ in 0..2 * PIPE_BYTES / 65536 {
        assert_eq!(near.try_write(&mut Bytes::from(vec![0; 65536])), Ok(65536));
    }
    assert_eq!(far.traffic().rx_bytes, near.traffic().tx_bytes);
}

#[test]
fn a_connection_whose_client_is_gone_is_still_accepted_with_its_data() {
    let (_pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let near = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    write(&near, "bye").unwrap();
    drop(near);
    let far = listener.try_accept().unwrap().stream().unwrap();
    assert_eq!(far.try_read(99).unwrap(), "bye");
    assert_eq!(far.try_read(99).unwrap(), "");
}

#[test]
fn a_full_listen_queue_makes_connects_wait_in_order() {
    let (_pod, a, b) = pod();
    let listener = tcp4(&b);
    listener
        .set_options(|options| options.set_backlog(1))
        .unwrap();
    listener.bind("127.0.0.1:80".parse().unwrap()).unwrap();
    listener.listen().unwrap();
    let clients: Vec<_> = (0..5).map(|_| connecting(&a, "127.0.0.1:80")).collect();
    let wakers: Vec<_> = clients.iter().map(|_| CountingWaker::new()).collect();
    let ready: Vec<_> = clients
        .iter()
        .zip(&wakers)
        .map(|(c, w)| c.poll_connect_ready(&mut w.context()).is_ready())
        .collect();
    assert_eq!(
        ready,
        [true, true, false, false, false],
        "one more than the backlog, as on Linux"
    );
    assert_eq!(clients[2].try_connect().err(), Some(Errno::Again));

    let first = listener.try_accept().unwrap();
    assert_eq!(first.peer_addr(), clients[0].local_addr());
    assert_eq!((wakers[2].count(), wakers[3].count()), (1, 0));
    let third = clients[2].try_connect().unwrap();
    listener.try_accept().unwrap();
    assert_eq!(
        listener.try_accept().unwrap().peer_addr(),
        Ok(third.local_addr())
    );

    // One gives up, then the listener goes: the queued one is reset, none waits for ever.
    let mut clients = clients;
    let last = clients.pop().unwrap();
    drop(clients.remove(3));
    let more: Vec<_> = (0..2).map(|_| connecting(&a, "127.0.0.1:80")).collect();
    let another = connecting(&a, "127.0.0.1:80");
    drop((clients, more));
    drop(listener);
    assert_eq!(
        last.try_connect().unwrap().try_read(9),
        Err(Errno::ConnReset)
    );
    assert_eq!(another.try_connect().err(), Some(Errno::ConnRefused));
}

#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    let (_pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let near = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    let waker = CountingWaker::new();
    assert!(near.poll_read_ready(&mut waker.context()).is_pending());
    drop(listener);
    assert_eq!(waker.count(), 1);
    assert_eq!(near.try_read(9), Err(Errno::ConnReset));
    assert_eq!(
        connecting(&a, "127.0.0.1:80").try_connect().err(),
        Some(Errno::ConnRefused)
    );
}

/// A connection whose buffers are as they were set: half as large in each direction.
fn connection_of_fixed_size(a: &ContainerNetwork, b: &ContainerNetwork) -> (TcpStream, TcpStream) {
    let (near, far) = connection(a, b);
    for end in [&near, &far] {
        let mut options = TcpOptions::default();
        let bytes = u64::try_from(PIPE_BYTES / 4).unwrap();
        options.set_send_buffer_bytes(bytes).unwrap();
        options.set_receive_buffer_bytes(bytes).unwrap();
        end.resize(&options);
    }
    (near, far)
}

/// What `client` can send to an echo before it reads, at most `most` bytes.
fn sent_before_reading(client: &TcpStream, echo: &TcpStream, most: usize) -> usize {
    let (waker, mut sent, mut held) = (CountingWaker::new(), 0, Bytes::new());
    loop {
        let before = (sent, held.len());
        let mut data = Bytes::from(vec![7; (most - sent).min(10_000)]);
        sent += client.try_write(&mut data).unwrap_or(0);
        let client_waits = client.poll_write_ready(&mut waker.context()).is_pending();
        if held.is_empty() {
            held = echo.try_read(10_000).unwrap_or_default();
        }
        echo.try_write(&mut held).unwrap_or(0);
        let echo_waits =
            !held.is_empty() && echo.poll_write_ready(&mut waker.context()).is_pending();
        if sent == most || (client_waits && echo_waits && before == (sent, held.len())) {
            return sent;
        }
    }
}

#[test]
fn a_client_may_send_some_mebibytes_to_an_echo_before_it_reads() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    let sent = sent_before_reading(&near, &far, 64 << 20);
    // Both directions, and what the echo has in hand.
    assert!((8 << 20..(8 << 20) + 20_000).contains(&sent), "{sent}");
    let (waker, mut got) = (CountingWaker::new(), 0);
    while let Ok(data) = near.try_read(PIPE_BYTES) {
        got += data.len();
    }
    assert_eq!(got, 4 << 20);
    assert!(far.poll_write_ready(&mut waker.context()).is_ready());

    let (near, far) = connection_of_fixed_size(&a, &b);
    let sent = sent_before_reading(&near, &far, 64 << 20);
    assert!(
        sent < PIPE_BYTES + 20_000,
        "as large as they were set: {sent}"
    );
}

#[test]
fn connections_that_grow_leave_others_their_buffers() {
    let (_pod, a, b) = pod();
    let grown: Vec<_> = (0..40)
        .map(|_| {
            let (near, far) = connection(&a, &b);
            let sent = sent_before_reading(&near, &far, 64 << 20);
            (near, far, sent)
        })
        .collect();
    let all: usize = grown.iter().map(|(_, _, sent)| sent).sum();
    assert!(
        all <= (128 << 20) + 40 * 20_000 + 40 * 2 * PIPE_BYTES,
        "{all}"
    );
    let (near, _far) = connection(&a, &b);
    assert_eq!(near.write_capacity(), Ok(PIPE_BYTES));
}

#[test]
fn a_writer_is_woken_by_any_room_when_its_reader_waits_to_write_too() {
    const PIPE_BYTES: usize = self::PIPE_BYTES / 2;
    let (_pod, a, b) = pod();
    let full = || Bytes::from(vec![1; PIPE_BYTES]);
    // The reader reads first and waits then, and the other way around.
    for reads_first in [true, false] {
        let (near, far) = connection_of_fixed_size(&a, &b);
        assert_eq!(near.try_write(&mut full()), Ok(PIPE_BYTES));
        assert_eq!(far.try_write(&mut full()), Ok(PIPE_BYTES));
        let (writer, reader) = (CountingWaker::new(), CountingWaker::new());
        assert!(near.poll_write_ready(&mut writer.context()).is_pending());
        if reads_first {
            assert_eq!(far.try_read(100).unwrap().len(), 100);
            assert_eq!(writer.count(), 0, "the reader may read on");
        }
        assert!(far.poll_write_ready(&mut reader.context()).is_pending());
        if !reads_first {
            assert_eq!(writer.count(), 0, "there is no room");
            assert_eq!(far.try_read(100).unwrap().len(), 100);
        }
        assert_eq!(writer.count(), 1);
        assert!(near.poll_write_ready(&mut writer.context()).is_ready());
    }
}

#[test]
fn the_buffer_bounds_what_is_written_and_wakes_the_writer_at_half() {
    let (_pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    let mut data = Bytes::from(vec![1; PIPE_BYTES + 100]);
    assert_eq!(near.try_write(&mut data), Ok(PIPE_BYTES));
    assert_eq!((data.len(), near.write_capacity()), (100, Ok(0)));
    assert_eq!(near.try_write(&mut data), Err(Errno::Again));
    let waker = CountingWaker::new();
    assert!(near.poll_write_ready(&mut waker.context()).is_pending());
    far.try_read(PIPE_BYTES / 2 - 1).unwrap();
    assert_eq!(waker.count(), 0, "less than half is free");
    assert!(
        near.poll_write_ready(&mut waker.context()).is_ready(),
        "but who asks may write"
    );
    far.try_read(1).unwrap();
    assert_eq!(waker.count(), 1);
}

#[test]
fn buffer_options_bound_the_pipe_of_both_ends() {
    let (_pod, a, b) = pod();
    let listener = tcp4(&b);
    listener
        .set_options(|options| options.set_receive_buffer_bytes(4096))
        .unwrap();
    listener.bind("127.0.0.1:80".parse().unwrap()).unwrap();
    listener.listen().unwrap();
    let client = tcp4(&a);
    client
        .set_options(|options| options.set_send_buffer_bytes(8192))
        .unwrap();
    client.connect("127.0.0.1:80".parse().unwrap()).unwrap();
    let near = client.try_connect().unwrap();
    let accepted = listener.try_accept().unwrap();
    assert_eq!(accepted.options().receive_buffer_bytes(), 4096, "inherited");
    assert_eq!(near.write_capacity(), Ok(4096 + 8192));
    assert_eq!(
        near.try_write(&mut Bytes::from(vec![0; 20000])),
        Ok(4096 + 8192)
    );
    let waker = CountingWaker::new();
    assert!(near.poll_write_ready(&mut waker.context()).is_pending());
    accepted
        .set_options(|options| options.set_receive_buffer_bytes(65536))
        .unwrap();
    assert_eq!(waker.count(), 1);
    assert_eq!(near.write_capacity(), Ok(65536 - 4096));
    client
        .set_options(|options| options.set_keep_alive_idle(Duration::from_secs(5)))
        .unwrap();
    assert_eq!(client.options().keep_alive_idle(), Duration::from_secs(5));
}

#[test]
fn beyond_the_pods_budget_a_connection_works_with_the_least_buffers() {
    let (_pod, a, b) = pod();
    let mut kept = Vec::new();
    let full = usize::try_from(crate::limits::MAX_POD_BUFFER_BYTES).unwrap() / (2 * PIPE_BYTES);
    for _ in 0..full {
        kept.push(connection(&a, &b));
    }
    assert_eq!(kept[full - 1].0.write_capacity(), Ok(PIPE_BYTES));
    let (near, far) = connection(&a, &b);
    assert_eq!(
        near.write_capacity(),
        Ok(2 * crate::limits::MIN_BUFFER_BYTES)
    );
    write(&near, "works").unwrap();
    assert_eq!(far.try_read(9).unwrap(), "works");
    kept.clear();
    assert_eq!(connection(&a, &b).0.write_capacity(), Ok(PIPE_BYTES));
}

#[test]
fn every_task_that_waits_is_woken_once_and_readiness_is_true() {
    let (_pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let tasks = [CountingWaker::new(), CountingWaker::new()];
    for task in &tasks {
        assert!(listener.poll_accept_ready(&mut task.context()).is_pending());
    }
    let near = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    assert!(tasks.iter().all(|task| task.count() == 1));
    assert!(
        listener
            .poll_accept_ready(&mut tasks[0].context())
            .is_ready()
    );
    let far = listener.try_accept().unwrap().stream().unwrap();
    assert_eq!(listener.try_accept().err(), Some(Errno::Again));
    for task in &tasks {
        assert!(far.poll_read_ready(&mut task.context()).is_pending());
    }
    write(&near, "a").unwrap();
    write(&near, "b").unwrap();
    assert!(tasks.iter().all(|task| task.count() == 2));
    assert!(far.poll_read_ready(&mut tasks[0].context()).is_ready());
    assert_eq!(far.try_read(1).unwrap(), "a");
    assert!(far.poll_read_ready(&mut tasks[0].context()).is_ready());
    assert_eq!(far.try_read(1).unwrap(), "b");
    assert!(far.poll_write_closed(&mut tasks[0].context()).is_pending());
    drop(near);
    assert_eq!(tasks[0].count(), 3);
    assert!(far.poll_write_closed(&mut tasks[0].context()).is_ready());
}

#[test]
fn the_end_of_a_container_closes_all_it_had() {
    let (pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let near = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    let far = listener.try_accept().unwrap().stream().unwrap();
    let queued = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    write(&far, "last words").unwrap();
    drop(b);
    assert_eq!(near.try_read(99).unwrap(), "last words");
    assert_eq!(near.try_read(99).unwrap(), "", "as when a process ends");
    assert_eq!(queued.try_read(99), Err(Errno::ConnReset));
    assert_eq!(
        connecting(&a, "127.0.0.1:80").try_connect().err(),
        Some(Errno::ConnRefused)
    );
    assert_eq!(
        write(&far, "x"),
        Err(Errno::BadF),
        "a handle that is left is dead"
    );
    assert_eq!(far.try_read(9), Err(Errno::BadF));
    assert_eq!(listener.state(), SocketState::Closed);
    let again = pod.attach("b");
    listen(&again, "127.0.0.1:80");
}

#[test]
fn an_abort_resets_every_peer_and_a_closed_pod_makes_no_sockets() {
    let (pod, a, b) = pod();
    let (near, far) = connection(&a, &b);
    b.abort();
    assert_eq!(near.try_read(9), Err(Errno::ConnReset));
    assert_eq!(
        b.tcp_socket(AddressFamily::Ipv4).err(),
        Some(Errno::NetDown)
    );
    drop(far);
    pod.close();
    assert_eq!(
        a.tcp_socket(AddressFamily::Ipv4).err(),
        Some(Errno::NetDown)
    );
    assert_eq!(
        pod.attach("c").udp_socket(AddressFamily::Ipv4).err(),
        Some(Errno::NetDown)
    );
}

#[test]
fn ten_thousand_sockets_are_refused_and_harm_nobody() {
    let (_pod, a, b) = pod();
    let listener = listen(&a, "127.0.0.1:80");
    let mut greedy = Vec::new();
    let mut refused = 0;
    for _ in 0..10_000 {
        match b.tcp_socket(AddressFamily::Ipv4) {
            Ok(socket) => greedy.push(socket),
            Err(errno) => {
                assert_eq!(errno, Errno::MFile);
                refused += 1;
            }
        }
    }
    assert_eq!(
        (greedy.len(), refused),
        (
            MAX_SOCKETS_PER_CONTAINER,
            10_000 - MAX_SOCKETS_PER_CONTAINER
        )
    );
    greedy[0].connect("127.0.0.1:80".parse().unwrap()).unwrap();
    assert!(a.tcp_socket(AddressFamily::Ipv4).is_ok());
    let mut own: Vec<_> = (1..MAX_SOCKETS_PER_CONTAINER).map(|_| tcp4(&a)).collect();
    assert_eq!(listener.try_accept().err(), Some(Errno::MFile));
    own.pop();
    assert!(listener.try_accept().is_ok(), "the connection has waited");
    greedy.clear();
    assert!(b.tcp_socket(AddressFamily::Ipv4).is_ok());
}

#[test]
fn the_list_of_sockets_says_who_talks_to_whom_and_how_much() {
    let (pod, a, b) = pod();
    let listener = listen(&b, "127.0.0.1:80");
    let near = connecting(&a, "127.0.0.1:80").try_connect().unwrap();
    let _waiting = connecting(&a, "127.0.0.1:80");
    let far = listener.try_accept().unwrap();
    write(&near, "12345").unwrap();
    write(&far.stream().unwrap(), "123").unwrap();
    let sockets = pod.sockets();
    let line = |state, container: &str| {
        sockets
            .iter()
            .find(|one| one.state == state && &*one.container == container)
            .unwrap()
            .clone()
    };
    assert_eq!(sockets.len(), 4);
    let listening = line(SocketState::Listening, "b");
    assert_eq!(
        listening.listening.map(|now| (now.queued, now.accepted)),
        Some((1, 1))
    );
    let client = line(SocketState::Connected, "a");
    assert_eq!((client.traffic.tx_bytes, client.traffic.rx_bytes), (5, 3));
    assert_eq!(client.peer_container.as_deref(), Some("b"));
    assert_eq!(client.peer, Some("127.0.0.1:80".parse().unwrap()));
    let server = line(SocketState::Connected, "b");
    assert_eq!((server.traffic.tx_bytes, server.traffic.rx_bytes), (3, 5));
    assert_eq!(server.peer_container.as_deref(), Some("a"));
}

#[tokio::test]
async fn the_host_dials_the_pods_ip_and_not_its_loopback() {
    let (pod, _a, b) = pod();
    let from = "127.0.0.1:5555".parse().unwrap();
    let _inner = listen(&b, "127.0.0.1:5000");
    assert_eq!(pod.dial(from, 5000).await.err(), Some(Errno::ConnRefused));
    for (at, seen) in [
        ("0.0.0.0:80", "10.244.0.1:5555"),
        ("[::]:90", "[fd00:10:244::1]:5555"),
    ] {
        let listener = listen(&b, at);
        let port = listener.local_addr().unwrap().port();
        let near = pod.dial(from, port).await.unwrap();
        let far = listener.try_accept().unwrap();
        assert_eq!(
            far.peer_addr(),
            Ok(seen.parse().unwrap()),
            "not as a neighbour on the loopback"
        );
        assert!(
            pod.sockets()
                .iter()
                .any(|socket| &*socket.container == crate::HOST)
        );
        near.write_all(Bytes::from_static(b"hi")).await.unwrap();
        assert_eq!(far.stream().unwrap().read(9).await.unwrap(), "hi");
    }
}

#[tokio::test]
async fn a_dial_that_is_given_up_leaves_nothing_behind() {
    let (pod, _a, b) = pod();
    let listener = tcp4(&b);
    listener
        .set_options(|options| options.set_backlog(1))
        .unwrap();
    listener.bind("0.0.0.0:80".parse().unwrap()).unwrap();
    listener.listen().unwrap();
    let from = "192.0.2.1:1".parse().unwrap();
    let first = pod.dial(from, 80).await.unwrap();
    let second = pod.dial(from, 80).await.unwrap();
    let mut waiting = Box::pin(pod.dial(from, 80));
    let waker = CountingWaker::new();
    assert!(waiting.as_mut().poll(&mut waker.context()).is_pending());
    drop(waiting);
    listener.try_accept().unwrap();
    listener.try_accept().unwrap();
    assert_eq!(listener.try_accept().err(), Some(Errno::Again));
    drop((first, second));
    assert!(
        pod.sockets()
            .iter()
            .all(|socket| &*socket.container != crate::HOST)
    );
}
