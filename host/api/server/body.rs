//! What a response carries, and how responses are made.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::StreamExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::Status;

type ByteStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The body of a response: whole, or as it comes. Nothing is read ahead of the client: a stream is asked for more when
/// the client has taken what there was.
pub(crate) enum Body {
    Whole(Option<Bytes>),
    Stream(ByteStream),
}

impl Body {
    pub(crate) fn stream(stream: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Stream(Box::pin(stream))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream
                .poll_next_unpin(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// How much of a warning is told, in characters: the API server cuts long ones too.
const MAX_WARNING_CHARS: usize = 256;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer in JSON.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    with_code(StatusCode::OK, JSON, value)
}

/// An answer in JSON of this content type.
pub(crate) fn json_as(content_type: HeaderValue, value: &impl Serialize) -> Response<Body> {
    with_code(StatusCode::OK, content_type, value)
}

/// A short text.
pub(crate) fn text(text: &'static str) -> Response<Body> {
    let body = Body::Whole(Some(Bytes::from_static(text.as_bytes())));
    respond(
        StatusCode::OK,
        HeaderValue::from_static("text/plain; charset=utf-8"),
        body,
    )
}

/// An answer that comes bit by bit.
pub(crate) fn streamed(content_type: HeaderValue, body: Body) -> Response<Body> {
    respond(StatusCode::OK, content_type, body)
}

/// Why there is no other answer.
pub(crate) fn status(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = if status.is_success() {
        StatusCode::OK
    } else {
        code
    };
    let mut response = with_code(code, JSON, status);
    let details = status.details.as_ref();
    if let Some(seconds) = details.and_then(|details| details.retry_after_seconds) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Adds a warning for the person at the client (RFC 9111 5.5, as Kubernetes has it).
pub(crate) fn warn(response: &mut Response<Body>, text: &str) {
    let quoted: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_WARNING_CHARS)
        .flat_map(|c| {
            ['\\']
                .into_iter()
                .filter(move |_| matches!(c, '"' | '\\'))
                .chain([c])
        })
        .collect();
    let value = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes());
    // Text without control characters always is a value.
    if let Ok(value) = value {
        response.headers_mut().append(WARNING, value);
    }
}

fn with_code(
    code: StatusCode,
    content_type: HeaderValue,
    value: &impl Serialize,
) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            respond(code, content_type, Body::Whole(Some(text.into())))
        }
        Err(error) => {
            // Nothing that is served has such keys or values; a status never does.
            let message = format!(
                "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"InternalError\",\"code\":500,\"message\":{:?}}}\n",
                error.to_string()
            );
            respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                JSON,
                Body::Whole(Some(message.into())),
            )
        }
    }
}

fn respond(code: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
