//! TLS to a container, for `scheme: HTTPS`.
//!
//! As the kubelet's probes and hooks do it, no certificate is checked: containers have certificates for the names that
//! their clients use, not for the pod's address, and often sign them themselves. The handshake itself is checked, so
//! the server has the key of the certificate that it shows. TLS 1.2 and 1.3 (RFC 5246, RFC 8446).

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, InvalidMessage, SignatureScheme,
};
use wasmpod_network::TcpStream;

/// Why there is no TLS connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TlsError {
    /// What came was no TLS: servers that speak plain HTTP answer in it.
    Plain,
    /// Everything else, in words.
    Failed(String),
}

/// Begins TLS on a connection to this host, an IP address or a name.
pub(super) async fn begin(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, TlsError> {
    let connector = TlsConnector::from(config()?);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| TlsError::Failed(format!("tls: {error}")))?;
    let connected = connector.connect(name, stream).await;
    connected.map_err(|error| reason(&error))
}

fn reason(error: &io::Error) -> TlsError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => TlsError::Plain,
        Some(cause) => TlsError::Failed(format!("tls: {cause}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => TlsError::Failed("EOF".to_owned()),
        None => TlsError::Failed(error.to_string()),
    }
}

/// One for all probes: it holds no more than what is supported.
fn config() -> Result<Arc<ClientConfig>, TlsError> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        Ok(Arc::new(config))
    });
    config.clone().map_err(TlsError::Failed)
}

/// Takes every certificate, but only from a server that has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
