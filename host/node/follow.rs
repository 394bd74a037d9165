//! From a pod's sandbox to the store: its status, and its events.

use std::sync::Arc;

use tokio::sync::watch;
use wasmpod_sandbox::{EventItem, EventReader, SandboxStatus};
use wasmpod_store::{Kind, Object, ObjectRef};

use crate::known::{KnownPod, with_status};
use crate::shared::Shared;

/// Writes into the store how a pod is, until it has ended; then has the loop look at it. States that follow each other
/// faster than they are written are passed over; events are not.
pub(crate) async fn follow(
    shared: Arc<Shared>,
    known: Arc<KnownPod>,
    mut status: watch::Receiver<Arc<SandboxStatus>>,
    mut events: EventReader,
) {
    let pod = known.wanted();
    let object = ObjectRef {
        kind: Kind::Pod,
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone().unwrap_or_default(),
    };
    let uid = known.uid().to_owned();
    // What is known holds the sandbox's handle, and dropping the last of these stops the pod.
    drop(known);
    let tell = |item: EventItem| {
        if let EventItem::Event(event) = item {
            shared.recorder.of_sandbox(&pod, &event);
        }
    };
    loop {
        let now = Arc::clone(&status.borrow_and_update());
        // What led to a status was told before it.
        while let Some(item) = events.try_next() {
            tell(item);
        }
        write(&shared, &object, &uid, &now);
        if now.ended {
            break;
        }
        tokio::select! {
            biased;
            changed = status.changed() => if changed.is_err() {
                break;
            },
            item = events.next() => tell(item),
        }
    }
    shared.ask(object);
}

fn write(shared: &Shared, object: &ObjectRef, uid: &str, status: &SandboxStatus) {
    let namespace = object.namespace.as_deref();
    let written = shared
        .store
        .update(object.kind, namespace, &object.name, &mut |stored| {
            if let Object::Pod(pod) = stored
                && pod.metadata.uid.as_deref() == Some(uid)
            {
                *pod = with_status(Arc::clone(pod), status);
            }
            Ok(())
        });
    // An error means that it is removed.
    drop(written);
}
