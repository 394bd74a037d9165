//! `wasi:http` over the pod's virtual network: requests that a guest sends.
//!
//! The types are wasmtime-wasi-http's; what is ours is the way of a request ([`Outgoing`]): the name is looked up as the
//! pod's other programs do it, the connection is one of the container's sockets, and HTTP/1.1 is spoken over it. Each
//! request has a connection of its own, which costs microseconds here.
//!
//! What it deliberately does not do: TLS (`https` fails with `TLS-protocol-error`: nothing in the pods' network has a
//! certificate that anybody could check), HTTP/2, proxies, redirects. Requests that come in are served by `crate::http`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep};
use wasmpod_network::{AddressFamily, ContainerNetwork, Errno, TcpStream};
use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
#[cfg(feature = "wasi-0-3")]
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode03;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpHooks, WasiHttpView as _,
};

use super::ComponentState;

/// The port of `http` where the authority names none, RFC 9110 4.2.1.
const DEFAULT_PORT: u16 = 80;

/// How long a request waits for each of its steps when its options do not say: as under wasmtime.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes that a guest may write to a body at a time, and twice as many that wait for the network.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

/// Bytes that the head of a response may have; beyond it the request fails. hyper's own limit is six times that.
const MAX_HEAD_BYTES: usize = 64 * 1024;

pub(super) fn link_types(linker: &mut Linker<ComponentState>) -> Result<()> {
    let options = LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &(&options).into(), ComponentState::http)
}

pub(super) fn link_outgoing_handler(linker: &mut Linker<ComponentState>) -> Result<()> {
    outgoing_handler::add_to_linker::<_, WasiHttp>(linker, ComponentState::http)
}

/// Where a guest's requests go.
pub(super) struct Outgoing {
    network: Arc<ContainerNetwork>,
}

impl Outgoing {
    pub(super) const fn new(network: Arc<ContainerNetwork>) -> Self {
        Self { network }
    }
}

type Outcome<T> = Result<T, Error>;
type Sending = Box<dyn Future<Output = Outcome<()>> + Send>;

impl WasiHttpHooks for Outgoing {
    /// Not `https`: that does not exist in the pods' network.
    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Sending,
    ) -> Box<dyn Future<Output = Outcome<(http::Response<WasiBody>, Sending)>> + Send> {
        let network = Arc::clone(&self.network);
        Box::new(send(network, request, options.unwrap_or_default()))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode03 {
        if is_end_of_connection(error) {
            ErrorCode03::ConnectionTerminated
        } else {
            ErrorCode03::HttpProtocolError
        }
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_error_from_connect(&mut self, _: &std::io::Error) -> ErrorCode03 {
        ErrorCode03::ConnectionRefused
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if is_end_of_connection(error) {
            ErrorCode::ConnectionTerminated
        } else {
            ErrorCode::HttpProtocolError
        }
    }

    fn p2_error_from_connect(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }
}

fn is_end_of_connection(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}

async fn send(
    network: Arc<ContainerNetwork>,
    mut request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Outcome<(http::Response<WasiBody>, Sending)> {
    let uri = request.uri();
    if uri.scheme() == Some(&Scheme::HTTPS) {
        return Err(Error::TlsProtocolError);
    }
    if uri.scheme() != Some(&Scheme::HTTP) {
        return Err(Error::HttpProtocolError);
    }
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let (host, port) = (authority.host().to_owned(), authority.port_u16());
    let port = port.unwrap_or(DEFAULT_PORT);
    // The target of a request to an origin server is its path, RFC 9112 3.2.1.
    let path = uri.path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();

    let limit = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let connected = tokio::time::timeout(limit, connect(&network, &host, port));
    let stream = connected.await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut connection = Box::pin(connection);
    let answered = async {
        let mut answer = std::pin::pin!(sender.send_request(request));
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
    let answered = tokio::time::timeout(limit, answered).await;
    let (response, is_over) = answered.map_err(|_| Error::ConnectionReadTimeout)??;
    let limit = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let response = response.map(|body| Timed::new(body, limit).boxed_unsync());
    let rest: Sending = Box::new(async move {
        if is_over {
            return Ok(());
        }
        Ok(connection.await?)
    });
    Ok((response, rest))
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

/// The body of a response, of which each piece must come in time.
struct Timed {
    body: Incoming,
    limit: Duration,
    /// Armed when the guest first has to wait.
    until: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Timed {
    const fn new(body: Incoming, limit: Duration) -> Self {
        Self {
            body,
            limit,
            until: None,
            is_waiting: false,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Outcome<Frame<Bytes>>>> {
        loop {
            if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
                self.is_waiting = false;
                return match frame {
                    // The engine takes an empty piece for a stream that is never ready.
                    Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => continue,
                    frame => Poll::Ready(frame.map(|frame| frame.map_err(Error::from))),
                };
            }
            // A time that cannot be told never comes.
            let Some(at) = Instant::now().checked_add(self.limit) else {
                return Poll::Pending;
            };
            let is_waiting = std::mem::replace(&mut self.is_waiting, true);
            let until = match &mut self.until {
                Some(until) => {
                    if !is_waiting {
                        until.as_mut().reset(at);
                    }
                    until
                }
                none @ None => none.insert(Box::pin(tokio::time::sleep_until(at))),
            };
            ready!(until.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
