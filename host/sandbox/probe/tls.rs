//! TLS to a container, for `scheme: HTTPS`.
//!
//! As the kubelet's probes and hooks do it, certificates are not judged (`wasmpod_tls`).

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error, InvalidMessage};
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
        let config = wasmpod_tls::client_config(&[]);
        config.map(Arc::new).map_err(|error| error.to_string())
    });
    config.clone().map_err(TlsError::Failed)
}
