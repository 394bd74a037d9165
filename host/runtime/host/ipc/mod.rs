//! Message queues for guests: one glue for components, one for core modules. What a queue does is in the ipc crate.

mod component;
mod core;

use std::time::Duration;

use wasmpod_ipc::Queue;

pub(super) use component::link as link_component;
pub(super) use core::{Descriptors, link as link_core};

/// For what a guest waits at a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// A message to receive.
    Receive,
    /// Space to send.
    Send,
}

/// Waits until it is worth to try, for as long as `limit` says. False when the time is over.
async fn wait(queue: &Queue, what: Readiness, limit: Option<Duration>) -> bool {
    let turn = match what {
        Readiness::Receive => queue.wait_receive(),
        Readiness::Send => queue.wait_send(),
    };
    // An error is for the attempt that follows to find.
    match limit {
        None => {
            let _end = turn.await;
            true
        }
        Some(limit) => tokio::time::timeout(limit, turn).await.is_ok(),
    }
}
