//! Which status tells a client what went wrong, and what the container's log says of it.
//!
//! The codes of `wasi:http` are those of RFC 9209, which recommends a status for each (2.3).

use http::StatusCode;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

/// Why a request has no answer of its guest.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest trapped, exited or panicked the host; the text is for the log.
    Ended(String),
    /// It returned without an answer.
    NoAnswer,
    /// It answered with an error.
    Error(ErrorCode),
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
            Self::Error(code) => of_code(code),
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
            Self::Error(code) => format!("the component answered with an error: {code:?}"),
            Self::TimedOut => "no progress within request-timeout".to_owned(),
            Self::NoInstance(text) => format!("no instance: {text}"),
            Self::TooMany => {
                "max-concurrent-requests reached for all of request-timeout".to_owned()
            }
            Self::Bad(_) => return None,
        })
    }
}

const fn of_code(code: &ErrorCode) -> StatusCode {
    match code {
        ErrorCode::DestinationUnavailable | ErrorCode::ConnectionLimitReached => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::DnsError(_)
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_)
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected => StatusCode::BAD_GATEWAY,
        ErrorCode::HttpRequestDenied => StatusCode::FORBIDDEN,
        ErrorCode::HttpRequestLengthRequired => StatusCode::LENGTH_REQUIRED,
        ErrorCode::HttpRequestBodySize(_) => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::HttpRequestMethodInvalid | ErrorCode::HttpRequestUriInvalid => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::HttpRequestUriTooLong => StatusCode::URI_TOO_LONG,
        ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ErrorCode::DestinationNotFound
        | ErrorCode::ConfigurationError
        | ErrorCode::InternalError(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_beyond_the_component_is_told_as_that_of_a_gateway() {
        for (code, status) in [
            (ErrorCode::ConnectionRefused, 502),
            (ErrorCode::ConnectionReadTimeout, 504),
            (ErrorCode::DestinationUnavailable, 503),
            (ErrorCode::HttpRequestDenied, 403),
            (ErrorCode::InternalError(None), 500),
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
