//! `pods/NAME/exec` and `pods/NAME/attach`: a session over a WebSocket (RFC 6455).
//!
//! Protocols `v5.channel.k8s.io` and `v4.channel.k8s.io`, which differ in that a client of the first can close its
//! standard input. What is wrong with the request is answered before the session begins; what is wrong with the command
//! is its final status, since clients show that and hide the other.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use wasmpod_manifest::k8s::Pod;
use wasmpod_node::RunningPod;
use wasmpod_sandbox::ExecError;
use wasmpod_sandbox::logs::Stream;
use wasmpod_sandbox::stdio::{
    AttachRequest, ExecRequest, InputWriter, OutputReader, Session, SessionEnd, TerminalSize,
};

use crate::server::body::Body;
use crate::server::limits::CLOSING_TIME;
use crate::server::log::container_of;
use crate::server::query::Query;
use crate::server::websocket::{self, Handshake, Socket};
use crate::server::{AfterUpgrade, Context, error};
use crate::{Status, channel};

/// The newest first.
const PROTOCOLS: &[&str] = &[channel::V5, channel::V4];

/// What a client wants.
#[derive(Debug)]
enum Wanted {
    Exec(ExecRequest),
    Attach(AttachRequest),
}

impl Wanted {
    fn of(verb: &str, query: &Query) -> Result<Self, Status> {
        let (stdin, stdout, stderr, tty) = (
            query.flag("stdin"),
            query.flag("stdout"),
            query.flag("stderr"),
            query.flag("tty"),
        );
        let kind = if verb == "exec" {
            "PodExecOptions"
        } else {
            "PodAttachOptions"
        };
        if !(stdin || stdout || stderr) {
            return Err(error::bad_request(format!(
                "{kind}: you must specify at least 1 of stdin, stdout, stderr"
            )));
        }
        if tty && stderr {
            return Err(error::bad_request(format!(
                "{kind}: tty and stderr cannot both be true"
            )));
        }
        if verb != "exec" {
            return Ok(Self::Attach(AttachRequest {
                stdin,
                stdout,
                stderr,
                tty,
            }));
        }
        let command: Vec<_> = query.all("command").map(str::to_owned).collect();
        if command.first().is_none_or(String::is_empty) {
            return Err(error::bad_request(
                "you must specify at least one command for the container",
            ));
        }
        Ok(Self::Exec(ExecRequest {
            command,
            stdin,
            stdout,
            stderr,
            tty,
        }))
    }

    /// The channel whose empty message says that the session is open: the lowest that the server writes to.
    fn first_channel(&self) -> u8 {
        let (stdout, stderr) = match self {
            Self::Exec(request) => (request.stdout, request.stderr),
            Self::Attach(request) => (request.stdout, request.stderr),
        };
        match (stdout, stderr) {
            (true, _) => channel::STDOUT,
            (false, true) => channel::STDERR,
            (false, false) => channel::STATUS,
        }
    }

    async fn begin(self, pod: &RunningPod, container: &str) -> Result<(Session, bool), ExecError> {
        Ok(match self {
            Self::Exec(request) => (pod.sandbox().exec(container, request).await?, true),
            Self::Attach(request) => (pod.sandbox().attach(container, request).await?, false),
        })
    }
}

/// Answers the request, and leaves what comes after the upgrade in `after`.
pub(super) fn open(
    context: &Arc<Context>,
    pod: &Pod,
    verb: &str,
    query: &Query,
    request: &mut Request<Incoming>,
    after: &AfterUpgrade,
) -> Result<Response<Body>, Status> {
    let wanted = Wanted::of(verb, query)?;
    let container = container_of(pod, query.text("container"))?;
    // After what is wrong with the request itself: a client that is refused tries SPDY next, and shows what that says.
    let handshake = Handshake::of(request, PROTOCOLS)?.with_protocol(PROTOCOLS)?;
    let (namespace, name) = (
        pod.metadata.namespace.as_deref(),
        pod.metadata.name.as_deref(),
    );
    let running = context
        .agent
        .running(namespace.unwrap_or_default(), name.unwrap_or_default());
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending");
    let Some(running) = running.filter(|_| !["Succeeded", "Failed"].contains(&phase)) else {
        let message = match phase {
            "Succeeded" | "Failed" => {
                format!(
                    "cannot {verb} into a container in a completed pod; current phase is {phase}"
                )
            }
            _ => format!("pod {} is not running yet", name.unwrap_or_default()),
        };
        return Err(error::bad_request(message));
    };
    let permit = context.long_request()?;
    let upgrade = hyper::upgrade::on(request);
    after.set(Box::pin(async move {
        if let Ok(upgraded) = upgrade.await {
            run(upgraded, running, container, wanted, permit).await;
        }
    }));
    Ok(handshake.response())
}

async fn run(
    upgraded: Upgraded,
    pod: RunningPod,
    container: String,
    wanted: Wanted,
    _permit: OwnedSemaphorePermit,
) {
    let (mut sink, mut source) = websocket::socket(upgraded).await.split();
    let first = wanted.first_channel();
    let session = wanted.begin(&pod, &container).await;
    // The session holds what it needs: the pod is not kept by its visitors.
    drop(pod);
    // Errors from here on mean that the client is gone, which ends the session.
    if send(&mut sink, first, &[]).await.is_err() {
        return;
    }
    let status = match session {
        Ok((session, is_command)) => {
            let (input, output, end) = session.split();
            let (resize, sizes) = watch::channel(None);
            let outgoing = outgoing(&mut sink, output, end, sizes);
            tokio::select! {
                code = outgoing => match code {
                    // Who is attached is told that it is over, not how: that is the container's status.
                    Some(code) if is_command => Status::of_exit_code(code),
                    Some(_) => Status::success(),
                    None => return,
                },
                () = incoming(&mut source, input, resize) => return,
            }
        }
        Err(wrong) => of_exec(&wrong),
    };
    let status = serde_json::to_vec(&status).unwrap_or_default();
    if send(&mut sink, channel::STATUS, &status).await.is_err() {
        return;
    }
    let goodbye = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    if sink.send(Message::Close(Some(goodbye))).await.is_ok() {
        // The client answers the close frame (RFC 6455 7.1.1), or has no time for that.
        let answered = async { while let Some(Ok(_)) = source.next().await {} };
        drop(timeout(CLOSING_TIME, answered).await);
    }
}

/// Tells the client what comes out, to the end; the guest's code then. Nothing when the client is gone.
async fn outgoing(
    sink: &mut SplitSink<Socket, Message>,
    mut output: OutputReader,
    mut end: SessionEnd,
    mut sizes: watch::Receiver<Option<TerminalSize>>,
) -> Option<i32> {
    let mut has_output = true;
    let mut is_resizable = true;
    loop {
        tokio::select! {
            biased;
            changed = sizes.changed(), if is_resizable => {
                is_resizable = changed.is_ok();
                if let Some(size) = *sizes.borrow_and_update() {
                    end.resize(size);
                }
            }
            piece = output.next(), if has_output => match piece {
                Some((stream, bytes)) => {
                    let channel = match stream {
                        Stream::Stdout => channel::STDOUT,
                        Stream::Stderr => channel::STDERR,
                    };
                    for part in bytes.chunks(channel::MAX_PAYLOAD_BYTES) {
                        send(sink, channel, part).await.ok()?;
                    }
                }
                None => has_output = false,
            },
            exit = end.exit(), if !has_output => return Some(exit.code),
        }
    }
}

/// Takes what the client sends, until it is gone.
async fn incoming(
    source: &mut SplitStream<Socket>,
    mut input: Option<InputWriter>,
    resize: watch::Sender<Option<TerminalSize>>,
) {
    // Pings are answered by the socket itself. A broken frame ends the session, as a lost connection does.
    while let Some(Ok(message)) = source.next().await {
        let mut message = match message {
            Message::Binary(message) => message,
            Message::Text(text) => Bytes::from(text),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        if message.is_empty() {
            continue;
        }
        match message.split_to(1).first() {
            Some(&channel::STDIN) => {
                if let Some(writer) = &input
                    && !message.is_empty()
                    && writer.write(message).await.is_err()
                {
                    // Nobody reads any more: what comes is dropped, as with a closed pipe of which nobody is told.
                    input = None;
                }
            }
            Some(&channel::RESIZE) => {
                if let Ok(size) = serde_json::from_slice::<Size>(&message) {
                    resize.send_replace(Some(size.into()));
                }
            }
            Some(&channel::CLOSE) if message.first() == Some(&channel::STDIN) => input = None,
            // Channels that only the server writes to, and those that nobody knows.
            _ => {}
        }
    }
}

/// A terminal's size as clients send it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

impl From<Size> for TerminalSize {
    fn from(size: Size) -> Self {
        Self {
            columns: size.width,
            rows: size.height,
        }
    }
}

async fn send(
    sink: &mut SplitSink<Socket, Message>,
    channel: u8,
    payload: &[u8],
) -> Result<(), Error> {
    let mut message = BytesMut::with_capacity(payload.len() + 1);
    message.put_u8(channel);
    message.put_slice(payload);
    sink.send(Message::Binary(message.freeze())).await
}

fn of_exec(wrong: &ExecError) -> Status {
    match wrong {
        ExecError::NoSuchContainer { .. } | ExecError::NoCommand => {
            error::bad_request(wrong.to_string())
        }
        ExecError::TooMany { .. } => Status::failure(429, "TooManyRequests", wrong.to_string()),
        ExecError::NotRunning { .. }
        | ExecError::CommandNotFound { .. }
        | ExecError::Files { .. }
        | ExecError::Runtime(_)
        | ExecError::PodEnded => Status::failure(
            500,
            "InternalError",
            format!("Internal error occurred: {wrong}"),
        ),
    }
}
