//! What the tests of this crate share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use crate::{
    Conditions, ContainerNetwork, Endpoint, NamedPort, PodNetwork, PodNetworkConfig, Protocol,
    Service, ServiceAddress, ServiceName, TcpSocket, TcpStream,
};

/// A task that only counts how often it is woken.
pub(crate) struct CountingWaker {
    counter: Arc<Counter>,
    waker: Waker,
}

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl CountingWaker {
    pub(crate) fn new() -> Self {
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        Self {
            waker: Waker::from(Arc::clone(&counter)),
            counter,
        }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    pub(crate) fn count(&self) -> usize {
        self.counter.0.load(Ordering::SeqCst)
    }
}

/// A pod with two containers.
pub(crate) fn pod() -> (PodNetwork, ContainerNetwork, ContainerNetwork) {
    let pod = PodNetwork::new(PodNetworkConfig {
        hostname: "web".to_owned(),
        pod_ip6: Some("fd00::2".parse().unwrap()),
        ..Default::default()
    });
    let (a, b) = (pod.attach("a"), pod.attach("b"));
    (pod, a, b)
}

/// A socket of `container` that listens at `address`.
pub(crate) fn listen(container: &ContainerNetwork, address: &str) -> TcpSocket {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let socket = container
        .tcp_socket(crate::AddressFamily::of(address.ip()))
        .unwrap();
    socket.bind(address).unwrap();
    socket.listen().unwrap();
    socket
}

/// A socket of `container` that has begun to connect to `address`.
pub(crate) fn connecting(container: &ContainerNetwork, address: &str) -> TcpSocket {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let socket = container
        .tcp_socket(crate::AddressFamily::of(address.ip()))
        .unwrap();
    socket.connect(address).unwrap();
    socket
}

/// A connection from `client` to `server`: its two ends, client first.
pub(crate) fn connection(
    client: &ContainerNetwork,
    server: &ContainerNetwork,
) -> (TcpStream, TcpStream) {
    let listener = listen(server, "127.0.0.1:0");
    let near = connecting(client, &listener.local_addr().unwrap().to_string())
        .try_connect()
        .unwrap();
    let far = listener.try_accept().unwrap().stream().unwrap();
    (near, far)
}

/// The byte at a place of a long test text. Its period is prime, so that a lost or doubled piece shows.
pub(crate) fn pattern(place: usize) -> u8 {
    (place % 251).to_le_bytes()[0]
}

/// A service `default/NAME`.
pub(crate) fn service_name(name: &str) -> ServiceName {
    ServiceName {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

/// A service with these TCP and UDP ports in front of the ready pods 10.244.0.LAST, which have the same ports.
pub(crate) fn service(ip: &str, ports: &[u16], lasts: &[u8]) -> Service {
    let both = |port: &u16| {
        [Protocol::Tcp, Protocol::Udp].map(|protocol| NamedPort {
            name: format!("p{port}"),
            protocol,
            port: *port,
            app_protocol: None,
        })
    };
    let ports: Vec<_> = ports.iter().flat_map(both).collect();
    let endpoints = lasts.iter().map(|last| Endpoint {
        ip: [10, 244, 0, *last].into(),
        hostname: None,
        conditions: Conditions {
            ready: true,
            serving: true,
            terminating: false,
        },
        ports: ports.clone(),
    });
    Service {
        address: ServiceAddress::ClusterIp(ip.parse().unwrap()),
        affinity: None,
        endpoints: endpoints.collect(),
        ports,
    }
}
