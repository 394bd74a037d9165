//! `httpGet`: one GET over a connection of its own, redirects on the same host followed.
//!
//! The request has what the kubelet's has: `User-Agent` and `Accept` unless the action names its own, the action's
//! `Host`, `Connection: close`, no compression. At most [`MAX_OUTPUT_BYTES`] of the body are read. The errors are
//! worded as Go's `http.Client` words them.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use wasmpod_manifest::k8s::HTTPGetAction;

use super::MAX_OUTPUT_BYTES;
use super::dial::{Dialer, timed_out};
use super::tls::{self, TlsError};
use super::url::Url;

/// How many requests one call may take; Go's limit of redirects.
const MAX_REQUESTS: usize = 10;

/// The largest head of an answer, in bytes; a larger one is a failure. Go would take 10 MiB (`MaxResponseHeaderBytes`
/// of its default transport), far more than any server of a pod sends.
const MAX_HEAD_BYTES: usize = 64 * 1024;

const AWAITING: &str = "(Client.Timeout exceeded while awaiting headers)";

/// One call.
pub(crate) struct HttpGet<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) action: &'a HTTPGetAction,
    /// The action's port, by number.
    pub(crate) port: u16,
    pub(crate) user_agent: &'a str,
    /// When the call is given up.
    pub(crate) deadline: Instant,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Where a redirect leads.
    location: Option<String>,
    /// Its beginning.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HttpError {
    /// The server cannot be reached, or does not answer.
    Failed(String),
    /// The answer began and broke off.
    Body(String),
    /// The server answers in plain HTTP where TLS was begun.
    Plain(String),
}

impl HttpError {
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Failed(message) | Self::Body(message) | Self::Plain(message) => message,
        }
    }
}

impl HttpGet<'_> {
    /// Makes the call.
    pub(crate) async fn send(&self) -> Result<Response, HttpError> {
        let is_https = self.action.scheme.as_deref() == Some("HTTPS");
        let host = self.dialer.host(self.action.host.as_deref());
        let path = self.action.path.as_deref().unwrap_or("/");
        let mut url = Url::new(is_https, &host, self.port, path);
        let mut headers = self.headers()?;
        for _ in 0..MAX_REQUESTS {
            let response = self.send_one(&url, &headers).await?;
            let is_redirect = matches!(response.status, 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.location.as_deref().filter(|_| is_redirect) else {
                return Ok(response);
            };
            let next = url.join(location).ok_or_else(|| {
                let why = format!("failed to parse Location header {location:?}");
                HttpError::Failed(format!("Get {:?}: {why}", url.to_string()))
            })?;
            if next.host != url.host {
                return Ok(response);
            }
            // A name of the action's own goes along only while the redirect names none.
            if next.authority() != url.authority() {
                headers.remove(HOST);
            }
            url = next;
        }
        let why = format!("stopped after {MAX_REQUESTS} redirects");
        Err(HttpError::Failed(format!(
            "Get {:?}: {why}",
            url.to_string()
        )))
    }

    fn headers(&self) -> Result<HeaderMap, HttpError> {
        let mut headers = HeaderMap::new();
        for header in self.action.http_headers.iter().flatten() {
            let name: Result<HeaderName, _> = header.name.parse();
            let value = HeaderValue::from_str(&header.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                let why = format!("net/http: invalid header field {:?}", header.name);
                return Err(HttpError::Failed(why));
            };
            headers.append(name, value);
        }
        // One that is there and empty is not sent at all.
        for (name, default) in [(USER_AGENT, self.user_agent), (ACCEPT, "*/*")] {
            match headers.get(&name) {
                None => {
                    if let Ok(value) = HeaderValue::from_str(default) {
                        headers.insert(name, value);
                    }
                }
                Some(own) if own.is_empty() => {
                    headers.remove(name);
                }
                Some(_) => {}
            }
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(headers)
    }

    async fn send_one(&self, url: &Url, headers: &HeaderMap) -> Result<Response, HttpError> {
        let failed = |why: &str| HttpError::Failed(format!("Get {:?}: {why}", url.to_string()));
        let dialing = self.dialer.dial(&url.host, url.port());
        let stream = match timeout_at(self.deadline, dialing).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(&error.to_string())),
            Err(_) => {
                let why = timed_out(&url.host, url.port());
                return Err(failed(&format!("{why} {AWAITING}")));
            }
        };
        let mut request = Request::get(url.target.as_str());
        if let Some(all) = request.headers_mut() {
            *all = headers.clone();
            if !all.contains_key(HOST)
                && let Ok(host) = HeaderValue::from_str(&url.authority())
            {
                all.insert(HOST, host);
            }
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| failed(&error.to_string()))?;
        if !url.is_https {
            return self.exchange(stream, request, &failed).await;
        }
        let begin = Box::pin(tls::begin(&url.host, stream));
        match timeout_at(self.deadline, begin).await {
            Ok(Ok(stream)) => Box::pin(self.exchange(stream, request, &failed)).await,
            Ok(Err(TlsError::Plain)) => Err(HttpError::Plain(format!(
                "Get {:?}: http: server gave HTTP response to HTTPS client",
                url.to_string()
            ))),
            Ok(Err(TlsError::Failed(why))) => Err(failed(&why)),
            Err(_) => Err(failed(&format!("context deadline exceeded {AWAITING}"))),
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Empty<Bytes>>,
        failed: &(dyn Fn(&str) -> HttpError + Sync),
    ) -> Result<Response, HttpError> {
        let (mut sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&words(&error)))?;
        let talk = async {
            let answer = match timeout_at(self.deadline, sender.send_request(request)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => return Err(failed(&words(&error))),
                Err(_) => return Err(failed(&format!("context deadline exceeded {AWAITING}"))),
            };
            let (head, mut body) = answer.into_parts();
            let mut kept = Vec::new();
            while kept.len() < MAX_OUTPUT_BYTES {
                let frame = match timeout_at(self.deadline, body.frame()).await {
                    Ok(None) => break,
                    Ok(Some(Ok(frame))) => frame,
                    Ok(Some(Err(error))) => return Err(HttpError::Body(body_words(&error))),
                    Err(_) => {
                        let why = "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
                        return Err(HttpError::Body(why.to_owned()));
                    }
                };
                if let Some(data) = frame.data_ref() {
                    let room = MAX_OUTPUT_BYTES - kept.len();
                    kept.extend_from_slice(data.get(..room).unwrap_or(data));
                }
            }
            let location = head.headers.get(LOCATION);
            Ok(Response {
                status: head.status.as_u16(),
                location: location.and_then(|value| value.to_str().ok().map(str::to_owned)),
                body: kept,
            })
        };
        drive(connection, talk).await
    }
}

/// Runs `talk` while `connection` carries its bytes, in one task.
pub(super) async fn drive<T>(connection: impl Future, talk: impl Future<Output = T>) -> T {
    let mut connection = pin!(connection);
    let mut talk = pin!(talk);
    let mut has_ended = false;
    poll_fn(|cx| {
        if let Poll::Ready(result) = talk.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        // What went wrong with the connection is told to `talk`.
        if !has_ended && connection.as_mut().poll(cx).is_ready() {
            has_ended = true;
            return talk.as_mut().poll(cx);
        }
        Poll::Pending
    })
    .await
}

fn words(error: &hyper::Error) -> String {
    if error.is_parse() {
        return format!("net/http: HTTP/1.x transport connection broken: {error}");
    }
    if let Some(io) = io_cause(error) {
        return match io.kind() {
            std::io::ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
            std::io::ErrorKind::BrokenPipe => "write: broken pipe".to_owned(),
            _ => io.to_string(),
        };
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "EOF".to_owned();
    }
    error.to_string()
}

fn body_words(error: &hyper::Error) -> String {
    match io_cause(error) {
        Some(_) => words(error),
        None => "unexpected EOF".to_owned(),
    }
}

fn io_cause(error: &hyper::Error) -> Option<&std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref() {
            return Some(io);
        }
        source = cause.source();
    }
    None
}
