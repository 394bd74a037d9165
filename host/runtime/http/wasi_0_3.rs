//! Asking an instance for an answer by `wasi:http/handler` of WASI 0.3.
//!
//! The guest returns its response before its body: the body comes by a stream that the instance goes on to feed, and the
//! engine moves the stream only while the instance is being run. So it is run until three things have come about: the
//! guest has returned, nothing of it is left to do, and the client has the whole body or is gone. Then it may be dropped,
//! or asked again.
//!
//! A stream that the guest got from this host (the body of the request, or of another server's response) goes where the
//! guest sends it as it is, without passing through the guest. The engine moves some of these by tasks of its own, which
//! hold what they move; so the body of the request ends with the instance's work on it ([`Lent`]), and those tasks too.
//!
//! What it deliberately does not do: let an instance answer several requests at a time, which 0.3 allows. What one
//! request takes and does would not be told from the other's.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::{Result, Store};
use wasmtime_wasi_http::{Error, FieldMap, WasiBody, WasiHttpHooks, WasiHttpView as _, p3};

pub(super) use p3::bindings::Service;
pub(crate) use p3::bindings::ServicePre;

use super::body::RequestBody;
use super::handler::Answer;
use crate::host::ComponentState;

/// Streams, futures, calls and tasks of the component model that one instance may have at a time, their ends counted each;
/// beyond it what needs one more traps. A thousand requests to others at a time need half of it. A task can take a stack of
/// its own, and that two of the 65,530 mappings that Linux allows a process.
const MAX_CONCURRENT_OBJECTS: usize = 10_000;

/// Bounds what an instance in `store` can take of this host by concurrency.
pub(super) fn bound(store: &mut Store<ComponentState>) {
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(MAX_CONCURRENT_OBJECTS);
    }
}

/// Lets the guest handle a request; `answer` gets its answer, which may be long before this returns, or never.
///
/// # Errors
/// The guest trapped or exited.
pub(super) async fn answer(
    service: &Service,
    store: &mut Store<ComponentState>,
    request: Request<RequestBody>,
    answer: impl FnOnce(Answer) + Send + Sync + 'static,
) -> Result<()> {
    let is_head = request.method() == Method::HEAD;
    let (_works, over) = oneshot::channel();
    let request = request.map(|body| Lent {
        body,
        over: Some(over),
    });
    let request = match incoming(store.data_mut().http().hooks, request) {
        Ok(request) => request,
        Err(error) => {
            answer(Err(error));
            return Ok(());
        }
    };
    let run = store.run_concurrent(async move |accessor| -> Result<()> {
        let response = match service.handle(accessor, request).await? {
            Ok(response) => response,
            Err(code) => {
                answer(Err(code.into()));
                poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                return Ok(());
            }
        };
        let has_body = !is_head
            && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status);
        let (tell, told) = oneshot::channel();
        let (holds, released) = oneshot::channel::<()>();
        let sent = async { told.await.unwrap_or(Err(Error::ConnectionTerminated)) };
        let response = accessor.with(|store| response.into_http(store, sent))?;
        answer(Ok(response.map(|body| {
            let sending = Sending {
                body,
                has_body,
                tell: Some(tell),
                _holds: holds,
            };
            sending.boxed_unsync()
        })));
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        // Nothing is ever sent: it is an error when the body is dropped.
        drop(released.await);
        Ok(())
    });
    run.await?
}

/// A request of a client, as WASI 0.3 has it.
fn incoming(
    hooks: &mut dyn WasiHttpHooks,
    request: Request<Lent>,
) -> std::result::Result<p3::Request, Error> {
    let (parts, body) = request.into_parts();
    let authority = authority(&parts)?;
    let path = parts.uri.into_parts().path_and_query;
    let headers = FieldMap::new_immutable(hooks, parts.headers);
    let scheme = Some(Scheme::HTTP);
    // What the guest says of the body is for nobody.
    let (request, _) = p3::Request::new(parts.method, scheme, authority, path, headers, None, body);
    Ok(request)
}

/// Whom the client has asked. In HTTP/1.1 a field says so, which guests do not get to see.
fn authority(parts: &Parts) -> std::result::Result<Option<Authority>, Error> {
    if let Some(authority) = parts.uri.authority() {
        return Ok(Some(authority.clone()));
    }
    match parts.headers.get(HOST).map(|host| host.as_bytes()) {
        // Of a target that has none, RFC 9112 3.2.
        None | Some(b"") => Ok(None),
        Some(host) => Authority::try_from(host)
            .map(Some)
            .map_err(|_| Error::HttpRequestUriInvalid),
    }
}

/// The body of a request, for as long as an instance works on it.
struct Lent {
    body: RequestBody,
    /// Nothing once it was over.
    over: Option<oneshot::Receiver<()>>,
}

impl Body for Lent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        let is_over = match &mut self.over {
            Some(over) => Pin::new(over).poll(cx).is_ready(),
            None => true,
        };
        if is_over {
            self.over = None;
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response on its way, which tells the guest what became of it.
struct Sending {
    body: WasiBody,
    /// Whether the client gets a body at all, RFC 9110 6.4.1.
    has_body: bool,
    tell: Option<oneshot::Sender<std::result::Result<(), Error>>>,
    /// The instance is run as long as this is there.
    _holds: oneshot::Sender<()>,
}

impl Sending {
    fn tell(&mut self, outcome: std::result::Result<(), Error>) {
        if let Some(tell) = self.tell.take() {
            // The guest may not want to know.
            drop(tell.send(outcome));
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => self.tell(Err(Error::ConnectionTerminated)),
            None => self.tell(Ok(())),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // Of a body whose length is known the end is not asked for.
        let is_whole =
            !self.has_body || self.body.is_end_stream() || self.body.size_hint().exact() == Some(0);
        self.tell(if is_whole {
            Ok(())
        } else {
            Err(Error::ConnectionTerminated)
        });
    }
}
