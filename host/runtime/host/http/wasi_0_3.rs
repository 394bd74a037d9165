//! What went wrong with a connection, as a guest of WASI 0.3 is told it.

use std::error::Error as _;

use wasmtime_wasi_http::Error;
pub(super) use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::bindings::http::types::TlsAlertReceivedPayload;

use super::{is_end_of_connection, tls};

/// What hyper has to say. With TLS 1.3 a server that wants a certificate says so after the handshake.
pub(super) fn of_hyper(error: &hyper::Error) -> ErrorCode {
    match error.source().and_then(tls::of_chain) {
        Some(Error::TlsAlertReceived {
            alert_id,
            alert_message,
        }) => ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
            alert_id,
            alert_message,
        }),
        Some(Error::TlsCertificateError) => ErrorCode::TlsCertificateError,
        Some(_) => ErrorCode::TlsProtocolError,
        None if is_end_of_connection(error) => ErrorCode::ConnectionTerminated,
        None => ErrorCode::HttpProtocolError,
    }
}
