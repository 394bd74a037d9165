//! Why a request has no answer.

use std::io;

use crate::{Address, Status};

/// Why a request has no answer. Display leaves out the source.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or the caller may not connect.
    #[error("cannot connect to {address:?}")]
    Connect {
        /// Where.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// The connection ended, or the other side does not speak HTTP.
    #[error("the server went away")]
    Connection(#[source] hyper::Error),
    /// The server says no.
    #[error("{0}")]
    Status(Box<Status>),
    /// The path or the query cannot be sent.
    #[error("not a path of the API: `{target}`")]
    Target {
        /// What was to be sent.
        target: String,
        /// Why not.
        source: hyper::http::Error,
    },
    /// The answer is not what it should be.
    #[error("the server's answer cannot be read")]
    Answer(#[source] serde_json::Error),
    /// The answer, or a line of it, has more than `limit` bytes.
    #[error("the server's answer is longer than {limit} bytes")]
    TooLarge {
        /// How long it may be.
        limit: usize,
    },
    /// The server did not open a session.
    #[error("the server does not speak the protocol of exec and attach")]
    NoSession,
    /// A session broke.
    #[error("the session broke")]
    Session(#[source] Box<tokio_tungstenite::tungstenite::Error>),
}

impl ClientError {
    /// The server's reason, such as `NotFound`; nothing when the server said nothing.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.status().map(|status| status.reason.as_str())
    }

    /// The HTTP status code of what the server said.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// What the server said.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Is there no such object?
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason() == Some("NotFound")
    }

    /// Is the server gone, with its process?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Connection(_))
    }
}
