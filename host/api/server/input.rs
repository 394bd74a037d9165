//! A request's body, whole and bounded.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use tokio::time::timeout;

use crate::Status;
use crate::server::error;
use crate::server::limits::{BODY_TIMEOUT, MAX_BODY_BYTES};

/// A body and what it is said to be.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: Bytes,
    /// The media type without parameters, in lower case.
    pub(super) media: Option<String>,
}

impl Input {
    pub(super) async fn read(request: Request<Incoming>) -> Result<Self, Status> {
        let media = request.headers().get(CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).map(|media| {
            let media = media.split(';').next().unwrap_or_default();
            media.trim().to_ascii_lowercase()
        });
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
        let body = timeout(BODY_TIMEOUT, body).await.map_err(|_| {
            Status::failure(408, "Timeout", "the request's body did not come in time")
        })?;
        let body = body.map_err(|wrong| match wrong.downcast_ref::<LengthLimitError>() {
            Some(_) => {
                let message = format!("Request entity too large: limit is {MAX_BODY_BYTES}");
                Status::failure(413, "RequestEntityTooLarge", message)
            }
            None => error::bad_request("the request's body cannot be read"),
        })?;
        Ok(Self {
            bytes: body.to_bytes(),
            media,
        })
    }

    /// The body of what must be JSON, as it is when nothing else is said.
    pub(super) fn json(self) -> Result<Bytes, Status> {
        match self.media.as_deref() {
            Some(other) if !self.bytes.is_empty() && other != "application/json" => {
                Err(error::unsupported_media(other, &["application/json"]))
            }
            _ => Ok(self.bytes),
        }
    }
}
