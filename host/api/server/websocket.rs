//! The opening handshake of a WebSocket (RFC 6455 4.2), and what becomes of the connection then.

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::server::body::Body;
use crate::server::error;
use crate::{Status, channel};

/// A connection after the handshake.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The server's side of a connection that was upgraded.
pub(super) async fn socket(upgraded: Upgraded) -> Socket {
    let io = TokioIo::new(upgraded);
    WebSocketStream::from_raw_socket(io, Role::Server, Some(channel::config())).await
}

/// Does the client ask for a WebSocket?
pub(super) fn is_wanted(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
}

/// A handshake that the server agrees to.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: String,
    /// The protocol that was agreed on; nothing when the client has offered none.
    pub(super) protocol: Option<&'static str>,
}

impl Handshake {
    /// Reads a handshake. The protocol is the first of `spoken` that the client offers; who offers none of them is
    /// refused.
    pub(super) fn of(request: &Request<Incoming>, spoken: &[&'static str]) -> Result<Self, Status> {
        let headers = request.headers();
        if !is_wanted(request) {
            let message = if has_token(headers, &UPGRADE, "SPDY/3.1") {
                "SPDY is not spoken here: exec and attach need a client that uses WebSockets (kubectl 1.30 or newer)"
            } else {
                "exec and attach need a WebSocket: GET with the headers Connection: Upgrade and Upgrade: websocket"
            };
            return Err(error::bad_request(message));
        }
        if !has_token(headers, &SEC_WEBSOCKET_VERSION, "13") {
            return Err(error::bad_request(
                "unsupported WebSocket version: 13 is spoken here",
            ));
        }
        let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
            return Err(error::bad_request(
                "the header Sec-WebSocket-Key is missing",
            ));
        };
        let mut spoken_here = spoken.iter().copied();
        let protocol =
            spoken_here.find(|protocol| has_token(headers, &SEC_WEBSOCKET_PROTOCOL, protocol));
        if protocol.is_none() && headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            return Err(no_protocol(spoken));
        }
        Ok(Self {
            accept: derive_accept_key(key.as_bytes()),
            protocol,
        })
    }

    /// The same, with a protocol.
    pub(super) fn with_protocol(self, spoken: &[&'static str]) -> Result<Self, Status> {
        match self.protocol {
            Some(_) => Ok(self),
            None => Err(no_protocol(spoken)),
        }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::Whole(None));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Some(protocol) = self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        if let Ok(accept) = HeaderValue::try_from(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

fn no_protocol(spoken: &[&str]) -> Status {
    let spoken = spoken.join(", ");
    error::bad_request(format!(
        "unable to negotiate a protocol: spoken here are {spoken}"
    ))
}

/// Is this word in a header that is a list?
fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(wanted))
}
