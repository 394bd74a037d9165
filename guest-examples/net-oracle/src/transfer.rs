//! Bytes in between: order, back-pressure, readiness, partial writes, time-outs, many connections (tcp(7), poll(2)).

use std::time::{Duration, Instant};

use crate::sys::{Errno, IN, OUT, Result, SO_RCVBUF, SO_SNDBUF, Socket};
use crate::talk::{HERE, connected_to, heard, listener, number, pair, told};
use crate::{Case, case};

/// Bytes of the large transfer: many times what buffers hold.
const LARGE: usize = 8 * 1024 * 1024;

pub(crate) const CASES: &[Case] = &[
    case("bytes-come-in-order", "20000 in order", || {
        let (client, server) = pair()?;
        let sent = pattern(20_000);
        for byte in sent.chunks(1) {
            client.send_all(byte)?;
        }
        Ok(format!("{} in order", in_order(&server, &sent)?))
    }),
    case("a-large-transfer-arrives", "8388608 in order", || {
        let (client, server) = pair()?;
        client.set_nonblocking()?;
        server.set_nonblocking()?;
        let sent = pattern(LARGE);
        let (mut written, mut read, mut buffer) = (0, 0, vec![0; 65_536]);
        let limit = Instant::now() + Duration::from_secs(30);
        while read < LARGE && Instant::now() < limit {
            match client.send(sent.get(written..).unwrap_or_default()) {
                Ok(count) => written += count,
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno),
            }
            match server.receive(&mut buffer) {
                Ok(count) if buffer.get(..count) == sent.get(read..read + count) => read += count,
                Ok(_) => return Ok(format!("wrong after {read}")),
                Err(Errno::AGAIN) => drop(server.glance(IN)?),
                Err(errno) => return Err(errno),
            }
        }
        Ok(format!("{read} in order"))
    }),
    case(
        "a-write-without-room-is-refused",
        "EAGAIN, not ready",
        || {
            let (client, _server) = pair()?;
            client.set_nonblocking()?;
            let full = fill(&client)?.1;
            let ready = client.glance(OUT)?;
            Ok(format!(
                "{full}, {}",
                if ready == "nothing" {
                    "not ready"
                } else {
                    "ready"
                }
            ))
        },
    ),
    case("a-write-beyond-the-room-is-partial", "partial", || {
        let (client, _server) = pair()?;
        client.set_nonblocking()?;
        let sent = client.send(&vec![7; 2 * LARGE])?;
        Ok(if sent < 2 * LARGE { "partial" } else { "whole" }.to_owned())
    }),
    case("reading-makes-room", "nothing, then OUT, then ok", || {
        let (client, server) = pair()?;
        client.set_nonblocking()?;
        server.set_nonblocking()?;
        let (held, _) = fill(&client)?;
        let before = client.glance(OUT)?;
        let (mut read, mut buffer) = (0, vec![0; 65_536]);
        while read < held {
            match server.receive(&mut buffer) {
                Ok(count) => read += count,
                Err(Errno::AGAIN) => drop(server.wait(IN)?),
                Err(errno) => return Err(errno),
            }
        }
        let ready = client.wait(OUT)?;
        Ok(format!(
            "{before}, then {ready}, then {}",
            told(client.send(b"x"))
        ))
    }),
    case("small-buffers-hold-less", "true", || {
        let held = |bytes: Option<i32>| -> Result<usize> {
            let listener = Socket::tcp()?;
            let client = Socket::tcp()?;
            if let Some(bytes) = bytes {
                listener.set(SO_RCVBUF, bytes)?;
                client.set(SO_SNDBUF, bytes)?;
            }
            listener.bind(HERE)?;
            listener.listen(1)?;
            client.connect(listener.local()?)?;
            let _server = listener.accept()?;
            client.set_nonblocking()?;
            Ok(fill(&client)?.0)
        };
        Ok((held(Some(8192))? < held(None)?).to_string())
    }),
    case("readiness-follows-the-data", "OUT, IN OUT, OUT", || {
        let (client, server) = pair()?;
        let fresh = client.wait(IN | OUT)?;
        server.send(b"x")?;
        client.wait(IN)?;
        let with_data = client.wait(IN | OUT)?;
        let _ = heard(&client)?;
        Ok(format!("{fresh}, {with_data}, {}", client.wait(IN | OUT)?))
    }),
    case("readiness-at-eof-stays", "IN, IN", || {
        let (client, server) = pair()?;
        drop(server);
        let first = client.wait(IN)?;
        let _ = heard(&client)?;
        Ok(format!("{first}, {}", client.wait(IN)?))
    }),
    case("a-read-without-data", "EAGAIN", || {
        let (client, _server) = pair()?;
        client.set_nonblocking()?;
        Ok(told(client.receive(&mut [0; 8])))
    }),
    case("a-read-in-pieces", "he llo", || {
        let (client, server) = pair()?;
        client.send(b"hello")?;
        let mut two = [0; 2];
        server.receive(&mut two)?;
        Ok(format!("{} {}", crate::talk::text(&two), heard(&server)?))
    }),
    case("a-write-of-nothing", "0, then hello", || {
        let (client, server) = pair()?;
        let none = number(client.send(b""));
        client.send(b"hello")?;
        Ok(format!("{none}, then {}", heard(&server)?))
    }),
    case("a-read-times-out", "EAGAIN, then hello", || {
        let (client, server) = pair()?;
        server.set_receive_timeout(Duration::from_millis(30))?;
        let late = told(server.receive(&mut [0; 8]));
        client.send(b"hello")?;
        Ok(format!("{late}, then {}", heard(&server)?))
    }),
    case("peeking-leaves-the-data", "hello, then hello", || {
        let (client, server) = pair()?;
        client.send(b"hello")?;
        server.wait(IN)?;
        let mut buffer = [0; 5];
        server.peek(&mut buffer)?;
        Ok(format!(
            "{}, then {}",
            crate::talk::text(&buffer),
            heard(&server)?
        ))
    }),
    case("both-ways-at-once", "ping pong", || {
        let (client, server) = pair()?;
        client.send(b"pong")?;
        server.send(b"ping")?;
        Ok(format!("{} {}", heard(&client)?, heard(&server)?))
    }),
    case("many-connections", "300 answered", || {
        let (listener, at) = listener()?;
        let mut pairs = Vec::new();
        for _ in 0..300 {
            let client = connected_to(at)?;
            pairs.push((client, listener.accept()?.0));
        }
        let mut answered = 0;
        for (number, (client, server)) in pairs.iter().enumerate() {
            client.send(number.to_string().as_bytes())?;
            server.send(heard(server)?.as_bytes())?;
            answered += usize::from(heard(client)? == number.to_string());
        }
        Ok(format!("{answered} answered"))
    }),
    case("connections-one-after-the-other", "2000 answered", || {
        let (listener, at) = listener()?;
        let mut answered = 0;
        for _ in 0..2000 {
            let client = connected_to(at)?;
            let (server, _) = listener.accept()?;
            client.send(b"x")?;
            answered += usize::from(heard(&server)? == "x");
        }
        Ok(format!("{answered} answered"))
    }),
];

/// Bytes whose order is seen.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = (0..len).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.collect()
}

/// How many bytes come as they were sent, before the first other.
fn in_order(socket: &Socket, sent: &[u8]) -> Result<usize> {
    let (mut read, mut buffer) = (0, vec![0; 65_536]);
    while read < sent.len() {
        let count = socket.receive(&mut buffer)?;
        if count == 0 || buffer.get(..count) != sent.get(read..read + count) {
            break;
        }
        read += count;
    }
    Ok(read)
}

/// Sends until there is no room, also after a moment: how much it was, and why it ended.
fn fill(socket: &Socket) -> Result<(usize, Errno)> {
    let mut held = 0;
    loop {
        match socket.send(&[7; 4096]) {
            Ok(count) => held += count,
            Err(errno) if socket.glance(OUT)? == "nothing" => break Ok((held, errno)),
            Err(_) => {}
        }
    }
}
