//! Which instance answers, and what it holds.

use std::time::Duration;

use wasmpod_network::TcpStream;
use wasmpod_sandbox::MemoryShare;

use super::alike::{self, counts, memory};
use super::serve;
use crate::tests::fixture::{in_time, wait_until};

#[tokio::test]
async fn each_request_has_an_instance_of_its_own() {
    let served = serve(|_| {}).await;
    assert_eq!(counts(&served, 3).await, ["1", "1", "1"]);
    wait_until("its memory is given back", || memory(&served) == 0).await;
}

#[tokio::test]
async fn more_requests_than_the_pool_has_seats_are_answered_at_a_time() {
    const REQUESTS: usize = 300;
    let served = serve(|config| {
        config.http.max_concurrent_requests = u32::try_from(REQUESTS).unwrap();
        config.memory = MemoryShare::new(4 << 30);
    })
    .await;
    let free = || served.pod.runtime.free_seats().unwrap();
    let all = free();
    assert!(all < REQUESTS, "{all} seats");
    let mut streams = Vec::new();
    for _ in 0..REQUESTS {
        let stream = served.connect().await.unwrap();
        let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
        stream.write_all(head.into()).await.unwrap();
        until(&stream, "1\r\na\r\n").await;
        streams.push(stream);
    }
    assert_eq!(free(), 0);
    for stream in &streams {
        stream
            .write_all("1\r\nb\r\n0\r\n\r\n".into())
            .await
            .unwrap();
        until(stream, "1\r\nb\r\n0\r\n\r\n").await;
    }
    wait_until("all seats are free", || free() == all).await;
    assert_eq!(served.get("/count").await.body, "1\n");
}

/// Reads until what came ends so.
async fn until(stream: &TcpStream, end: &str) {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let piece = in_time("the answer", stream.read(4096)).await.unwrap();
        assert!(!piece.is_empty(), "closed after {all:?}");
        all.extend_from_slice(&piece);
    }
}

#[tokio::test]
async fn an_instance_is_reused_as_often_as_is_said() {
    let served = serve(|config| config.http.max_instance_reuse_count = 3).await;
    assert_eq!(
        counts(&served, 7).await,
        ["1", "2", "3", "1", "2", "3", "1"]
    );
}

#[tokio::test]
async fn an_instance_that_failed_is_not_reused() {
    let served = serve(|config| config.http.max_instance_reuse_count = 100).await;
    assert_eq!(counts(&served, 2).await, ["1", "2"]);
    assert_eq!(served.get("/trap").await.status.as_u16(), 500);
    assert_eq!(counts(&served, 2).await, ["1", "2"]);
    // One that gave an answer of which it was not asked for is whole.
    assert_eq!(served.get("/error/denied").await.status.as_u16(), 403);
    assert_eq!(counts(&served, 1).await, ["4"]);
}

#[tokio::test]
async fn an_instance_that_waits_too_long_is_dropped() {
    let served = serve(|config| config.http.max_instance_reuse_count = 100).await;
    assert_eq!(counts(&served, 2).await, ["1", "2"]);
    assert!(memory(&served) > 0, "it waits");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    wait_until("it is dropped", || memory(&served) == 0).await;
    assert_eq!(counts(&served, 1).await, ["1"]);
}

#[tokio::test]
async fn instances_have_the_arguments_and_environment_of_their_container() {
    let served = serve(alike::greets).await;
    alike::shows_its_arguments_and_environment(&served).await;
    assert_eq!(served.get("/print/word").await.status.as_u16(), 204);
    assert_eq!(served.container.stdout.text(), "word\n");
    assert_eq!(served.container.stderr.text(), "word\n");
}

#[tokio::test]
async fn work_goes_on_after_the_answer() {
    alike::works_on_after_its_answer(&serve(|_| {}).await).await;
}
