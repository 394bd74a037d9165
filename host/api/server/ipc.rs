//! `pods/NAME/ipc`: the IPC objects of a pod, for `wasmpod ipc ls`.
//!
//! What is shown is what `ipcs(1)` shows, with the names of containers in the place of process ids and users.

use hyper::Response;
use serde_json::{Map, Value, json};
use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::{IpcListing, SandboxHandle};

use crate::Status;
use crate::server::body::Body;
use crate::server::query::Query;
use crate::server::{Context, of_pod};

/// The object's kind.
const KIND: &str = "PodIPC";

pub(super) fn ipc(context: &Context, pod: &Pod, query: &Query) -> Result<Response<Body>, Status> {
    of_pod::object(context, pod, query, KIND, |sandbox| {
        let listing = sandbox.and_then(SandboxHandle::ipc);
        listing_object(&listing.unwrap_or_default())
    })
}

fn listing_object(listing: &IpcListing) -> Map<String, Value> {
    let message_queues = listing.message_queues.iter().map(|queue| {
        json!({
            "name": queue.name,
            "unlinked": queue.unlinked,
            "messages": queue.current_messages,
            "bytes": queue.current_bytes,
            "maxMessages": queue.attributes.max_messages,
            "messageSize": queue.attributes.message_bytes,
            "openHandles": queue.open_handles,
            "waitingReaders": queue.waiting_receivers,
            "waitingWriters": queue.waiting_senders,
            "notifies": queue.notifies.as_deref(),
            "sentMessages": queue.traffic.sent_messages,
            "receivedMessages": queue.traffic.received_messages,
            "lastSender": queue.traffic.last_sender.as_deref(),
            "lastReceiver": queue.traffic.last_receiver.as_deref(),
        })
    });
    let semaphores = listing.semaphores.iter().map(|semaphore| {
        json!({
            "name": semaphore.name,
            "unlinked": semaphore.unlinked,
            "value": semaphore.value,
            "openHandles": semaphore.open_handles,
            "waiting": semaphore.waiting,
        })
    });
    let shared_memory = listing.shared_memory.iter().map(|shared| {
        json!({
            "name": shared.name,
            "unlinked": shared.unlinked,
            "bytes": shared.bytes,
            "openHandles": shared.open_handles,
            "waiting": shared.waiting,
        })
    });
    let queues = listing.system_v_message_queues.iter().map(|queue| {
        json!({
            "key": queue.key,
            "id": queue.id,
            "mode": queue.mode,
            "creator": &*queue.creator,
            "messages": queue.messages,
            "bytes": queue.bytes,
            "maxBytes": queue.max_bytes,
            "waitingReaders": queue.waiting_receivers,
            "waitingWriters": queue.waiting_senders,
            "lastSender": queue.last_sender.as_deref(),
            "lastReceiver": queue.last_receiver.as_deref(),
            "sendTime": queue.sent_at,
            "receiveTime": queue.received_at,
            "changeTime": queue.changed_at,
        })
    });
    let sets = listing.system_v_semaphore_sets.iter().map(|set| {
        json!({
            "key": set.key,
            "id": set.id,
            "mode": set.mode,
            "creator": &*set.creator,
            "semaphores": set.count,
            "values": set.values,
            "waiting": set.waiting,
            "lastOperator": set.last_operator.as_deref(),
            "operationTime": set.operated_at,
            "changeTime": set.changed_at,
        })
    });
    let segments = listing.system_v_segments.iter().map(|segment| {
        json!({
            "key": segment.key,
            "id": segment.id,
            "mode": segment.mode,
            "creator": &*segment.creator,
            "bytes": segment.bytes,
            "attached": segment.attached,
            "removed": segment.removed,
            "waiting": segment.waiting,
            "lastUser": segment.last_user.as_deref(),
            "attachTime": segment.attached_at,
            "detachTime": segment.detached_at,
            "changeTime": segment.changed_at,
        })
    });
    Map::from_iter([
        ("messageQueues".to_owned(), message_queues.collect()),
        ("semaphores".to_owned(), semaphores.collect()),
        ("sharedMemory".to_owned(), shared_memory.collect()),
        ("systemVMessageQueues".to_owned(), queues.collect()),
        ("systemVSemaphoreSets".to_owned(), sets.collect()),
        ("systemVSegments".to_owned(), segments.collect()),
        (
            "sharedMemoryBytes".to_owned(),
            listing.shared_memory_bytes.into(),
        ),
    ])
}
