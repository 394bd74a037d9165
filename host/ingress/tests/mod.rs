//! The proxy between real clients and pods of a virtual network.

mod requests;
mod spoken;
mod time;
mod tls;
mod tunnels;

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream as HostStream;
use tokio::task::JoinSet;
use wasmpod_network::{
    AddressFamily, Conditions, ContainerNetwork, Endpoint, NamedPort, Network, PodNetwork,
    PodNetworkConfig, Protocol, Service, ServiceAddress, ServiceName, TcpStream,
};

use crate::{
    Backend, BackendPort, Door, Front, HostRule, IngressRules, PathMatch, PathRule, Routes, Scheme,
    Site,
};

/// Longest that a test waits for anything.
const LIMIT: Duration = Duration::from_secs(20);

async fn limited<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.unwrap()
}

/// A host with pods, services and a proxy; everything ends with it.
struct World {
    network: Network,
    front: Front,
    doors: Vec<SocketAddr>,
    tasks: JoinSet<()>,
}

/// A pod with one container.
struct Pod {
    network: PodNetwork,
    container: ContainerNetwork,
}

fn name(name: &str) -> ServiceName {
    ServiceName {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn backend(service: &str) -> Backend {
    Backend {
        service: name(service),
        port: BackendPort::Name("http".to_owned()),
    }
}

/// `HOST/PATH` leads to the service.
fn rules(rules: &[(&str, &str)]) -> Routes {
    Routes::new(rules.iter().map(|(place, service)| {
        let (host, path) = place.split_once('/').unwrap();
        let path = PathRule {
            path: PathMatch::Prefix(format!("/{path}")),
            backend: backend(service),
        };
        IngressRules {
            rules: vec![HostRule {
                host: host.to_owned(),
                paths: vec![path],
            }],
            default_backend: None,
        }
    }))
}

impl World {
    /// One door of each scheme.
    fn new() -> Self {
        let network = Network::new();
        let front = Front::new(network.clone());
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let doors: Vec<_> = [Scheme::Http, Scheme::Https]
            .into_iter()
            .map(|scheme| Door::open(any, scheme).unwrap())
            .collect();
        let addresses = doors.iter().map(Door::local_addr).collect();
        let mut tasks = JoinSet::new();
        let serving = front.clone().serve(doors);
        tasks.spawn(async move { serving.await.unwrap() });
        Self {
            network,
            front,
            doors: addresses,
            tasks,
        }
    }

    fn pod(&self, hostname: &str) -> Pod {
        let config = PodNetworkConfig {
            hostname: hostname.to_owned(),
            ..Default::default()
        };
        let network = self.network.create_pod(config).unwrap();
        let container = network.attach("server");
        Pod { network, container }
    }

    /// A service whose port 80, named `http`, is port 8080 of these pods.
    fn service(&self, service: &str, pods: &[&Pod]) {
        self.service_of(service, pods, None);
    }

    /// The same with an `appProtocol`.
    fn service_of(&self, service: &str, pods: &[&Pod], app_protocol: Option<&str>) {
        let port = |port| NamedPort {
            name: "http".to_owned(),
            protocol: Protocol::Tcp,
            port,
            app_protocol: app_protocol.map(str::to_owned),
        };
        let endpoints = pods.iter().map(|pod| Endpoint {
            ip: pod.network.pod_ip(),
            hostname: None,
            conditions: Conditions {
                ready: true,
                serving: true,
                terminating: false,
            },
            ports: vec![port(8080)],
        });
        let route = Service {
            address: ServiceAddress::Headless,
            ports: vec![port(80)],
            affinity: None,
            endpoints: endpoints.collect(),
        };
        self.network.set_service(name(service), route);
    }

    fn set(&self, routes: Routes) {
        self.front.set(Site {
            routes,
            ..Site::default()
        });
    }

    /// A pod behind the service `web` that answers, and everything leads there.
    fn with_web<F>(&mut self, answer: fn(Request<Incoming>) -> F) -> Pod
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let pod = self.pod("web");
        self.service("web", &[&pod]);
        self.set(rules(&[("/", "web")]));
        let connections = pod.connections();
        self.tasks.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let stream = connections.next().await;
                let service = hyper::service::service_fn(move |request| async move {
                    Ok::<_, hyper::Error>(answer(request).await)
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                serving.spawn(async move { drop(connection.await) });
            }
        });
        pod
    }

    /// A pod behind the service `web` that everything leads to, a client that has asked for something, and the pod's
    /// end of what came: the request is read and not answered.
    async fn asked(&self) -> (Pod, HostStream, TcpStream) {
        let pod = self.pod("web");
        self.service("web", &[&pod]);
        self.set(rules(&[("/", "web")]));
        let connections = pod.connections();
        let mut client = self.connect().await;
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        let stream = limited(connections.next()).await;
        limited(stream.read(4096)).await.unwrap();
        (pod, client, stream)
    }

    async fn connect(&self) -> HostStream {
        HostStream::connect(self.doors[0]).await.unwrap()
    }

    /// One request at the door for HTTP.
    async fn ask(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let stream = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let answer = limited(sender.send_request(request)).await.unwrap();
        let status = answer.status().as_u16();
        let body = limited(answer.into_body().collect()).await.unwrap();
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
    }

    async fn get(&self, host: &str, path: &str) -> (u16, String) {
        let request = Request::get(path).header("host", host);
        self.ask(request.body(Full::default()).unwrap()).await
    }
}

/// A pod's listening socket.
struct Connections(Arc<wasmpod_network::TcpSocket>);

impl Connections {
    async fn next(&self) -> TcpStream {
        poll_fn(|cx| self.0.poll_accept_ready(cx)).await;
        self.0.try_accept().unwrap().stream().unwrap()
    }
}

impl Pod {
    /// Listens on port 8080.
    fn connections(&self) -> Connections {
        let socket = self.container.tcp_socket(AddressFamily::Ipv4).unwrap();
        socket.bind(([0, 0, 0, 0], 8080).into()).unwrap();
        socket.listen().unwrap();
        Connections(Arc::new(socket))
    }
}
