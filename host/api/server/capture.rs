//! `pods/NAME/capture`: what passes a pod's network, as a pcapng file that comes, for `wasmpod net capture`.
//!
//! Parameters: `container` and `port`, each as often as wanted, `count` (packets) and `snapLength` (bytes of each packet).
//! The beginning of the file comes at once: who has it misses nothing that happens later. The file ends when the pod
//! ends. A client that reads slowly loses packets, which the file counts; the pod does not wait.

use std::sync::Arc;

use futures_util::stream;
use hyper::Response;
use hyper::header::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;
use wasmpod_manifest::k8s::{Container, Pod};
use wasmpod_sandbox::{Capture, CaptureError, CaptureOptions, Interface};

use crate::Status;
use crate::server::body::{self, Body};
use crate::server::log::container_of;
use crate::server::query::Query;
use crate::server::{Context, closed, error};

/// What packet sniffers call such a file; it is not registered.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/x-pcapng");

/// What errors about parameters are about.
const KIND: &str = "PodCaptureOptions";

/// The file as it comes.
struct Reader {
    capture: Capture,
    closing: tokio::sync::watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

pub(super) fn capture(
    context: &Arc<Context>,
    pod: &Pod,
    query: &Query,
) -> Result<Response<Body>, Status> {
    let options = options(context, pod, query)?;
    let metadata = &pod.metadata;
    let (namespace, name) = (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    );
    let not_running = || {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        let phase = phase.unwrap_or("Pending");
        error::bad_request(format!(
            "pod \"{name}\" has no network to capture: its phase is {phase}"
        ))
    };
    let permit = context.long_request()?;
    let running = context.agent.running(namespace, name);
    // Only the capture is held: a client who reads does not keep the pod.
    let capture = running.and_then(|running| running.sandbox().capture(options));
    let capture = match capture {
        None | Some(Err(CaptureError::Closed)) => return Err(not_running()),
        Some(Err(CaptureError::TooMany)) => {
            let message = format!("pod \"{name}\": {}", CaptureError::TooMany);
            return Err(Status::failure(429, "TooManyRequests", message));
        }
        Some(Ok(capture)) => capture,
    };
    let reader = Reader {
        capture,
        closing: context.closing.clone(),
        _permit: permit,
    };
    let file = stream::unfold(reader, |mut reader| async move {
        let bytes = tokio::select! {
            biased;
            bytes = reader.capture.next() => bytes,
            () = closed(reader.closing.clone()) => None,
        };
        Some((bytes?, reader))
    });
    Ok(body::streamed(MEDIA_TYPE, Body::stream(file)))
}

fn options(context: &Context, pod: &Pod, query: &Query) -> Result<CaptureOptions, Status> {
    let invalid = |field, value: &str, detail: &str| {
        error::invalid(KIND, field, &format!("Invalid value: {value}: {detail}"))
    };
    let containers = query
        .all("container")
        .map(|name| container_of(pod, Some(name)))
        .collect::<Result<_, _>>()?;
    let ports = query.all("port").map(|text| {
        let port = text.parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| invalid("port", text, "must be between 1 and 65535, inclusive"))
    });
    let positive = |field| match query.number(field)? {
        Some(number) if number < 1 => Err(invalid(
            field,
            &number.to_string(),
            "must be greater than 0",
        )),
        number => Ok(number.and_then(|number| u64::try_from(number).ok())),
    };
    let snaplen = positive("snapLength")?;
    let usual = CaptureOptions::default();
    let metadata = &pod.metadata;
    let of_pod = format!(
        "pod {}/{}",
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default()
    );
    let now_ns = context.agent.store().now().as_nanosecond();
    Ok(CaptureOptions {
        snaplen: snaplen.map_or(usual.snaplen, |bytes| {
            u32::try_from(bytes).unwrap_or(u32::MAX)
        }),
        count: positive("count")?,
        containers,
        ports: ports.collect::<Result<_, _>>()?,
        interfaces: interfaces(pod, &of_pod),
        comment: format!("{of_pod}; packets made of what its sockets did on the virtual network"),
        now_ns: u64::try_from(now_ns).unwrap_or(0),
    })
}

/// An interface for each container of the manifest.
fn interfaces(pod: &Pod, of_pod: &str) -> Vec<Interface> {
    let spec = pod.spec.as_ref();
    let inits = spec.and_then(|spec| spec.init_containers.as_deref());
    let mains = spec.map(|spec| spec.containers.as_slice());
    let interface = |container: &Container| Interface {
        name: container.name.clone(),
        description: format!(
            "container {} of {of_pod}, image {}",
            container.name,
            container.image.as_deref().unwrap_or_default()
        ),
    };
    let all = [inits, mains].into_iter().flatten().flatten();
    all.map(interface).collect()
}
