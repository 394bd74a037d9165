//! `pods/NAME/ipc`: the IPC objects of a pod, for `wasmpod ipc ls`.
//!
//! Kubernetes has no such resource; the object is of our own group, and written in its style. What is shown is what
//! `ipcs(1)` shows, with the names of containers in the place of process ids and users.

use std::sync::Arc;

use hyper::Response;
use serde_json::{Value, json};
use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::IpcListing;

use crate::Status;
use crate::server::body::{self, Body};
use crate::server::query::Query;
use crate::server::{Context, error};

/// The group and version of the object.
const API_VERSION: &str = "wasmpod.dev/v1alpha1";

/// The object's kind.
pub(crate) const KIND: &str = "PodIPC";

pub(super) fn ipc(
    context: &Arc<Context>,
    pod: &Pod,
    query: &Query,
) -> Result<Response<Body>, Status> {
    if query.flag("watch") {
        return Err(error::method_not_allowed());
    }
    let metadata = &pod.metadata;
    let (namespace, name) = (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    );
    let running = context.agent.running(namespace, name);
    // A pod that has not started, or has ended, has no objects.
    let listing = running.and_then(|running| running.sandbox().ipc());
    let mut object = listing_json(&listing.unwrap_or_default());
    if let Value::Object(fields) = &mut object {
        fields.insert("kind".to_owned(), KIND.into());
        fields.insert("apiVersion".to_owned(), API_VERSION.into());
        let metadata = json!({"name": name, "namespace": namespace, "uid": metadata.uid});
        fields.insert("metadata".to_owned(), metadata);
    }
    Ok(body::json(&object))
}

fn listing_json(listing: &IpcListing) -> Value {
    let list = |items: Vec<Value>| Value::Array(items);
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
    json!({
        "messageQueues": list(message_queues.collect()),
        "semaphores": list(semaphores.collect()),
        "sharedMemory": list(shared_memory.collect()),
        "systemVMessageQueues": list(queues.collect()),
        "systemVSemaphoreSets": list(sets.collect()),
        "systemVSegments": list(segments.collect()),
        "sharedMemoryBytes": listing.shared_memory_bytes,
    })
}
