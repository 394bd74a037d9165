//! Datagrams: whole or cut, dropped or refused, with and without a fixed peer (udp(7), RFC 768, RFC 1122 4.1).

use std::net::SocketAddr;
use std::time::Duration;

use crate::sys::{Errno, Half, IN, OUT, Result, SO_RCVBUF, Socket};
use crate::talk::{ANYWHERE, HERE, HERE6, bound_udp, datagram, nobody_udp, number, told};
use crate::{Case, case};

/// The most that a datagram carries over IPv4.
const MOST: usize = 65_507;

pub(crate) const CASES: &[Case] = &[
    case("udp-echo", "\"hello\" from the client, \"hello\"", || {
        let (server, at) = bound_udp()?;
        let client = Socket::udp()?;
        client.send_to(b"hello", at)?;
        let mut buffer = [0; 64];
        let (count, from) = server.receive_from(&mut buffer)?;
        server.send_to(buffer.get(..count).unwrap_or_default(), from)?;
        let is_client = from.port() == client.local()?.port() && from.ip() == HERE.ip();
        let who = if is_client {
            "the client"
        } else {
            "a stranger"
        };
        let heard = crate::talk::text(buffer.get(..count).unwrap_or_default());
        Ok(format!("\"{heard}\" from {who}, {}", datagram(&client)?))
    }),
    case("udp-over-ipv6", "\"hello\"", || {
        let (server, client) = (Socket::udp6()?, Socket::udp6()?);
        server.bind(HERE6)?;
        client.send_to(b"hello", server.local()?)?;
        datagram(&server)
    }),
    case("udp-keeps-boundaries", "\"one\" \"two\"", || {
        let (server, at) = bound_udp()?;
        let client = Socket::udp()?;
        client.send_to(b"one", at)?;
        client.send_to(b"two", at)?;
        Ok(format!("{} {}", datagram(&server)?, datagram(&server)?))
    }),
    case("udp-cuts-what-does-not-fit", "he, then \"next\"", || {
        let (server, at) = bound_udp()?;
        let client = Socket::udp()?;
        client.send_to(b"hello", at)?;
        client.send_to(b"next", at)?;
        let mut two = [0; 2];
        server.receive(&mut two)?;
        Ok(format!(
            "{}, then {}",
            crate::talk::text(&two),
            datagram(&server)?
        ))
    }),
    case("udp-carries-nothing", "0 from the sender", || {
        let (server, at) = bound_udp()?;
        let (client, own) = bound_udp()?;
        client.send_to(b"", at)?;
        server.wait(IN)?;
        let (count, from) = server.receive_from(&mut [0; 8])?;
        Ok(format!(
            "{count} from {}",
            if from == own {
                "the sender"
            } else {
                "a stranger"
            }
        ))
    }),
    case("udp-carries-the-most", "65507", || {
        let (server, at) = bound_udp()?;
        Socket::udp()?.send_to(&vec![7; MOST], at)?;
        server.wait(IN)?;
        Ok(number(server.receive(&mut vec![0; MOST + 1])))
    }),
    case("udp-refuses-more-than-the-most", "EMSGSIZE", || {
        let (_server, at) = bound_udp()?;
        Ok(told(Socket::udp()?.send_to(&vec![7; MOST + 1], at)))
    }),
    case("udp-in-order", "100 in order", || {
        let (server, at) = bound_udp()?;
        let client = Socket::udp()?;
        for number in 0..100_u8 {
            client.send_to(&[number], at)?;
        }
        let mut in_order = 0;
        for number in 0..100_u8 {
            server.wait(IN)?;
            let mut one = [0];
            server.receive(&mut one)?;
            in_order += usize::from(one == [number]);
        }
        Ok(format!("{in_order} in order"))
    }),
    case(
        "udp-drops-under-pressure",
        "the first ones, not all, then EAGAIN",
        || {
            let (server, at) = bound_udp()?;
            server.set(SO_RCVBUF, 8192)?;
            server.set_nonblocking()?;
            let client = Socket::udp()?;
            for number in 0..200_u8 {
                client.send_to(&[number; 1000], at)?;
            }
            server.wait(IN)?;
            let (mut received, mut one) = (0_u8, [0; 1000]);
            let end = loop {
                match server.receive(&mut one) {
                    Ok(_) if one == [received; 1000] => received += 1,
                    Ok(_) => return Ok(format!("another than {received}")),
                    Err(errno) => break errno,
                }
            };
            let how_many = match received {
                0 => "none",
                1..200 => "not all",
                _ => "all",
            };
            Ok(format!("the first ones, {how_many}, then {end}"))
        },
    ),
    case("udp-to-nobody", "ok, ok", || {
        let (socket, at) = (Socket::udp()?, nobody_udp()?);
        let first = told(socket.send_to(b"x", at));
        Ok(format!("{first}, {}", told(socket.send_to(b"x", at))))
    }),
    case(
        "udp-connected-hears-of-a-refusal",
        "ok, ECONNREFUSED, then EAGAIN",
        || {
            let socket = connected_to_nobody()?;
            let sent = told(socket.send(b"x"));
            let heard = datagram(&socket)?;
            Ok(format!(
                "{sent}, {heard}, then {}",
                told(socket.receive(&mut [0; 8]))
            ))
        },
    ),
    case(
        "udp-connected-hears-of-a-refusal-when-it-sends",
        "ok, ECONNREFUSED, ok",
        || {
            let socket = connected_to_nobody()?;
            let first = told(socket.send(b"x"));
            socket.wait(IN)?;
            let second = told(socket.send(b"y"));
            Ok(format!("{first}, {second}, {}", told(socket.send(b"z"))))
        },
    ),
    case("udp-connected-is-ready-with-a-refusal", "ready", || {
        let socket = connected_to_nobody()?;
        socket.send(b"x")?;
        let ready = socket.wait(IN)? != "nothing";
        Ok(if ready { "ready" } else { "not ready" }.to_owned())
    }),
    case(
        "udp-refusal-is-told-by-the-option",
        "ECONNREFUSED, then none",
        || {
            let socket = connected_to_nobody()?;
            socket.send(b"x")?;
            socket.wait(IN)?;
            let first = socket.error()?;
            Ok(format!("{first}, then {}", socket.error()?))
        },
    ),
    case(
        "udp-connected-to-one-that-closes",
        "\"bye\", then ECONNREFUSED",
        || {
            let ((server, at), (client, own)) = (bound_udp()?, bound_udp()?);
            client.connect(at)?;
            client.set_nonblocking()?;
            server.send_to(b"bye", own)?;
            client.wait(IN)?;
            drop(server);
            let last = datagram(&client)?;
            client.send(b"x")?;
            Ok(format!("{last}, then {}", datagram(&client)?))
        },
    ),
    case(
        "udp-connected-sends-without-an-address",
        "\"hello\"",
        || {
            let (server, at) = bound_udp()?;
            let client = Socket::udp()?;
            client.connect(at)?;
            client.send(b"hello")?;
            datagram(&server)
        },
    ),
    case(
        "udp-connected-hears-only-its-peer",
        "\"peer\", then EAGAIN",
        || {
            let ((client, own), (peer, at)) = (bound_udp()?, bound_udp()?);
            client.connect(at)?;
            client.set_nonblocking()?;
            Socket::udp()?.send_to(b"stranger", own)?;
            peer.send_to(b"peer", own)?;
            Ok(format!(
                "{}, then {}",
                datagram(&client)?,
                told(client.receive(&mut [0; 8]))
            ))
        },
    ),
    case("udp-connected-keeps-what-waits", "\"stranger\"", || {
        let ((client, own), (_peer, at)) = (bound_udp()?, bound_udp()?);
        Socket::udp()?.send_to(b"stranger", own)?;
        client.wait(IN)?;
        client.connect(at)?;
        datagram(&client)
    }),
    case("udp-connected-may-send-elsewhere", "\"hello\"", || {
        let ((_peer, at), (other, elsewhere)) = (bound_udp()?, bound_udp()?);
        let client = Socket::udp()?;
        client.connect(at)?;
        client.send_to(b"hello", elsewhere)?;
        datagram(&other)
    }),
    case("udp-connects-to-another", "\"hello\", true", || {
        let ((_first, at), (second, there)) = (bound_udp()?, bound_udp()?);
        let client = Socket::udp()?;
        client.connect(at)?;
        client.connect(there)?;
        client.send(b"hello")?;
        Ok(format!(
            "{}, {}",
            datagram(&second)?,
            client.peer()? == there
        ))
    }),
    case("udp-disconnects", "ok, ENOTCONN, EDESTADDRREQ", || {
        let (_server, at) = bound_udp()?;
        let client = Socket::udp()?;
        client.connect(at)?;
        let outcome = told(client.disconnect());
        Ok(format!(
            "{outcome}, {}, {}",
            told(client.peer()),
            told(client.send(b"x"))
        ))
    }),
    case(
        "udp-connected-shows-the-loopback",
        "0.0.0.0, then 127.0.0.1",
        || {
            let (_server, at) = bound_udp()?;
            let client = Socket::udp()?;
            client.bind(ANYWHERE)?;
            let before = client.local()?.ip();
            client.connect(at)?;
            Ok(format!("{before}, then {}", client.local()?.ip()))
        },
    ),
    case(
        "udp-is-bound-by-sending",
        "0.0.0.0, an ephemeral port",
        || {
            let (_server, at) = bound_udp()?;
            let client = Socket::udp()?;
            client.send_to(b"x", at)?;
            let local = client.local()?;
            let is_ephemeral = (32_768..=60_999).contains(&local.port());
            let port = if is_ephemeral {
                "an ephemeral port"
            } else {
                "a strange port"
            };
            Ok(format!("{}, {port}", local.ip()))
        },
    ),
    case("udp-needs-a-destination", "EDESTADDRREQ", || {
        Ok(told(Socket::udp()?.send(b"x")))
    }),
    case("udp-to-port-0", "EINVAL", || {
        Ok(told(Socket::udp()?.send_to(b"x", HERE)))
    }),
    case("udp-to-the-wildcard", "\"hello\"", || {
        let (server, at) = bound_udp()?;
        Socket::udp()?.send_to(b"hello", SocketAddr::new(ANYWHERE.ip(), at.port()))?;
        datagram(&server)
    }),
    case("udp-to-the-other-family", "EAFNOSUPPORT", || {
        Ok(told(
            Socket::udp()?.send_to(b"x", SocketAddr::new(HERE6.ip(), 9)),
        ))
    }),
    case("udp-bind-in-use", "EADDRINUSE", || {
        let (_server, at) = bound_udp()?;
        Ok(told(Socket::udp()?.bind(at)))
    }),
    case("udp-bind-again-after-close", "ok", || {
        let (server, at) = bound_udp()?;
        drop(server);
        Ok(told(Socket::udp()?.bind(at)))
    }),
    case("udp-without-data", "EAGAIN", || {
        let (socket, _) = bound_udp()?;
        socket.set_nonblocking()?;
        Ok(told(socket.receive(&mut [0; 8])))
    }),
    case("udp-readiness-follows-the-data", "OUT, IN OUT, OUT", || {
        let (server, at) = bound_udp()?;
        // WASI's C library finds a socket readable that was never read.
        server.set_nonblocking()?;
        let _ = server.receive(&mut [0; 8]);
        let fresh = server.wait(IN | OUT)?;
        Socket::udp()?.send_to(b"x", at)?;
        server.wait(IN)?;
        let with_data = server.wait(IN | OUT)?;
        datagram(&server)?;
        Ok(format!("{fresh}, {with_data}, {}", server.wait(IN | OUT)?))
    }),
    case("udp-has-nothing-to-read-at-first", "nothing", || {
        bound_udp()?.0.glance(IN)
    }),
    case("udp-read-times-out", "EAGAIN", || {
        let (socket, _) = bound_udp()?;
        socket.set_receive_timeout(Duration::from_millis(30))?;
        Ok(told(socket.receive(&mut [0; 8])))
    }),
    case(
        "udp-peeking-leaves-the-datagram",
        "hello, then \"hello\"",
        || {
            let (server, at) = bound_udp()?;
            Socket::udp()?.send_to(b"hello", at)?;
            server.wait(IN)?;
            let mut buffer = [0; 5];
            server.peek(&mut buffer)?;
            Ok(format!(
                "{}, then {}",
                crate::talk::text(&buffer),
                datagram(&server)?
            ))
        },
    ),
    case("udp-shut-down-unconnected", "ENOTCONN", || {
        Ok(told(bound_udp()?.0.shutdown(Half::Both)))
    }),
    case("udp-cannot-listen", "EOPNOTSUPP", || {
        Ok(told(bound_udp()?.0.listen(1)))
    }),
    case("udp-has-no-peer", "ENOTCONN", || {
        Ok(told(bound_udp()?.0.peer()))
    }),
];

fn connected_to_nobody() -> Result<Socket> {
    let socket = Socket::udp()?;
    socket.connect(nobody_udp()?)?;
    socket.set_nonblocking()?;
    // A datagram to a port on which nobody is comes back as an ICMP message; until then there is nothing.
    match socket.receive(&mut [0; 8]) {
        Err(Errno::AGAIN) => Ok(socket),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::CONN_REFUSED),
    }
}
