//! Connections that change their protocol, and when they end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const ASK: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A client and a pod that have agreed.
async fn tunnel(world: &World) -> (Pod, HostStream, TcpStream) {
    let pod = world.pod("web");
    world.service("web", &[&pod]);
    world.set(rules(&[("/", "web")]));
    let connections = pod.connections();
    let mut client = world.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut stream = limited(connections.next()).await;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(limited(stream.read_u8()).await.unwrap()));
    }
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    let agreed =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(Bytes::from_static(agreed)).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        answer.push(char::from(limited(client.read_u8()).await.unwrap()));
    }
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("upgrade: websocket"),
        "{answer}"
    );
    (pod, client, stream)
}

async fn talk(client: &mut HostStream, stream: &mut TcpStream) {
    client.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    limited(AsyncReadExt::read_exact(stream, &mut four))
        .await
        .unwrap();
    assert_eq!(&four, b"ping");
    TcpStream::write_all(stream, Bytes::from_static(b"pong"))
        .await
        .unwrap();
    limited(client.read_exact(&mut four)).await.unwrap();
    assert_eq!(&four, b"pong");
}

/// Reads until the end, however it comes.
async fn is_over(client: &mut HostStream) {
    let ended = limited(client.read(&mut [0; 9])).await;
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
}

#[tokio::test]
async fn a_websocket_passes_and_each_side_can_end_it() {
    let world = World::new();
    let (_pod, mut client, mut stream) = tunnel(&world).await;
    talk(&mut client, &mut stream).await;
    drop(stream);
    is_over(&mut client).await;
    drop((client, _pod));

    let (_pod, client, stream) = tunnel(&world).await;
    drop(client);
    assert!(
        limited(stream.read(9))
            .await
            .is_ok_and(|data| data.is_empty())
    );
}

#[tokio::test]
async fn a_websocket_ends_with_its_pod() {
    let world = World::new();
    let (pod, mut client, mut stream) = tunnel(&world).await;
    talk(&mut client, &mut stream).await;
    pod.network.close();
    is_over(&mut client).await;
}

#[tokio::test]
async fn a_websocket_ends_when_its_rule_or_its_service_goes_and_stays_while_they_do() {
    let world = World::new();
    let (pod, mut client, mut stream) = tunnel(&world).await;
    world.set(rules(&[("/chat", "web"), ("/", "other")]));
    world.front.recheck();
    talk(&mut client, &mut stream).await;
    world.set(rules(&[("/chat", "other"), ("/", "web")]));
    is_over(&mut client).await;
    let ended = limited(stream.read(9)).await;
    assert!(!matches!(&ended, Ok(data) if !data.is_empty()), "{ended:?}");
    drop((pod, stream));

    let (_pod, mut client, _stream) = tunnel(&world).await;
    world.network.remove_service(&name("web"));
    world.front.recheck();
    is_over(&mut client).await;
}

#[tokio::test]
async fn an_answer_under_way_is_cut_when_its_rule_goes() {
    let world = World::new();
    let (_pod, mut client, stream) = world.asked().await;
    let part = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour");
    stream.write_all(part).await.unwrap();
    let mut seen = String::new();
    while !seen.ends_with("four") {
        seen.push(char::from(limited(client.read_u8()).await.unwrap()));
    }
    world.set(Routes::default());
    is_over(&mut client).await;
    assert!(!matches!(limited(stream.read(9)).await, Ok(data) if !data.is_empty()));
}

#[tokio::test]
async fn five_hundred_silent_clients_keep_nobody_out() {
    let mut world = World::new();
    let _pod = world.with_web(|_| async { Response::new(Full::from("here")) });
    let mut silent = Vec::new();
    for _ in 0..500 {
        let mut client = world.connect().await;
        client.write_all(b"GET / HT").await.unwrap();
        silent.push(client);
    }
    assert_eq!(world.get("a", "/").await, (200, "here".to_owned()));
    // None of them has cost the pod anything.
    let sockets = _pod.network.sockets();
    let connections = sockets.iter().filter(|socket| socket.peer.is_some());
    assert!(connections.count() <= 2, "{sockets:?}");
    world.tasks.shutdown().await;
    for client in &mut silent {
        is_over(client).await;
    }
}
