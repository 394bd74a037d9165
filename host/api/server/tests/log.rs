//! Logs: which container, which part, and following.

use futures_util::StreamExt;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;
use crate::client::ByteStream;

const LOG: &str = "/api/v1/namespaces/default/pods/web/log";

async fn all(stream: &mut ByteStream) -> String {
    let mut text = Vec::new();
    while let Some(bytes) = bounded(stream.next()).await.unwrap() {
        text.extend_from_slice(&bytes);
    }
    String::from_utf8(text).unwrap()
}

impl World {
    fn prints(&self, container: &str, text: &str) {
        self.runtime.script(
            container,
            [Script {
                prints: text.to_owned(),
                ..Script::default()
            }],
        );
    }

    async fn log(&self, query: &str) -> String {
        let mut stream = self.client.bytes(&format!("{LOG}?{query}")).await.unwrap();
        all(&mut stream).await
    }
}

#[tokio::test]
async fn the_parts_of_a_log_are_given_as_asked() {
    let world = World::new();
    world.prints("a", "one\ntwo\nthree\n");
    world.pod("web", &["a"]).await;
    assert_eq!(world.log("").await, "one\ntwo\nthree\n");
    assert_eq!(world.log("tailLines=1").await, "three\n");
    assert_eq!(world.log("tailLines=0").await, "");
    assert_eq!(world.log("limitBytes=5").await, "one\nt");
    assert_eq!(world.log("stream=Stderr").await, "");
    assert_eq!(world.log("sinceSeconds=3600").await, "one\ntwo\nthree\n");
    assert_eq!(world.log("sinceTime=2100-01-01T00%3A00%3A00Z").await, "");
    let stamped = world.log("timestamps=true&tailLines=1").await;
    let (stamp, text) = stamped.split_once(' ').unwrap();
    assert!(stamp.ends_with('Z') && stamp.contains('T'), "{stamped}");
    assert_eq!(text, "three\n");
    for (query, code) in [
        ("tailLines=-1", 422),
        ("sinceSeconds=0", 422),
        ("sinceSeconds=1&sinceTime=2100-01-01T00%3A00%3A00Z", 422),
        ("sinceTime=yesterday", 400),
        ("stream=Both", 422),
        ("stream=Stdout&tailLines=1", 422),
        ("limitBytes=x", 400),
    ] {
        assert_eq!(
            world.refused(&format!("{LOG}?{query}")).await.code,
            code,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_container_must_be_named_among_several() {
    let world = World::new();
    world.prints("b", "hi\n");
    world.pod("web", &["a", "b"]).await;
    let refused = world.refused(LOG).await;
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            400,
            "a container name must be specified for pod web, choose one of: [a b]"
        )
    );
    assert_eq!(
        world.refused(&format!("{LOG}?container=c")).await.message,
        "container c is not valid for pod web"
    );
    assert_eq!(world.log("container=b").await, "hi\n");
    let none = world
        .refused(&format!("{LOG}?container=b&previous=true"))
        .await;
    assert_eq!(
        none.message,
        "previous terminated container \"b\" in pod \"web\" not found"
    );
}

#[tokio::test]
async fn following_goes_on_until_the_container_ends() {
    let world = World::new();
    world.prints("a", "begin\n");
    world.pod("web", &["a"]).await;
    let mut stream = world
        .client
        .bytes(&format!("{LOG}?follow=true"))
        .await
        .unwrap();
    assert_eq!(bounded(stream.next()).await.unwrap().unwrap(), "begin\n");
    world
        .runtime
        .with_config("a", |config| config.stdout.try_write(b"later\n"))
        .unwrap()
        .unwrap();
    assert_eq!(bounded(stream.next()).await.unwrap().unwrap(), "later\n");
    world
        .agent
        .running("default", "web")
        .unwrap()
        .sandbox()
        .kill()
        .await;
    assert_eq!(all(&mut stream).await, "");
}

#[tokio::test]
async fn a_container_that_waits_has_no_log_and_says_why() {
    let world = World::new();
    world
        .start(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {
                "initContainers": [{"name": "i", "image": "./app.wasm"}],
                "containers": [{"name": "a", "image": "./app.wasm"}],
                "terminationGracePeriodSeconds": 1,
            },
        }))
        .await;
    world.until_status("web", "Init:0/1").await;
    let refused = world.refused(&format!("{LOG}?container=a")).await;
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            400,
            "container \"a\" in pod \"web\" is waiting to start: PodInitializing"
        )
    );
}

/// The messages of a log over a WebSocket, without the empty ones, and the protocol that the server chose.
async fn messages(
    world: &World,
    query: &str,
    protocol: Option<&str>,
) -> (Vec<Message>, Option<String>) {
    let mut request = format!("ws://localhost{LOG}?{query}")
        .into_client_request()
        .unwrap();
    if let Some(protocol) = protocol {
        let protocol = protocol.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
    }
    let stream = world.connect().await;
    let (mut socket, response) = bounded(client_async(request, stream)).await.unwrap();
    let chosen = response.headers().get("sec-websocket-protocol");
    let chosen = chosen.map(|chosen| chosen.to_str().unwrap().to_owned());
    let mut messages = Vec::new();
    while let Some(message) = bounded(socket.next()).await {
        match message.unwrap() {
            Message::Close(_) => break,
            message => messages.push(message),
        }
    }
    (messages, chosen)
}

#[tokio::test]
async fn a_log_comes_over_a_websocket_in_the_form_that_the_client_asks_for() {
    let world = World::new();
    world.prints("a", "one\ntwo\n");
    world.pod("web", &["a"]).await;
    for protocol in [None, Some("binary.k8s.io")] {
        let (messages, chosen) = messages(&world, "", protocol).await;
        assert_eq!(chosen.as_deref(), protocol);
        assert_eq!(
            messages[0],
            Message::Binary(bytes::Bytes::new()),
            "it is open"
        );
        let text: Vec<u8> = messages
            .iter()
            .flat_map(|message| message.clone().into_data())
            .collect();
        assert_eq!(text, b"one\ntwo\n");
        assert!(messages.iter().all(Message::is_binary));
    }
    let (messages, chosen) = messages(
        &world,
        "tailLines=1",
        Some("x.k8s.io, base64.binary.k8s.io"),
    )
    .await;
    assert_eq!(chosen.as_deref(), Some("base64.binary.k8s.io"));
    assert_eq!(messages, [Message::text(""), Message::text("dHdvCg==")]);
}

#[tokio::test]
async fn what_is_wrong_with_a_log_is_told_before_the_websocket_opens() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    for (query, protocol) in [("container=b", "binary.k8s.io"), ("", "v5.channel.k8s.io")] {
        let mut request = format!("ws://localhost{LOG}?{query}")
            .into_client_request()
            .unwrap();
        let protocol = protocol.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let refused = bounded(client_async(request, world.connect().await)).await;
        match refused {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), 400),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_log_that_is_followed_over_a_websocket_ends_with_its_client() {
    let world = World::new();
    world.prints("a", "one\n");
    world.pod("web", &["a"]).await;
    let request = format!("ws://localhost{LOG}?follow=true")
        .into_client_request()
        .unwrap();
    let (mut socket, _) = bounded(client_async(request, world.connect().await))
        .await
        .unwrap();
    assert_eq!(
        bounded(socket.next()).await.unwrap().unwrap(),
        Message::Binary(bytes::Bytes::new())
    );
    assert_eq!(
        bounded(socket.next()).await.unwrap().unwrap(),
        Message::binary("one\n")
    );
    socket.close(None).await.unwrap();
    // The server answers the close and hangs up, although the container runs.
    bounded(async { while let Some(Ok(_)) = socket.next().await {} }).await;
}
