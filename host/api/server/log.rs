//! `pods/NAME/log`: what a container prints, as text that comes.
//!
//! Parameters are those of `PodLogOptions`. Messages are the kubelet's.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::stream;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use tokio::sync::OwnedSemaphorePermit;
use wasmpod_manifest::k8s::jiff::{SignedDuration, Timestamp};
use wasmpod_manifest::k8s::{Container, Pod};
use wasmpod_sandbox::logs::Stream;
use wasmpod_sandbox::{LogItem, LogOptions, LogReader};

use crate::Status;
use crate::server::accept;
use crate::server::body::{self, Body};
use crate::server::query::Query;
use crate::server::{Context, closed, error};

/// How much is written at once, in bytes, when there is much.
const BATCH_BYTES: usize = 32 * 1024;

/// What a client wants of a log, besides what its reader does.
struct Wanted {
    options: LogOptions,
    timestamps: bool,
    limit_bytes: Option<u64>,
    stream: Option<Stream>,
}

pub(super) fn log(
    context: &Context,
    pod: &Pod,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response<Body>, Status> {
    accept::plain(headers, "text/plain")?;
    let mut printer = printer(context, pod, query)?;
    if query.flag("follow") {
        printer.permit = Some(context.long_request()?);
    }
    let text = stream::unfold(printer, |mut printer| async move {
        let bytes = printer.next().await?;
        Some((bytes, printer))
    });
    Ok(body::streamed(
        HeaderValue::from_static("text/plain"),
        Body::stream(text),
    ))
}

/// What prints the log that is asked for.
pub(super) fn printer(context: &Context, pod: &Pod, query: &Query) -> Result<Printer, Status> {
    let wanted = Wanted::of(query, context.agent.store().now())?;
    let container = container_of(pod, query.text("container"))?;
    check_state(pod, &container, wanted.options.previous)?;
    let metadata = &pod.metadata;
    let (namespace, name) = (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    );
    let running = context.agent.running(namespace, name);
    // Only the log is held: a client who follows does not keep the pod.
    let reader =
        running.and_then(|running| running.sandbox().logs(&container, wanted.options.clone()));
    let reader = reader.ok_or_else(|| waiting(name, &container, "ContainerCreating"))?;
    Ok(Printer {
        reader,
        left: wanted.limit_bytes,
        timestamps: wanted.timestamps,
        stream: wanted.stream,
        is_inside_line: [false; 2],
        has_ended: false,
        closing: context.closing.clone(),
        permit: None,
    })
}

impl Wanted {
    fn of(query: &Query, now: Timestamp) -> Result<Self, Status> {
        let invalid = |field, detail: &str| error::invalid("PodLogOptions", field, detail);
        let positive = |field, least: i64, detail| match query.number(field)? {
            Some(number) if number < least => Err(invalid(
                field,
                &format!("Invalid value: {number}: {detail}"),
            )),
            number => Ok(number.and_then(|number| u64::try_from(number).ok())),
        };
        let tail = positive("tailLines", 0, "must be greater than or equal to 0")?;
        let limit_bytes = positive("limitBytes", 1, "must be greater than 0")?;
        let since_seconds = positive("sinceSeconds", 1, "must be greater than 0")?;
        let since_time = query.text("sinceTime").map(|text| {
            text.parse::<Timestamp>().map_err(|_| {
                error::bad_request(format!("invalid sinceTime \"{text}\": not RFC 3339"))
            })
        });
        let since = match (since_seconds, since_time.transpose()?) {
            (Some(_), Some(_)) => {
                let detail =
                    "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified";
                return Err(invalid("sinceSeconds", detail));
            }
            (Some(seconds), None) => {
                let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                Some(now.checked_sub(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
            }
            (None, time) => time,
        };
        let stream = match query.text("stream") {
            None | Some("All") => None,
            Some("Stdout") => Some(Stream::Stdout),
            Some("Stderr") => Some(Stream::Stderr),
            Some(other) => {
                let supported = "supported values: \"All\", \"Stdout\", \"Stderr\"";
                return Err(invalid(
                    "stream",
                    &format!("Unsupported value: \"{other}\": {supported}"),
                ));
            }
        };
        if stream.is_some() && tail.is_some() {
            let detail =
                "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now";
            return Err(invalid("tailLines", detail));
        }
        Ok(Self {
            options: LogOptions {
                follow: query.flag("follow"),
                restarts: false,
                previous: query.flag("previous"),
                tail,
                since,
            },
            timestamps: query.flag("timestamps"),
            limit_bytes,
            stream,
        })
    }
}

/// The container that is meant: the named one, or the only one.
pub(super) fn container_of(pod: &Pod, named: Option<&str>) -> Result<String, Status> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let names = |containers: &[Container]| -> Vec<String> {
        containers
            .iter()
            .map(|container| container.name.clone())
            .collect()
    };
    let containers = spec.map(|spec| names(&spec.containers)).unwrap_or_default();
    let inits = spec
        .and_then(|spec| spec.init_containers.as_deref())
        .map(names)
        .unwrap_or_default();
    if let Some(named) = named {
        return if containers
            .iter()
            .chain(&inits)
            .any(|container| container == named)
        {
            Ok(named.to_owned())
        } else {
            Err(error::bad_request(format!(
                "container {named} is not valid for pod {name}"
            )))
        };
    }
    match (containers.as_slice(), inits.as_slice()) {
        ([only], _) => Ok(only.clone()),
        (several, inits) => {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                several.join(" ")
            );
            if !inits.is_empty() {
                message.push_str(&format!(
                    " or one of the init containers: [{}]",
                    inits.join(" ")
                ));
            }
            Err(error::bad_request(message))
        }
    }
}

fn waiting(pod: &str, container: &str, why: &str) -> Status {
    error::bad_request(format!(
        "container \"{container}\" in pod \"{pod}\" is waiting to start: {why}"
    ))
}

/// Has the container printed, or could it have? (`validateContainerLogStatus` of the kubelet)
fn check_state(pod: &Pod, container: &str, previous: bool) -> Result<(), Status> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let all = status.iter().flat_map(|status| {
        let inits = status.init_container_statuses.iter().flatten();
        inits.chain(status.container_statuses.iter().flatten())
    });
    let found = all.into_iter().find(|status| status.name == container);
    let has_last = found.is_some_and(|found| {
        found
            .last_state
            .as_ref()
            .is_some_and(|last| last.terminated.is_some())
    });
    if previous {
        return if has_last {
            Ok(())
        } else {
            let message = format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            );
            Err(error::bad_request(message))
        };
    }
    let state = found.and_then(|found| found.state.as_ref());
    let has_run = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    if has_run || has_last {
        return Ok(());
    }
    let waits = state.and_then(|state| state.waiting.as_ref()?.reason.as_deref());
    Err(waiting(
        name,
        container,
        match waits {
            Some("ErrImagePull") => "image can't be pulled",
            Some("ImagePullBackOff") => "trying and failing to pull image",
            Some(reason) if !reason.is_empty() => reason,
            _ => "ContainerCreating",
        },
    ))
}

/// The text of a log, as it comes.
pub(super) struct Printer {
    reader: LogReader,
    /// How many bytes may still be written.
    left: Option<u64>,
    timestamps: bool,
    stream: Option<Stream>,
    /// Whether the last piece of standard output and of standard error had no newline.
    is_inside_line: [bool; 2],
    has_ended: bool,
    closing: tokio::sync::watch::Receiver<bool>,
    /// Held while it goes on.
    permit: Option<OwnedSemaphorePermit>,
}

impl Printer {
    /// The next text; nothing at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let mut batch = BytesMut::new();
        while batch.is_empty() && !self.has_ended {
            let item = tokio::select! {
                biased;
                item = self.reader.next() => item,
                () = closed(self.closing.clone()) => Ok(None),
            };
            self.print(item, &mut batch);
        }
        while batch.len() < BATCH_BYTES && !self.has_ended {
            // Waiting is what the next call is for. Dropping this one loses nothing.
            let Some(item) = self.reader.next().now_or_never() else {
                break;
            };
            self.print(item, &mut batch);
        }
        (!batch.is_empty()).then(|| batch.freeze())
    }

    fn print(&mut self, item: std::io::Result<Option<LogItem>>, batch: &mut BytesMut) {
        let begin = batch.len();
        match item {
            Ok(Some(LogItem::Line(line))) => {
                if self.stream.is_some_and(|stream| stream != line.stream) {
                    return;
                }
                let [stdout, stderr] = &mut self.is_inside_line;
                let is_inside = if line.stream == Stream::Stdout {
                    stdout
                } else {
                    stderr
                };
                if self.timestamps && !*is_inside {
                    batch.put_slice(line.time.as_bytes());
                    batch.put_u8(b' ');
                }
                batch.put_slice(&line.text);
                *is_inside = line.is_partial;
                if !line.is_partial {
                    batch.put_u8(b'\n');
                }
            }
            Ok(Some(LogItem::Lost { bytes })) => {
                batch.put_slice(
                    format!("[{bytes} bytes of the log were rotated away before they were read]\n")
                        .as_bytes(),
                );
            }
            Ok(None) => self.has_ended = true,
            Err(error) => {
                // The head of the answer is gone: the text is the only place to say it.
                batch.put_slice(format!("failed to read the log: {error}\n").as_bytes());
                self.has_ended = true;
            }
        }
        if let Some(left) = &mut self.left {
            let written = u64::try_from(batch.len() - begin).unwrap_or(u64::MAX);
            if written >= *left {
                batch.truncate(begin + usize::try_from(*left).unwrap_or(usize::MAX));
                self.has_ended = true;
            }
            *left = left.saturating_sub(written);
        }
    }
}
