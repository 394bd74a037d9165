//! TCP as a component sees it.

use wasmtime_wasi::p2::bindings::sockets::tcp::ShutdownType;

use super::*;

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
    let (socket, near) = client.connect(5000);
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
    // As libraries do after an error; a C library of WASI ends the program if that is refused.
    let ended = client.view().shutdown(again(&socket), ShutdownType::Both);
    assert!(ended.is_ok());
    assert!(client.view().local_address(again(&socket)).is_ok());
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
