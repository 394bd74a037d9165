//! Loads on a TCP connection. Blocking, one connection: a guest has one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::figures::{Figures, Stopwatch};

/// How long a client waits for its server to listen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two attempts.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
/// Bytes that a server reads at once.
const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) fn echo(address: &str) -> Result<(), Failure> {
    echo_on(&TcpListener::bind(address)?)
}

fn echo_on(listener: &TcpListener) -> Result<(), Failure> {
    echo_connection(listener.accept()?.0)
}

pub(crate) fn echo_connection(mut connection: TcpStream) -> Result<(), Failure> {
    quick(&connection);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let len = connection.read(&mut buffer)?;
        match buffer.get(..len) {
            Some([]) | None => return Ok(()),
            Some(data) => connection.write_all(data)?,
        }
    }
}

pub(crate) fn ping(address: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    let mut connection = connect(address)?;
    let (data, mut answer) = (vec![0x5a; size], vec![0; size]);
    let mut watch = Stopwatch::start(count);
    for _ in 0..count {
        connection.write_all(&data)?;
        connection.read_exact(&mut answer)?;
        watch.step();
    }
    if answer != data && count > 0 {
        return Err("the echo is not what was sent".into());
    }
    Ok(watch.finish(size, count, 1))
}

pub(crate) fn sink(address: &str) -> Result<(), Failure> {
    sink_on(&TcpListener::bind(address)?)
}

fn sink_on(listener: &TcpListener) -> Result<(), Failure> {
    let (mut connection, _) = listener.accept()?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut total = 0_u64;
    loop {
        match connection.read(&mut buffer)? {
            0 => break,
            len => total += u64::try_from(len)?,
        }
    }
    Ok(connection.write_all(&total.to_le_bytes())?)
}

pub(crate) fn stream(address: &str, size: usize, count: usize) -> Result<Figures, Failure> {
    let mut connection = connect(address)?;
    let data = vec![0x5a; size];
    let mut watch = Stopwatch::start(count);
    for _ in 0..count {
        connection.write_all(&data)?;
        watch.step();
    }
    // The run ends when all has arrived, and not when all is written.
    connection.shutdown(Shutdown::Write)?;
    let mut total = [0; 8];
    connection.read_exact(&mut total)?;
    let figures = watch.finish(size, count, 1);
    let (arrived, sent) = (u64::from_le_bytes(total), u64::try_from(size * count)?);
    if arrived == sent {
        Ok(figures)
    } else {
        Err(format!("{arrived} of {sent} bytes arrived").into())
    }
}

pub(crate) fn connect(address: &str) -> Result<TcpStream, Failure> {
    let start = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(connection) => {
                quick(&connection);
                return Ok(connection);
            }
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && start.elapsed() < PATIENCE =>
            {
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// No waiting for more data before sending. Where the option is missing, there is nothing to turn off.
fn quick(connection: &TcpStream) {
    let _ = connection.set_nodelay(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let figures = thread::scope(|scope| {
            scope.spawn(|| echo_on(&listener).unwrap());
            ping(&address, 64, 100).unwrap()
        });
        assert_eq!((figures.size, figures.count), (64, 100));
        assert!(figures.p50_ns <= figures.p99_ns && figures.p99_ns <= figures.total_ns);
    }

    #[test]
    fn all_that_is_streamed_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let figures = thread::scope(|scope| {
            scope.spawn(|| sink_on(&listener).unwrap());
            stream(&address, 100_000, 10).unwrap()
        });
        assert_eq!((figures.size, figures.count), (100_000, 10));
    }
}
