//! Published ports over real loopback sockets, port 0.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream as HostStream, UdpSocket as HostUdp};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{PublishConfig, PublishError, PublishedTraffic, publish};
use crate::limits::MAX_GROWN_BYTES;
use crate::tests::{listen, pattern, pod};
use crate::{
    AddressFamily, EventLoop, EventLoops, PodNetwork, Protocol, Shutdown, TcpSocket, TcpStream,
};

/// Longest that a test waits for anything.
const LIMIT: Duration = Duration::from_secs(20);

fn config(pod: &PodNetwork, port: u16, protocol: Protocol) -> PublishConfig {
    let host = SocketAddr::from(([127, 0, 0, 1], 0));
    PublishConfig {
        host,
        pod: pod.clone(),
        pod_name: "web".to_owned(),
        port,
        protocol,
        proxy: None,
    }
}

/// Publishes a port and serves it as a task of the test's own runtime.
async fn serve(
    pod: &PodNetwork,
    port: u16,
    protocol: Protocol,
) -> (SocketAddr, PublishedTraffic, JoinHandle<()>) {
    let published = publish(config(pod, port, protocol)).await.unwrap();
    let (at, traffic) = (published.local_addr(), published.traffic());
    (at, traffic, tokio::task::spawn(published.serve()))
}

async fn accept(listener: &TcpSocket) -> TcpStream {
    let ready = std::future::poll_fn(|cx| listener.poll_accept_ready(cx));
    timeout(LIMIT, ready).await.unwrap();
    listener.try_accept().unwrap().stream().unwrap()
}

pub(super) async fn limited<T>(work: impl Future<Output = T>) -> T {
    timeout(LIMIT, work).await.unwrap()
}

pub(super) async fn is_reset(client: &mut HostStream) -> bool {
    let ended = limited(client.read(&mut [0; 9])).await;
    ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

/// Yields until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    limited(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn connections_are_carried_on_the_threads_that_a_server_asks_for() {
    let threads = [(), ()].map(|()| {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    });
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let loops = EventLoops::new(
        threads
            .iter()
            .map(|thread| EventLoop::new(thread.handle().clone())),
    );
    listener.carry_on(loops).unwrap();
    let (at, traffic, task) = serve(&pod, 80, Protocol::Tcp).await;
    let mut clients = Vec::new();
    for turn in 0..4 {
        let mut client = HostStream::connect(at).await.unwrap();
        let inside = accept(&listener).await;
        let expected = threads[turn % 2].handle().id();
        assert_eq!(inside.peer_event_loop(), Some(expected));
        client.write_all(b"question").await.unwrap();
        assert_eq!(limited(inside.read(99)).await.unwrap(), "question");
        inside
            .write_all(Bytes::from_static(b"answer"))
            .await
            .unwrap();
        let mut answer = [0; 6];
        limited(client.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"answer");
        clients.push((client, inside));
    }
    assert_eq!(traffic.connections(), 4);
    // Wherever they are carried, they end with what let them in.
    task.abort();
    for (client, _) in &mut clients {
        assert!(is_reset(client).await);
    }
    for thread in threads {
        thread.shutdown_background();
    }
}

#[tokio::test]
async fn a_client_and_a_pod_talk_with_half_close_both_ways() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, traffic, _task) = serve(&pod, 80, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let inside = accept(&listener).await;
    let mut question = Vec::new();
    loop {
        let piece = limited(inside.read(99)).await.unwrap();
        if piece.is_empty() {
            break;
        }
        question.extend_from_slice(&piece);
    }
    assert_eq!(question, b"question");
    inside
        .write_all(Bytes::from_static(b"answer"))
        .await
        .unwrap();
    inside.shutdown(Shutdown::Send).unwrap();
    let mut answer = Vec::new();
    limited(client.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"answer");
    assert_eq!(
        (
            traffic.connections(),
            traffic.to_pod_bytes(),
            traffic.from_pod_bytes()
        ),
        (1, 8, 6)
    );
    drop(inside);
    until(|| {
        pod.sockets()
            .iter()
            .all(|socket| &*socket.container != crate::HOST)
    })
    .await;
}

#[tokio::test]
async fn megabytes_pass_both_ways_at_once_and_nothing_is_buffered_without_bound() {
    const TOTAL: usize = 8 << 20;
    const PIPE_BYTES: u64 = 256 * 1024;
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, ..) = serve(&pod, 80, Protocol::Tcp).await;
    let data: Vec<u8> = (0..TOTAL).map(pattern).collect();
    let client = HostStream::connect(at).await.unwrap();
    let inside = accept(&listener).await;
    let (mut from_host, mut to_host) = client.into_split();

    let upload = async {
        to_host.write_all(&data).await.unwrap();
        to_host.shutdown().await.unwrap();
    };
    let receive = async {
        // While nobody reads, the publication takes what the pod's buffer holds, also when that has grown, and no more.
        until(|| inside.traffic().rx_bytes >= PIPE_BYTES).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let taken = inside.traffic().rx_bytes;
        assert!(taken <= u64::try_from(MAX_GROWN_BYTES).unwrap(), "{taken}");
        let mut got = Vec::with_capacity(TOTAL);
        loop {
            let piece = inside.read(100_000).await.unwrap();
            if piece.is_empty() {
                return got;
            }
            got.extend_from_slice(&piece);
        }
    };
    let download = async {
        let mut rest = Bytes::from(data.clone());
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(70_001));
            inside.write_all(piece).await.unwrap();
        }
        inside.shutdown(Shutdown::Send).unwrap();
    };
    let mut answer = Vec::with_capacity(TOTAL);
    let ((), got, (), read) = limited(async {
        tokio::join!(
            upload,
            receive,
            download,
            from_host.read_to_end(&mut answer)
        )
    })
    .await;
    read.unwrap();
    assert!(got == data && answer == data, "bytes in order, none lost");
}

#[tokio::test]
async fn a_pod_that_refuses_is_a_reset_for_the_client() {
    let (pod, _a, b) = pod();
    let _loopback_only = listen(&b, "127.0.0.1:5000");
    let (at, traffic, _task) = serve(&pod, 5000, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    let error = limited(client.read(&mut [0; 9])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!((traffic.refused(), traffic.connections()), (1, 0));
}

#[tokio::test]
async fn a_reset_passes_in_both_directions() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, ..) = serve(&pod, 80, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    accept(&listener).await.abort();
    let error = limited(client.read(&mut [0; 9])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let client = HostStream::connect(at).await.unwrap();
    let inside = accept(&listener).await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(limited(inside.read(9)).await, Err(crate::Errno::ConnReset));
}

#[tokio::test]
async fn what_a_pod_sent_before_it_resets_still_reaches_the_client() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, ..) = serve(&pod, 80, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    client
        .write_all(b"a request that nobody reads")
        .await
        .unwrap();
    let inside = accept(&listener).await;
    until(|| inside.traffic().rx_bytes > 0).await;
    inside.write_all(Bytes::from_static(b"413")).await.unwrap();
    drop(inside);
    let mut answer = [0; 3];
    limited(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"413");
    let error = limited(client.read(&mut [0; 9])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_pod_that_closes_ends_an_idle_client() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, ..) = serve(&pod, 80, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    drop(accept(&listener).await);
    assert_eq!(limited(client.read(&mut [0; 9])).await.unwrap(), 0);
    until(|| {
        pod.sockets()
            .iter()
            .all(|socket| &*socket.container != crate::HOST)
    })
    .await;
}

#[tokio::test]
async fn dropping_the_future_frees_the_port_and_resets_the_connections() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, _, task) = serve(&pod, 80, Protocol::Tcp).await;
    let mut client = HostStream::connect(at).await.unwrap();
    let inside = accept(&listener).await;
    task.abort();
    assert!(limited(task).await.unwrap_err().is_cancelled());
    assert_eq!(limited(inside.read(9)).await, Err(crate::Errno::ConnReset));
    assert!(is_reset(&mut client).await);
    let again = PublishConfig {
        host: at,
        ..config(&pod, 80, Protocol::Tcp)
    };
    assert_eq!(publish(again).await.unwrap().local_addr(), at);
}

#[tokio::test]
async fn a_host_port_in_use_is_an_error_that_names_pod_and_port() {
    let (pod, ..) = pod();
    let first = publish(config(&pod, 80, Protocol::Tcp)).await.unwrap();
    let host = first.local_addr();
    let error = publish(PublishConfig {
        host,
        ..config(&pod, 80, Protocol::Tcp)
    })
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot publish pod \"web\" port 80 on host 127.0.0.1 port {}",
            host.port()
        )
    );
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert!(error.hint().unwrap().contains(&format!(
        "another program listens on host port {}",
        host.port()
    )));
}

#[test]
fn a_refused_low_port_has_the_hint_to_take_a_higher_one() {
    let error = PublishError {
        what: "pod \"web\"".to_owned(),
        pod: Some("web".to_owned()),
        port: 80,
        protocol: Protocol::Tcp,
        host: SocketAddr::from(([127, 0, 0, 1], 80)),
        source: io::Error::from_raw_os_error(13),
    };
    assert_eq!(
        error.hint().unwrap(),
        "ports below 1024 need privileges this program does not ask for; use --publish 8080:web:80"
    );
}

#[tokio::test]
async fn udp_clients_are_answered_each_by_its_own_flow() {
    let (pod, a, b) = pod();
    let server = b.udp_socket(AddressFamily::Ipv4).unwrap();
    server.bind("0.0.0.0:53".parse().unwrap()).unwrap();
    let (at, traffic, _task) = serve(&pod, 53, Protocol::Udp).await;
    let [one, two] = [
        HostUdp::bind("127.0.0.1:0").await.unwrap(),
        HostUdp::bind("127.0.0.1:0").await.unwrap(),
    ];
    one.send_to(b"one", at).await.unwrap();
    two.send_to(b"two", at).await.unwrap();
    for _ in 0..2 {
        limited(std::future::poll_fn(|cx| server.poll_recv_ready(cx))).await;
        let datagram = server.try_recv_from(99).unwrap();
        assert_eq!(datagram.from.ip(), crate::GATEWAY);
        server
            .try_send_to(&datagram.data, Some(datagram.from))
            .unwrap();
        // The way back is that of the published port alone.
        let other = a.udp_socket(AddressFamily::Ipv4).unwrap();
        assert_eq!(
            other.try_send_to(&datagram.data, Some(datagram.from)),
            Err(crate::Errno::NetUnreach)
        );
    }
    for (client, expected) in [(&one, &b"one"[..]), (&two, b"two")] {
        let mut buffer = [0; 99];
        let (length, from) = limited(client.recv_from(&mut buffer)).await.unwrap();
        assert_eq!((&buffer[..length], from), (expected, at));
    }
    assert_eq!(
        (
            traffic.connections(),
            traffic.to_pod_bytes(),
            traffic.from_pod_bytes()
        ),
        (2, 6, 6)
    );
}

#[tokio::test]
async fn five_hundred_silent_clients_keep_nobody_out_and_end_with_the_pod() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, _, task) = serve(&pod, 80, Protocol::Tcp).await;
    let mut silent = Vec::new();
    let mut inside = Vec::new();
    for _ in 0..500 {
        silent.push(HostStream::connect(at).await.unwrap());
        inside.push(accept(&listener).await);
    }
    let mut client = HostStream::connect(at).await.unwrap();
    let talking = accept(&listener).await;
    client.write_all(b"hello").await.unwrap();
    assert_eq!(limited(talking.read(9)).await.unwrap(), "hello");
    pod.close();
    for client in silent.iter_mut().chain([&mut client]) {
        assert!(is_reset(client).await);
    }
    drop(task);
}

#[tokio::test]
async fn what_a_client_does_not_read_stays_with_the_pod() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let (at, traffic, _task) = serve(&pod, 80, Protocol::Tcp).await;
    let client = HostStream::connect(at).await.unwrap();
    let inside = accept(&listener).await;
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    let (mut sent, mut quiet) = (0_u64, 0);
    // Full when nothing was taken for as long as the task would need to take something many times.
    while quiet < 10_000 {
        match inside.try_write(&mut chunk.clone()) {
            Ok(taken) => {
                sent += u64::try_from(taken).unwrap();
                quiet = 0;
            }
            Err(_) => quiet += 1,
        }
        tokio::task::yield_now().await;
    }
    // Besides what the kernel has for the two ends of the client's connection.
    let held = sent - traffic.from_pod_bytes();
    let most = crate::limits::PUBLISH_WRITE_BYTES + 256 * 1024;
    assert!(held <= u64::try_from(most).unwrap(), "{held} bytes");
    drop(client);
    until(|| inside.write_capacity() != Ok(0)).await;
}

#[tokio::test]
async fn a_pod_that_asks_is_told_who_its_client_is() {
    use super::ProxyProtocol::{V1, V2};
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    for proxy in [V1, V2] {
        let config = PublishConfig {
            proxy: Some(proxy),
            ..config(&pod, 80, Protocol::Tcp)
        };
        let published = publish(config).await.unwrap();
        let at = published.local_addr();
        let task = tokio::task::spawn(published.serve());
        let mut client = HostStream::connect(at).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let inside = accept(&listener).await;
        let header = proxy.header(client.local_addr().unwrap(), at);
        let mut got = Vec::new();
        while got.len() < header.len() + 5 {
            got.extend_from_slice(&limited(inside.read(99)).await.unwrap());
        }
        assert_eq!(got, [&header[..], b"hello"].concat());
        task.abort();
    }
}

#[tokio::test]
async fn ports_are_published_over_ipv6_and_over_both() {
    let (pod, _a, b) = pod();
    let listener = listen(&b, "0.0.0.0:80");
    let server = b.udp_socket(AddressFamily::Ipv4).unwrap();
    server.bind("0.0.0.0:53".parse().unwrap()).unwrap();
    for (host, clients) in [("[::1]:0", &["::1"][..]), ("[::]:0", &["127.0.0.1", "::1"])] {
        let config = |port, protocol| PublishConfig {
            host: host.parse().unwrap(),
            ..config(&pod, port, protocol)
        };
        let Ok(tcp) = publish(config(80, Protocol::Tcp)).await else {
            // A machine without IPv6.
            return;
        };
        let udp = publish(config(53, Protocol::Udp)).await.unwrap();
        let (at, udp_at) = (tcp.local_addr().port(), udp.local_addr().port());
        let tasks = [tokio::spawn(tcp.serve()), tokio::spawn(udp.serve())];
        for client in clients {
            let client: std::net::IpAddr = client.parse().unwrap();
            let mut stream = HostStream::connect((client, at)).await.unwrap();
            let inside = accept(&listener).await;
            assert_eq!(inside.peer_addr().ip(), crate::GATEWAY, "{client}");
            inside.write_all(Bytes::from_static(b"x")).await.unwrap();
            assert_eq!(limited(stream.read_u8()).await.unwrap(), b'x');

            let socket = HostUdp::bind((client, 0)).await.unwrap();
            socket.send_to(b"ask", (client, udp_at)).await.unwrap();
            limited(std::future::poll_fn(|cx| server.poll_recv_ready(cx))).await;
            let asked = server.try_recv_from(9).unwrap();
            server.try_send_to(&asked.data, Some(asked.from)).unwrap();
            let mut answer = [0; 9];
            let (length, _) = limited(socket.recv_from(&mut answer)).await.unwrap();
            assert_eq!(&answer[..length], b"ask");
        }
        tasks.iter().for_each(JoinHandle::abort);
    }
}
