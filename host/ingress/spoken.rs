//! What is spoken with a pod, by the `appProtocol` of its service's port.
//!
//! | `appProtocol` | what is spoken |
//! |---|---|
//! | `kubernetes.io/h2c` | HTTP/2, begun at once (KEP-3726, RFC 9113 3.3) |
//! | `kubernetes.io/wss` | HTTP/1.1 over TLS, with its upgrade to WebSockets (KEP-3726) |
//! | `https` | HTTP/2 or HTTP/1.1 over TLS, as the pod likes (the IANA's name) |
//! | any other, or none | HTTP/1.1, also with upgrades (`kubernetes.io/ws`) |
//!
//! The certificate of a pod is asked for and not judged, as by most controllers (`wasmpod_tls`).

use std::sync::Arc;

use hyper::Version;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmpod_network::TcpStream;

use crate::limits::HANDSHAKE_TIMEOUT;

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// What is spoken at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS.
    H2c,
    /// TLS, and over it one of these, the better one first.
    Tls(&'static [&'static [u8]]),
}

/// A connection to a pod as requests are sent over it.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

impl Spoken {
    pub(crate) fn of(app_protocol: Option<&str>) -> Self {
        match app_protocol {
            Some("kubernetes.io/h2c") => Self::H2c,
            Some("kubernetes.io/wss") => Self::Tls(&[HTTP1]),
            Some("https") => Self::Tls(&[HTTP2, HTTP1]),
            _ => Self::Http1,
        }
    }

    /// Begins to speak it with a pod that is asked for `host`: the connection and the version of HTTP. Nothing when the pod
    /// does not.
    pub(crate) async fn begin(
        self,
        stream: TcpStream,
        host: &str,
    ) -> Option<(Box<dyn Line>, Version)> {
        let protocols = match self {
            Self::Http1 => return Some((Box::new(stream), Version::HTTP_11)),
            Self::H2c => return Some((Box::new(stream), Version::HTTP_2)),
            Self::Tls(protocols) => protocols,
        };
        let name = ServerName::try_from(host.to_owned());
        // One that is none is not sent.
        let name = name.unwrap_or_else(|_| ServerName::IpAddress(stream.peer_addr().ip().into()));
        let connector = TlsConnector::from(Arc::new(wasmpod_tls::client_config(protocols).ok()?));
        let secured = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream)).await;
        let stream = secured.ok()?.ok()?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP2) => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        Some((Box::new(stream), version))
    }
}
