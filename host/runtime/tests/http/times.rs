//! Time-outs, on a clock that the test moves.

use std::time::Duration;

use bytes::Bytes;
use wasmpod_network::{Errno, TcpStream};
use wasmpod_sandbox::MemoryShare;

use super::{Served, rest, serve};
use crate::tests::fixture::{in_time, wait_until};

/// Lets time pass; what is due meanwhile happens.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Sends the beginning of a request.
async fn begin(served: &Served, bytes: &'static str) -> TcpStream {
    let stream = served.connect().await.unwrap();
    stream
        .write_all(Bytes::from_static(bytes.as_bytes()))
        .await
        .unwrap();
    // The server has seen it when it has answered another one meanwhile.
    assert_eq!(served.get("/").await.body, "hello\n");
    stream
}

/// Reads one whole answer, in however many pieces it comes.
async fn answered(stream: &TcpStream) {
    let mut all = Vec::new();
    while !all.ends_with(b"hello\n") {
        let piece = in_time("the answer", stream.read(1024)).await.unwrap();
        assert!(!piece.is_empty(), "the connection was closed");
        all.extend_from_slice(&piece);
    }
    assert!(all.starts_with(b"HTTP/1.1 200"));
}

/// Sends a piece of a chunked body and waits until it has come back.
async fn echoed(stream: &TcpStream, piece: &str) {
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    stream.write_all(chunk.into()).await.unwrap();
    let mut all = String::new();
    while !all.contains(piece) {
        let bytes = in_time("the piece", stream.read(1024)).await.unwrap();
        assert!(!bytes.is_empty(), "the connection was closed");
        all.push_str(std::str::from_utf8(&bytes).unwrap());
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_its_time() {
    let served = serve(|config| config.http.idle_timeout = Duration::from_secs(50)).await;
    let silent = begin(&served, "").await;
    pass(40).await;
    assert!(silent.try_read(1).is_err(), "it is still open");
    pass(11).await;
    assert_eq!(rest(&silent).await, "");
    // An answer begins the time anew.
    let used = begin(&served, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answered(&used).await;
    pass(40).await;
    used.write_all("GET / HTTP/1.1\r\nhost: a\r\n\r\n".into())
        .await
        .unwrap();
    answered(&used).await;
    pass(40).await;
    assert_eq!(used.try_read(1), Err(Errno::Again));
    pass(11).await;
    assert_eq!(rest(&used).await, "");
}

#[tokio::test]
async fn the_head_of_a_request_may_not_drip() {
    let served = serve(|config| config.http.header_timeout = Duration::from_secs(5)).await;
    let slow = begin(&served, "GET / HT").await;
    pass(4).await;
    slow.write_all("TP/1.1\r\n".into()).await.unwrap();
    assert_eq!(served.get("/").await.body, "hello\n");
    pass(2).await;
    assert_eq!(rest(&slow).await, "");
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_its_request() {
    let served = serve(|config| config.http.request_timeout = Duration::from_secs(20)).await;
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let slow = begin(&served, head).await;
    pass(15).await;
    slow.write_all("more".into()).await.unwrap();
    assert_eq!(served.get("/").await.body, "hello\n");
    pass(15).await;
    assert!(slow.try_read(1).is_err(), "a piece has come meanwhile");
    pass(6).await;
    let answer = rest(&slow).await;
    assert!(
        answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_that_waits_for_memory_too_long_is_refused() {
    let memory = MemoryShare::new(8 << 20);
    let served = serve(|config| {
        config.memory = memory.clone();
        config.http.request_timeout = Duration::from_secs(20);
    })
    .await;
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let slow = begin(&served, head).await;
    wait_until("one instance is left", || memory.used_bytes() < 2 << 20).await;
    memory
        .take(memory.limit_bytes() - memory.used_bytes())
        .unwrap();
    let waiting = served.connect().await.unwrap();
    let room = waiting.write_capacity();
    waiting
        .write_all("GET / HTTP/1.0\r\n\r\n".into())
        .await
        .unwrap();
    wait_until("it has come", || waiting.write_capacity() == room).await;
    pass(15).await;
    slow.write_all("more".into()).await.unwrap();
    assert!(waiting.try_read(1).is_err(), "it waits");
    pass(6).await;
    let answer = rest(&waiting).await;
    assert!(
        answer.starts_with("HTTP/1.0 503 Service Unavailable\r\n"),
        "{answer}"
    );
    let log = served.container.stderr.text();
    assert!(log.contains("no memory for one more"), "{log}");
    slow.write_all("!!".into()).await.unwrap();
    let answer = in_time("the answer", slow.read(1024)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_too_long_is_refused() {
    let served = serve(|config| {
        config.http.max_concurrent_requests = 1;
        config.http.request_timeout = Duration::from_secs(20);
    })
    .await;
    // One takes the only place for as long as it goes on to send.
    let first = served.connect().await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    first.write_all(head.into()).await.unwrap();
    echoed(&first, "one").await;
    let second = served.connect().await.unwrap();
    second
        .write_all("GET / HTTP/1.0\r\n\r\n".into())
        .await
        .unwrap();
    echoed(&first, "two").await;
    pass(15).await;
    echoed(&first, "three").await;
    assert!(second.try_read(1).is_err(), "it has its turn");
    pass(6).await;
    let answer = rest(&second).await;
    assert!(
        answer.starts_with("HTTP/1.0 503 Service Unavailable\r\n"),
        "{answer}"
    );
    echoed(&first, "four").await;
}
