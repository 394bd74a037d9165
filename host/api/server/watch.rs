//! WATCH: changes as they come, one JSON value a line.
//!
//! ```text
//! resourceVersion    begins with
//! none, "0"          an ADDED for every object that there is, then what changes
//! N                  what changed after N; ERROR 410 when that is not known any more
//! none, "0" or N, with sendInitialEvents=true (WatchList)
//!                    an ADDED for every object, a BOOKMARK that says so, then what changes
//! ```
//!
//! With a selector, an object that begins to match is ADDED and one that ends to match is DELETED.
//! A watcher is a place in the store's history and no queue, so one that reads slowly costs nothing; when its place is
//! not known any more it gets ERROR 410 and the end, and lists again. There is no end but those, the server's, and
//! `timeoutSeconds`: the API server's random one spreads load over several servers, of which there is one here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::stream;
use hyper::Response;
use hyper::header::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use wasmpod_store::{Object, Watch, WatchEvent};

use crate::Status;
use crate::server::body::{self, Body};
use crate::server::error;
use crate::server::limits::BOOKMARK_INTERVAL;
use crate::server::query::Query;
use crate::server::read;
use crate::server::selection::Selection;
use crate::server::shape::Shape;
use crate::server::{Context, closed};

/// How much is written at once, in bytes, when much has changed.
const BATCH_BYTES: usize = 32 * 1024;

struct Watcher {
    context: Arc<Context>,
    selection: Selection,
    shape: Shape,
    changes: Watch,
    /// What there was at the beginning and was not told yet.
    initial: VecDeque<Object>,
    /// A bookmark is owed after `initial`, with this version.
    initial_end: Option<u64>,
    bookmarks: Option<Interval>,
    deadline: Option<Instant>,
    has_told_columns: bool,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

pub(super) fn watch(
    context: &Arc<Context>,
    selection: Selection,
    query: &Query,
    shape: Shape,
) -> Result<Response<Body>, Status> {
    let permit = context.long_request()?;
    let store = context.agent.store();
    let since = read::version(query)?;
    let wants_initial = query
        .text("sendInitialEvents")
        .map(|_| query.flag("sendInitialEvents"));
    check_initial(query, wants_initial)?;
    let (kind, namespace) = (selection.kind, selection.namespace.clone());
    let (mut initial, mut from) = (Vec::new(), since.unwrap_or(0));
    if wants_initial == Some(true) || (wants_initial.is_none() && from == 0) {
        let present;
        (initial, present) = store.list(kind, namespace.as_deref());
        if from > present {
            return Err(read::too_large(from, present));
        }
        initial.retain(|object| selection.matches(object));
        from = present;
    } else if from == 0 {
        from = store.resource_version();
    }
    let seconds = query
        .number("timeoutSeconds")?
        .and_then(|seconds| u64::try_from(seconds).ok());
    let deadline = seconds.filter(|seconds| *seconds > 0);
    let deadline =
        deadline.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let wants_bookmarks = query.flag("allowWatchBookmarks");
    let changes = match store.watch(kind, namespace.as_deref(), from) {
        Ok(changes) => changes,
        Err(expired) => {
            return Ok(events(stream::iter([line(
                "ERROR",
                &json_of(&error::of_store(&expired)),
            )])));
        }
    };
    let watcher = Watcher {
        context: Arc::clone(context),
        selection,
        shape,
        changes,
        initial: initial.into(),
        initial_end: (wants_initial == Some(true) && wants_bookmarks).then_some(from),
        bookmarks: wants_bookmarks.then(|| {
            let mut ticks = interval_at(Instant::now() + BOOKMARK_INTERVAL, BOOKMARK_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }),
        deadline,
        has_told_columns: false,
        has_ended: false,
        _permit: permit,
    };
    Ok(events(stream::unfold(watcher, |mut watcher| async move {
        let bytes = watcher.next().await?;
        Some((bytes, watcher))
    })))
}

/// The rules of `sendInitialEvents`. A server that passed it over would let its client wait without end.
fn check_initial(query: &Query, wants_initial: Option<bool>) -> Result<(), Status> {
    let how = query.text("resourceVersionMatch");
    match (wants_initial, how) {
        (None, None) | (Some(_), Some("NotOlderThan")) => Ok(()),
        (None, Some(_)) => Err(error::invalid(
            "ListOptions",
            "resourceVersionMatch",
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        (Some(_), _) => Err(error::invalid(
            "ListOptions",
            "resourceVersionMatch",
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
    }
}

fn events(stream: impl futures_util::Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    body::streamed(
        HeaderValue::from_static("application/json"),
        Body::stream(stream),
    )
}

fn json_of(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// One event on its line.
fn line(type_: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(type_.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

impl Watcher {
    /// The next lines; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        let first = self.next_line().await?;
        if first.len() >= BATCH_BYTES {
            return Some(first);
        }
        let mut batch = BytesMut::from(first.as_ref());
        while batch.len() < BATCH_BYTES && !self.has_ended {
            // Waiting is what the next call is for. Dropping this one loses nothing.
            match self.next_line().now_or_never() {
                Some(Some(line)) => batch.put_slice(&line),
                Some(None) => self.has_ended = true,
                None => break,
            }
        }
        Some(batch.freeze())
    }

    async fn next_line(&mut self) -> Option<Bytes> {
        if let Some(object) = self.initial.pop_front() {
            return self.told("ADDED", &object);
        }
        if let Some(version) = self.initial_end.take() {
            return Some(self.bookmark(version, true));
        }
        let closing = self.context.closing.clone();
        loop {
            let (deadline, bookmarks) = (self.deadline, &mut self.bookmarks);
            let change = tokio::select! {
                biased;
                change = self.changes.next_change() => change,
                () = at(deadline) => return None,
                () = tick(bookmarks) => {
                    let version = self.changes.resource_version();
                    return Some(self.bookmark(version, false));
                }
                () = closed(closing.clone()) => return None,
            };
            match change {
                Ok((event, before)) => {
                    if let Some(line) = self.change(&event, before.as_ref()) {
                        return line;
                    }
                }
                Err(expired) => {
                    self.has_ended = true;
                    return Some(line("ERROR", &json_of(&error::of_store(&expired))));
                }
            }
        }
    }

    /// What a change is to this watcher; the outer nothing if it is nothing.
    fn change(&mut self, event: &WatchEvent, before: Option<&Object>) -> Option<Option<Bytes>> {
        let object = event.object();
        let matches = self.selection.matches(object);
        let matched = before.is_some_and(|before| self.selection.matches(before));
        let type_ = match (event, matched, matches) {
            (WatchEvent::Added(_), _, true) => "ADDED",
            (WatchEvent::Modified(_), true, true) => "MODIFIED",
            (WatchEvent::Modified(_), false, true) => "ADDED",
            (WatchEvent::Modified(_), true, false) => "DELETED",
            (WatchEvent::Deleted(_), _, true) => "DELETED",
            (WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_), _, false) => {
                return None;
            }
        };
        Some(self.told(type_, object))
    }

    fn told(&mut self, type_: &str, object: &Object) -> Option<Bytes> {
        // Ages are of the moment in which they are told.
        self.shape.now = self.context.agent.store().now();
        let written = self.shape.object(object, !self.has_told_columns).ok()?;
        self.has_told_columns = true;
        Some(line(type_, &written))
    }

    fn bookmark(&self, version: u64, ends_initial_events: bool) -> Bytes {
        let object = self
            .shape
            .bookmark(self.selection.kind, version, ends_initial_events);
        line("BOOKMARK", &json_of(&object))
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}
