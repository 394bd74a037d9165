//! A pod's own task on the network: what comes to the pod and no guest has asked for.
//!
//! It waits for connections to the name server and for connections that were handed over, and is asleep otherwise. What
//! it has begun ends with it, and it ends with its pod.

use std::future::poll_fn;

use tokio::task::JoinSet;

use crate::Errno;
use crate::fabric::Fabric;
use crate::limits::{MAX_DNS_CONNECTIONS, MAX_PUBLISHED_CONNECTIONS};
use crate::names::converse;
use crate::pod::PodNetwork;
use crate::publish::carry_handed;
use crate::tcp::{TcpOptions, TcpStream};

/// Serves until the pod's network is closed.
pub(crate) async fn serve(network: &PodNetwork) {
    let pod = network.pod();
    let mut carried = JoinSet::new();
    let mut talks = JoinSet::new();
    while !pod.is_closed() {
        tokio::select! {
            handed = poll_fn(|cx| pod.handovers.poll_next(cx)),
                if carried.len() < MAX_PUBLISHED_CONNECTIONS =>
            {
                carried.spawn(carry_handed(handed, network.clone()));
            }
            () = poll_fn(|cx| pod.name_server.poll_acceptable(cx)),
                if talks.len() < MAX_DNS_CONNECTIONS =>
            {
                if let (Some(fabric), Ok(stream)) = (pod.fabric().cloned(), accept(network)) {
                    talks.spawn(talk(fabric, stream));
                }
            }
            Some(_) = carried.join_next(), if !carried.is_empty() => {}
            Some(_) = talks.join_next(), if !talks.is_empty() => {}
        }
    }
}

fn accept(network: &PodNetwork) -> Result<TcpStream, Errno> {
    let end = network.pod().name_server.accept()?;
    let registration = network.host().register()?;
    TcpStream::new(end, registration, TcpOptions::default(), None)
}

async fn talk(fabric: std::sync::Arc<Fabric>, stream: TcpStream) {
    converse(&fabric, &stream).await;
}
