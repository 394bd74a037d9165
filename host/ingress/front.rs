//! Doors and the connections that come in by them.
//!
//! A door is a port of the machine. Connections of all doors share one bound; what is beyond it waits in the host
//! kernel's listen queue. Everything that is served is a task of [`Front::serve`] and ends with it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use wasmpod_network::{Network, publish};

use crate::certificate::Certificates;
use crate::guard::{Guarded, IdleLimit};
use crate::headers::Came;
use crate::limits::{
    ACCEPT_PAUSE, CONNECTION_WINDOW_BYTES, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT,
    MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS, MAX_STREAMS, STREAM_WINDOW_BYTES,
};
use crate::proxy::Proxy;
use crate::route::Routes;
use crate::tasks::Tasks;

/// The protocols of TLS' ALPN (RFC 7301), the better one first.
const ALPN: [&[u8]; 2] = [HTTP2, b"http/1.1"];
const HTTP2: &[u8] = b"h2";

/// What is spoken at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 or HTTP/2, over TLS 1.2 or 1.3.
    Https,
}

/// A port of the machine, bound; nothing is served before [`Front::serve`].
#[derive(Debug)]
pub struct Door {
    listener: std::net::TcpListener,
    local: SocketAddr,
    scheme: Scheme,
}

impl Door {
    /// Binds a port; port 0 lets the host choose.
    ///
    /// # Errors
    /// The port is in use, needs privileges, or is not one of this host's.
    pub fn open(host: SocketAddr, scheme: Scheme) -> io::Result<Self> {
        let listener = publish::listen(host)?;
        let local = listener.local_addr()?;
        Ok(Self {
            listener,
            local,
            scheme,
        })
    }

    /// The address that was bound.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What is spoken there.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// What is served.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Which request goes where.
    pub routes: Routes,
    /// What is shown to whom.
    pub certificates: Certificates,
}

/// The proxy. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Front {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) network: Network,
    pub(crate) site: watch::Sender<Arc<Site>>,
}

impl Front {
    /// A proxy that serves nothing yet.
    #[must_use]
    pub fn new(network: Network) -> Self {
        let site = watch::Sender::new(Arc::default());
        Self {
            shared: Arc::new(Shared { network, site }),
        }
    }

    /// Serves this from now on. It counts for the next request and the next handshake; what is under way stays, unless it
    /// would go elsewhere now: then it is reset.
    pub fn set(&self, site: Site) {
        self.shared.site.send_replace(Arc::new(site));
    }

    /// Whether a request for this path at this host has a backend now.
    #[must_use]
    pub fn leads(&self, host: &str, path: &str) -> bool {
        self.shared.site.borrow().routes.find(host, path).is_some()
    }

    /// Has everything that is under way looked at again, after services have changed.
    pub fn recheck(&self) {
        self.shared.site.send_modify(|_| ());
    }

    /// Serves at these doors until it is dropped. It must run in a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// A door cannot be served by this runtime, or TLS has no provider.
    pub async fn serve(self, doors: Vec<Door>) -> io::Result<()> {
        let tls = TlsAcceptor::from(Arc::new(self.tls_config().map_err(io::Error::other)?));
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut serving = JoinSet::new();
        for door in doors {
            let listener = TcpListener::from_std(door.listener)?;
            let tls = (door.scheme == Scheme::Https).then(|| tls.clone());
            let shared = Arc::clone(&self.shared);
            serving.spawn(accept(listener, door.local, tls, shared, Arc::clone(&room)));
        }
        while serving.join_next().await.is_some() {}
        Ok(())
    }

    fn tls_config(&self) -> Result<ServerConfig, tokio_rustls::rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let resolver = Arc::new(Resolver(Arc::clone(&self.shared)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}

/// Finds the certificate that counts at the time of a handshake.
#[derive(Debug)]
struct Resolver(Arc<Shared>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let site = self.0.site.borrow();
        let found = site.certificates.find(hello.server_name());
        found.map(crate::Certificate::key)
    }
}

/// Takes what comes in by a door.
async fn accept(
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Cannot fail: nobody closes it.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                let came = Came {
                    from,
                    port: local.port(),
                    scheme,
                };
                let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    connection(stream, came, tls, shared).await;
                    drop(permit);
                });
            }
            // This client went away again.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One connection from its accept to its end.
async fn connection(stream: TcpStream, came: Came, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Small answers must not wait for acknowledgements; a failure costs only latency.
    let _ = stream.set_nodelay(true);
    let idle = IdleLimit::new(IDLE_TIMEOUT);
    let tasks = Tasks::default();
    let _ending = tasks.ending();
    let proxy = Proxy {
        shared,
        came,
        tasks: tasks.clone(),
        idle: idle.clone(),
    };
    let stream = Guarded::new(stream, idle);
    let Some(tls) = tls else {
        return http1(stream, proxy, &tasks).await;
    };
    // Who does not finish, or is refused, learns it from TLS.
    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
        http2(stream, proxy, &tasks).await;
    } else {
        http1(stream, proxy, &tasks).await;
    }
}

pub(crate) async fn http1(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    proxy: Proxy,
    tasks: &Tasks,
) {
    let proxy = Arc::new(proxy);
    let service = service_fn(move |request| Arc::clone(&proxy).answer(request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // What goes wrong is the client's: it has gone, or has sent what is no HTTP and was told so.
    drop(serving.await);
    tasks.end().await;
}

async fn http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    proxy: Proxy,
    tasks: &Tasks,
) {
    let proxy = Arc::new(proxy);
    let service = service_fn(move |request| Arc::clone(&proxy).answer(request));
    let serving = http2::Builder::new(tasks.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    drop(serving.await);
    tasks.end().await;
}
