//! Published ports of services over real loopback sockets, port 0.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream as HostStream, UdpSocket as HostUdp};

use super::tests::{is_reset, limited};
use super::{PublishServiceConfig, PublishedTraffic, publish_service};
use crate::tests::{listen, service, service_name};
use crate::{
    AddressFamily, ContainerNetwork, GATEWAY, Network, PodNetwork, PodNetworkConfig, Protocol,
    SocketState,
};

/// Three pods that serve, and who carries what they are handed.
async fn service_of_three(
    protocol: Protocol,
) -> (
    Network,
    Vec<(PodNetwork, ContainerNetwork)>,
    SocketAddr,
    PublishedTraffic,
    Vec<Running>,
) {
    let network = Network::new();
    let pods: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let pod = network.create_pod(PodNetworkConfig {
                hostname: name.to_owned(),
                ..Default::default()
            });
            let pod = pod.unwrap();
            let container = pod.attach("server");
            (pod, container)
        })
        .collect();
    network.set_service(
        service_name("web"),
        service("10.96.0.20", &[80], &[2, 3, 4]),
    );
    let published = publish_service(PublishServiceConfig {
        host: "127.0.0.1:0".parse().unwrap(),
        network: network.clone(),
        service: service_name("web"),
        port: 80,
        protocol,
        proxy: None,
    });
    let published = published.unwrap();
    let (at, traffic) = (published.local_addr(), published.traffic());
    let mut tasks = vec![Running(tokio::spawn(published.serve()).abort_handle())];
    for (pod, _) in &pods {
        tasks.push(Running(tokio::spawn(pod.clone().serve()).abort_handle()));
    }
    (network, pods, at, traffic, tasks)
}

struct Running(tokio::task::AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_published_service_spreads_connections_over_its_pods_and_follows_their_end() {
    let (network, pods, at, traffic, _tasks) = service_of_three(Protocol::Tcp).await;
    let listeners: Vec<_> = pods
        .iter()
        .map(|(_, container)| listen(container, "0.0.0.0:80"))
        .collect();
    let accepted = || -> Vec<u64> {
        let sockets = pods.iter().flat_map(|(pod, _)| pod.sockets());
        let listening = sockets.filter(|socket| socket.state == SocketState::Listening);
        listening
            .filter_map(|socket| Some(socket.listening?.accepted))
            .collect()
    };
    for _ in 0..60 {
        let mut client = HostStream::connect(at).await.unwrap();
        let any = std::future::poll_fn(|cx| {
            let ready = listeners
                .iter()
                .find(|one| one.poll_accept_ready(cx).is_ready());
            ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        });
        let server = limited(any).await.try_accept().unwrap().stream().unwrap();
        assert_eq!(server.peer_addr().ip(), GATEWAY);
        server.write_all(Bytes::from_static(b"x")).await.unwrap();
        let mut byte = [0];
        limited(client.read_exact(&mut byte)).await.unwrap();
    }
    assert!(
        accepted().iter().all(|count| *count > 0),
        "{:?}",
        accepted()
    );
    assert_eq!(traffic.connections(), 60);

    network.set_service(service_name("web"), service("10.96.0.20", &[80], &[]));
    let mut client = HostStream::connect(at).await.unwrap();
    let refused = limited(client.read(&mut [0])).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(traffic.refused(), 1);
}

#[tokio::test]
async fn a_client_of_a_published_udp_service_keeps_its_pod_while_that_is_an_endpoint() {
    let (network, pods, at, _traffic, _tasks) = service_of_three(Protocol::Udp).await;
    let servers: Vec<_> = pods
        .iter()
        .map(|(_, container)| {
            let server = container.udp_socket(AddressFamily::Ipv4).unwrap();
            server.bind("0.0.0.0:80".parse().unwrap()).unwrap();
            server
        })
        .collect();
    let client = HostUdp::bind("127.0.0.1:0").await.unwrap();
    let mut answered = Vec::new();
    for round in 0..10 {
        if round == 5 {
            let others: Vec<u8> = [2, 3, 4]
                .into_iter()
                .filter(|last| answered[0] != *last)
                .collect();
            network.set_service(service_name("web"), service("10.96.0.20", &[80], &others));
        }
        client.send_to(b"x", at).await.unwrap();
        let any = std::future::poll_fn(|cx| {
            let ready = servers
                .iter()
                .find(|one| one.poll_recv_ready(cx).is_ready());
            ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        });
        let server = limited(any).await;
        let from = server.try_recv_from(9).unwrap().from;
        let place = servers
            .iter()
            .position(|one| std::ptr::eq(one, server))
            .unwrap();
        answered.push(u8::try_from(place).unwrap() + 2);
        server
            .try_send_to(&Bytes::from_static(b"y"), Some(from))
            .unwrap();
        let (_, answerer) = limited(client.recv_from(&mut [0; 9])).await.unwrap();
        assert_eq!(answerer, at);
    }
    assert!(
        answered[..5].iter().all(|pod| *pod == answered[0]),
        "{answered:?}"
    );
    assert!(
        answered[5..]
            .iter()
            .all(|pod| *pod == answered[5] && *pod != answered[0]),
        "{answered:?}"
    );
}

#[tokio::test]
async fn connections_that_were_handed_over_end_with_the_publication_and_others_stay() {
    let (_network, pods, at, _traffic, mut tasks) = service_of_three(Protocol::Tcp).await;
    let listeners: Vec<_> = pods
        .iter()
        .map(|(_, container)| listen(container, "0.0.0.0:80"))
        .collect();
    let mut client = HostStream::connect(at).await.unwrap();
    let any = std::future::poll_fn(|cx| {
        let ready = listeners
            .iter()
            .find(|one| one.poll_accept_ready(cx).is_ready());
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    });
    let server = limited(any).await.try_accept().unwrap().stream().unwrap();
    server.write_all(Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(limited(client.read_u8()).await.unwrap(), b'x');
    // A connection that is no publication's.
    let direct = pods[0]
        .0
        .dial(([192, 0, 2, 1], 4000).into(), 80)
        .await
        .unwrap();
    // The first task is the publication's.
    drop(tasks.remove(0));
    assert!(is_reset(&mut client).await);
    assert_eq!(limited(server.read(9)).await, Err(crate::Errno::ConnReset));
    direct.write_all(Bytes::from_static(b"y")).await.unwrap();
}
