//! The TLS of an outgoing request: the handshake, and what goes wrong in the words of `wasi:http`.
//!
//! Standards: TLS 1.2 and 1.3 (RFC 5246, RFC 8446), names of servers (RFC 9110 4.3.4, RFC 6125), ALPN (RFC 7301).

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};
use wasmpod_network::TcpStream;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, TlsAlertReceivedPayload};

use super::Outcome;

const HTTP2: &[u8] = b"h2";

/// The protocols that are offered, the better one first.
pub(super) const ALPN: [&[u8]; 2] = [HTTP2, b"http/1.1"];

/// Secures a connection to `host`, whose certificate must be for this name or address.
pub(super) async fn secure(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
) -> Outcome<TlsStream<TcpStream>> {
    // An address of IPv6 has brackets in a URI (RFC 3986 3.2.2).
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let name = ServerName::try_from(bare.unwrap_or(host).to_owned());
    let name = name.map_err(|_| Error::HttpRequestUriInvalid)?;
    let secured = TlsConnector::from(config).connect(name, stream).await;
    secured.map_err(|error| of_chain(&error).unwrap_or(Error::ConnectionTerminated))
}

/// Whether both sides have agreed upon HTTP/2.
pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// What TLS has to say in an error or its sources, if it has.
pub(super) fn of_chain(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(of_rustls(error));
        }
        // The source of an I/O error is that of what it carries, which is passed over.
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

/// What [`of_chain`] has found, as a guest is told it.
pub(super) fn code(error: Error) -> ErrorCode {
    match error {
        Error::TlsAlertReceived {
            alert_id,
            alert_message,
        } => ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
            alert_id,
            alert_message,
        }),
        Error::TlsCertificateError => ErrorCode::TlsCertificateError,
        _ => ErrorCode::TlsProtocolError,
    }
}

fn of_rustls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::InvalidCertRevocationList(_) => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}
