//! Listening and accepting: the listen queue, what waits in it, and what becomes of it (listen(2), accept(2)).

use crate::sys::{IN, OUT, Result, SO_ACCEPTCONN, SO_ERROR, Socket, TCP_NODELAY};
use crate::talk::{HERE, connected_to, heard, listener, number, pair, told};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("accept-tells-the-peer", "true true", || {
        let (listener, at) = listener()?;
        let client = connected_to(at)?;
        let (server, from) = listener.accept()?;
        let peer = server.peer()?;
        Ok(format!(
            "{} {}",
            client.local()? == from && from == peer,
            server.local()? == at && client.peer()? == at
        ))
    }),
    case("accept-without-waiting", "EAGAIN", || {
        let (listener, _) = listener()?;
        listener.set_nonblocking()?;
        Ok(told(listener.accept()))
    }),
    case("accept-on-no-listener", "EINVAL", || {
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        Ok(told(socket.accept()))
    }),
    case("accept-in-order", "first second third", || {
        let (listener, at) = listener()?;
        let mut clients = Vec::new();
        for word in ["first", "second", "third"] {
            let client = connected_to(at)?;
            client.send(word.as_bytes())?;
            clients.push(client);
        }
        let words = clients.iter().map(|_| heard(&listener.accept()?.0));
        Ok(words.collect::<Result<Vec<_>>>()?.join(" "))
    }),
    case("accept-after-the-client-has-closed", "hello EOF", || {
        let (listener, at) = listener()?;
        let client = connected_to(at)?;
        client.send(b"hello")?;
        drop(client);
        let (server, _) = listener.accept()?;
        Ok(format!("{} {}", heard(&server)?, heard(&server)?))
    }),
    case("accepted-inherits-options", "1", || {
        let (listener, at) = listener()?;
        listener.set(TCP_NODELAY, 1)?;
        let _client = connected_to(at)?;
        Ok(number(listener.accept()?.0.get(TCP_NODELAY)))
    }),
    case(
        "accepted-waits-though-its-listener-does-not",
        "EAGAIN, then hello",
        || {
            let (listener, at) = listener()?;
            listener.set_nonblocking()?;
            let none = told(listener.accept());
            let client = connected_to(at)?;
            listener.wait(IN)?;
            let (server, _) = listener.accept()?;
            client.send(b"hello")?;
            let mut buffer = [0; 5];
            let count = server.receive(&mut buffer)?;
            Ok(format!(
                "{none}, then {}",
                crate::talk::text(buffer.get(..count).unwrap_or_default())
            ))
        },
    ),
    case("listen-unbound", "ok, any address", || {
        let socket = Socket::tcp()?;
        let outcome = told(socket.listen(1));
        let ip = socket.local()?.ip();
        Ok(format!(
            "{outcome}, {}",
            if ip.is_unspecified() {
                "any address"
            } else {
                "one"
            }
        ))
    }),
    case("listen-twice", "ok", || Ok(told(listener()?.0.listen(4)))),
    case("listen-on-a-connected-socket", "EINVAL", || {
        Ok(told(pair()?.0.listen(1)))
    }),
    case("listening-is-told", "0 1", || {
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        let before = number(socket.get(SO_ACCEPTCONN));
        socket.listen(1)?;
        Ok(format!("{before} {}", number(socket.get(SO_ACCEPTCONN))))
    }),
    case("listener-cannot-receive", "ENOTCONN", || {
        Ok(told(listener()?.0.receive(&mut [0; 8])))
    }),
    case(
        "listener-is-ready-when-a-connection-waits",
        "nothing, then IN, then nothing",
        || {
            let (listener, at) = listener()?;
            let before = listener.glance(IN)?;
            let _client = connected_to(at)?;
            let ready = listener.wait(IN)?;
            let _server = listener.accept()?;
            Ok(format!(
                "{before}, then {ready}, then {}",
                listener.glance(IN)?
            ))
        },
    ),
    case("backlog-of-1-holds-2", "2 and no third", || queued(1)),
    case("backlog-of-0-holds-1", "1 and no second", || queued(0)),
    case(
        "backlog-makes-room-when-accepted",
        "nothing, then OUT, error 0",
        || {
            let (listener, _clients) = full(1)?;
            let third = Socket::tcp()?;
            third.set_nonblocking()?;
            let _ = third.connect(listener.local()?);
            let before = third.glance(OUT)?;
            let _first = listener.accept()?;
            let ready = third.wait(OUT)?;
            Ok(format!(
                "{before}, then {ready}, error {}",
                number(third.get(SO_ERROR))
            ))
        },
    ),
    case("backlog-takes-data-before-accept", "hello", || {
        let (listener, at) = listener()?;
        connected_to(at)?.send(b"hello")?;
        heard(&listener.accept()?.0)
    }),
    case("closing-a-listener-resets-who-waits", "ECONNRESET", || {
        let (listener, at) = listener()?;
        let client = connected_to(at)?;
        drop(listener);
        heard(&client)
    }),
    case("closing-a-listener-keeps-who-was-accepted", "hello", || {
        let (listener, at) = listener()?;
        let client = connected_to(at)?;
        let (server, _) = listener.accept()?;
        drop(listener);
        client.send(b"hello")?;
        heard(&server)
    }),
    case(
        "closing-a-listener-refuses-the-next",
        "ECONNREFUSED",
        || {
            let (listener, at) = listener()?;
            drop(listener);
            Ok(told(Socket::tcp()?.connect(at)))
        },
    ),
];

/// A listener whose queue is full, and who waits there.
fn full(backlog: i32) -> Result<(Socket, Vec<Socket>)> {
    let listener = Socket::tcp()?;
    listener.bind(HERE)?;
    listener.listen(backlog)?;
    let mut clients = Vec::new();
    for _ in 0..=backlog {
        let client = Socket::tcp()?;
        client.set_nonblocking()?;
        let _ = client.connect(listener.local()?);
        client.wait(OUT)?;
        clients.push(client);
    }
    Ok((listener, clients))
}

/// How many are connected before anybody accepts, and that one more is not.
fn queued(backlog: i32) -> Result<String> {
    let (listener, clients) = full(backlog)?;
    let more = Socket::tcp()?;
    more.set_nonblocking()?;
    let _ = more.connect(listener.local()?);
    let count = clients
        .iter()
        .filter(|client| client.peer().is_ok())
        .count();
    let ordinal = if backlog == 0 { "second" } else { "third" };
    Ok(match more.glance(OUT)?.as_str() {
        "nothing" => format!("{count} and no {ordinal}"),
        _ => format!("{count} and a {ordinal}"),
    })
}
