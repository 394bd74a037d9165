//! Time-outs, on virtual time and without sockets of the machine.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::front::http1;
use crate::guard::{Guarded, IdleLimit};
use crate::headers::Came;
use crate::limits::{ANSWER_TIMEOUT, DIAL_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT};
use crate::proxy::Proxy;
use crate::tasks::Tasks;

/// A pod behind everything, and a client's connection.
fn connected() -> (Network, Pod, DuplexStream, JoinSet<()>) {
    let network = Network::new();
    let world = World {
        front: Front::new(network.clone()),
        network: network.clone(),
        doors: Vec::new(),
        tasks: JoinSet::new(),
    };
    let pod = world.pod("web");
    world.service("web", &[&pod]);
    world.set(rules(&[("/", "web")]));
    let (client, near) = duplex(1024);
    let (tasks, idle) = (Tasks::default(), IdleLimit::new(IDLE_TIMEOUT));
    let proxy = Proxy {
        shared: Arc::clone(&world.front.shared),
        came: Came {
            from: ([192, 0, 2, 1], 4000).into(),
            port: 80,
            scheme: "http",
        },
        tasks: tasks.clone(),
        idle: idle.clone(),
    };
    let mut running = JoinSet::new();
    let near = Guarded::new(near, idle);
    running.spawn(async move { http1(near, proxy, &tasks).await });
    (network, pod, client, running)
}

async fn rest(client: &mut DuplexStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_the_connection() {
    let (_network, _pod, mut client, _running) = connected();
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let said = rest(&mut client).await;
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 408"),
        "{said}"
    );
    assert_eq!(start.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_answer_is_given_up_after_the_last_of_the_request() {
    let (_network, pod, mut client, _running) = connected();
    let connections = pod.connections();
    let start = Instant::now();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nx";
    client.write_all(head).await.unwrap();
    let stream = connections.next().await;
    tokio::time::sleep(ANSWER_TIMEOUT / 2).await;
    client.write_all(b"y").await.unwrap();
    let said = rest(&mut client).await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    assert!(start.elapsed() >= ANSWER_TIMEOUT + ANSWER_TIMEOUT / 2);
    while !stream.read(100).await.unwrap_or_default().is_empty() {}
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_listen_queue_is_full_is_given_up() {
    let (_network, pod, mut client, _running) = connected();
    let socket = pod.container.tcp_socket(AddressFamily::Ipv4).unwrap();
    socket.bind(([0, 0, 0, 0], 8080).into()).unwrap();
    socket.listen().unwrap();
    let from = ([192, 0, 2, 2], 5000).into();
    let mut waiting = Vec::new();
    // Until it takes no more.
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(1), pod.network.dial(from, 8080)).await
    {
        waiting.push(stream);
    }
    let start = Instant::now();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.write_all(head).await.unwrap();
    let said = rest(&mut client).await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    assert_eq!(start.elapsed().as_secs(), DIAL_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_given_up() {
    let (_network, pod, mut client, mut running) = connected();
    let connections = pod.connections();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let stream = connections.next().await;
    let start = Instant::now();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
    stream.write_all(head.into()).await.unwrap();
    // Nobody reads at the other end.
    let sent = stream.write_all(Bytes::from(vec![0; 100_000_000])).await;
    assert!(sent.is_err());
    assert_eq!(start.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    running.join_next().await;
}
