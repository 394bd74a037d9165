//! Which status tells a client what went wrong, and what the container's log says of it.
//!
//! The codes of `wasi:http` are those of RFC 9209, which recommends a status for each (2.3).

use http::StatusCode;
use wasmtime_wasi_http::Error;

/// Why a request has no answer of its guest.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest trapped, exited or panicked the host; the text is for the log.
    Ended(String),
    /// It returned without an answer.
    NoAnswer,
    /// It answered with an error.
    Error(Error),
    /// It made no progress in its time.
    TimedOut,
    /// There is no instance for it.
    NoInstance(String),
    /// As many requests as may be were answered all the time.
    TooMany,
    /// What the client sent is no request.
    Bad(&'static str),
}

impl Failure {
    /// The status for the client.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Ended(_) | Self::NoAnswer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Error(error) => of_error(error),
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::NoInstance(_) | Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What the log says; nothing where the component is not to blame.
    pub(super) fn message(&self) -> Option<String> {
        Some(match self {
            Self::Ended(text) => text.clone(),
            Self::NoAnswer => "the component returned without an answer".to_owned(),
            Self::Error(error) => format!("the component answered with an error: {error:?}"),
            Self::TimedOut => "no progress within request-timeout".to_owned(),
            Self::NoInstance(text) => format!("no instance: {text}"),
            Self::TooMany => {
                "max-concurrent-requests reached for all of request-timeout".to_owned()
            }
            Self::Bad(_) => return None,
        })
    }
}

const fn of_error(error: &Error) -> StatusCode {
    match error {
        Error::DestinationUnavailable | Error::ConnectionLimitReached => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::DnsTimeout
        | Error::ConnectionTimeout
        | Error::ConnectionReadTimeout
        | Error::ConnectionWriteTimeout
        | Error::HttpResponseTimeout => StatusCode::GATEWAY_TIMEOUT,
        Error::DnsError { .. }
        | Error::DestinationIpProhibited
        | Error::DestinationIpUnroutable
        | Error::ConnectionRefused
        | Error::ConnectionTerminated
        | Error::TlsProtocolError
        | Error::TlsCertificateError
        | Error::TlsAlertReceived { .. }
        | Error::HttpResponseIncomplete
        | Error::HttpResponseHeaderSectionSize(_)
        | Error::HttpResponseHeaderSize { .. }
        | Error::HttpResponseBodySize(_)
        | Error::HttpResponseTrailerSectionSize(_)
        | Error::HttpResponseTrailerSize { .. }
        | Error::HttpResponseTransferCoding(_)
        | Error::HttpResponseContentCoding(_)
        | Error::HttpUpgradeFailed
        | Error::HttpProtocolError
        | Error::LoopDetected
        | Error::Hyper(_)
        | Error::Connect(_)
        | Error::Tls(_) => StatusCode::BAD_GATEWAY,
        Error::HttpRequestDenied => StatusCode::FORBIDDEN,
        Error::HttpRequestLengthRequired => StatusCode::LENGTH_REQUIRED,
        Error::HttpRequestBodySize(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::HttpRequestMethodInvalid | Error::HttpRequestUriInvalid => StatusCode::BAD_REQUEST,
        Error::HttpRequestUriTooLong => StatusCode::URI_TOO_LONG,
        Error::HttpRequestHeaderSectionSize(_)
        | Error::HttpRequestHeaderSize { .. }
        | Error::HttpRequestTrailerSectionSize(_)
        | Error::HttpRequestTrailerSize { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        // Those that the engine may add; the others are of this kind.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_beyond_the_component_is_told_as_that_of_a_gateway() {
        for (code, status) in [
            (Error::ConnectionRefused, 502),
            (Error::ConnectionReadTimeout, 504),
            (Error::DestinationUnavailable, 503),
            (Error::HttpRequestDenied, 403),
            (Error::InternalError(None), 500),
        ] {
            assert_eq!(Failure::Error(code).status().as_u16(), status);
        }
    }

    #[test]
    fn a_clients_own_mistake_is_not_told_in_the_log() {
        assert_eq!(Failure::Bad("no host").message(), None);
        assert!(Failure::NoAnswer.message().is_some());
    }
}
