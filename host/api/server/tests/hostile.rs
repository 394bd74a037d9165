//! Clients that are broken, slow, greedy or malicious: none of them costs the others anything.

use super::*;
use crate::server::limits::{MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_LONG_REQUESTS};

impl World {
    async fn is_well(&self) {
        assert_eq!(self.get("/api/v1/pods").await["kind"], "PodList");
    }

    async fn code(&self, request: &str) -> String {
        let answer = self.raw(request.as_bytes()).await;
        answer.split(' ').nth(1).unwrap_or(&answer).to_owned()
    }
}

#[tokio::test]
async fn wrong_methods_forms_and_bodies_have_their_codes() {
    let world = World::new();
    world.config_map("a", json!({}));
    let rows = [
        (
            "POST /api/v1/namespaces/default/pods",
            "content-length: 2\r\n\r\n{}",
            "422",
        ),
        (
            "PUT /api/v1/namespaces/default/configmaps/a",
            "content-length: 2\r\n\r\n[]",
            "400",
        ),
        (
            "PATCH /api/v1/namespaces/default/configmaps/a",
            "content-length: 2\r\n\r\n{}",
            "415",
        ),
        ("DELETE /version", "\r\n", "405"),
        ("BREW /api/v1/pods", "\r\n", "405"),
        (
            "GET /api/v1/pods",
            "accept: application/yaml\r\n\r\n",
            "406",
        ),
        ("GET /api/v1/pods?a=%zz", "\r\n", "400"),
        (
            "DELETE /api/v1/namespaces/default/configmaps/a",
            "content-type: application/yaml\r\ncontent-length: 2\r\n\r\n{}",
            "415",
        ),
        (
            "DELETE /api/v1/namespaces/default/configmaps/a",
            "content-length: 1\r\n\r\n{",
            "400",
        ),
        (
            "GET /api/v1/namespaces/default/pods/..%2F..%2F..%2Fetc%2Fpasswd",
            "\r\n",
            "404",
        ),
        ("GET /api/v1/namespaces/../../etc/passwd", "\r\n", "404"),
        (
            "GET /api/v1/namespaces/default/pods/a%00b/log",
            "\r\n",
            "404",
        ),
        ("HEAD /api/v1/pods", "\r\n", "200"),
    ];
    for (line, rest, expected) in rows {
        let request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
        assert_eq!(world.code(&request).await, expected, "{line}");
    }
    assert_eq!(names(&world.get("/api/v1/configmaps").await), ["a"]);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let world = World::new();
    let huge = "x".repeat(200_000);
    let head = format!("GET /version HTTP/1.1\r\nhost: x\r\nbig: {huge}\r\n\r\n");
    assert_eq!(world.code(&head).await, "431");
    let many: String = (0..1000).map(|n| format!("h{n}: v\r\n")).collect();
    assert_eq!(
        world
            .code(&format!("GET /version HTTP/1.1\r\nhost: x\r\n{many}\r\n"))
            .await,
        "431"
    );
    let path = "/api/v1/namespaces/default/configmaps/a";
    let chunk = format!(
        "{:x}\r\n{}\r\n",
        MAX_BODY_BYTES + 1,
        " ".repeat(MAX_BODY_BYTES + 1)
    );
    let body = format!(
        "DELETE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
    );
    assert_eq!(world.code(&body).await, "413");
    world.is_well().await;
}

#[tokio::test]
async fn garbage_is_no_request() {
    let world = World::new();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = world.connect().await;
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        bounded(stream.read_to_end(&mut answer)).await.unwrap();
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    world.is_well().await;
}

#[tokio::test]
async fn clients_that_say_half_a_request_hold_nobody_up() {
    let world = World::new();
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut stream = world.connect().await;
        stream
            .write_all(b"GET /version HTTP/1.1\r\nhost:")
            .await
            .unwrap();
        halves.push(stream);
    }
    world.is_well().await;
}

#[tokio::test]
async fn more_watchers_than_there_is_room_for_are_refused() {
    let world = World::new();
    let mut watches = Vec::new();
    for _ in 0..MAX_LONG_REQUESTS {
        watches.push(
            world
                .client
                .watch("/api/v1/pods?watch=true", Accept::Json)
                .await
                .unwrap(),
        );
    }
    for _ in 0..10 {
        let refused = world
            .client
            .watch("/api/v1/pods?watch=true", Accept::Json)
            .await;
        let refused = status(refused.map(|_| ()));
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (429, "TooManyRequests")
        );
    }
    world.is_well().await;
    watches.pop();
    bounded(async {
        while world
            .client
            .watch("/api/v1/pods?watch=true", Accept::Json)
            .await
            .is_err()
        {}
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_connections_find_a_closed_door() {
    let world = World::new();
    let mut open = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        open.push(world.connect().await);
    }
    let mut refused = 0;
    for _ in 0..(10_000 - MAX_CONNECTIONS) {
        let mut stream = world.connect().await;
        let mut answer = Vec::new();
        bounded(stream.read_to_end(&mut answer)).await.unwrap();
        refused += usize::from(answer.starts_with(b"HTTP/1.1 429"));
    }
    assert_eq!(refused, 10_000 - MAX_CONNECTIONS);
    let body = world.raw(b"").await;
    let body = body.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(serde_json::from_str::<Status>(&body).unwrap().code, 429);
    drop(open);
    bounded(async { while world.client.get("/version", Accept::Json).await.is_err() {} }).await;
}

/// A session's socket after the handshake, and what the server said.
async fn socket(world: &World, protocol: &str) -> (UnixStream, String) {
    let mut stream = world.connect().await;
    let request = format!(
        "GET /api/v1/namespaces/default/pods/web/exec?command=cat&stdin=true&stdout=true HTTP/1.1\r\nhost: x\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: {protocol}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(bounded(stream.read_u8()).await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

#[tokio::test]
async fn the_newest_protocol_that_both_know_is_spoken() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "cat", Script::default());
    for (offered, spoken) in [
        ("v5.channel.k8s.io", "v5.channel.k8s.io"),
        ("v4.channel.k8s.io, v3.channel.k8s.io", "v4.channel.k8s.io"),
        ("v4.channel.k8s.io, v5.channel.k8s.io", "v5.channel.k8s.io"),
    ] {
        let (mut stream, head) = socket(&world, offered).await;
        assert!(
            head.starts_with("HTTP/1.1 101")
                && head.contains(&format!("sec-websocket-protocol: {spoken}\r\n")),
            "{head}"
        );
        // RFC 6455's own example.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let mut first = [0; 3];
        bounded(stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(first, [0x82, 1, 1], "an empty message on the first channel");
    }
    let (_, head) = socket(&world, "base64.channel.k8s.io").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[tokio::test]
async fn garbage_in_a_session_ends_it_and_nothing_else() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "cat", Script::default());
    let frames: [&[u8]; 5] = [
        // Not masked, which a client must.
        &[0x82, 2, 0, b'x'],
        // A reserved operation.
        &[0x83, 0x80, 0, 0, 0, 0],
        // A length beyond every limit.
        &[
            0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ],
        // A continuation of nothing.
        &[0x80, 0x80, 0, 0, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for frame in frames {
        let (mut stream, _) = socket(&world, "v5.channel.k8s.io").await;
        stream.write_all(frame).await.unwrap();
        let mut rest = Vec::new();
        // The end, by a close or by a reset.
        drop(bounded(stream.read_to_end(&mut rest)).await);
    }
    // Unknown channels and broken sizes are passed over: the session lives.
    let (mut stream, _) = socket(&world, "v5.channel.k8s.io").await;
    for payload in [&[9_u8, 1][..], &[4, b'{'], &[255, 7], &[3, 1], &[]] {
        let mut frame = vec![
            0x82,
            0x80 | u8::try_from(payload.len()).unwrap(),
            0,
            0,
            0,
            0,
        ];
        frame.extend_from_slice(payload);
        stream.write_all(&frame).await.unwrap();
    }
    // A ping is answered.
    stream
        .write_all(&[0x89, 0x81, 0, 0, 0, 0, b'p'])
        .await
        .unwrap();
    let mut answer = [0; 6];
    bounded(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [0x82, 1, 1, 0x8a, 1, b'p']);
    drop(stream);
    bounded(async {
        while world.runtime.containers() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.is_well().await;
}
