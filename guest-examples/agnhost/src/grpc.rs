//! `grpc-health-checking`: the health service of gRPC (grpc.health.v1.Health/Check), healthy for a while or for ever.
//!
//! One connection after the other, as probes come; the socket is asked again every few milliseconds, because a test
//! guest needs no better way of waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::arguments::Arguments;

const OPTIONS: [&str; 4] = ["port", "http-port", "delay-unhealthy-sec", "service"];
/// The pause when a connection has nothing to do.
const PAUSE: Duration = Duration::from_millis(2);
/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A message of the service: not compressed, two bytes long, field 1 as a number.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];

/// Runs the mode.
pub(crate) fn run(args: &[String]) -> ExitCode {
    match serve(args) {
        Ok(never) => match never {},
        Err(message) => {
            eprintln!("agnhost: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &[String]) -> Result<std::convert::Infallible, String> {
    let options = Arguments::parse(args, &OPTIONS)?;
    let port: u16 = options.number("port", 5000)?;
    let healthy: i64 = options.number("delay-unhealthy-sec", -1)?;
    let listener = TcpListener::bind(("0.0.0.0", port))
        .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
    let start = Instant::now();
    let is_healthy =
        || u64::try_from(healthy).map_or(true, |limit| start.elapsed().as_secs() < limit);
    println!("agnhost: serving health on port {port}");
    loop {
        let (stream, _) = listener
            .accept()
            .map_err(|error| format!("cannot accept: {error}"))?;
        // A client that breaks off is its own business.
        let _ = answer(stream, is_healthy);
    }
}

fn answer(stream: TcpStream, is_healthy: impl Fn() -> bool) -> Result<(), h2::Error> {
    if stream.set_nonblocking(true).is_err() {
        return Ok(());
    }
    block_on(async {
        let mut connection = h2::server::handshake(Patient(stream)).await?;
        while let Some(request) = connection.accept().await {
            let (request, mut respond) = request?;
            let mut trailers = HeaderMap::new();
            let is_check = request.uri().path() == "/grpc.health.v1.Health/Check";
            let status = if is_check { "0" } else { "12" };
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::OK;
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("application/grpc"));
            let mut body = respond.send_response(response, false)?;
            if is_check {
                let message = if is_healthy() { SERVING } else { NOT_SERVING };
                body.send_data(Bytes::from_static(message), false)?;
            }
            body.send_trailers(trailers)?;
        }
        Ok(())
    })
}

/// Asks a future until it is done, or [`PATIENCE`] is over.
fn block_on(future: impl Future<Output = Result<(), h2::Error>>) -> Result<(), h2::Error> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// A socket that is asked again and again.
struct Patient(TcpStream);

fn ready<T>(result: std::io::Result<T>) -> Poll<std::io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = self.0.read(buffer.initialize_unfilled());
        ready(read.map(|count| buffer.advance(count)))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready(self.0.shutdown(std::net::Shutdown::Write))
    }
}
