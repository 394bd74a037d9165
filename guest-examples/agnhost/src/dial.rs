//! `/dial` of `netexec`: asks another server something, over HTTP or in datagrams, and tells the answer. Upstream's
//! tests let a pod connect this way.
//!
//! It blocks the whole guest until it has an answer or gives up.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// How long one try waits for a datagram.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it looks away between two looks: the C library has no time-outs for datagrams.
const TICK: Duration = Duration::from_millis(10);

/// The longest answer.
const MAX_ANSWER_BYTES: usize = 2048;

/// Asks once; the answer, or why there is none.
pub(crate) fn dial(protocol: &str, host: &str, port: u16, request: &str) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut found = (host, port).to_socket_addrs().map_err(told)?;
    let to = found.next().ok_or("no address")?;
    let answer = match protocol {
        "udp" => over_udp(to, request),
        _ => over_http(to, request),
    };
    answer.map_err(told)
}

fn over_udp(to: SocketAddr, request: &str) -> std::io::Result<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    socket.send_to(request.as_bytes(), to)?;
    let (mut buffer, start) = ([0; MAX_ANSWER_BYTES], Instant::now());
    loop {
        match socket.recv_from(&mut buffer) {
            // Whoever else sends is no answer.
            Ok((length, from)) if from == to => {
                let answer = buffer.get(..length).unwrap_or_default();
                return Ok(String::from_utf8_lossy(answer).into_owned());
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if start.elapsed() >= PATIENCE {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(TICK);
            }
            Err(error) => return Err(error),
        }
    }
}

fn over_http(to: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    write!(
        stream,
        "GET /{request} HTTP/1.0\r\nHost: {to}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream
        .take(u64::try_from(MAX_ANSWER_BYTES).unwrap_or_default())
        .read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    body.map(str::to_owned)
        .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Serves datagrams as `netexec --udp-port` does: `hostname`, `clientip`, `echo TEXT`.
pub(crate) fn serve_udp(port: u16, hostname: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let mut buffer = [0; MAX_ANSWER_BYTES];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let request = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        let answer = match request.trim().to_ascii_lowercase().as_str() {
            "hostname" => hostname.to_owned(),
            "clientip" => from.to_string(),
            _ => match request.trim().split_once(' ') {
                Some(("echo", text)) => text.to_owned(),
                _ => continue,
            },
        };
        // A client that is gone gets no answer.
        let _ = socket.send_to(answer.as_bytes(), from);
    }
}
