//! The same for WASI 0.3: the guest is `http-service` of tests/guests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use wasmpod_image::Program;
use wasmpod_sandbox::{
    ContainerConfig, ContainerRuntime as _, Exit, MainProcess, MemoryShare, RuntimeError, Signal,
};

use super::alike::{self, by_hand};
use super::{Served, declared, get, post, read, serve_program, start_program, unpacked};
use crate::tests::fixture::{Pod, in_time, wait_until};
use crate::{Runtime, RuntimeConfig};

fn guest() -> Arc<Program> {
    let packed = include_bytes!("../../../../tests/guests/http-service.wasm.zst");
    unpacked("http-service.wasm", packed)
}

async fn serve(change: impl FnOnce(&mut ContainerConfig)) -> Served {
    serve_program(&guest(), change).await
}

async fn neighbour(served: &Served, port: u16) {
    let ports = |config: &mut ContainerConfig| config.ports = declared(&[port]);
    start_program(&served.pod, &guest(), "neighbour", ports).await;
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    for _ in 0..3 {
        let answer = in_time("an answer", sender.send_request(get("/"))).await;
        let answer = read(answer.unwrap()).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.body, "hello\n");
        assert_eq!(answer.headers["content-length"], "6");
    }
}

#[tokio::test]
async fn the_component_sees_what_the_client_has_sent() {
    let served = serve(|_| {}).await;
    let mut request = post("/request/x?q=1&r=%20", "");
    request.headers_mut().insert("x-one", "1".parse().unwrap());
    let mut sender = served.http1().await;
    let answer = sender.send_request(request).await.unwrap();
    let body = read(answer).await.unwrap().body;
    let lines: Vec<_> = body.lines().collect();
    assert_eq!(lines[0], "Method::Post /request/x?q=1&r=%20 pod");
    assert!(lines.contains(&"x-one: 1"), "{body}");
    let old = served.raw("GET /request HTTP/1.0\r\n\r\n").await;
    assert!(
        old.contains("Method::Get /request 127.0.0.1:8000\n"),
        "{old}"
    );
    let head = served
        .raw("HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    // The authority of HTTP/2 is no field.
    let mut sender = served.http2().await;
    let answer = sender.send_request(get("http://else:1/request")).await;
    let body = read(answer.unwrap()).await.unwrap().body;
    assert!(body.starts_with("Method::Get /request else:1\n"), "{body}");
}

#[tokio::test]
async fn a_body_is_answered_while_it_is_sent() {
    let served = serve(|_| {}).await;
    for path in ["/echo", "/pass"] {
        alike::echoes_while_it_is_sent(&served, path).await;
    }
}

#[tokio::test]
async fn trailers_come_and_go_in_both_versions_of_http() {
    let served = serve(|_| {}).await;
    for (path, is_http2) in [("/echo", false), ("/echo", true), ("/pass", true)] {
        alike::echoes_trailers(&served, path, is_http2).await;
    }
}

#[tokio::test]
async fn large_bodies_go_both_ways_as_fast_as_they_are_read() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    let answer = sender.send_request(post("/length", vec![b'x'; 20_000_000]));
    let answer = in_time("the answer", answer).await.unwrap();
    assert_eq!(read(answer).await.unwrap().body, "20000000\n");
    let mut slow = served.http1().await;
    let answer = slow.send_request(get("/bytes/20000000")).await.unwrap();
    for _ in 0..5 {
        assert_eq!(served.get("/").await.body, "hello\n");
    }
    let sockets = served.pod.network.sockets();
    let sent = sockets.iter().map(|socket| socket.traffic.tx_bytes);
    // 20 MB were received before.
    assert!(sent.max().unwrap() < 22_000_000, "all was sent ahead");
    assert_eq!(read(answer).await.unwrap().body.len(), 20_000_000);
}

#[tokio::test]
async fn a_hundred_clients_at_a_time_get_their_own_answers() {
    alike::answers_a_hundred_clients(&serve(|_| {}).await).await;
}

#[tokio::test]
async fn more_requests_than_may_be_answered_at_a_time_wait() {
    let served = serve(|config| config.http.max_concurrent_requests = 2).await;
    alike::lets_requests_wait(&served).await;
}

#[tokio::test]
async fn each_request_has_an_instance_of_its_own_unless_reuse_is_allowed() {
    for (reuse, expected) in [(1, ["1", "1", "1", "1"]), (3, ["1", "2", "3", "1"])] {
        let served = serve(|config| config.http.max_instance_reuse_count = reuse).await;
        assert_eq!(alike::counts(&served, 4).await, expected);
        if reuse == 1 {
            wait_until("its memory is given back", || alike::memory(&served) == 0).await;
        }
    }
}

#[tokio::test]
async fn instances_have_what_their_container_has_by_0_2_and_by_0_3() {
    let served = serve(alike::greets).await;
    alike::shows_its_arguments_and_environment(&served).await;
    assert_eq!(served.get("/print/word").await.status.as_u16(), 200);
    assert_eq!(served.container.stderr.text(), "word\n");
    assert_eq!(served.get("/stream/flow").await.status.as_u16(), 200);
    assert_eq!(served.container.stdout.text(), "word\nflow\n");
}

#[tokio::test]
async fn work_goes_on_after_the_answer_and_without_its_client() {
    alike::works_on_after_its_answer(&serve(|_| {}).await).await;
    alike::works_on_without_its_client(&serve(|_| {}).await).await;
}

#[tokio::test]
async fn the_component_learns_what_became_of_its_answer() {
    let served = serve(|_| {}).await;
    assert_eq!(served.get("/sent").await.body.len(), 4 << 20);
    wait_until("success is told", || {
        served.container.stdout.text() == "Ok(())\n"
    })
    .await;
    let mut sender = served.http1().await;
    let answer = sender.send_request(get("/sent")).await.unwrap();
    drop((sender, answer));
    let failure = "Ok(())\nErr(ErrorCode::ConnectionTerminated)\n";
    wait_until("failure is told", || {
        served.container.stdout.text() == failure
    })
    .await;
}

#[tokio::test]
async fn a_request_that_fails_is_answered_with_a_status_and_told_in_the_log() {
    let served = serve(|config| config.memory = MemoryShare::new(8 << 20)).await;
    let trap = "wasm trap: wasm `unreachable` instruction executed";
    let cases = [
        ("/trap", 500, trap),
        ("/streams", 500, "resource table has no free keys"),
        ("/exit", 500, "the component exited with code"),
        ("/memory", 500, "memory limit exceeded: "),
        ("/error/refused", 502, "an error: ConnectionRefused"),
        ("/error/denied", 403, "an error: HttpRequestDenied"),
        ("/error/oops", 500, "oops"),
    ];
    alike::answers_failures(&served, &cases).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    let served = serve(|_| {}).await;
    for path in ["/late-trap", "/half"] {
        let mut sender = served.http1().await;
        let answer = match sender.send_request(get(path)).await {
            Ok(answer) => read(answer).await,
            Err(error) => Err(error),
        };
        assert!(answer.is_err(), "{path}: {answer:?}");
    }
    let log = served.container.stderr.text();
    assert!(log.contains("GET /late-trap: 500: wasm trap"), "{log}");
}

#[tokio::test]
async fn endless_loops_end_at_the_time_out_and_hold_up_nobody() {
    let served = serve(|config| config.http.request_timeout = Duration::from_secs(2)).await;
    for path in ["/loop", "/yield"] {
        alike::ends_a_loop(&served, path).await;
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_its_request() {
    let served = serve(|config| config.http.request_timeout = Duration::from_secs(20)).await;
    let stream = served.connect().await.unwrap();
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let head = Bytes::from_static(head.as_bytes());
    stream.write_all(head).await.unwrap();
    assert_eq!(served.get("/").await.body, "hello\n");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(21)).await;
    tokio::time::resume();
    let answer = super::rest(&stream).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}

#[tokio::test]
async fn a_sleep_passes_with_the_pods_time() {
    let served = serve(|config| config.http.request_timeout = Duration::from_secs(86_400)).await;
    let begun = tokio::time::Instant::now();
    let mut sender = served.http1().await;
    let sleeping = sender.send_request(get("/sleep/600000"));
    let sleeping = served.pod.tasks.handle().spawn(sleeping).unwrap();
    while !sleeping.is_finished() {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(50)).await;
        tokio::time::resume();
        assert_eq!(served.get("/").await.body, "hello\n");
    }
    assert!(begun.elapsed() >= Duration::from_secs(600));
    let answer = sleeping.await.unwrap().unwrap();
    assert_eq!(read(answer).await.unwrap().body, "awake\n");
}

#[tokio::test]
async fn requests_to_others_go_over_the_pods_network() {
    let served = serve(|_| {}).await;
    neighbour(&served, 5000).await;
    alike::reaches_its_neighbour(&served).await;
    alike::hands_a_body_on(&served).await;
    // A socket of the standard library is one of the pod's too.
    assert_eq!(served.get("/tcp/127.0.0.1:5000").await.body, "connected\n");
    assert_eq!(served.get("/tcp/127.0.0.1:9").await.status.as_u16(), 502);
}

#[tokio::test]
async fn what_hinders_a_request_is_told_to_the_component() {
    let slow = (
        "http://localhost:8000/sleep/600000",
        504,
        "ConnectionReadTimeout",
    );
    alike::is_told_what_hinders(&serve(|_| {}).await, &[slow]).await;
}

#[tokio::test]
async fn a_stop_lets_what_was_begun_be_answered() {
    let served = serve(|_| {}).await;
    let (pieces, body) = by_hand();
    let request = Request::post("/echo").header("host", "pod").body(body);
    let mut sender = served.http1().await;
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    let id = &served.container.id;
    let stop = served
        .pod
        .runtime
        .stop_container(id, Duration::from_secs(30));
    let finish = async {
        while served.connect().await.is_ok() {
            tokio::task::yield_now().await;
        }
        pieces.send(Frame::data("last".into())).await.unwrap();
        drop(pieces);
        assert_eq!(read(answer).await.unwrap().body, "last");
    };
    in_time("the stop", async { tokio::join!(stop, finish) }).await;
    assert_eq!(served.pod.exit(&served.container).await, Exit::with_code(0));
}

#[tokio::test]
async fn a_kill_drops_what_was_begun() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    let answer = sender.send_request(get("/bytes/20000000")).await.unwrap();
    let id = &served.container.id;
    let kill = served.pod.runtime.stop_container(id, Duration::ZERO);
    in_time("the kill", kill).await;
    let exit = served.pod.exit(&served.container).await;
    assert_eq!(exit, Signal::KILL.exit());
    assert!(read(answer).await.is_err());
}

#[tokio::test]
async fn nothing_is_left_of_a_request_that_was_being_handed_on() {
    for is_http2 in [false, true] {
        let timeout = Duration::from_secs(20);
        let served = serve(|config| config.http.request_timeout = timeout).await;
        neighbour(&served, 5000).await;
        let (pieces, body) = by_hand();
        let request = Request::post("http://pod/forward/http://localhost:5000/echo")
            .header("host", "pod")
            .body(body)
            .unwrap();
        let (mut first, mut second) = (served.http1().await, served.http2().await);
        let answer = async {
            if is_http2 {
                second.send_request(request).await.unwrap()
            } else {
                first.send_request(request).await.unwrap()
            }
        };
        let mut answer = in_time("the head", answer).await.into_body();
        pieces.send(Frame::data("piece".into())).await.unwrap();
        let frame = in_time("the echo", answer.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "piece");
        // What is connected to the neighbour.
        let connections = || {
            let sockets = served.pod.network.sockets();
            let peers = sockets.iter().filter_map(|socket| socket.peer);
            peers.filter(|peer| peer.port() == 5000).count()
        };
        assert_eq!(connections(), 1);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(21)).await;
        tokio::time::resume();
        assert!(in_time("the end", answer.frame()).await.unwrap().is_err());
        wait_until("the connection is closed", || connections() == 0).await;
    }
}

#[tokio::test]
async fn a_component_that_has_no_room_for_one_instance_ends_as_another_program_would() {
    alike::is_killed_without_room(&guest()).await;
}

#[tokio::test]
async fn a_component_that_is_a_command_of_0_2_too_is_run_beside_a_container() {
    let served = serve(|_| {}).await;
    let guest = guest();
    let (config, ..) = served.pod.config("exec", &guest);
    let role = MainProcess::new(&config.args).beside();
    let command = start_program(&served.pod, &guest, "server", |config| config.role = role);
    let command = command.await;
    assert_eq!(served.pod.exit(&command).await, Exit::with_code(0));
    assert_eq!(
        command.stdout.text(),
        "this component answers HTTP requests\n"
    );
}

#[tokio::test]
async fn what_is_offered_is_known_before_the_start() {
    let runtime = Runtime::new(&RuntimeConfig::default()).unwrap();
    let inspection = runtime.inspect(&guest()).unwrap();
    assert!(inspection.handles_http);
    assert_eq!(inspection.missing(), Vec::<String>::new());
}

#[tokio::test]
async fn sockets_of_0_3_are_refused_because_they_would_be_the_machines() {
    let component = r#"(component
        (import "wasi:sockets/types@0.3.0" (instance
            (export "tcp-socket" (type $socket (sub resource)))
            (export "[static]tcp-socket.create" (func))))
        (core module $m)
        (instance $handler)
        (export "wasi:http/handler@0.3.0" (instance $handler)))"#;
    let program = Program::new("sockets.wasm", wat::parse_str(component).unwrap());
    let error = Pod::new().prepare(&Arc::new(program)).await.unwrap_err();
    let RuntimeError::MissingImports { imports, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(imports, ["wasi:sockets/types@0.3.0"]);
}

#[tokio::test]
async fn another_version_of_the_handler_is_refused() {
    let component = r#"(component
        (instance $handler)
        (export "wasi:http/handler@0.3.0-rc-2026-03-15" (instance $handler)))"#;
    let program = Program::new("draft.wasm", wat::parse_str(component).unwrap());
    let error = Pod::new().prepare(&Arc::new(program)).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("wasi:http/handler@0.3.0"), "{error}");
}
