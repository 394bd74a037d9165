//! How a server begins and ends.

use std::time::Duration;

use wasmpod_network::Errno;
use wasmpod_sandbox::{ContainerRuntime as _, Exit, MainProcess, Role, Signal};

use super::{PORT, declared, get, guest, read, rest, serve, start};
use crate::tests::fixture::{in_time, wait_until};

#[tokio::test]
async fn a_server_that_is_stopped_answers_what_it_was_asked_and_exits_with_0() {
    let served = serve(|_| {}).await;
    let idle = served.connect().await.unwrap();
    let mut sender = served.http1().await;
    let sleeping = sender.send_request(get("/sleep/300"));
    let sleeping = served.pod.tasks.handle().spawn(sleeping).unwrap();
    wait_until("it is in the component's hands", || {
        let usage = served.pod.runtime.usage(&served.container.id);
        usage.is_some_and(|usage| usage.memory_bytes > 0)
    })
    .await;
    let grace = Duration::from_secs(30);
    let stop = served
        .pod
        .runtime
        .stop_container(&served.container.id, grace);
    let (answer, ()) = in_time("the server ends", async { tokio::join!(sleeping, stop) }).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.headers()["connection"], "close");
    assert_eq!(read(answer).await.unwrap().body, "awake\n");
    assert_eq!(served.pod.exit(&served.container).await, Exit::with_code(0));
    assert_eq!(rest(&idle).await, "");
    assert_eq!(served.connect().await.err(), Some(Errno::ConnRefused));
}

#[tokio::test]
async fn a_server_without_requests_ends_at_once() {
    let served = serve(|_| {}).await;
    assert_eq!(served.get("/").await.body, "hello\n");
    let mut kept = served.http2().await;
    let answer = kept.send_request(get("http://pod/")).await.unwrap();
    assert_eq!(read(answer).await.unwrap().body, "hello\n");
    let grace = Duration::from_secs(30);
    let stop = served
        .pod
        .runtime
        .stop_container(&served.container.id, grace);
    in_time("the server ends", stop).await;
    assert_eq!(served.pod.exit(&served.container).await, Exit::with_code(0));
}

#[tokio::test]
async fn at_the_end_of_the_grace_period_requests_are_dropped() {
    let served = serve(|_| {}).await;
    let mut open = Vec::new();
    for path in ["/sleep/600000", "/loop"] {
        let stream = served.connect().await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.into()).await.unwrap();
        open.push(stream);
    }
    assert_eq!(served.get("/").await.body, "hello\n");
    let grace = Duration::from_millis(50);
    let stop = served
        .pod
        .runtime
        .stop_container(&served.container.id, grace);
    in_time("the server ends", stop).await;
    assert_eq!(served.pod.exit(&served.container).await, Exit::killed());
}

#[tokio::test]
async fn a_signal_from_beside_asks_a_server_to_end_or_ends_it() {
    for (signal, exit) in [
        (Signal::TERM, Exit::with_code(0)),
        (Signal::INT, Exit::with_code(0)),
        (Signal::KILL, Exit::killed()),
        (
            Signal::parse("USR1").unwrap(),
            Signal::parse("USR1").unwrap().exit(),
        ),
    ] {
        let process = MainProcess::new(&[]);
        let served = serve(|config| config.role = Role::Main(process.clone())).await;
        process.mailbox().send(signal);
        assert_eq!(served.pod.exit(&served.container).await, exit);
    }
}

#[tokio::test]
async fn the_end_of_the_pod_is_the_end_of_the_server() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    let answer = sender.send_request(get("/bytes/20000000")).await.unwrap();
    in_time("the tasks end", served.pod.tasks.end()).await;
    let exit = served.pod.runtime.wait_container(&served.container.id);
    assert_eq!(in_time("the end is told", exit).await, Exit::killed());
    assert!(read(answer).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do() {
    let served = serve(|_| {}).await;
    let same = |config: &mut wasmpod_sandbox::ContainerConfig| config.ports = declared(&[PORT]);
    let error = served
        .pod
        .start_program(&guest(), "second", same)
        .await
        .err()
        .unwrap();
    assert_eq!(error.reason(), "RunContainerError");
    let error = error.to_string();
    assert!(
        error.contains("listen on 0.0.0.0:8000: ") && error.contains("hint: "),
        "{error}"
    );
    start(&served.pod, "third", |config| {
        config.ports = declared(&[PORT + 1])
    })
    .await;
}
