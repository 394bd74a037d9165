//! Options: their values at first, as set, and out of range (socket(7), tcp(7), ip(7), ipv6(7)).

use crate::sys::{
    IP_TTL, IPV6_UNICAST_HOPS, IPV6_V6ONLY, Opt, Result, SO_KEEPALIVE, SO_RCVBUF, SO_REUSEADDR,
    SO_SNDBUF, SO_TYPE, Socket, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY,
};
use crate::talk::{number, pair, told};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("option-type", "true true", || {
        let (tcp, udp) = (Socket::tcp()?.get(SO_TYPE)?, Socket::udp()?.get(SO_TYPE)?);
        Ok(format!(
            "{} {}",
            tcp == libc::SOCK_STREAM,
            udp == libc::SOCK_DGRAM
        ))
    }),
    case("option-nodelay", "0, then 1", || changed(TCP_NODELAY, 1)),
    case("option-reuseaddr", "0, then 1", || changed(SO_REUSEADDR, 1)),
    case("option-keepalive", "0, then 1", || changed(SO_KEEPALIVE, 1)),
    case("option-keepidle", "7200, then 60", || {
        changed(TCP_KEEPIDLE, 60)
    }),
    case("option-keepintvl", "75, then 5", || {
        changed(TCP_KEEPINTVL, 5)
    }),
    case("option-keepcnt", "9, then 3", || changed(TCP_KEEPCNT, 3)),
    case("option-keepidle-of-0", "EINVAL", || {
        refused(TCP_KEEPIDLE, 0)
    }),
    case("option-keepintvl-of-0", "EINVAL", || {
        refused(TCP_KEEPINTVL, 0)
    }),
    case("option-keepcnt-of-0", "EINVAL", || refused(TCP_KEEPCNT, 0)),
    case("option-keepidle-too-long", "EINVAL", || {
        refused(TCP_KEEPIDLE, 32_768)
    }),
    case("option-keepcnt-too-many", "EINVAL", || {
        refused(TCP_KEEPCNT, 128)
    }),
    case("option-ttl", "64, then 5", || changed(IP_TTL, 5)),
    case("option-ttl-of-0", "EINVAL", || refused(IP_TTL, 0)),
    case("option-ttl-too-great", "EINVAL", || refused(IP_TTL, 256)),
    case("option-hops", "64, then 5", || {
        let socket = Socket::tcp6()?;
        let before = number(socket.get(IPV6_UNICAST_HOPS));
        socket.set(IPV6_UNICAST_HOPS, 5)?;
        Ok(format!(
            "{before}, then {}",
            number(socket.get(IPV6_UNICAST_HOPS))
        ))
    }),
    case("option-ttl-of-a-datagram-socket", "64, then 5", || {
        let socket = Socket::udp()?;
        let before = number(socket.get(IP_TTL));
        socket.set(IP_TTL, 5)?;
        Ok(format!("{before}, then {}", number(socket.get(IP_TTL))))
    }),
    case("option-v6only", "0, then 1", || {
        let socket = Socket::tcp6()?;
        let before = number(socket.get(IPV6_V6ONLY));
        socket.set(IPV6_V6ONLY, 1)?;
        Ok(format!(
            "{before}, then {}",
            number(socket.get(IPV6_V6ONLY))
        ))
    }),
    // Linux says twice of what was asked for, its bookkeeping included (socket(7)).
    case("option-rcvbuf", "at least as asked", || {
        sized(&Socket::tcp()?, SO_RCVBUF)
    }),
    case("option-sndbuf", "at least as asked", || {
        sized(&Socket::tcp()?, SO_SNDBUF)
    }),
    case(
        "option-rcvbuf-of-a-datagram-socket",
        "at least as asked",
        || sized(&Socket::udp()?, SO_RCVBUF),
    ),
    case(
        "option-sndbuf-of-a-datagram-socket",
        "at least as asked",
        || sized(&Socket::udp()?, SO_SNDBUF),
    ),
    case("option-rcvbuf-too-great-is-cut", "ok, less", || {
        let socket = Socket::tcp()?;
        let outcome = told(socket.set(SO_RCVBUF, 1 << 30));
        let less = socket.get(SO_RCVBUF)? < 1 << 30;
        Ok(format!(
            "{outcome}, {}",
            if less { "less" } else { "all of it" }
        ))
    }),
    case("option-rcvbuf-of-1-is-raised", "ok, more", || {
        let socket = Socket::tcp()?;
        let outcome = told(socket.set(SO_RCVBUF, 1));
        let more = socket.get(SO_RCVBUF)? > 1;
        Ok(format!("{outcome}, {}", if more { "more" } else { "1" }))
    }),
    case("option-rcvbuf-of-0-is-raised", "ok, more", || {
        let socket = Socket::tcp()?;
        let outcome = told(socket.set(SO_RCVBUF, 0));
        let more = socket.get(SO_RCVBUF)? > 1;
        Ok(format!("{outcome}, {}", if more { "more" } else { "0" }))
    }),
    case("option-of-a-connected-socket", "1 60 5", || {
        let (client, _server) = pair()?;
        client.set(SO_KEEPALIVE, 1)?;
        client.set(TCP_KEEPIDLE, 60)?;
        client.set(IP_TTL, 5)?;
        let get = |option| number(client.get(option));
        Ok(format!(
            "{} {} {}",
            get(SO_KEEPALIVE),
            get(TCP_KEEPIDLE),
            get(IP_TTL)
        ))
    }),
];

/// What an option of a TCP socket is at first, and after it was set.
fn changed(option: Opt, value: i32) -> Result<String> {
    let socket = Socket::tcp()?;
    let before = number(socket.get(option));
    socket.set(option, value)?;
    let after = socket.get(option)?;
    Ok(format!("{before}, then {after}"))
}

fn refused(option: Opt, value: i32) -> Result<String> {
    Ok(told(Socket::tcp()?.set(option, value)))
}

fn sized(socket: &Socket, option: Opt) -> Result<String> {
    const ASKED: i32 = 50_000;
    socket.set(option, ASKED)?;
    let is = socket.get(option)?;
    Ok(if is >= ASKED {
        "at least as asked".to_owned()
    } else {
        is.to_string()
    })
}
