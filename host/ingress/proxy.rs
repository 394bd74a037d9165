//! One request: finds its backend, gives it to a pod, and gives the answer back as it comes.
//!
//! Bodies are streams on both ways, and each side reads what the other takes. What is answered here is said in one line of
//! text:
//!
//! | answer | when |
//! |---|---|
//! | 400 | there is no host, or several; `CONNECT` |
//! | 404 | no rule, and no default backend |
//! | 503 | the service has no such port, or no endpoint that is ready |
//! | 502 | nobody listens there, or what comes back is no HTTP |
//! | 504 | the pod takes no connection, or does not begin to answer |

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until, timeout};
use wasmpod_network::{Protocol, TcpStream};

use crate::front::{Shared, Site};
use crate::guard::IdleLimit;
use crate::headers::{self, Came};
use crate::limits::{ANSWER_TIMEOUT, DIAL_TIMEOUT, MAX_DIALS, MAX_HEAD_BYTES, MAX_HEADERS};
use crate::route::{Backend, BackendPort};
use crate::tasks::Tasks;
use crate::tunnel;

/// The body of an answer: a pod's, or ours.
pub(crate) type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// What serves the requests of one connection.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) shared: Arc<Shared>,
    pub(crate) came: Came,
    pub(crate) tasks: Tasks,
    pub(crate) idle: IdleLimit,
}

/// The way that a request takes, as long as it is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    shared: Arc<Shared>,
    host: String,
    path: String,
    backend: Backend,
}

/// An answer of our own.
#[derive(Clone, Copy, Debug)]
struct Refusal(StatusCode, &'static str);

const NO_HOST: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request has not one host");
const NO_PROXY: Refusal = Refusal(StatusCode::BAD_REQUEST, "this is no forward proxy");
const NO_RULE: Refusal = Refusal(
    StatusCode::NOT_FOUND,
    "no ingress has a rule for this host and path",
);
const NO_ENDPOINT: Refusal = Refusal(
    StatusCode::SERVICE_UNAVAILABLE,
    "no pod behind this path is ready",
);
const REFUSED: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the pod refuses the connection");
const NO_HTTP: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the pod did not answer in HTTP");
const NOT_ACCEPTED: Refusal = Refusal(
    StatusCode::GATEWAY_TIMEOUT,
    "the pod does not take the connection",
);
const NO_ANSWER: Refusal = Refusal(StatusCode::GATEWAY_TIMEOUT, "the pod does not answer");

impl From<Refusal> for Answer {
    fn from(Refusal(status, words): Refusal) -> Self {
        let body = Full::from(format!("{} {words}\n", status.as_u16()));
        let mut answer = Self::new(Either::Right(body));
        *answer.status_mut() = status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, text);
        answer
    }
}

impl Proxy {
    /// Answers a request, always.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        Ok(self.pass(request).await.unwrap_or_else(Answer::from))
    }

    async fn pass(&self, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        if request.method() == Method::CONNECT {
            return Err(NO_PROXY);
        }
        let authority = headers::authority(request.uri(), request.headers()).ok_or(NO_HOST)?;
        let way = self.way(&authority, request.uri().path()).ok_or(NO_RULE)?;
        let stream = self.dial(&way.backend).await?;

        let wanted = (request.version() == Version::HTTP_11)
            .then(|| headers::upgrade(request.headers()))
            .flatten();
        let client = wanted.is_some().then(|| hyper::upgrade::on(&mut request));
        let fields = request.headers_mut();
        headers::strip(fields);
        if let Some(protocol) = wanted {
            headers::set_upgrade(fields, protocol);
        }
        headers::forward(fields, self.came, &authority);
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        *request.uri_mut() = Uri::try_from(target).map_err(|_| NO_HOST)?;
        *request.version_mut() = Version::HTTP_11;

        let mut answer = self.exchange(&way, stream.clone(), request).await?;
        *answer.version_mut() = Version::HTTP_11;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let agreed = headers::upgrade(answer.headers()).ok_or(NO_HTTP)?;
            let (client, pod) = (client.ok_or(NO_HTTP)?, hyper::upgrade::on(&mut answer));
            self.tasks
                .spawn_tunnel(tunnel::carry(client, pod, stream, way, self.idle.clone()));
            headers::strip(answer.headers_mut());
            headers::set_upgrade(answer.headers_mut(), agreed);
        } else {
            headers::strip(answer.headers_mut());
        }
        Ok(answer.map(Either::Left))
    }

    /// The way of a request now.
    fn way(&self, authority: &str, path: &str) -> Option<Way> {
        let host = headers::host_of(authority);
        let backend = self.shared.site.borrow().routes.find(&host, path).cloned();
        Some(Way {
            shared: Arc::clone(&self.shared),
            host,
            path: path.to_owned(),
            backend: backend?,
        })
    }

    /// A connection to an endpoint of the service.
    async fn dial(&self, backend: &Backend) -> Result<TcpStream, Refusal> {
        let (network, client) = (&self.shared.network, self.came.from);
        for _ in 0..MAX_DIALS {
            let port = self.shared.port(backend).ok_or(NO_ENDPOINT)?;
            let at = network.endpoint(&backend.service, port, Protocol::Tcp, client.ip());
            let found = at.and_then(|at| match at.ip() {
                std::net::IpAddr::V4(ip) => Some((network.pod(ip)?, at.port())),
                std::net::IpAddr::V6(_) => None,
            });
            let (pod, port) = found.ok_or(NO_ENDPOINT)?;
            match timeout(DIAL_TIMEOUT, pod.dial_for(client, port)).await {
                Ok(Ok(stream)) => return Ok(stream),
                // It has just ended, or does not listen yet: another one may.
                Ok(Err(_)) => {}
                Err(_) => return Err(NOT_ACCEPTED),
            }
        }
        Err(REFUSED)
    }

    /// Sends the request and waits for the head of the answer; the bodies go on in a task of the connection.
    async fn exchange(
        &self,
        way: &Way,
        stream: TcpStream,
        request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Refusal> {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream.clone()))
            .await
            .map_err(|_| NO_HTTP)?;
        let allowed = way.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                // What goes wrong is told to who waits for the answer or its body.
                _ = connection.with_upgrades() => {}
                () = allowed.lost() => stream.abort(),
            }
        });
        let sent = Sent::default();
        let request = request.map(|body| Upload {
            body,
            sent: sent.clone(),
        });
        tokio::select! {
            answer = sender.send_request(request) => answer.map_err(|_| NO_HTTP),
            () = sent.is_long_ago() => Err(NO_ANSWER),
        }
    }
}

impl Shared {
    /// The number of a backend's port, if its service has it.
    fn port(&self, backend: &Backend) -> Option<u16> {
        let service = &backend.service;
        match &backend.port {
            BackendPort::Number(number) => {
                let is_there = self.network.has_port(service, *number, Protocol::Tcp);
                is_there.then_some(*number)
            }
            BackendPort::Name(name) => self.network.named_port(service, name, Protocol::Tcp),
        }
    }
}

impl Way {
    fn is_allowed(&self, site: &Site) -> bool {
        site.routes.find(&self.host, &self.path) == Some(&self.backend)
            && self.shared.port(&self.backend).is_some()
    }

    /// Waits until the request would go elsewhere, or nowhere.
    pub(crate) async fn lost(&self) {
        let mut site = self.shared.site.subscribe();
        loop {
            let now = Arc::clone(&site.borrow_and_update());
            if !self.is_allowed(&now) || site.changed().await.is_err() {
                return;
            }
        }
    }
}

/// When something of a request was given to the pod last.
#[derive(Clone, Debug)]
struct Sent(Arc<Mutex<Instant>>);

impl Default for Sent {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Sent {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until it is [`ANSWER_TIMEOUT`] ago.
    async fn is_long_ago(&self) {
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let end = last + ANSWER_TIMEOUT;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// The body of a request on its way.
struct Upload {
    body: Incoming,
    sent: Sent,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.sent.note();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
