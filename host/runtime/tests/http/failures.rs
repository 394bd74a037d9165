//! What goes wrong with one request is the end of that request.

use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use wasmpod_sandbox::MemoryShare;

use super::{alike, get, guest, read, serve};
use crate::tests::fixture::in_time;

#[tokio::test]
async fn a_request_that_fails_is_answered_with_a_status_and_told_in_the_log() {
    let served = serve(|config| config.memory = MemoryShare::new(8 << 20)).await;
    let trap = "wasm trap: wasm `unreachable` instruction executed\n  at ";
    let exit = "the component exited with code 1 instead of returning";
    let cases = [
        ("/trap", 500, trap),
        ("/exit", 500, exit),
        ("/none", 500, "the component returned without an answer"),
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
    let mut sender = served.http1().await;
    let answer = sender.send_request(get("/late-trap")).await;
    assert!(!is_whole(answer).await, "HTTP/1.1");
    let mut sender = served.http2().await;
    let answer = sender.send_request(get("http://pod/late-trap")).await;
    assert!(!is_whole(answer).await, "HTTP/2");
    let log = served.container.stderr.text();
    assert_eq!(
        log.matches("GET /late-trap: 500: wasm trap").count(),
        2,
        "{log}"
    );
}

/// The head of an answer may not have been sent before it breaks off.
async fn is_whole(answer: Result<Response<Incoming>, hyper::Error>) -> bool {
    match answer {
        Ok(answer) => read(answer).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_time_out_and_holds_up_nobody() {
    let served = serve(|config| config.http.request_timeout = Duration::from_secs(2)).await;
    alike::ends_a_loop(&served, "/loop").await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_request_to_the_component() {
    alike::works_on_without_its_client(&serve(|_| {}).await).await;
}

#[tokio::test]
async fn a_component_that_has_no_room_for_one_instance_ends_as_another_program_would() {
    alike::is_killed_without_room(&guest()).await;
}

#[tokio::test]
async fn requests_beyond_the_memory_of_the_container_wait_for_room() {
    // An instance has some 1.2 MB: there is room for two, and not for ten.
    let served = serve(|config| config.memory = MemoryShare::new(3 << 20)).await;
    assert_eq!(served.get("/").await.status.as_u16(), 200);
    let sleeping: Vec<_> = (0..10).map(|_| served.get("/sleep/20")).collect();
    let answers = in_time("all answers", futures_util::future::join_all(sleeping)).await;
    for answer in answers {
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    }
    assert_eq!(served.container.stderr.text(), "");
}
