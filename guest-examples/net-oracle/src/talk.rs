//! What the cases share: pairs of sockets, and words for what calls give.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::sys::{IN, Result, Socket};

/// Any port of the loopback.
pub(crate) const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Any port of all addresses.
pub(crate) const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Any port of the IPv6 loopback.
pub(crate) const HERE6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
/// Any port of all IPv6 addresses.
pub(crate) const ANYWHERE6: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// A listener on a port of its own, and its address.
pub(crate) fn listener() -> Result<(Socket, SocketAddr)> {
    let listener = Socket::tcp()?;
    listener.bind(HERE)?;
    listener.listen(16)?;
    let at = listener.local()?;
    Ok((listener, at))
}

pub(crate) fn connected_to(at: SocketAddr) -> Result<Socket> {
    let socket = Socket::tcp()?;
    socket.connect(at)?;
    Ok(socket)
}

/// Two ends of one connection: client and server.
pub(crate) fn pair() -> Result<(Socket, Socket)> {
    let (listener, at) = listener()?;
    let client = connected_to(at)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

/// A UDP socket on a port of its own, and its address.
pub(crate) fn bound_udp() -> Result<(Socket, SocketAddr)> {
    let socket = Socket::udp()?;
    socket.bind(HERE)?;
    let at = socket.local()?;
    Ok((socket, at))
}

/// An address of which the port was free a moment ago.
pub(crate) fn nobody() -> Result<SocketAddr> {
    let socket = Socket::tcp()?;
    socket.bind(HERE)?;
    socket.local()
}

/// The same for UDP.
pub(crate) fn nobody_udp() -> Result<SocketAddr> {
    Ok(bound_udp()?.1)
}

/// `ok`, or the errno.
pub(crate) fn told<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(errno) => errno.to_string(),
    }
}

/// The number, or the errno.
pub(crate) fn number<T: ToString>(outcome: Result<T>) -> String {
    outcome.map_or_else(|errno| errno.to_string(), |number| number.to_string())
}

/// What one receive gives: the text, `EOF`, or the errno. Waits for it if the socket does not.
pub(crate) fn heard(socket: &Socket) -> Result<String> {
    socket.wait(IN)?;
    let mut buffer = [0; 64];
    Ok(match socket.receive(&mut buffer) {
        Ok(0) => "EOF".to_owned(),
        Ok(count) => text(buffer.get(..count).unwrap_or_default()),
        Err(errno) => errno.to_string(),
    })
}

/// What one receive of a datagram gives: its text in quotes, or the errno.
pub(crate) fn datagram(socket: &Socket) -> Result<String> {
    socket.wait(IN)?;
    let mut buffer = [0; 64];
    Ok(match socket.receive(&mut buffer) {
        Ok(count) => format!("\"{}\"", text(buffer.get(..count).unwrap_or_default())),
        Err(errno) => errno.to_string(),
    })
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
