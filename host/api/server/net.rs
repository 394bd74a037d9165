//! `pods/NAME/net`: the sockets of a pod and what went over them, for `wasmpod net ls`.
//!
//! What is shown is what `ss(8)` shows, in its words, with the names of containers in the place of processes.

use hyper::Response;
use serde_json::{Map, Value, json};
use wasmpod_manifest::k8s::Pod;
use wasmpod_manifest::k8s::jiff::{SignedDuration, Timestamp};
use wasmpod_sandbox::{
    ContainerTraffic, PodTraffic, Protocol, SandboxHandle, SocketInfo, SocketState, Totals, Traffic,
};

use crate::Status;
use crate::server::body::Body;
use crate::server::query::Query;
use crate::server::{Context, of_pod};

/// The object's kind.
const KIND: &str = "PodNet";

pub(super) fn net(context: &Context, pod: &Pod, query: &Query) -> Result<Response<Body>, Status> {
    of_pod::object(context, pod, query, KIND, |sandbox| {
        let PodTraffic {
            sockets,
            containers,
        } = sandbox.and_then(SandboxHandle::traffic).unwrap_or_default();
        let now = context.agent.store().now();
        let sockets = sockets.iter().map(|socket| of_socket(socket, now));
        let containers = containers.iter().map(of_container);
        Map::from_iter([
            ("sockets".to_owned(), sockets.collect()),
            ("containers".to_owned(), containers.collect()),
        ])
    })
}

fn of_socket(socket: &SocketInfo, now: Timestamp) -> Value {
    // `ss` shows the queue of a listener and its limit in these places.
    let listening = socket.listening.as_ref();
    let (receive_queue, send_queue) = listening.map_or(
        (socket.receive_queue_bytes, socket.send_queue_bytes),
        |listening| (listening.queued, listening.backlog),
    );
    let age = SignedDuration::try_from(socket.opened_at.elapsed()).unwrap_or(SignedDuration::MAX);
    let opened_at = now.checked_sub(age).ok();
    json!({
        "netid": netid(socket.protocol),
        "state": state(socket),
        "recvQueue": receive_queue,
        "sendQueue": send_queue,
        "localAddress": socket.local.map(|address| address.to_string()),
        "peerAddress": socket.peer.map(|address| address.to_string()),
        "container": &*socket.container,
        "peerContainer": socket.peer_container.as_deref(),
        "openTime": opened_at.map(|time| time.to_string()),
        "traffic": of_traffic(&socket.traffic),
        "listener": listening.map(|listening| json!({
            "waitingClients": listening.waiting,
            "acceptedConnections": listening.accepted,
            "overflows": listening.overflowed,
        })),
    })
}

const fn netid(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// A state in the word of `ss(8)`.
const fn state(socket: &SocketInfo) -> &'static str {
    match (socket.protocol, socket.state) {
        (_, SocketState::Connected) => "ESTAB",
        (_, SocketState::Listening) => "LISTEN",
        (_, SocketState::Connecting) => "SYN-SENT",
        (_, SocketState::Finished) => "FIN-WAIT-2",
        (_, SocketState::PeerFinished) => "CLOSE-WAIT",
        (_, SocketState::Unbound | SocketState::Bound | SocketState::Closed) => "UNCONN",
    }
}

fn of_traffic(traffic: &Traffic) -> Value {
    json!({
        "receivedBytes": traffic.rx_bytes,
        "sentBytes": traffic.tx_bytes,
        "receivedMessages": traffic.rx_messages,
        "sentMessages": traffic.tx_messages,
        "droppedMessages": traffic.rx_dropped,
    })
}

fn of_container(container: &ContainerTraffic) -> Value {
    json!({
        "name": &*container.container,
        "tcp": of_totals(&container.tcp),
        "udp": of_totals(&container.udp),
    })
}

fn of_totals(totals: &Totals) -> Value {
    json!({
        "open": totals.open,
        "opened": totals.opened,
        "traffic": of_traffic(&totals.traffic),
    })
}
