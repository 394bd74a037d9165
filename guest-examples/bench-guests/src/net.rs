//! Loads on the network beside a stream of bytes: connections made, held and refused a rest, datagrams, Services.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::figures::{Figures, Stopwatch};
use crate::tcp::{PAUSE, connect, echo_connection};

/// How long a client waits for a Service and its endpoints.
const SERVICE_PATIENCE: Duration = Duration::from_secs(30);

/// Accepts connections and closes them, without end where `count` is 0.
pub(crate) fn accept(address: &str, count: usize) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)?;
    let mut accepted = 0;
    while count == 0 || accepted < count {
        drop(listener.accept()?);
        accepted += 1;
    }
    Ok(())
}

/// Makes connections one after the other; each ends when the server has closed it.
pub(crate) fn connections(address: &str, count: usize) -> Result<Figures, Failure> {
    drop_at_end(connect(address)?)?;
    let address: SocketAddr = address.parse()?;
    let mut watch = Stopwatch::start(count);
    for _ in 0..count {
        drop_at_end(TcpStream::connect(address)?)?;
        watch.step();
    }
    Ok(watch.finish(0, count, 1))
}

fn drop_at_end(mut connection: TcpStream) -> Result<(), Failure> {
    match connection.read(&mut [0])? {
        0 => Ok(()),
        _ => Err("a connection that is only closed carries data".into()),
    }
}

/// Echoes connections one after the other, without end; says when it listens.
pub(crate) fn serve(address: &str, role: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)?;
    Figures::of(Vec::new(), Duration::ZERO, 0).print(role);
    loop {
        // A client that goes away in the middle is no reason to end.
        let _ = echo_connection(listener.accept()?.0);
    }
}

/// Accepts so many connections, says so, and holds them.
pub(crate) fn hold(address: &str, count: usize, role: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)?;
    let accepted = (0..count).map(|_| listener.accept().map(|(connection, _)| connection));
    rest(accepted.collect::<Result<_, _>>()?, role)
}

/// Makes so many connections, says so, and holds them.
pub(crate) fn open(address: &str, count: usize, role: &str) -> Result<(), Failure> {
    rest(
        (0..count)
            .map(|_| connect(address))
            .collect::<Result<_, _>>()?,
        role,
    )
}

fn rest(connections: Vec<TcpStream>, role: &str) -> Result<(), Failure> {
    Figures::of(Vec::new(), Duration::ZERO, 0).print(role);
    // Until the other side ends, which is when the benchmark ends both.
    for mut connection in connections {
        while connection.read(&mut [0])? > 0 {}
    }
    Ok(())
}

pub(crate) fn udp_echo(address: &str, count: usize) -> Result<(), Failure> {
    let socket = UdpSocket::bind(address)?;
    // The client sends when somebody is there to receive.
    let (mut ready, _) = TcpListener::bind(address)?.accept()?;
    ready.write_all(b"!")?;
    let mut buffer = [0; 2048];
    for _ in 0..count {
        let (len, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(buffer.get(..len).unwrap_or_default(), from)?;
    }
    Ok(())
}

pub(crate) fn udp_ping(address: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    connect(address)?.read_exact(&mut [0])?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let (to, data, mut answer): (SocketAddr, _, _) =
        (address.parse()?, vec![0x5a; size], vec![0; size]);
    let mut watch = Stopwatch::start(count);
    for _ in 0..count {
        socket.send_to(&data, to)?;
        socket.recv_from(&mut answer)?;
        watch.step();
    }
    if answer != data && count > 0 {
        return Err("the echo is not what was sent".into());
    }
    Ok(watch.finish(size, count, 1))
}

/// Connects in turns to a Service and to a pod itself, each a name with a port; how long each connect takes.
pub(crate) fn service(service: &str, pod: &str, count: usize) -> Result<[Figures; 2], Failure> {
    let targets = [resolve(service)?, resolve(pod)?];
    let mut took = [(); 2].map(|()| Vec::with_capacity(count));
    for _ in 0..count {
        for (target, took) in targets.iter().zip(&mut took) {
            let start = Instant::now();
            let connection = TcpStream::connect(target)?;
            took.push(u64::try_from(start.elapsed().as_nanos())?);
            drop_at_end(connection)?;
        }
    }
    Ok(took.map(|took| Figures::of(took, Duration::ZERO, 0)))
}

/// The first address of a name that takes a connection, when it does.
fn resolve(name: &str) -> Result<SocketAddr, Failure> {
    let start = Instant::now();
    loop {
        let address = name.to_socket_addrs().ok().and_then(|mut all| all.next());
        if let Some(address) = address
            && TcpStream::connect(address).is_ok()
        {
            return Ok(address);
        }
        if start.elapsed() > SERVICE_PATIENCE {
            return Err(format!("nobody answers at {name}").into());
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_closed_by_the_server() {
        let address = free_address();
        let figures = thread::scope(|scope| {
            scope.spawn(|| accept(&address, 11).unwrap());
            connections(&address, 10).unwrap()
        });
        assert_eq!(figures.count, 10);
    }

    #[test]
    fn every_datagram_comes_back() {
        let address = free_address();
        let figures = thread::scope(|scope| {
            scope.spawn(|| udp_echo(&address, 10).unwrap());
            udp_ping(&address, 64, 10).unwrap()
        });
        assert_eq!((figures.size, figures.count), (64, 10));
    }

    fn free_address() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    }
}
