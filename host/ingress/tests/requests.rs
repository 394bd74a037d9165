//! Requests and answers over HTTP/1.1.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Says what was asked: the request line, the fields in order, the body.
async fn told(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let mut fields: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    fields.sort();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let text = format!(
        "{} {}\n{}\n{body}",
        head.method,
        head.uri,
        fields.join("\n")
    );
    let answer = Response::builder()
        .status(201)
        .header("x-answer", "1")
        .header("keep-alive", "timeout=5")
        .header("connection", "x-private")
        .header("x-private", "1");
    answer.body(Full::from(text)).unwrap()
}

#[tokio::test]
async fn a_request_reaches_its_pod_with_its_host_and_where_it_came_from() {
    let mut world = World::new();
    let _pod = world.with_web(told);
    let request = Request::post("/a/b?c=d")
        .header("host", "Shop.example:8080")
        .header("x-forwarded-for", "6.6.6.6")
        .header("connection", "x-mine")
        .header("x-mine", "1")
        .body(Full::from("body"))
        .unwrap();
    let port = world.doors[0].port();
    let expected = format!(
        "POST /a/b?c=d\ncontent-length: 4\nhost: Shop.example:8080\nx-forwarded-for: 127.0.0.1\nx-forwarded-host: \
         Shop.example:8080\nx-forwarded-port: {port}\nx-forwarded-proto: http\nx-real-ip: 127.0.0.1\nbody"
    );
    assert_eq!(world.ask(request).await, (201, expected));
}

#[tokio::test]
async fn an_answer_has_no_fields_of_the_pods_own_connection() {
    let mut world = World::new();
    let _pod = world.with_web(told);
    let mut client = world.connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    limited(client.read_to_string(&mut text)).await.unwrap();
    assert!(text.contains("x-answer: 1"), "{text}");
    for field in ["keep-alive", "x-private"] {
        assert!(!text.contains(field), "{field}: {text}");
    }
}

#[tokio::test]
async fn many_requests_of_one_connection_are_balanced_one_by_one() {
    let mut world = World::new();
    let pods = [world.pod("a"), world.pod("b")];
    world.service("web", &[&pods[0], &pods[1]]);
    world.set(rules(&[("/", "web")]));
    for pod in &pods {
        let connections = pod.connections();
        let name = pod.network.hostname().to_owned();
        world.tasks.spawn(async move {
            loop {
                let stream = connections.next().await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{name}");
                drop(stream.read(4096).await);
                let _ = stream.write_all(answer.into()).await;
            }
        });
    }
    let stream = TokioIo::new(world.connect().await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    world.tasks.spawn(async move { drop(connection.await) });
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let request = Request::get("/").header("host", "a.example");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        limited(sender.ready()).await.unwrap();
        let answer = limited(sender.send_request(request)).await.unwrap();
        seen.insert(answer.into_body().collect().await.unwrap().to_bytes());
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn rules_count_from_the_request_after_they_were_set() {
    let mut world = World::new();
    let _pod = world.with_web(told);
    assert_eq!(world.get("a.example", "/").await.0, 201);
    world.set(rules(&[("b.example/shop", "web")]));
    for (host, path, status) in [
        ("a.example", "/shop", 404),
        ("b.example", "/shop/cart", 201),
        ("b.example:80", "/shop", 201),
        ("b.example", "/shopping", 404),
    ] {
        assert_eq!(world.get(host, path).await.0, status, "{host}{path}");
    }
    // A service that goes, and one that has no pods.
    world.network.remove_service(&name("web"));
    assert_eq!(world.get("b.example", "/shop").await.0, 503);
    world.service("web", &[]);
    let (status, text) = world.get("b.example", "/shop").await;
    assert_eq!(
        (status, text.as_str()),
        (503, "503 no pod behind this path is ready\n")
    );
}

#[tokio::test]
async fn a_pod_that_does_not_listen_or_speaks_no_http_is_a_bad_gateway() {
    let mut world = World::new();
    let (deaf, babbling) = (world.pod("deaf"), world.pod("babbling"));
    world.service("deaf", &[&deaf]);
    world.service("babbling", &[&babbling]);
    world.set(rules(&[("/deaf", "deaf"), ("/babbling", "babbling")]));
    let connections = babbling.connections();
    world.tasks.spawn(async move {
        loop {
            let stream = connections.next().await;
            let _ = stream.write_all(Bytes::from_static(b"220 hello\r\n")).await;
        }
    });
    assert_eq!(world.get("a", "/deaf").await.0, 502);
    assert_eq!(world.get("a", "/babbling").await.0, 502);
}

#[tokio::test]
async fn what_is_no_request_of_ours_is_refused() {
    let mut world = World::new();
    let _pod = world.with_web(told);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    let many = "x: 1\r\n".repeat(101);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "400"),
        ("hello\r\n\r\n", "400"),
        (many.as_str(), "431"),
        (&long, "4"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "400",
        ),
    ] {
        let mut client = world.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        limited(client.read_exact(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let line = request.lines().next().unwrap();
        let line = line.get(..40).unwrap_or(line);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{line}: {answer}"
        );
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_while_the_request_still_comes() {
    let mut world = World::new();
    let pod = world.pod("web");
    world.service("web", &[&pod]);
    world.set(rules(&[("/", "web")]));
    let connections = pod.connections();
    world.tasks.spawn(async move {
        let mut stream = connections.next().await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(Bytes::from_static(answer)).await.unwrap();
        // What comes in chunks goes back in chunks.
        let (mut from, mut to) = tokio::io::split(stream);
        drop(tokio::io::copy(&mut from, &mut to).await);
    });
    let mut client = world.connect().await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut seen = String::new();
    for part in ["one", "two", "six"] {
        client
            .write_all(format!("3\r\n{part}\r\n").as_bytes())
            .await
            .unwrap();
        while !seen.contains(part) {
            let byte = limited(client.read_u8()).await.unwrap();
            seen.push(char::from(byte));
        }
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    while !seen.ends_with("0\r\n\r\n") {
        seen.push(char::from(limited(client.read_u8()).await.unwrap()));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_makes_the_pod_wait() {
    let world = World::new();
    let (_pod, client, stream) = world.asked().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    stream.write_all(head.into()).await.unwrap();
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    let (mut sent, mut quiet) = (0_usize, 0);
    // Full when nothing was taken for as long as the proxy would need to take something many times.
    while quiet < 10_000 {
        match stream.try_write(&mut chunk.clone()) {
            Ok(taken) => (sent, quiet) = (sent + taken, 0),
            Err(_) => quiet += 1,
        }
        tokio::task::yield_now().await;
    }
    // The pipe of the pod, what the proxy holds, what the kernel takes for both ends of the client's connection.
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    // It is given up with the client.
    drop(client);
    let mut rest = chunk.clone();
    let gone = async { while stream.try_write(&mut rest).is_ok() || !is_closed(&stream).await {} };
    limited(gone).await;
}

async fn is_closed(stream: &TcpStream) -> bool {
    tokio::task::yield_now().await;
    poll_fn(|cx| std::task::Poll::Ready(stream.poll_write_closed(cx).is_ready())).await
}
