//! Every socket call of WasmEdge, as the crate `wasmedge_wasi_socket` has them: a client and a server of TCP and UDP in
//! two containers. `wasmedge serve` answers; `wasmedge ask` says what it has found, or panics.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use wasmedge_wasi_socket::socket::{
    AddressFamily, Socket, SocketOptLevel, SocketOptName, SocketType,
};
use wasmedge_wasi_socket::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket, nslookup};

const PORT: u16 = 8050;

/// `EAGAIN` and `ECONNREFUSED` of WASI 0.1.
const EAGAIN: i32 = 6;
const ECONNREFUSED: i32 = 14;

fn serve() -> std::io::Result<()> {
    let udp = UdpSocket::bind(("0.0.0.0", PORT))?;
    let listener = TcpListener::bind(("0.0.0.0", PORT), false)?;
    let (mut stream, peer) = listener.accept(false)?;
    assert_eq!(peer.ip().to_string(), "127.0.0.1");
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        stream.write_all(&buffer[..count])?;
    }
    drop(stream);
    let (count, from) = udp.recv_from(&mut buffer)?;
    udp.send_to(&buffer[..count], from)?;
    Ok(())
}

/// Connects as soon as somebody listens.
fn connect() -> TcpStream {
    loop {
        match TcpStream::connect(format!("localhost:{PORT}")) {
            Ok(stream) => return stream,
            Err(error) => assert_eq!(error.raw_os_error(), Some(ECONNREFUSED), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ask_tcp() -> std::io::Result<()> {
    let mut stream = connect();
    let here = stream.local_addr()?;
    assert_eq!(here.ip().to_string(), "127.0.0.1");
    assert_eq!(
        stream.peer_addr()?,
        SocketAddr::from(([127, 0, 0, 1], PORT))
    );
    stream.set_nonblocking(true)?;
    let mut buffer = [0; 4096];
    let nothing = stream.read(&mut buffer).unwrap_err();
    assert_eq!(nothing.raw_os_error(), Some(EAGAIN));
    stream.set_nonblocking(false)?;
    stream
        .as_ref()
        .set_recv_timeout(Some(Duration::from_millis(20)))?;
    let nothing = stream.read(&mut buffer).unwrap_err();
    assert_eq!(nothing.raw_os_error(), Some(EAGAIN));
    stream.as_ref().set_recv_timeout(None)?;
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let mut received = Vec::new();
    for piece in sent.chunks(4096) {
        stream.write_all(piece)?;
        let mut wanted = piece.len();
        while wanted > 0 {
            let count = stream.read(&mut buffer)?;
            received.extend_from_slice(&buffer[..count]);
            wanted -= count;
        }
    }
    assert_eq!(received, sent);
    stream.shutdown(Shutdown::Write)?;
    assert_eq!(stream.read(&mut buffer)?, 0);
    println!("tcp: {} bytes came back", received.len());
    Ok(())
}

fn ask_udp() -> std::io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = format!("localhost:{PORT}")
        .to_socket_addrs()?
        .next()
        .unwrap();
    assert_eq!(socket.send_to(b"a datagram", server)?, 10);
    let mut buffer = [0; 64];
    let (count, from) = socket.recv_from(&mut buffer)?;
    println!(
        "udp: {:?} from {from}",
        std::str::from_utf8(&buffer[..count])
    );
    Ok(())
}

fn ask_options() -> std::io::Result<()> {
    let socket = Socket::new(AddressFamily::Inet4, SocketType::Stream)?;
    let level = SocketOptLevel::SolSocket;
    assert!(socket.device()?.is_none());
    assert_eq!(socket.get_recv_timeout()?, None);
    let second = Some(Duration::from_secs(1));
    socket.set_recv_timeout(second)?;
    socket.set_send_timeout(second)?;
    assert_eq!(
        (socket.get_recv_timeout()?, socket.get_send_timeout()?),
        (second, second)
    );
    socket.setsockopt(level, SocketOptName::SoKeepalive, 1_i32)?;
    assert!(socket.keepalive()?);
    socket.setsockopt(level, SocketOptName::SoRcvbuf, 65536_i32)?;
    assert_eq!(socket.recv_buffer_size()?, 65536);
    assert!(!socket.is_listener()?);
    assert!(matches!(socket.r#type()?, SocketType::Stream));
    socket.take_error()?;
    let names = nslookup("localhost", "http")?;
    println!("names: localhost is {}", names[0]);
    assert!(nslookup("example.com", "http").is_err());
    Ok(())
}

fn main() -> std::io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    ask_options()?;
    ask_tcp()?;
    ask_udp()
}
