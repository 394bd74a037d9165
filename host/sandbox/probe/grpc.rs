//! `grpc`: one call of `grpc.health.v1.Health/Check` over HTTP/2, without TLS.
//!
//! The two messages are so small that they are coded here by hand (protocol buffers, wire types 0 and 2). A server that
//! does not listen yet is tried again until the time is up, as the Go client with `WithBlock` does.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{HeaderMap, Request};
use tokio::time::{Instant, sleep_until, timeout_at};
use wasmpod_network::TcpStream;

use super::dial::{Dialer, host_port};
use super::http::drive;
use super::text;
use super::{KUBERNETES_VERSION, Tried};

/// How long after a refused connection the next one is tried; the base delay of gRPC's connection back-off.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// The largest answer, in bytes. A health answer has seven.
const MAX_ANSWER_BYTES: usize = 4096;

/// A message has a flag and its length in front.
const PREFIX_BYTES: usize = 5;

/// Why there is no health answer.
enum CallError {
    /// A status of gRPC.
    Status { code: u32, message: String },
    /// Something below it.
    Transport(String),
}

/// Asks for the health of `service`; the empty name is the whole server.
pub(super) async fn check(dialer: &Dialer, port: u16, service: &str, timeout: Duration) -> Tried {
    let deadline = Instant::now() + timeout;
    let host = dialer.host(None);
    let address = host_port(&host, port);
    let within = text::duration(timeout);
    let stream = loop {
        match timeout_at(deadline, dialer.dial(&host, port)).await {
            Ok(Ok(stream)) => break stream,
            Ok(Err(error)) if error.is_refused() => {
                let next = Instant::now() + RECONNECT_DELAY;
                if next < deadline {
                    sleep_until(next).await;
                    continue;
                }
                sleep_until(deadline).await;
            }
            Ok(Err(error)) => {
                let why = format!("error: failed to connect service at {address:?}: {error}");
                return Tried::Failure(why);
            }
            Err(_) => {}
        }
        let why = format!("timeout: failed to connect service {address:?} within {within}");
        return Tried::Failure(format!("{why}: context deadline exceeded"));
    };
    match timeout_at(deadline, call(stream, &address, service, timeout)).await {
        Ok(Ok(status)) => match serving_status(status) {
            "SERVING" => Tried::Success,
            name => Tried::Failure(format!("service unhealthy (responded with {name:?})")),
        },
        Ok(Err(CallError::Status { code: 12, message })) => Tried::Failure(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
        )),
        Ok(Err(CallError::Status { code: 4, .. })) | Err(_) => Tried::Failure(format!(
            "timeout: health rpc did not complete within {within}"
        )),
        Ok(Err(CallError::Status { code, message })) => Tried::Failure(format!(
            "error: health rpc probe failed: rpc error: code = {} desc = {message}",
            code_name(code)
        )),
        Ok(Err(CallError::Transport(message))) => Tried::Failure(format!(
            "error: health rpc probe failed: rpc error: code = Unavailable desc = {message}"
        )),
    }
}

async fn call(
    stream: TcpStream,
    address: &str,
    service: &str,
    timeout: Duration,
) -> Result<u64, CallError> {
    let (client, connection) = client::handshake(stream).await?;
    let uri = format!("http://{address}/grpc.health.v1.Health/Check");
    let request = Request::post(uri)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, format!("kube-probe/{KUBERNETES_VERSION}"))
        .header("grpc-timeout", format!("{}m", timeout.as_millis()))
        .body(())
        .map_err(|error| CallError::Transport(error.to_string()))?;
    let talk = async {
        let mut client = client.ready().await?;
        let (answer, mut body) = client.send_request(request, false)?;
        body.send_data(encode(service), true)?;
        let (head, mut body) = answer.await?.into_parts();
        if head.status != 200 {
            let status = head.status;
            return Err(CallError::Transport(format!(
                "unexpected HTTP status code received from server: {status}"
            )));
        }
        let mut message = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data?;
            // Freeing what is still open cannot fail.
            drop(body.flow_control().release_capacity(data.len()));
            if message.len() + data.len() > MAX_ANSWER_BYTES {
                return Err(CallError::Transport("the answer is too large".to_owned()));
            }
            message.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?;
        // An answer without a body has its status in its head.
        grpc_status(trailers.as_ref().unwrap_or(&head.headers))?;
        decode(&message).ok_or_else(|| {
            CallError::Transport("the answer is no grpc.health.v1.HealthCheckResponse".to_owned())
        })
    };
    drive(connection, talk).await
}

impl From<h2::Error> for CallError {
    fn from(error: h2::Error) -> Self {
        Self::Transport(format!("transport: {error}"))
    }
}

/// The outcome of a call; an error unless it is `OK`.
fn grpc_status(headers: &HeaderMap) -> Result<(), CallError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status").and_then(|code| code.parse().ok()) {
        Some(0) => Ok(()),
        Some(code) => Err(CallError::Status {
            code,
            message: unescape(text("grpc-message").unwrap_or_default()),
        }),
        None => Err(CallError::Transport(
            "server closed the stream without sending trailers".to_owned(),
        )),
    }
}

/// Undoes gRPC's percent encoding of messages.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A `HealthCheckRequest`: field 1 is the service.
fn encode(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.put_u8(u8::try_from(length).unwrap_or_default());
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

/// The status in a `HealthCheckResponse`: field 1; not there means 0. `None` for what is no such message.
fn decode(frame: &[u8]) -> Option<u64> {
    let (prefix, mut message) = frame.split_at_checked(PREFIX_BYTES)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// `HealthCheckResponse.ServingStatus`
fn serving_status(status: u64) -> &'static str {
    match status {
        1 => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "UNKNOWN",
    }
}

/// The names of gRPC's status codes as Go prints them.
fn code_name(code: u32) -> &'static str {
    let names = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let name = usize::try_from(code).ok().and_then(|code| names.get(code));
    name.copied().unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_the_service() {
        assert_eq!(&encode("")[..], b"\0\0\0\0\0");
        assert_eq!(&encode("liveness")[..], b"\0\0\0\0\x0a\x0a\x08liveness");
        let long = "s".repeat(300);
        assert_eq!(&encode(&long)[5..8], [0x0a, 0xac, 0x02]);
    }

    #[test]
    fn only_a_whole_answer_has_a_status() {
        for (frame, status) in [
            (&b"\0\0\0\0\0"[..], Some(0)),
            (b"\0\0\0\0\x02\x08\x01", Some(1)),
            (b"\0\0\0\0\x05\x12\x01x\x08\x02", Some(2)),
            (b"\0\0\0\0\x02\x08", None),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x12\x09x", None),
            (b"", None),
        ] {
            assert_eq!(decode(frame), status, "{frame:?}");
        }
    }

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(unescape("unknown%20service 100%"), "unknown service 100%");
    }
}
