//! Requests and their answers.

use futures_util::future::join_all;
use http::HeaderValue;

use super::{alike, declared, get, post, read, serve};
use crate::tests::fixture::in_time;

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    for _ in 0..3 {
        let answer = in_time("an answer", sender.send_request(get("/"))).await;
        let answer = read(answer.unwrap()).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "hello\n")
        );
        assert_eq!(answer.headers["content-type"], "text/plain");
        assert!(answer.headers.contains_key("date"), "RFC 9110 6.6.1");
    }
}

#[tokio::test]
async fn the_component_sees_what_the_client_has_sent() {
    let served = serve(|_| {}).await;
    let mut request = post("/request/x?q=1&r=%20", "");
    let headers = request.headers_mut();
    headers.insert("x-one", HeaderValue::from_static("1"));
    headers.append("x-one", HeaderValue::from_static("2"));
    let mut sender = served.http1().await;
    let answer = sender.send_request(request).await.unwrap();
    let body = read(answer).await.unwrap().body;
    let lines: Vec<_> = body.lines().collect();
    assert_eq!(lines[0], "Method::Post /request/x?q=1&r=%20 pod");
    assert!(
        lines.contains(&"x-one: 1") && lines.contains(&"x-one: 2"),
        "{body}"
    );
}

#[tokio::test]
async fn a_body_is_answered_while_it_is_sent() {
    alike::echoes_while_it_is_sent(&serve(|_| {}).await, "/echo").await;
}

#[tokio::test]
async fn trailers_come_and_go_in_both_versions_of_http() {
    let served = serve(|_| {}).await;
    for is_http2 in [false, true] {
        alike::echoes_trailers(&served, "/echo", is_http2).await;
    }
}

#[tokio::test]
async fn one_connection_of_h2c_has_many_requests_at_a_time() {
    let served = serve(|_| {}).await;
    let sender = served.http2().await;
    // The first sleeps longest, so that answers overtake each other.
    let requests = (0..20).map(|n| {
        let mut sender = sender.clone();
        async move {
            let path = format!("http://pod/sleep/{}", 200 - 10 * n);
            let answer = sender.send_request(get(&path)).await.unwrap();
            read(answer).await.unwrap().body
        }
    });
    let bodies = in_time("all answers", join_all(requests)).await;
    assert!(bodies.iter().all(|body| body == "awake\n"), "{bodies:?}");
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
async fn a_client_that_does_not_read_holds_up_its_own_answer_only() {
    let served = serve(|_| {}).await;
    let mut slow = served.http1().await;
    let answer = slow.send_request(get("/bytes/20000000")).await.unwrap();
    let held = || {
        let sockets = served.pod.network.sockets();
        let bytes = sockets.iter().map(|socket| socket.traffic.tx_bytes);
        bytes.max().unwrap_or_default()
    };
    for _ in 0..5 {
        assert_eq!(served.get("/").await.body, "hello\n");
    }
    assert!(held() < 2_000_000, "{} bytes were sent ahead", held());
    let body = read(answer).await.unwrap().body;
    assert_eq!(body.len(), 20_000_000);
}

#[tokio::test]
async fn a_large_body_is_taken_as_fast_as_the_component_reads() {
    let served = serve(|_| {}).await;
    let mut sender = served.http1().await;
    let body = vec![b'x'; 20_000_000];
    let answer = sender.send_request(post("/length", body)).await.unwrap();
    assert_eq!(read(answer).await.unwrap().body, "20000000\n");
}

#[tokio::test]
async fn what_is_on_the_wire_is_http() {
    let served = serve(|_| {}).await;
    let old = served.raw("GET /request HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
    assert!(
        old.contains("Method::Get /request 127.0.0.1:8000\n"),
        "{old}"
    );
    let head = served
        .raw("HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for wrong in [
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let answer = served.raw(wrong).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{wrong}: {answer}"
        );
    }
}

#[tokio::test]
async fn each_declared_port_is_served_and_8080_where_there_is_none() {
    let served = serve(|config| config.ports = declared(&[81, 82])).await;
    for port in [81, 82] {
        assert!(served.connect_to(port).await.is_ok(), "{port}");
    }
    assert!(served.connect_to(8080).await.is_err());
    let served = serve(|config| config.ports = Vec::new()).await;
    assert!(served.connect_to(8080).await.is_ok());
}
