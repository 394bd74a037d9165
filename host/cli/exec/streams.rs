//! Carries bytes between this process's streams and a session.

use std::io::{self, Read as _};
use std::thread;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use wasmpod_api::Status;
use wasmpod_api::client::{ClientError, Session, SessionEvent, SessionInput, StreamOptions};

use super::terminal::{RawMode, Sizes, Stops};

/// How much is read from standard input at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// How many such pieces wait for the session; beyond it standard input is not read.
const WAITING: usize = 4;

/// How a session ended.
pub(super) enum End {
    /// By itself, or by the server.
    Status(Status),
    /// Because we are to end: the exit code that says so.
    Signal(u8),
}

/// Carries everything until the session ends.
pub(super) async fn carry(session: Session, streams: StreamOptions) -> anyhow::Result<End> {
    let raw = if streams.tty && streams.stdin {
        Some(RawMode::enter()?)
    } else {
        None
    };
    let mut stops = Stops::listen(raw.is_some())?;
    let Session { input, mut output } = session;
    let feeding = feed(input, streams);
    tokio::pin!(feeding);
    let mut is_feeding = true;
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    let end = loop {
        tokio::select! {
            event = output.next() => match event? {
                Some(SessionEvent::Stdout(bytes)) => {
                    stdout.write_all(&bytes).await?;
                    stdout.flush().await?;
                }
                Some(SessionEvent::Stderr(bytes)) => {
                    stderr.write_all(&bytes).await?;
                    stderr.flush().await?;
                }
                Some(SessionEvent::End(status)) => break End::Status(status),
                None => break End::Status(Status::success()),
            },
            // That nothing more can be written is told by the output's end.
            () = &mut feeding, if is_feeding => is_feeding = false,
            code = stops.next() => break End::Signal(code),
        }
    };
    drop(raw);
    Ok(end)
}

/// Sends standard input, its end, and the terminal's sizes.
async fn feed(mut input: SessionInput, streams: StreamOptions) {
    let mut sizes = Sizes::watch(streams.tty);
    let mut pieces = streams.stdin.then(read_stdin);
    loop {
        let sent: Result<(), ClientError> = tokio::select! {
            piece = next(&mut pieces) => match piece {
                Some(piece) => input.write(&piece).await,
                None => {
                    pieces = None;
                    input.close().await
                }
            },
            size = sizes.next() => input.resize(size).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn next(pieces: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match pieces {
        Some(pieces) => pieces.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads standard input on a thread of its own, which ends with the process: a read cannot be called off.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::spawn(move || {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match io::stdin().lock().read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    let piece = buffer.get(..count).unwrap_or_default().to_vec();
                    if sender.blocking_send(piece).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}
