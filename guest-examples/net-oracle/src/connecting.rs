//! Connecting and binding: who is reached, who is refused, and which addresses there are (tcp(7), ip(7), RFC 9293 3.10.1).

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::sys::{Errno, IN, OUT, Result, SO_REUSEADDR, Socket};
use crate::talk::{
    ANYWHERE, ANYWHERE6, HERE, HERE6, connected_to, heard, listener, nobody, number, pair, told,
};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("connect-refused", "ECONNREFUSED", || {
        Ok(told(Socket::tcp()?.connect(nobody()?)))
    }),
    case("connect-refused-has-an-address", "ok", || {
        let socket = Socket::tcp()?;
        let _ = socket.connect(nobody()?);
        Ok(told(socket.local()))
    }),
    case("connect-refused-on-a-bound-port", "ECONNREFUSED", || {
        let bound = Socket::tcp()?;
        bound.bind(HERE)?;
        Ok(told(Socket::tcp()?.connect(bound.local()?)))
    }),
    case(
        "connect-again-after-refusal",
        "ECONNREFUSED, then ok",
        || {
            let (socket, at) = (Socket::tcp()?, nobody()?);
            let first = told(socket.connect(at));
            let listener = Socket::tcp()?;
            listener.bind(at)?;
            listener.listen(1)?;
            Ok(format!("{first}, then {}", told(socket.connect(at))))
        },
    ),
    case(
        "connect-without-waiting",
        "OUT, error none, then ok",
        || {
            let (listener, at) = listener()?;
            let socket = Socket::tcp()?;
            socket.set_nonblocking()?;
            started(socket.connect(at))?;
            let (ready, error) = (socket.wait(OUT)?, socket.error()?);
            Ok(format!(
                "{ready}, error {error}, then {}",
                told(listener.accept())
            ))
        },
    ),
    case("connect-refused-without-waiting", "ECONNREFUSED", || {
        let socket = Socket::tcp()?;
        socket.set_nonblocking()?;
        // Either the call says it at once or the socket when it is ready.
        match started(socket.connect(nobody()?)) {
            Ok(()) => socket.wait(OUT).and_then(|_| socket.error()),
            Err(errno) => Ok(errno.to_string()),
        }
    }),
    case(
        "connect-refusal-is-told-once",
        "ECONNREFUSED, then none",
        || {
            let socket = Socket::tcp()?;
            let first = told(socket.connect(nobody()?));
            Ok(format!("{first}, then {}", socket.error()?))
        },
    ),
    case("connect-twice", "EISCONN", || {
        let (_listener, at) = listener()?;
        Ok(told(connected_to(at)?.connect(at)))
    }),
    case("connect-a-listener", "EISCONN", || {
        let (listener, at) = listener()?;
        Ok(told(listener.connect(at)))
    }),
    case("connect-to-the-other-family", "EAFNOSUPPORT", || {
        Ok(told(
            Socket::tcp()?.connect(SocketAddr::new(HERE6.ip(), 80)),
        ))
    }),
    case("connect-to-port-0", "ECONNREFUSED", || {
        Ok(told(Socket::tcp()?.connect(HERE)))
    }),
    case("connect-to-the-wildcard", "ok", || {
        let (_listener, at) = listener()?;
        let anywhere = SocketAddr::new(ANYWHERE.ip(), at.port());
        Ok(told(Socket::tcp()?.connect(anywhere)))
    }),
    case("connect-to-itself", "ok, hears hello", || {
        // Simultaneous open (RFC 9293 3.5), with itself.
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        socket.connect(socket.local()?)?;
        socket.send(b"hello")?;
        Ok(format!("ok, hears {}", heard(&socket)?))
    }),
    case("connect-keeps-the-bound-port", "true", || {
        let (_listener, at) = listener()?;
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        let bound = socket.local()?;
        socket.connect(at)?;
        Ok((socket.local()? == bound).to_string())
    }),
    case(
        "connect-binds-to-the-loopback",
        "127.0.0.1, an ephemeral port",
        || {
            let (_listener, at) = listener()?;
            let local = connected_to(at)?.local()?;
            Ok(format!("{}, {}", local.ip(), kind_of_port(local)))
        },
    ),
    case(
        "connect-to-another-loopback-address",
        "from 127.0.0.1 to 127.0.0.9",
        || {
            let listener = Socket::tcp()?;
            listener.bind(SocketAddr::from(([127, 0, 0, 9], 0)))?;
            listener.listen(1)?;
            let socket = connected_to(listener.local()?)?;
            Ok(format!(
                "from {} to {}",
                socket.local()?.ip(),
                socket.peer()?.ip()
            ))
        },
    ),
    case(
        "connect-misses-a-listener-of-another-address",
        "ECONNREFUSED",
        || {
            let listener = Socket::tcp()?;
            listener.bind(SocketAddr::from(([127, 0, 0, 9], 0)))?;
            listener.listen(1)?;
            let elsewhere = SocketAddr::new(HERE.ip(), listener.local()?.port());
            Ok(told(Socket::tcp()?.connect(elsewhere)))
        },
    ),
    case(
        "connect-reaches-a-listener-of-all-addresses",
        "ok 127.0.0.1, ok 127.0.0.9",
        || {
            let listener = Socket::tcp()?;
            listener.bind(ANYWHERE)?;
            listener.listen(2)?;
            let port = listener.local()?.port();
            let reach = |ip: [u8; 4]| -> Result<String> {
                let outcome = told(Socket::tcp()?.connect(SocketAddr::from((ip, port))));
                let (accepted, _) = listener.accept()?;
                Ok(format!("{outcome} {}", accepted.local()?.ip()))
            };
            Ok(format!(
                "{}, {}",
                reach([127, 0, 0, 1])?,
                reach([127, 0, 0, 9])?
            ))
        },
    ),
    case("connect-over-ipv6", "hello from ::1", || {
        let listener = Socket::tcp6()?;
        listener.bind(HERE6)?;
        listener.listen(1)?;
        let client = Socket::tcp6()?;
        client.connect(listener.local()?)?;
        let (server, from) = listener.accept()?;
        client.send(b"hello")?;
        Ok(format!("{} from {}", heard(&server)?, from.ip()))
    }),
    case(
        "connect-over-ipv4-to-a-listener-of-all-ipv6-addresses",
        "ok",
        || {
            let listener = Socket::tcp6()?;
            listener.bind(ANYWHERE6)?;
            listener.listen(1)?;
            let at = SocketAddr::new(HERE.ip(), listener.local()?.port());
            Ok(told(Socket::tcp()?.connect(at)))
        },
    ),
    case("connect-to-a-mapped-address", "ok", || {
        let (_listener, at) = listener()?;
        let mapped = SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], at.port()));
        Ok(told(Socket::tcp6()?.connect(mapped)))
    }),
    case("unconnected-has-no-peer", "ENOTCONN", || {
        Ok(told(Socket::tcp()?.peer()))
    }),
    case("unconnected-cannot-send", "EPIPE", || {
        Ok(told(Socket::tcp()?.send(b"x")))
    }),
    case("unconnected-cannot-receive", "ENOTCONN", || {
        Ok(told(Socket::tcp()?.receive(&mut [0; 8])))
    }),
    case("unbound-has-no-address", "0.0.0.0:0", || {
        Ok(number(Socket::tcp()?.local()))
    }),
    case("bind-to-port-0", "127.0.0.1, an ephemeral port", || {
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        let local = socket.local()?;
        Ok(format!("{}, {}", local.ip(), kind_of_port(local)))
    }),
    case("bind-gives-each-its-own-port", "200 ports", || {
        let sockets = (0..200).map(|_| {
            let socket = Socket::tcp()?;
            socket.bind(HERE)?;
            Ok(socket)
        });
        let sockets: Vec<_> = sockets.collect::<Result<_>>()?;
        let ports: HashSet<_> = sockets
            .iter()
            .filter_map(|socket| socket.local().ok())
            .collect();
        Ok(format!("{} ports", ports.len()))
    }),
    case("bind-in-use", "EADDRINUSE", || {
        let (_listener, at) = listener()?;
        Ok(told(Socket::tcp()?.bind(at)))
    }),
    case("bind-in-use-though-reused", "EADDRINUSE", || {
        let first = Socket::tcp()?;
        first.set(SO_REUSEADDR, 1)?;
        first.bind(HERE)?;
        first.listen(1)?;
        let second = Socket::tcp()?;
        second.set(SO_REUSEADDR, 1)?;
        Ok(told(second.bind(first.local()?)))
    }),
    case(
        "bind-twice-though-reused-while-nobody-listens",
        "ok",
        || {
            let first = Socket::tcp()?;
            first.set(SO_REUSEADDR, 1)?;
            first.bind(HERE)?;
            let second = Socket::tcp()?;
            second.set(SO_REUSEADDR, 1)?;
            Ok(told(second.bind(first.local()?)))
        },
    ),
    case("bind-the-wildcard-over-an-address", "EADDRINUSE", || {
        let (_listener, at) = listener()?;
        Ok(told(
            Socket::tcp()?.bind(SocketAddr::new(ANYWHERE.ip(), at.port())),
        ))
    }),
    case("bind-an-address-under-the-wildcard", "EADDRINUSE", || {
        let wide = Socket::tcp()?;
        wide.bind(ANYWHERE)?;
        wide.listen(1)?;
        Ok(told(
            Socket::tcp()?.bind(SocketAddr::new(HERE.ip(), wide.local()?.port())),
        ))
    }),
    case("bind-the-same-port-of-two-addresses", "ok", || {
        let (_listener, at) = listener()?;
        Ok(told(
            Socket::tcp()?.bind(SocketAddr::from(([127, 0, 0, 9], at.port()))),
        ))
    }),
    case("bind-the-same-port-of-tcp-and-udp", "ok", || {
        let (_listener, at) = listener()?;
        Ok(told(Socket::udp()?.bind(at)))
    }),
    case("bind-the-same-port-of-both-loopbacks", "ok", || {
        let (_listener, at) = listener()?;
        Ok(told(
            Socket::tcp6()?.bind(SocketAddr::new(HERE6.ip(), at.port())),
        ))
    }),
    case("bind-twice", "EINVAL", || {
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        Ok(told(socket.bind(HERE)))
    }),
    case("bind-a-connected-socket", "EINVAL", || {
        Ok(told(pair()?.0.bind(HERE)))
    }),
    case("bind-to-a-foreign-address", "EADDRNOTAVAIL", || {
        Ok(told(
            Socket::tcp()?.bind(SocketAddr::from(([198, 51, 100, 7], 0))),
        ))
    }),
    case("bind-to-the-other-family", "EAFNOSUPPORT", || {
        Ok(told(Socket::tcp()?.bind(HERE6)))
    }),
    case("bind-a-closed-port-again", "ok", || {
        let socket = Socket::tcp()?;
        socket.bind(HERE)?;
        let at = socket.local()?;
        drop(socket);
        Ok(told(Socket::tcp()?.bind(at)))
    }),
    case(
        "bind-again-beside-a-living-connection",
        "ok, hears hello",
        || {
            let listener = Socket::tcp()?;
            listener.set(SO_REUSEADDR, 1)?;
            listener.bind(HERE)?;
            listener.listen(1)?;
            let at = listener.local()?;
            let client = connected_to(at)?;
            let (server, _) = listener.accept()?;
            drop(listener);
            let again = Socket::tcp()?;
            again.set(SO_REUSEADDR, 1)?;
            let outcome = told(again.bind(at).and_then(|()| again.listen(1)));
            client.send(b"hello")?;
            Ok(format!("{outcome}, hears {}", heard(&server)?))
        },
    ),
    // The side that closes first keeps the port for a while (TIME-WAIT, RFC 9293 3.6.1), from who does not say that.
    case("bind-again-after-a-closed-connection", "ok", || {
        let listener = Socket::tcp()?;
        listener.set(SO_REUSEADDR, 1)?;
        listener.bind(HERE)?;
        listener.listen(1)?;
        let at = listener.local()?;
        let client = connected_to(at)?;
        let (server, _) = listener.accept()?;
        drop((server, listener));
        client.wait(IN)?;
        drop(client);
        let again = Socket::tcp()?;
        again.set(SO_REUSEADDR, 1)?;
        Ok(told(again.bind(at)))
    }),
];

/// A connect that did not wait was started, whether it says so or is done already.
fn started(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::IN_PROGRESS) => Ok(()),
        outcome => outcome,
    }
}

fn kind_of_port(address: SocketAddr) -> &'static str {
    match address.port() {
        32768..=60999 => "an ephemeral port",
        _ => "a strange port",
    }
}
