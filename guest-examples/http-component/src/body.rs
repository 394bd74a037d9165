//! Bodies: from the client, to the client, and from one to the other piece by piece.

use wasip2::http::types::{Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

/// Bytes that are moved at a time.
const PIECE_BYTES: u64 = 64 * 1024;

/// An answer that has begun, and whose body is still to be sent.
pub(crate) struct Sending {
    // Before the body that it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

/// Begins to answer.
pub(crate) fn begin(
    out: ResponseOutparam,
    status: u16,
    headers: &[(&str, &str)],
) -> Option<Sending> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).ok()?;
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).ok()?;
    let body = response.body().ok()?;
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().ok()?;
    Some(Sending { stream, body })
}

/// Answers with a text.
pub(crate) fn text(out: ResponseOutparam, status: u16, text: &str) -> Option<()> {
    let length = text.len().to_string();
    let headers = [("content-type", "text/plain"), ("content-length", &length)];
    let sending = begin(out, status, &headers)?;
    sending.write(text.as_bytes())?;
    sending.finish(None)
}

impl Sending {
    /// Sends this much of the body, waiting for the client where it must.
    pub(crate) fn write(&self, bytes: &[u8]) -> Option<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = usize::try_from(self.stream.check_write().ok()?).ok()?;
            if room == 0 {
                self.stream.subscribe().block();
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.stream.write(now).ok()?;
            rest = later;
        }
        Some(())
    }

    /// Sends a whole incoming body as it comes, and gives its trailers.
    pub(crate) fn copy(&self, from: IncomingBody) -> Option<Option<Fields>> {
        let input = from.stream().ok()?;
        loop {
            match input.blocking_read(PIECE_BYTES) {
                Ok(piece) => self.write(&piece)?,
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(_)) => return None,
            }
        }
        drop(input);
        let trailers = IncomingBody::finish(from);
        trailers.subscribe().block();
        trailers.get()?.ok()?.ok()
    }

    /// The body is complete.
    pub(crate) fn finish(self, trailers: Option<Fields>) -> Option<()> {
        drop(self.stream);
        OutgoingBody::finish(self.body, trailers).ok()
    }
}

/// All of a body, and how many bytes it had.
pub(crate) fn length(from: IncomingBody) -> Option<u64> {
    let input = from.stream().ok()?;
    let mut length = 0;
    loop {
        match input.blocking_read(PIECE_BYTES) {
            Ok(piece) => length += u64::try_from(piece.len()).ok()?,
            Err(StreamError::Closed) => return Some(length),
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
    }
}
