//! What is spoken with a pod, by the `appProtocol` of its service's port.
//!
//! | `appProtocol` | what is spoken |
//! |---|---|
//! | `kubernetes.io/h2c` | HTTP/2, begun at once (KEP-3726, RFC 9113 3.3) |
//! | `kubernetes.io/wss` | HTTP/1.1 over TLS, with its upgrade to WebSockets (KEP-3726) |
//! | `https` | HTTP/2 or HTTP/1.1 over TLS, as the pod likes (the IANA's name) |
//! | any other, or none | HTTP/1.1, also with upgrades (`kubernetes.io/ws`) |
//!
//! The certificate of a pod is asked for and not judged, as by most controllers: nobody has said whom to believe, and nobody
//! can stand between, because the connection leads through this process straight to the pod that the service has chosen.

use std::sync::Arc;

use hyper::Version;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
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
        let connector = TlsConnector::from(Arc::new(config(protocols).ok()?));
        let secured = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream)).await;
        let stream = secured.ok()?.ok()?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP2) => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        Some((Box::new(stream), version))
    }
}

fn config(protocols: &[&[u8]]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unjudged(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Believes every certificate, and that its owner is there.
#[derive(Debug)]
struct Unjudged(Arc<CryptoProvider>);

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
