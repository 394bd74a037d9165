//! Bodies: from the client, to the client, and from one to the other piece by piece.

use wasip3::http::types::{ErrorCode, Fields, Response, Trailers};
use wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use wasip3::{wit_future, wit_stream};

/// Bytes that are moved at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// What follows a body: trailers, none, or the reason why it is not complete.
pub(crate) type End = Result<Option<Trailers>, ErrorCode>;

/// What became of a body that was sent.
pub(crate) type Sent = FutureReader<Result<(), ErrorCode>>;

/// A body that is still to be sent.
pub(crate) struct Sending {
    contents: StreamWriter<u8>,
    end: FutureWriter<End>,
}

/// Something whose body is to be sent.
pub(crate) struct Body {
    pub(crate) contents: StreamReader<u8>,
    pub(crate) end: FutureReader<End>,
}

/// Both ends of a body. One that is dropped before its end is not complete.
pub(crate) fn pipe() -> (Sending, Body) {
    let (contents, reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(|| Err(ErrorCode::HttpResponseIncomplete));
    let body = Body {
        contents: reader,
        end: end_reader,
    };
    (Sending { contents, end }, body)
}

/// A response with this body.
pub(crate) fn response(
    status: u16,
    headers: &[(&str, &str)],
    body: Body,
) -> Result<(Response, Sent), ErrorCode> {
    let failed = || ErrorCode::InternalError(None);
    let fields = Fields::new();
    for (name, value) in headers {
        let appended = fields.append(name, value.as_bytes());
        appended.map_err(|_| failed())?;
    }
    let (response, sent) = Response::new(fields, Some(body.contents), body.end);
    response.set_status_code(status).map_err(|()| failed())?;
    Ok((response, sent))
}

/// A response that is a text.
pub(crate) fn text(status: u16, text: &str) -> Result<Response, ErrorCode> {
    let length = text.len().to_string();
    let headers = [
        ("content-type", "text/plain"),
        ("content-length", length.as_str()),
    ];
    let (mut sending, body) = pipe();
    let (response, _) = response(status, &headers, body)?;
    let text = text.as_bytes().to_vec();
    wasip3::spawn_local(async move {
        sending.write(text).await;
        sending.finish(None).await;
    });
    Ok(response)
}

impl Sending {
    /// Sends this; false if nobody wants it any more.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> bool {
        self.contents.write_all(bytes).await.is_empty()
    }

    /// Sends a whole body as it comes, and its end.
    pub(crate) async fn copy(mut self, mut from: Body) {
        loop {
            let (result, piece) = from.contents.read(Vec::with_capacity(PIECE_BYTES)).await;
            let is_wanted = piece.is_empty() || self.write(piece).await;
            if !is_wanted || !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        drop(from.contents);
        self.end(from.end.await).await;
    }

    /// The body is complete.
    pub(crate) async fn finish(self, trailers: Option<Trailers>) {
        self.end(Ok(trailers)).await;
    }

    async fn end(self, end: End) {
        drop(self.contents);
        // A client that is gone has nobody to tell.
        let _ = self.end.write(end).await;
    }
}

/// How many bytes a body has.
pub(crate) async fn length(mut from: Body) -> Result<usize, ErrorCode> {
    let mut length = 0;
    loop {
        let (result, piece) = from.contents.read(Vec::with_capacity(PIECE_BYTES)).await;
        length += piece.len();
        if !matches!(result, StreamResult::Complete(_)) {
            break;
        }
    }
    drop(from.contents);
    from.end.await.map(|_| length)
}
