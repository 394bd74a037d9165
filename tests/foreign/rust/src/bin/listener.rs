//! A web server on `std::net` alone, for the one listener that its host has opened: one connection after the other.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;

fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = "hello from Rust's std\n";
    let length = body.len();
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.shutdown(std::net::Shutdown::Write)
}

fn main() -> std::io::Result<()> {
    // SAFETY: the host opens it before the program starts, and nothing else here uses it.
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    // It does not block at first.
    listener.set_nonblocking(false)?;
    for stream in listener.incoming() {
        if let Err(error) = serve(stream?) {
            eprintln!("a client: {error}");
        }
    }
    Ok(())
}
