//! Answers: whole, as bytes that come, as lines that come.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::Value;

use super::connection::Connection;
use super::{ClientError, MAX_ANSWER_BYTES};
use crate::Status;

/// The longest line of a watch, in bytes: an object has 3 MiB at most. A longer one is [`ClientError::TooLarge`].
pub const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of an answer as they come. Dropping it ends the request.
#[derive(Debug)]
pub struct ByteStream {
    body: Incoming,
    /// The answer's `Warning` headers, which `kubectl` prints.
    warnings: Vec<String>,
    _connection: Connection,
}

impl ByteStream {
    /// The next bytes; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// When the server went away before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(ClientError::Connection)?;
            // Trailers say nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// What the server warns of, as it is to be shown.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    async fn all(mut self) -> Result<BytesMut, ClientError> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > MAX_ANSWER_BYTES {
                return Err(ClientError::TooLarge {
                    limit: MAX_ANSWER_BYTES,
                });
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

/// The events of a watch: one JSON value a line. Dropping it ends the request.
#[derive(Debug)]
pub struct Lines {
    bytes: ByteStream,
    buffer: BytesMut,
    /// How much of the buffer has no newline.
    searched: usize,
}

impl Lines {
    pub(super) fn new(bytes: ByteStream) -> Self {
        Self {
            bytes,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next event, `{"type": …, "object": …}`; `None` when the server ends the watch. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    ///
    /// When the server went away, or sends what is no JSON.
    pub async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(ClientError::Answer);
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE_BYTES {
                return Err(ClientError::TooLarge {
                    limit: MAX_LINE_BYTES,
                });
            }
            match self.bytes.next().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// The answer if it is a good one, else what the server says is wrong.
pub(super) async fn check(
    (response, connection): (Response<Incoming>, Connection),
) -> Result<ByteStream, ClientError> {
    let code = response.status();
    let warnings = response.headers().get_all(hyper::header::WARNING).iter();
    let warnings = warnings
        .filter_map(|value| warning(value.to_str().ok()?))
        .collect();
    let stream = ByteStream {
        body: response.into_body(),
        warnings,
        _connection: connection,
    };
    if code.is_success() {
        return Ok(stream);
    }
    let body = stream.all().await?;
    let status = serde_json::from_slice::<Status>(&body)
        .ok()
        .filter(|status| !status.status.is_empty());
    Err(ClientError::from(status.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(&body);
        Status::failure(
            code.as_u16(),
            "",
            format!("the server answered {code}: {}", text.trim()),
        )
    })))
}

pub(super) async fn json(answer: (Response<Incoming>, Connection)) -> Result<Value, ClientError> {
    let body = check(answer).await?.all().await?;
    serde_json::from_slice(&body).map_err(ClientError::Answer)
}

/// The text of `299 - "text"` (RFC 7234 5.5).
fn warning(header: &str) -> Option<String> {
    let text = header.strip_prefix("299 ")?.split_once(' ')?.1;
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}
