//! Ending a connection: half-close, close, reset, and what each side is told and when (RFC 9293 3.6 and 3.10.4, tcp(7)).

use crate::sys::{Errno, Half, IN, OUT, Result, Socket};
use crate::talk::{heard, number, pair, told};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("close-is-eof-after-the-data", "hello EOF EOF", || {
        let (client, server) = pair()?;
        client.send(b"hello")?;
        drop(client);
        let first = heard(&server)?;
        Ok(format!("{first} {} {}", heard(&server)?, heard(&server)?))
    }),
    case("close-lets-one-more-write-pass", "ok, then EPIPE", || {
        // The peer is only known to send no more; that it is gone its answer to the write tells (RFC 9293 3.10.7.1).
        let (client, server) = pair()?;
        drop(server);
        client.wait(IN)?;
        let first = told(client.send(b"x"));
        until_reset(&client)?;
        Ok(format!("{first}, then {}", told(client.send(b"y"))))
    }),
    case("close-and-a-write-leave-the-data", "ok, hello, EOF", || {
        let (client, server) = pair()?;
        server.send(b"hello")?;
        drop(server);
        client.wait(IN)?;
        let sent = told(client.send(b"x"));
        until_reset(&client)?;
        let first = heard(&client)?;
        Ok(format!("{sent}, {first}, {}", heard(&client)?))
    }),
    case(
        "close-with-unread-data-resets",
        "ECONNRESET, EOF, EPIPE",
        || {
            let client = was_reset()?;
            let first = heard(&client)?;
            let second = heard(&client)?;
            Ok(format!("{first}, {second}, {}", told(client.send(b"x"))))
        },
    ),
    case("reset-is-told-to-a-write", "ECONNRESET, EPIPE, EOF", || {
        let client = was_reset()?;
        let first = told(client.send(b"x"));
        let second = told(client.send(b"x"));
        Ok(format!("{first}, {second}, {}", heard(&client)?))
    }),
    case(
        "reset-is-told-by-the-option",
        "ECONNRESET, then EOF",
        || {
            let client = was_reset()?;
            let first = client.error()?;
            Ok(format!("{first}, then {}", heard(&client)?))
        },
    ),
    case(
        "reset-leaves-what-had-come",
        "hello, ECONNRESET, EOF",
        || {
            let (client, server) = pair()?;
            server.send(b"hello")?;
            client.send(b"unread")?;
            server.wait(IN)?;
            client.wait(IN)?;
            drop(server);
            until_reset(&client)?;
            let first = heard(&client)?;
            let second = heard(&client)?;
            Ok(format!("{first}, {second}, {}", heard(&client)?))
        },
    ),
    case("reset-makes-ready", "IN OUT ERR HUP", || {
        was_reset()?.wait(IN | OUT)
    }),
    case("reset-forbids-shutdown", "ENOTCONN", || {
        let client = was_reset()?;
        let _ = heard(&client)?;
        Ok(told(client.shutdown(Half::Write)))
    }),
    case("reset-has-no-peer", "ENOTCONN", || {
        let client = was_reset()?;
        let _ = heard(&client)?;
        Ok(told(client.peer()))
    }),
    case("reset-of-one-that-has-shut-down", "ECONNRESET", || {
        let (client, server) = pair()?;
        client.send(b"unread")?;
        client.shutdown(Half::Write)?;
        server.wait(IN)?;
        drop(server);
        client.wait(IN)?;
        Ok(told(client.send(b"x")))
    }),
    case("linger-of-0-resets", "ECONNRESET", || {
        let (client, server) = pair()?;
        server.reset_at_close()?;
        drop(server);
        heard(&client)
    }),
    case(
        "half-close-leaves-the-other-half",
        "question EOF, answer EOF",
        || {
            let (client, server) = pair()?;
            client.send(b"question")?;
            client.shutdown(Half::Write)?;
            let asked = format!("{} {}", heard(&server)?, heard(&server)?);
            server.send(b"answer")?;
            drop(server);
            Ok(format!("{asked}, {} {}", heard(&client)?, heard(&client)?))
        },
    ),
    case("half-close-both-ways", "EOF EOF EPIPE EPIPE", || {
        let (client, server) = pair()?;
        client.shutdown(Half::Write)?;
        server.shutdown(Half::Write)?;
        let ends = format!("{} {}", heard(&client)?, heard(&server)?);
        Ok(format!(
            "{ends} {} {}",
            told(client.send(b"x")),
            told(server.send(b"x"))
        ))
    }),
    case("half-close-forbids-writing", "EPIPE", || {
        let (client, _server) = pair()?;
        client.shutdown(Half::Write)?;
        Ok(told(client.send(b"x")))
    }),
    case("half-close-twice", "ok", || {
        let (client, _server) = pair()?;
        client.shutdown(Half::Write)?;
        Ok(told(client.shutdown(Half::Write)))
    }),
    case(
        "half-close-of-the-peer-makes-readable",
        "OUT, then IN OUT",
        || {
            let (client, server) = pair()?;
            let before = client.glance(IN | OUT)?;
            server.shutdown(Half::Write)?;
            client.wait(IN)?;
            Ok(format!("{before}, then {}", client.wait(IN | OUT)?))
        },
    ),
    case("shut-reading-leaves-what-had-come", "hello EOF", || {
        let (client, server) = pair()?;
        server.send(b"hello")?;
        client.wait(IN)?;
        client.shutdown(Half::Read)?;
        Ok(format!("{} {}", heard(&client)?, heard(&client)?))
    }),
    case(
        "shut-reading-is-not-told-to-the-peer",
        "EOF, ok, ok",
        || {
            let (client, server) = pair()?;
            client.shutdown(Half::Read)?;
            let own = heard(&client)?;
            Ok(format!(
                "{own}, {}, {}",
                told(server.send(b"x")),
                told(client.send(b"y"))
            ))
        },
    ),
    case("shut-both-ends-both", "EOF EPIPE, EOF", || {
        let (client, server) = pair()?;
        client.shutdown(Half::Both)?;
        let own = format!("{} {}", heard(&client)?, told(client.send(b"x")));
        Ok(format!("{own}, {}", heard(&server)?))
    }),
    case("shut-down-unconnected", "ENOTCONN", || {
        Ok(told(Socket::tcp()?.shutdown(Half::Both)))
    }),
    case("shut-down-after-the-peer-has-closed", "ok", || {
        let (client, server) = pair()?;
        drop(server);
        client.wait(IN)?;
        Ok(told(client.shutdown(Half::Write)))
    }),
    case("close-both-at-once", "EOF EOF", || {
        let (client, server) = pair()?;
        client.shutdown(Half::Write)?;
        server.shutdown(Half::Write)?;
        Ok(format!("{} {}", heard(&client)?, heard(&server)?))
    }),
    case(
        "reset-ends-a-write-that-waits-for-room",
        "EAGAIN, then ECONNRESET, then EPIPE",
        || {
            let (client, server) = pair()?;
            client.set_nonblocking()?;
            let full = fill(&client);
            server.wait(IN)?;
            drop(server);
            until_reset(&client)?;
            let first = told(client.send(b"x"));
            Ok(format!(
                "{full}, then {first}, then {}",
                told(client.send(b"x"))
            ))
        },
    ),
    case("peer-has-an-address-after-its-close", "true", || {
        let (client, server) = pair()?;
        let before = client.peer()?;
        drop(server);
        client.wait(IN)?;
        Ok(number(client.peer().map(|after| after == before)))
    }),
];

/// A client whose server has closed with unread data, when it knows.
fn was_reset() -> Result<Socket> {
    let (client, server) = pair()?;
    client.send(b"unread")?;
    server.wait(IN)?;
    drop(server);
    client.wait(IN)?;
    Ok(client)
}

/// Waits until the peer's reset has come, of which only errors tell. Where none are shown, it comes at once.
fn until_reset(socket: &Socket) -> Result<()> {
    for _ in 0..100 {
        if socket.poll(0, std::time::Duration::from_millis(1))? != "nothing" {
            break;
        }
        if cfg!(target_os = "wasi") {
            break;
        }
    }
    Ok(())
}

/// Sends until there is no room; why it ended.
fn fill(socket: &Socket) -> Errno {
    loop {
        if let Err(errno) = socket.send(&[7; 4096]) {
            break errno;
        }
    }
}
