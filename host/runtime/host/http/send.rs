//! The way of a request: from its URI to a connection, and over that to its answer.
//!
//! Standards: RFC 9110 4.2 (schemes and their ports), RFC 9112 3.2 and RFC 9113 8.3.1 (how a target is written).

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use wasmpod_network::{AddressFamily, ContainerNetwork, Errno, TcpStream};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::Timed;
use super::tasks::Tasks;
use super::trust::Trust;
use super::{Outcome, Sending, tls};

/// The port of `http` where the authority names none, RFC 9110 4.2.1.
const HTTP_PORT: u16 = 80;

/// The port of `https`, RFC 9110 4.2.2.
const HTTPS_PORT: u16 = 443;

/// How long a request waits for each of its steps when its options do not say: as under wasmtime.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes that the head of a response may have; beyond it the request fails. hyper's own limit is six times that.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Bytes that a server may send of an HTTP/2 response before the guest has taken them: what a connection of the pods'
/// network holds in one direction at first, so that both versions of HTTP are as fast.
const WINDOW_BYTES: u32 = 256 * 1024;

/// What a request is answered with: the response, and what moves its body.
type Answered = (Response<WasiBody>, Sending);

/// Sends a request and waits for the head of its answer.
pub(super) async fn send(
    network: Arc<ContainerNetwork>,
    trust: Trust,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Outcome<Answered> {
    let uri = request.uri();
    let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
    if !is_secure && uri.scheme() != Some(&Scheme::HTTP) {
        return Err(Error::HttpProtocolError);
    }
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let (host, port) = (authority.host().to_owned(), authority.port_u16());

    let limit = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
    if !is_secure {
        let connected = timeout(limit, connect(&network, &host, port.unwrap_or(HTTP_PORT)));
        let stream = connected.await.map_err(|_| Error::ConnectionTimeout)??;
        return over_http1(stream, request, &options).await;
    }
    let secured = async {
        let config = trust.config().await?;
        let stream = connect(&network, &host, port.unwrap_or(HTTPS_PORT)).await?;
        tls::secure(stream, &host, config).await
    };
    let secured = timeout(limit, secured).await;
    let stream = secured.map_err(|_| Error::ConnectionTimeout)??;
    if tls::is_http2(&stream) {
        over_http2(stream, request, &options).await
    } else {
        over_http1(stream, request, &options).await
    }
}

async fn over_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<WasiBody>,
    options: &RequestOptions,
) -> Outcome<Answered> {
    // The target of a request to an origin server is its path.
    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut connection = Box::pin(connection);
    let answer = sender.send_request(request);
    let (response, is_over) = first_byte(answer, connection.as_mut(), options).await?;
    let rest = async move {
        if !is_over {
            connection.await?;
        }
        Ok(())
    };
    Ok((timed(response, options), Box::new(rest)))
}

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<WasiBody>,
    options: &RequestOptions,
) -> Outcome<Answered> {
    // The authority is in the target, which stays whole.
    request.headers_mut().remove(HOST);
    *request.version_mut() = Version::HTTP_2;
    let tasks = Tasks::default();
    let ending = tasks.ending();
    let (mut sender, connection) = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut connection = Box::pin(connection);
    let answer = sender.send_request(request);
    let (response, is_over) = first_byte(answer, connection.as_mut(), options).await?;
    let rest = async move {
        // No further request follows; the streams that there are go on until they end.
        drop(sender);
        if !is_over {
            connection.await?;
        }
        ending.join().await;
        Ok(())
    };
    Ok((timed(response, options), Box::new(rest)))
}

/// The head of an answer, and whether the connection is over already.
async fn first_byte(
    answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    mut connection: std::pin::Pin<&mut (impl Future<Output = hyper::Result<()>> + Send)>,
    options: &RequestOptions,
) -> Outcome<(Response<Incoming>, bool)> {
    let answered = async {
        let mut answer = pin!(answer);
        let mut is_over = false;
        poll_fn(|cx| {
            // The connection moves the request; its end alone says nothing about the answer.
            if !is_over {
                is_over = connection.as_mut().poll(cx).is_ready();
            }
            answer.as_mut().poll(cx)
        })
        .await
        .map(|response| (response, is_over))
    };
    let limit = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let answered = timeout(limit, answered).await;
    Ok(answered.map_err(|_| Error::ConnectionReadTimeout)??)
}

fn timed(response: Response<Incoming>, options: &RequestOptions) -> Response<WasiBody> {
    let limit = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
    response.map(|body| Timed::new(body, limit).boxed_unsync())
}

/// A connection to the first address of `host` that takes one.
async fn connect(network: &ContainerNetwork, host: &str, port: u16) -> Outcome<TcpStream> {
    let addresses = network.lookup(host).await.map_err(|_| Error::DnsError {
        rcode: Some("NXDOMAIN".to_owned()),
        info_code: None,
    })?;
    let mut refusal = Error::DestinationNotFound;
    for ip in addresses {
        let to = SocketAddr::new(ip, port);
        let socket = network
            .tcp_socket(AddressFamily::of(ip))
            .map_err(of_errno)?;
        let connected = match socket.connect(to) {
            Ok(()) => poll_fn(|cx| socket.poll_connect(cx)).await,
            Err(errno) => Err(errno),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(errno) => refusal = of_errno(errno),
        }
    }
    Err(refusal)
}

/// Why there is no connection, in the words of RFC 9209.
fn of_errno(errno: Errno) -> Error {
    match errno {
        Errno::ConnRefused => Error::ConnectionRefused,
        Errno::ConnReset | Errno::Pipe => Error::ConnectionTerminated,
        Errno::HostUnreach => Error::DestinationUnavailable,
        Errno::NetUnreach | Errno::AfNoSupport | Errno::Inval => Error::DestinationIpUnroutable,
        Errno::MFile | Errno::AddrNotAvail => Error::ConnectionLimitReached,
        Errno::TimedOut => Error::ConnectionTimeout,
        other => Error::Connect(other.into()),
    }
}
