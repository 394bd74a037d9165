//! Reading, writing and accepting: the calls that may wait.
//!
//! What a guest gives as a place is checked before anything happens, and again after a wait. A call that blocks writes
//! everything, as POSIX has it for streams, and one that does not writes what there is room for.

use std::future::poll_fn;
use std::net::SocketAddr;

use wasmpod_network::Errno;

use super::errno::{EAGAIN, EINPROGRESS};
use super::socket::{Direction, Received, Socket};
use super::vectors::{MAX_TRANSFER_BYTES, Vectors};
use crate::host::guest_memory::{Failure, Guest, memory};

/// How a read is to be done: `riflags`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiveFlags {
    /// `RECV_PEEK`: what is received stays.
    peek: bool,
    /// `RECV_WAITALL`: wait until the buffers are full.
    wait_all: bool,
}

impl ReceiveFlags {
    pub(super) const fn of(bits: i32) -> Self {
        Self {
            peek: bits & 1 != 0,
            wait_all: bits & 2 != 0,
        }
    }
}

/// What a call has received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) bytes: u32,
    pub(super) from: Option<SocketAddr>,
    pub(super) truncated: bool,
}

/// Waits until a call in this direction can do something. `EAGAIN` if the descriptor does not block, or its time-out is
/// over.
fn wait(
    guest: &Guest<'_>,
    fd: i32,
    direction: Direction,
) -> impl Future<Output = Result<(), Failure>> + Send + use<> {
    let socket = guest.data().sockets.get(fd);
    let how = socket.map(|socket| {
        let blocks = !socket.nonblocking;
        blocks.then(|| (socket.waiter(direction), socket.timeout(direction)))
    });
    async move {
        let (waiter, timeout) = how?.ok_or(EAGAIN)?;
        let ready = poll_fn(move |cx| waiter.poll_ready(cx));
        match timeout {
            None => ready.await,
            Some(timeout) => tokio::time::timeout(timeout, ready)
                .await
                .map_err(|_| EAGAIN)?,
        }
        Ok(())
    }
}

/// Receives into the guest's buffers.
pub(super) async fn receive(
    guest: &mut Guest<'_>,
    fd: i32,
    buffers: (i32, i32),
    flags: ReceiveFlags,
) -> Result<Receipt, Failure> {
    let mut done = 0_usize;
    let mut receipt = Receipt {
        bytes: 0,
        from: None,
        truncated: false,
    };
    loop {
        let (memory, state) = memory(guest)?;
        let vectors = Vectors::new(buffers, memory)?;
        let socket = state.sockets.get_mut(fd)?;
        let room = vectors.total().saturating_sub(done);
        match socket.try_receive(room.min(MAX_TRANSFER_BYTES), flags.peek) {
            Ok(Received {
                data,
                from,
                truncated,
            }) => {
                vectors.scatter(memory, done, &data)?;
                done = done.saturating_add(data.len());
                receipt = Receipt {
                    bytes: u32::try_from(done).unwrap_or(u32::MAX),
                    from,
                    truncated,
                };
                let wants_more = flags.wait_all && !flags.peek && !socket.is_datagram();
                if !wants_more || data.is_empty() || done >= vectors.total() {
                    return Ok(receipt);
                }
            }
            Err(EAGAIN) => match wait(guest, fd, Direction::Receive).await {
                Err(_) if done > 0 => return Ok(receipt),
                waited => waited?,
            },
            Err(failure) if done > 0 => {
                later(socket, failure);
                return Ok(receipt);
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Sends the guest's buffers; how many bytes were taken.
pub(super) async fn send(
    guest: &mut Guest<'_>,
    fd: i32,
    buffers: (i32, i32),
    to: Option<SocketAddr>,
) -> Result<u32, Failure> {
    let mut done = 0_usize;
    let count = |done: usize| u32::try_from(done).unwrap_or(u32::MAX);
    loop {
        let (memory, state) = memory(guest)?;
        let vectors = Vectors::new(buffers, memory)?;
        let socket = state.sockets.get_mut(fd)?;
        let sent = match socket.room(vectors.total().saturating_sub(done)) {
            Ok(room) => {
                let data = vectors.gather(memory, done, room.min(MAX_TRANSFER_BYTES))?;
                socket.try_send(data, to)
            }
            Err(failure) => Err(failure),
        };
        match sent {
            Ok(sent) => {
                done = done.saturating_add(sent);
                if done >= vectors.total() {
                    return Ok(count(done));
                }
            }
            Err(EAGAIN) => match wait(guest, fd, Direction::Send).await {
                Err(_) if done > 0 => return Ok(count(done)),
                waited => waited?,
            },
            Err(failure) if done > 0 => {
                later(socket, failure);
                return Ok(count(done));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Keeps the one failure that is told once only.
fn later(socket: &mut Socket, failure: Failure) {
    if failure == Failure::from(Errno::ConnReset) {
        socket.tell_later(Errno::ConnReset);
    }
}

/// Accepts a connection and gives it a number.
pub(super) async fn accept(
    guest: &mut Guest<'_>,
    fd: i32,
    nonblocking: bool,
) -> Result<u32, Failure> {
    loop {
        match guest.data().sockets.get(fd)?.try_accept() {
            Ok(mut accepted) => {
                accepted.nonblocking = nonblocking;
                return guest.data_mut().sockets.insert(accepted);
            }
            Err(EAGAIN) => wait(guest, fd, Direction::Receive).await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// Connects; a descriptor that does not block gets `EINPROGRESS` where the connection has to wait for its turn.
pub(super) async fn connect(guest: &mut Guest<'_>, fd: i32, to: SocketAddr) -> Result<(), Failure> {
    let state = guest.data_mut();
    let mut outcome = state.sockets.get_mut(fd)?.connect(to, &state.network);
    while outcome == Err(EINPROGRESS) {
        if wait(guest, fd, Direction::Send).await.is_err() {
            return outcome;
        }
        outcome = guest.data_mut().sockets.get_mut(fd)?.connected();
    }
    outcome
}
