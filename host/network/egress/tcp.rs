//! Connections to the outside: the guest's attempt waits while the host connects, and has the outcome of that.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream as HostStream;
use tokio::time::timeout;

use crate::Errno;
use crate::limits::EGRESS_CONNECT_TIMEOUT;
use crate::pod::PodNetwork;
use crate::publish::join;
use crate::tcp::{Attempted, TcpOptions, TcpStream};

/// A guest's connection that the host is to make.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) attempt: Attempted,
    /// The real address.
    pub(crate) to: SocketAddr,
}

/// Makes a connection and carries it to its end.
pub(crate) async fn carry_out(departure: Departure, pod: PodNetwork) {
    let Departure { attempt, to } = departure;
    let connected = tokio::select! {
        connected = timeout(EGRESS_CONNECT_TIMEOUT, HostStream::connect(to)) => connected,
        () = attempt.given_up() => return,
    };
    let host = match connected {
        Ok(Ok(host)) => host,
        Ok(Err(error)) => return attempt.fail(errno_of(&error)),
        Err(_) => return attempt.fail(Errno::TimedOut),
    };
    // Small requests must not wait for acknowledgements; a failure costs only latency.
    let _ = host.set_nodelay(true);
    let options = TcpOptions::default();
    let registration = match pod.host().register() {
        Ok(registration) => registration,
        Err(errno) => return attempt.fail(errno),
    };
    let Some(end) = attempt.establish(&options) else {
        return;
    };
    if let Ok(inside) = TcpStream::new(end, registration, options, None) {
        join(host, inside).await;
    }
}

/// `ENFILE` and `EMFILE` of Unix: the host has no descriptors left.
const NO_DESCRIPTORS: [i32; 2] = [23, 24];

/// What a guest sees of a failure to connect.
fn errno_of(error: &io::Error) -> Errno {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Errno::ConnRefused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Errno::ConnReset,
        ErrorKind::TimedOut => Errno::TimedOut,
        ErrorKind::HostUnreachable => Errno::HostUnreach,
        _ if cfg!(unix)
            && error
                .raw_os_error()
                .is_some_and(|code| NO_DESCRIPTORS.contains(&code)) =>
        {
            Errno::MFile
        }
        _ => Errno::NetUnreach,
    }
}
