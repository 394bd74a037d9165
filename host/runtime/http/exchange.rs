//! One request and its answer.
//!
//! The guest begins on the connection's own task, where most are done at once; one that has to wait becomes a task of the
//! pod, beside the connection: it may answer before it has read the whole request, go on
//! to send while the client reads, and work on after its answer. A failure of it (a trap, no progress, no memory) ends
//! this request alone: the client gets a status, or, when the answer had begun, sees it break off; the container's log
//! says what happened.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::body::{Progress, RequestBody, ResponseBody};
use super::connection::InRequest;
use super::handler::Answer;
use super::instances::Instance;
use super::status::Failure;
use super::{Phase, Shared, killed};
use crate::exit;
use crate::polled::Polled;

/// What becomes of a request.
type Outcome = Result<Response<HyperOutgoingBody>, Failure>;

/// Where the answer is given, by whoever is first.
type Door = Arc<Mutex<Option<oneshot::Sender<Outcome>>>>;

/// Answers a request that came in at the address `local`.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    local: SocketAddr,
    in_request: InRequest,
) -> Result<Response<ResponseBody>, Infallible> {
    let progress = Progress::new();
    let begins_here = in_request.may_begin_here();
    let is_last = request.version() < Version::HTTP_2 && in_request.is_in_the_way();
    let outcome = outcome(&shared, request, local, &progress, begins_here).await;
    let mut response = match outcome {
        Ok(response) => response.map(|body| ResponseBody::of_guest(body, progress, in_request)),
        Err(failure) => {
            let status = failure.status();
            let reason = match &failure {
                Failure::Bad(what) => what,
                _ => status.canonical_reason().unwrap_or_default(),
            };
            let body = ResponseBody::of_host(format!("{reason}\n"), progress, in_request);
            let mut response = Response::new(body);
            *response.status_mut() = status;
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, text);
            response
        }
    };
    if is_last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

async fn outcome(
    shared: &Arc<Shared>,
    mut request: Request<Incoming>,
    local: SocketAddr,
    progress: &Arc<Progress>,
    begins_here: bool,
) -> Outcome {
    set_authority(&mut request, local)?;
    let title = Title::of(&request);
    // Whoever goes away meanwhile is not in the queue any more.
    let place = place(shared)
        .await
        .inspect_err(|failure| shared.report(&title, failure))?;
    // Waiting was none of the guest's time.
    progress.touch();
    let (tell, told) = oneshot::channel();
    let mut work = Box::pin(work(
        Arc::clone(shared),
        request,
        Arc::clone(progress),
        Arc::new(Mutex::new(Some(tell))),
        place,
    ));
    let is_over = begins_here && poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_ready())).await;
    if !is_over {
        // One that the pod has no task for is dropped, and with it the only one who could tell.
        drop(shared.tasks.spawn_here(work));
    }
    let outcome = match told.await {
        Ok(outcome) => outcome,
        // The connection is about to be dropped, and a client must not take that for an answer.
        Err(_) if *shared.phase.borrow() == Phase::Killed => std::future::pending().await,
        Err(_) => Err(Failure::NoInstance("the pod has no task left".to_owned())),
    };
    if let Err(failure @ Failure::Error(_)) = &outcome {
        shared.report(&title, failure);
    }
    outcome
}

/// Every request of HTTP/1.1 names its host, RFC 9112 3.2; one of HTTP/1.0 need not, and means this one.
fn set_authority(request: &mut Request<Incoming>, local: SocketAddr) -> Result<(), Failure> {
    if request.uri().authority().is_some() {
        return Ok(());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.to_str().is_ok() => return Ok(()),
        (None, _) if request.version() <= Version::HTTP_10 => {}
        _ => return Err(Failure::Bad("exactly one host must be named")),
    }
    let local = HeaderValue::from_str(&local.to_string());
    let local = local.map_err(|_| Failure::Bad("no host"))?;
    request.headers_mut().insert(HOST, local);
    Ok(())
}

/// Waits until one more request may be answered, and there is an instance for it.
async fn place(shared: &Shared) -> Result<(OwnedSemaphorePermit, Instance), Failure> {
    let permit = permit(shared).await?;
    let instance = tokio::time::timeout(shared.settings.request_timeout, shared.instances.take());
    let instance = instance
        .await
        .unwrap_or_else(|_| Err("no memory for one more within request-timeout".to_owned()));
    Ok((permit, instance.map_err(Failure::NoInstance)?))
}

async fn permit(shared: &Shared) -> Result<OwnedSemaphorePermit, Failure> {
    let permits = &shared.permits;
    if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        return Ok(permit);
    }
    let permit = Arc::clone(permits).acquire_owned();
    let permit = tokio::time::timeout(shared.settings.request_timeout, permit).await;
    // Never closed, so the only error is that of time.
    permit.ok().and_then(Result::ok).ok_or(Failure::TooMany)
}

/// What the log calls a request.
struct Title {
    method: Method,
    uri: Uri,
}

impl Title {
    fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri }
    }
}

/// The task of a request: lets a guest handle it, and answers where the guest did not.
///
/// Not an `async fn`: with the server's phase held from here on, the server waits for a task that has not begun.
fn work(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    progress: Arc<Progress>,
    door: Door,
    (permit, instance): (OwnedSemaphorePermit, Instance),
) -> impl Future<Output = ()> + Send {
    let phase = shared.phase.subscribe();
    async move {
        let title = Title::of(&request);
        let handled = handle(&shared, instance, request, &progress, &door, phase);
        if let Err(failure) = handled.await {
            shared.report(&title, &failure);
            give(&door, Err(failure));
        }
        drop(permit);
    }
}

async fn handle(
    shared: &Arc<Shared>,
    instance: Instance,
    request: Request<Incoming>,
    progress: &Arc<Progress>,
    door: &Door,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), Failure> {
    let turn = Arc::clone(&instance.turn);
    let request = request.map(|body| RequestBody {
        body,
        progress: Arc::clone(progress),
    });
    let guest = run(instance, request, Arc::clone(progress), Arc::clone(door));
    let mut guest = Polled::new(guest, turn, shared.cpu.clone());
    let ran = tokio::select! {
        // The guest first: most are done at once, and nothing else is then set up.
        biased;
        ran = &mut guest => ran,
        () = progress.stalled(shared.settings.request_timeout) => {
            progress.fail();
            return Err(Failure::TimedOut);
        }
        () = killed(&mut phase) => {
            progress.fail();
            return Ok(());
        }
    };
    let (instance, ran) = ran.map_err(|panic| {
        progress.fail();
        Failure::Ended(format!("internal error: {panic}"))
    })?;
    if let Err(error) = ran {
        // Before the instance goes, and with it the other end of its answer's body.
        progress.fail();
        let end = exit::of_error(&shared.program, &error);
        let message = end.message.unwrap_or_else(|| {
            format!(
                "the component exited with code {} instead of returning",
                end.code
            )
        });
        return Err(if instance.is_made() {
            Failure::Ended(message)
        } else {
            Failure::NoInstance(message)
        });
    }
    shared.instances.give_back(instance);
    if is_open(door) {
        return Err(Failure::NoAnswer);
    }
    Ok(())
}

async fn run(
    mut instance: Instance,
    request: Request<RequestBody>,
    progress: Arc<Progress>,
    door: Door,
) -> (Instance, wasmtime::Result<()>) {
    if let Err(error) = instance.make().await {
        return (instance, Err(error));
    }
    let answer = move |answer: Answer| {
        progress.touch();
        give(&door, answer.map_err(Failure::Error));
    };
    let handled = instance.answer(request, answer).await;
    (instance, handled)
}

fn give(door: &Door, outcome: Outcome) {
    let tell = door.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(tell) = tell {
        // A client that is gone needs no answer.
        drop(tell.send(outcome));
    }
}

fn is_open(door: &Door) -> bool {
    door.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some()
}

impl Shared {
    /// Tells the container's log of a failure.
    fn report(&self, title: &Title, failure: &Failure) {
        let Some(message) = failure.message() else {
            return;
        };
        let (method, path) = (&title.method, title.uri.path());
        let text = format!(
            "{method} {path}: {}: {message}\n",
            failure.status().as_u16()
        );
        let mut bytes = text.as_bytes();
        // A log takes all; a terminal that has no room loses it.
        while let Ok(taken @ 1..) = self.log.try_write(bytes) {
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }
}
