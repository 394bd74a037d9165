//! `exec` and `attach`: a session over a WebSocket (RFC 6455) in the protocol `v5.channel.k8s.io`.
//!
//! Every message begins with the number of its channel: 0 standard input, 1 standard output, 2 standard error, 3 the
//! final status, 4 the size of the terminal, 255 "this channel is closed".

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::header::{
    CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connection::Connection;
use super::{ClientError, query, stream};
use crate::channel;
use crate::{Address, Status};

/// Which streams a session has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// Standard input goes there.
    pub stdin: bool,
    /// Standard output comes back.
    pub stdout: bool,
    /// Standard error comes back. With a terminal there is none.
    pub stderr: bool,
    /// The three are a terminal.
    pub tty: bool,
}

/// How large a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What comes out of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// The end: [`Status::exit_code`] is the command's, unless it could not be run. Nothing comes after it.
    End(Status),
}

/// A command that runs in a pod, or a container's own streams. Dropping both halves ends the session, and with it
/// what `exec` began.
#[derive(Debug)]
pub struct Session {
    /// What goes in.
    pub input: SessionInput,
    /// What comes out.
    pub output: SessionOutput,
}

/// Standard input and the terminal's size. Calls wait while the other side is busy.
#[derive(Debug)]
pub struct SessionInput {
    socket: SplitSink<Socket, Message>,
}

/// Standard output, standard error, and the end.
#[derive(Debug)]
pub struct SessionOutput {
    socket: SplitStream<Socket>,
    has_ended: bool,
    _connection: Connection,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Session {
    pub(super) async fn open(address: &Address, target: &str) -> Result<Self, ClientError> {
        let key = generate_key();
        let request = Request::get(target)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .header(SEC_WEBSOCKET_PROTOCOL, channel::V5)
            .body(Full::new(Bytes::new()))
            .map_err(|source| ClientError::Target {
                target: target.to_owned(),
                source,
            })?;
        let mut connection = Connection::open(address).await?;
        let mut response = connection.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            stream::check((response, connection)).await?;
            return Err(ClientError::NoSession);
        }
        let has = |name, wanted: &str| {
            response
                .headers()
                .get(name)
                .is_some_and(|value| value == wanted)
        };
        if !has("sec-websocket-accept", &derive_accept_key(key.as_bytes()))
            || !has("sec-websocket-protocol", channel::V5)
        {
            return Err(ClientError::NoSession);
        }
        let upgraded = hyper::upgrade::on(&mut response)
            .await
            .map_err(ClientError::Connection)?;
        let io = TokioIo::new(upgraded);
        let socket =
            WebSocketStream::from_raw_socket(io, Role::Client, Some(channel::config())).await;
        let (sink, stream) = socket.split();
        Ok(Self {
            input: SessionInput { socket: sink },
            output: SessionOutput {
                socket: stream,
                has_ended: false,
                _connection: connection,
            },
        })
    }
}

impl SessionInput {
    /// Writes to standard input.
    ///
    /// # Errors
    ///
    /// When the session is over.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for part in bytes.chunks(channel::MAX_PAYLOAD_BYTES) {
            self.send(channel::STDIN, part).await?;
        }
        Ok(())
    }

    /// Closes standard input: the command reads its end.
    ///
    /// # Errors
    ///
    /// When the session is over.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        self.send(channel::CLOSE, &[channel::STDIN]).await
    }

    /// Says how large the terminal is now.
    ///
    /// # Errors
    ///
    /// When the session is over.
    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), ClientError> {
        let size = format!("{{\"Width\":{},\"Height\":{}}}", size.columns, size.rows);
        self.send(channel::RESIZE, size.as_bytes()).await
    }

    async fn send(&mut self, channel: u8, payload: &[u8]) -> Result<(), ClientError> {
        let mut message = BytesMut::with_capacity(payload.len() + 1);
        message.put_u8(channel);
        message.put_slice(payload);
        let sent = self.socket.send(Message::Binary(message.freeze())).await;
        sent.map_err(|error| ClientError::Session(Box::new(error)))
    }
}

impl SessionOutput {
    /// What comes next; `None` after [`SessionEvent::End`]. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// When the session breaks before its end.
    pub async fn next(&mut self) -> Result<Option<SessionEvent>, ClientError> {
        if self.has_ended {
            return Ok(None);
        }
        loop {
            let broken = |error| ClientError::Session(Box::new(error));
            let message = self
                .socket
                .next()
                .await
                .unwrap_or(Err(Error::ConnectionClosed));
            let Message::Binary(mut message) = message.map_err(broken)? else {
                continue;
            };
            // The first, empty message of a session says that it is open.
            if message.len() < 2 {
                continue;
            }
            match message.split_to(1).first() {
                Some(&channel::STDOUT) => return Ok(Some(SessionEvent::Stdout(message))),
                Some(&channel::STDERR) => return Ok(Some(SessionEvent::Stderr(message))),
                Some(&channel::STATUS) => {
                    self.has_ended = true;
                    let status = serde_json::from_slice(&message).map_err(ClientError::Answer)?;
                    return Ok(Some(SessionEvent::End(status)));
                }
                _ => {}
            }
        }
    }
}

pub(super) fn target(
    namespace: &str,
    pod: &str,
    verb: &str,
    container: Option<&str>,
    command: &[String],
    streams: StreamOptions,
) -> String {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/{verb}",
        query::escape(namespace),
        query::escape(pod)
    );
    let mut query: Vec<_> = command
        .iter()
        .map(|word| ("command", word.as_str()))
        .collect();
    query.extend(container.map(|name| ("container", name)));
    let flags = [
        ("stdin", streams.stdin),
        ("stdout", streams.stdout),
        ("stderr", streams.stderr && !streams.tty),
        ("tty", streams.tty),
    ];
    query.extend(flags.map(|(name, is_on)| (name, if is_on { "true" } else { "false" })));
    query::target(&path, &query)
}
