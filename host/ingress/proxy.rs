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
//! | 502 | nobody listens there, or what comes back is no HTTP, or no TLS |
//! | 504 | the pod takes no connection, or does not begin to answer |

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::timeout;
use wasmpod_network::{Protocol, TcpStream};

use crate::exchange::Exchange;
use crate::front::{Shared, Site};
use crate::guard::IdleLimit;
use crate::headers::{self, Came};
use crate::limits::{DIAL_TIMEOUT, MAX_DIALS};
use crate::route::{Backend, BackendPort};
use crate::spoken::Spoken;
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
pub(crate) struct Refusal(StatusCode, &'static str);

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
pub(crate) const NO_HTTP: Refusal =
    Refusal(StatusCode::BAD_GATEWAY, "the pod did not answer in HTTP");
const NO_TLS: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the pod does not speak TLS");
const NOT_ACCEPTED: Refusal = Refusal(
    StatusCode::GATEWAY_TIMEOUT,
    "the pod does not take the connection",
);
pub(crate) const NO_ANSWER: Refusal =
    Refusal(StatusCode::GATEWAY_TIMEOUT, "the pod does not answer");

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
        let (stream, spoken) = self.dial(&way.backend).await?;
        let begun = spoken.begin(stream.clone(), &way.host).await;
        let (line, version) = begun.ok_or(NO_TLS)?;

        // HTTP/2 has no upgrades of this kind (RFC 9113 8.6).
        let may_upgrade = request.version() == Version::HTTP_11 && version == Version::HTTP_11;
        let wanted = may_upgrade
            .then(|| headers::upgrade(request.headers()))
            .flatten();
        let client = wanted.is_some().then(|| hyper::upgrade::on(&mut request));
        let fields = request.headers_mut();
        let takes_trailers = headers::takes_trailers(fields);
        headers::strip(fields);
        if let Some(protocol) = wanted {
            headers::set_upgrade(fields, protocol);
        }
        headers::forward(fields, self.came, &authority);
        let target = request.uri().path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.version_mut() = version;
        let exchange = Exchange {
            way: &way,
            line,
            stream: stream.clone(),
            tasks: &self.tasks,
        };
        let mut answer = if version == Version::HTTP_2 {
            let fields = request.headers_mut();
            headers::set_takes_trailers(fields, takes_trailers);
            // It is in the target.
            fields.remove(HOST);
            let whole = Uri::builder().scheme("http").authority(authority);
            let whole = whole.path_and_query(target).build();
            *request.uri_mut() = whole.map_err(|_| NO_HOST)?;
            exchange.http2(request).await?
        } else {
            *request.uri_mut() = target.into();
            exchange.http1(request).await?
        };
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

    /// A connection to an endpoint of the service, and what is spoken there.
    async fn dial(&self, backend: &Backend) -> Result<(TcpStream, Spoken), Refusal> {
        let (network, client) = (&self.shared.network, self.came.from);
        for _ in 0..MAX_DIALS {
            let port = self.shared.port(backend).ok_or(NO_ENDPOINT)?;
            let spoken = network.app_protocol(&backend.service, port, Protocol::Tcp);
            let spoken = Spoken::of(spoken.as_deref());
            let at = network.endpoint(&backend.service, port, Protocol::Tcp, client.ip());
            let found = at.and_then(|at| match at.ip() {
                std::net::IpAddr::V4(ip) => Some((network.pod(ip)?, at.port())),
                std::net::IpAddr::V6(_) => None,
            });
            let (pod, port) = found.ok_or(NO_ENDPOINT)?;
            match timeout(DIAL_TIMEOUT, pod.dial_for(client, port)).await {
                Ok(Ok(stream)) => return Ok((stream, spoken)),
                // It has just ended, or does not listen yet: another one may.
                Ok(Err(_)) => {}
                Err(_) => return Err(NOT_ACCEPTED),
            }
        }
        Err(REFUSED)
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
