//! What holds for guests of both versions of WASI, which have the same pages: each function is given a server of either.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;
use wasmpod_image::Program;
use wasmpod_sandbox::{
    ContainerConfig, ContainerRuntime as _, ContainerState, ExitReason, MemoryShare,
};

use super::{Body, Served, declared, get, pod, post, read};
use crate::tests::fixture::{in_time, wait_until};

/// A body whose pieces are sent by hand.
pub(super) fn by_hand() -> (mpsc::Sender<Frame<Bytes>>, Body) {
    let (sender, mut receiver) = mpsc::channel::<Frame<Bytes>>(1);
    let pieces = futures_util::stream::poll_fn(move |cx| {
        let piece = receiver.poll_recv(cx);
        piece.map(|piece| piece.map(Ok::<_, Infallible>))
    });
    (sender, StreamBody::new(pieces).boxed_unsync())
}

/// Each piece of a body comes back before the next is sent.
pub(super) async fn echoes_while_it_is_sent(served: &Served, path: &str) {
    let (pieces, body) = by_hand();
    let request = Request::post(path).header("host", "pod").body(body);
    let mut sender = served.http1().await;
    let answer = in_time("the head", sender.send_request(request.unwrap())).await;
    let mut echoed = answer.unwrap().into_body();
    for piece in ["first", "second", "third"] {
        pieces.send(Frame::data(piece.into())).await.unwrap();
        let frame = in_time("the echo", echoed.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece, "{path}");
    }
    drop(pieces);
    assert!(in_time("the end", echoed.frame()).await.is_none());
}

/// Trailers of a request come back as those of its answer.
pub(super) async fn echoes_trailers(served: &Served, path: &str, is_http2: bool) {
    let trailers = || HeaderMap::from_iter([("x-sum".parse().unwrap(), "15".parse().unwrap())]);
    let (pieces, body) = by_hand();
    let request = Request::post(format!("http://pod{path}"))
        .header("host", "pod")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(body)
        .unwrap();
    let tasks = served.pod.tasks.handle();
    let answer = if is_http2 {
        let mut sender = served.http2().await;
        tasks.spawn(async move { sender.send_request(request).await })
    } else {
        let mut sender = served.http1().await;
        tasks.spawn(async move { sender.send_request(request).await })
    };
    pieces.send(Frame::data("body".into())).await.unwrap();
    pieces.send(Frame::trailers(trailers())).await.unwrap();
    drop(pieces);
    let answer = in_time("the answer", answer.unwrap()).await;
    let answer = read(answer.unwrap().unwrap()).await.unwrap();
    assert_eq!(answer.body, "body");
    assert_eq!(
        answer.trailers,
        Some(trailers()),
        "{path}, http2: {is_http2}"
    );
}

pub(super) async fn answers_a_hundred_clients(served: &Served) {
    let clients = (0..100).map(|n: usize| async move {
        let mut sender = served.http1().await;
        let body = format!("{n}").repeat(n + 1);
        let answer = sender.send_request(post("/echo", body.clone())).await;
        assert_eq!(read(answer.unwrap()).await.unwrap().body, body);
    });
    in_time("all answers", join_all(clients)).await;
}

/// Ten requests at a server that answers fewer at a time.
pub(super) async fn lets_requests_wait(served: &Served) {
    let clients = (0..10).map(|_| served.get("/sleep/5"));
    let answers = in_time("all answers", join_all(clients)).await;
    assert!(answers.iter().all(|answer| answer.body == "awake\n"));
}

/// What `/count` says to each of these requests: how many its instance has had.
pub(super) async fn counts(served: &Served, requests: usize) -> Vec<String> {
    let mut counts = Vec::new();
    for _ in 0..requests {
        let answer = served.get("/count").await;
        counts.push(answer.body.trim().to_owned());
    }
    counts
}

pub(super) fn memory(served: &Served) -> u64 {
    let usage = served.pod.runtime.usage(&served.container.id);
    usage.unwrap().memory_bytes
}

/// Arguments and environment of a server that [`greets`].
pub(super) async fn shows_its_arguments_and_environment(served: &Served) {
    let body = served.get("/env").await.body;
    let lines: Vec<_> = body.lines().collect();
    for line in ["arg server", "arg --colour", "env GREETING=héllo"] {
        assert!(lines.contains(&line), "{body}");
    }
}

pub(super) fn greets(config: &mut ContainerConfig) {
    config.args = vec!["server".into(), "--colour".into()];
    config.env = vec![("GREETING".into(), "héllo".into())];
}

pub(super) async fn works_on_after_its_answer(served: &Served) {
    assert_eq!(served.get("/after/later").await.body, "done\n");
    wait_until("it is printed", || {
        served.container.stdout.text() == "later\n"
    })
    .await;
}

/// Its client is gone as soon as it has asked.
pub(super) async fn works_on_without_its_client(served: &Served) {
    let stream = served.connect().await.unwrap();
    let request = "GET /after/anyway HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.into()).await.unwrap();
    drop(stream);
    wait_until("it is printed", || {
        served.container.stdout.text() == "anyway\n"
    })
    .await;
}

/// Each of these paths is answered with this status, and the log says this; the server goes on.
pub(super) async fn answers_failures(served: &Served, cases: &[(&str, u16, &str)]) {
    for (path, status, told) in cases {
        let answer = served.get(path).await;
        assert_eq!(answer.status.as_u16(), *status, "{path}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let log = served.container.stderr.text();
        let line = format!("GET {path}: {status}: ");
        let said = log
            .split(&line)
            .nth(1)
            .unwrap_or_else(|| panic!("{path}: {log}"));
        assert!(said.contains(told), "{path}: {said}");
    }
    assert_eq!(served.get("/").await.body, "hello\n");
    let state = served.pod.runtime.container_status(&served.container.id);
    assert_eq!(state, Some(ContainerState::Running));
}

/// An endless loop at this path, with a time-out of two seconds.
pub(super) async fn ends_a_loop(served: &Served, path: &str) {
    let mut sender = served.http1().await;
    let looping = sender.send_request(get(path));
    let looping = served.pod.tasks.handle().spawn(looping).unwrap();
    for _ in 0..3 {
        assert_eq!(served.get("/").await.body, "hello\n");
    }
    let answer = in_time("the time-out", looping).await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 504, "{path}");
    let log = served.container.stderr.text();
    let told = format!("GET {path}: 504: no progress");
    assert!(log.contains(&told), "{log}");
}

/// Asks the neighbour at port 5000 by every name of the pod.
pub(super) async fn reaches_its_neighbour(served: &Served) {
    for host in ["localhost", "127.0.0.1", "pod", "[::1]"] {
        let answer = served.get(&format!("/fetch/http://{host}:5000/")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "hello\n"),
            "{host}"
        );
    }
}

/// Sends a long body to the neighbour at port 5000.
pub(super) async fn hands_a_body_on(served: &Served) {
    let mut sender = served.http1().await;
    let body = "0123456789".repeat(100_000);
    let request = post("/forward/http://localhost:5000/length", body);
    let answer = in_time("the answer", sender.send_request(request)).await;
    assert_eq!(read(answer.unwrap()).await.unwrap().body, "1000000\n");
}

/// What fails of requests that the guest sends is its answer, and these words are in the log.
pub(super) async fn is_told_what_hinders(served: &Served, more: &[(&str, u16, &str)]) {
    let cases = [
        ("http://localhost:9", 502, "ConnectionRefused"),
        ("http://nobody.example/", 502, "DnsError"),
        ("http://192.0.2.1/", 502, "DestinationIpUnroutable"),
        ("https://localhost:8000/", 502, "TlsProtocolError"),
        ("gopher://localhost:8000/", 502, "HttpProtocolError"),
    ];
    for (url, status, code) in cases.iter().chain(more) {
        let answer = served.get(&format!("/fetch/{url}")).await;
        assert_eq!(answer.status.as_u16(), *status, "{url}: {answer:?}");
        let log = served.container.stderr.text();
        assert!(log.contains(code), "{url}: {log}");
    }
}

/// A container that has no room for one instance ends as another program would.
pub(super) async fn is_killed_without_room(program: &Arc<Program>) {
    let pod = pod();
    let few = |config: &mut ContainerConfig| {
        config.memory = MemoryShare::new(64 << 10);
        config.ports = declared(&[80]);
    };
    let container = pod.start_program(program, "server", few).await.unwrap();
    let exit = pod.exit(&container).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
}
