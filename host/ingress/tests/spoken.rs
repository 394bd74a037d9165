//! HTTP/2 and TLS towards pods whose service says so (`appProtocol`), as gRPC needs it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame};
use hyper::{HeaderMap, Version};
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::tls::{connect, made_for};
use super::*;
use crate::Certificates;
use crate::tasks::{Ending, Tasks};

const H2C: &str = "kubernetes.io/h2c";

type Sender = hyper::client::conn::http2::SendRequest<Pieces>;

/// A body that is made piece by piece.
struct Pieces(mpsc::Receiver<Frame<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

/// What a pod was asked: the head, and what came of the body piece by piece.
type Asked = (hyper::http::request::Parts, mpsc::Receiver<Frame<Bytes>>);

impl World {
    /// A pod behind the service `web` that speaks HTTP/2 only. It answers each request with the pieces of its body as they
    /// come, in capitals, and at the end with a trailer that says how many there were and what trailer came.
    fn with_grpc(&mut self, app_protocol: Option<&str>) -> (Pod, mpsc::Receiver<Asked>) {
        let pod = self.pod("web");
        self.service_of("web", &[&pod], app_protocol);
        self.set(rules(&[("/", "web")]));
        let connections = pod.connections();
        let (asked, heard) = mpsc::channel(8);
        self.tasks.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let stream = connections.next().await;
                let asked = asked.clone();
                let service = hyper::service::service_fn(move |request| {
                    let asked = asked.clone();
                    async move { Ok::<_, Infallible>(shouted(request, asked).await) }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                serving.spawn(async move { drop(connection.await) });
            }
        });
        (pod, heard)
    }

    /// A client that speaks HTTP/2 over TLS, and its connection.
    async fn http2(&self) -> (Sender, Ending) {
        let (certificate, trusted) = made_for("grpc.example");
        let mut certificates = Certificates::default();
        certificates.add("", certificate);
        self.front.set(Site {
            routes: rules(&[("/", "web")]),
            certificates,
        });
        let stream = connect(self, "grpc.example", &trusted, "h2").await.unwrap();
        let stream = TokioIo::new(stream);
        let tasks = Tasks::default();
        let handshake = hyper::client::conn::http2::handshake(tasks.clone(), stream);
        let (sender, connection) = handshake.await.unwrap();
        tasks.spawn(async move { drop(connection.await) });
        (sender, tasks.ending())
    }
}

async fn shouted(request: Request<Incoming>, asked: mpsc::Sender<Asked>) -> Response<Pieces> {
    let (head, mut body) = request.into_parts();
    let (pieces, came) = mpsc::channel(8);
    asked.send((head, came)).await.unwrap();
    let (answer, channel) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut count, mut said) = (0, HeaderMap::new());
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                Ok(data) => {
                    count += 1;
                    drop(pieces.send(Frame::data(data.clone())).await);
                    let loud = data.to_ascii_uppercase();
                    if answer.send(Frame::data(loud.into())).await.is_err() {
                        return;
                    }
                }
                Err(frame) => said = frame.into_trailers().unwrap(),
            }
        }
        said.insert("grpc-status", count.into());
        drop(answer.send(Frame::trailers(said)).await);
    });
    tasks.detach_all();
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Pieces(channel))
        .unwrap()
}

fn request() -> (mpsc::Sender<Frame<Bytes>>, Request<Pieces>) {
    let (body, channel) = mpsc::channel(1);
    let request = Request::post("https://grpc.example/package.Service/Call")
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    (body, request.body(Pieces(channel)).unwrap())
}

#[tokio::test]
async fn a_stream_of_grpc_goes_both_ways_piece_by_piece_and_ends_with_trailers() {
    let mut world = World::new();
    let (_pod, mut heard) = world.with_grpc(Some(H2C));
    let (mut sender, _connection) = world.http2().await;
    let (body, request) = request();
    let answer = limited(sender.send_request(request)).await.unwrap();
    let (head, mut came) = limited(heard.recv()).await.unwrap();
    assert_eq!(head.version, Version::HTTP_2);
    assert_eq!(head.uri, "http://grpc.example/package.Service/Call");
    let field = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(field("te"), Some("trailers"));
    assert_eq!(field("x-forwarded-proto"), Some("https"));
    assert_eq!(field("host"), None);
    assert_eq!(answer.headers()["content-type"], "application/grpc");

    // Each message is answered before the next is sent.
    let mut answer = answer.into_body();
    for text in ["one", "two", "three"] {
        limited(body.send(data(text))).await.unwrap();
        let piece = limited(came.recv()).await.unwrap().into_data().unwrap();
        assert_eq!(piece, text);
        let frame = limited(answer.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text.to_uppercase());
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-mine", "1".parse().unwrap());
    limited(body.send(Frame::trailers(trailers))).await.unwrap();
    drop(body);
    let end = limited(answer.frame()).await.unwrap().unwrap();
    let trailers = end.into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "3");
    assert_eq!(trailers["x-mine"], "1");
}

#[tokio::test]
async fn many_streams_of_one_client_are_requests_of_their_own() {
    let mut world = World::new();
    let (_pod, mut heard) = world.with_grpc(Some(H2C));
    let (sender, _connection) = world.http2().await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let mut sender = sender.clone();
        calls.spawn(async move {
            let (body, request) = request();
            let answer = sender.send_request(request).await.unwrap();
            body.send(data("x")).await.unwrap();
            drop(body);
            answer.into_body().collect().await.unwrap().to_bytes()
        });
    }
    for _ in 0..20 {
        // What came of the bodies is not looked at.
        drop(limited(heard.recv()).await.unwrap());
    }
    while let Some(answer) = limited(calls.join_next()).await {
        assert_eq!(answer.unwrap(), "X");
    }
}

#[tokio::test]
async fn a_client_of_http_1_1_is_answered_by_such_a_pod_too() {
    let mut world = World::new();
    let (_pod, mut heard) = world.with_grpc(Some(H2C));
    let request = Request::post("/x")
        .header("host", "a.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(Full::from("hello"))
        .unwrap();
    assert_eq!(world.ask(request).await, (200, "HELLO".to_owned()));
    let (head, _) = limited(heard.recv()).await.unwrap();
    assert_eq!(
        (head.version, head.uri.to_string().as_str()),
        (Version::HTTP_2, "http://a.example/x")
    );
    assert_eq!(head.headers.get("te"), None);
    assert_eq!(head.headers.get("upgrade"), None);
}

#[tokio::test]
async fn http_1_1_is_spoken_where_nothing_else_is_said_and_a_wrong_word_is_a_502() {
    for (app_protocol, says) in [
        (None, 502),
        (Some("kubernetes.io/ws"), 502),
        (Some(H2C), 200),
    ] {
        let mut world = World::new();
        let (_pod, _heard) = world.with_grpc(app_protocol);
        assert_eq!(world.get("a", "/").await.0, says, "{app_protocol:?}");
    }
    let mut world = World::new();
    let pod = world.with_web(|_| async { Response::new(Full::from("1.1")) });
    for (app_protocol, says) in [
        (Some("kubernetes.io/ws"), 200),
        (Some("http"), 200),
        (Some(H2C), 502),
    ] {
        // A change counts for the next request.
        world.service_of("web", &[&pod], app_protocol);
        assert_eq!(world.get("a", "/").await.0, says, "{app_protocol:?}");
    }
}

/// A pod that speaks TLS with this ALPN, and says which version of HTTP and which server name it was asked by.
async fn with_tls(world: &mut World, protocols: &[&str]) -> Pod {
    let pod = world.pod("web");
    world.set(rules(&[("/", "web")]));
    let own = rcgen::generate_simple_self_signed(["unknown".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let connections = pod.connections();
    world.tasks.spawn(async move {
        let mut serving = JoinSet::new();
        loop {
            let (stream, acceptor) = (connections.next().await, acceptor.clone());
            serving.spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let name = stream.get_ref().1.server_name().map(str::to_owned);
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let text = format!("{:?} {name:?}", request.version());
                    async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text))) }
                });
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let stream = TokioIo::new(stream);
                if is_http2 {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(stream, service).await);
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    drop(server.serve_connection(stream, service).await);
                }
            });
        }
    });
    pod
}

#[tokio::test]
async fn tls_is_spoken_where_the_port_says_so() {
    for (app_protocol, protocols, says) in [
        (
            "https",
            &["h2", "http/1.1"][..],
            "HTTP/2.0 Some(\"a.example\")",
        ),
        ("https", &["http/1.1"], "HTTP/1.1 Some(\"a.example\")"),
        ("https", &[], "HTTP/1.1 Some(\"a.example\")"),
        (
            "kubernetes.io/wss",
            &["h2", "http/1.1"],
            "HTTP/1.1 Some(\"a.example\")",
        ),
    ] {
        let mut world = World::new();
        let pod = with_tls(&mut world, protocols).await;
        world.service_of("web", &[&pod], Some(app_protocol));
        let answer = world.get("a.example", "/").await;
        assert_eq!(
            answer,
            (200, says.to_owned()),
            "{app_protocol} {protocols:?}"
        );
        // An address is no server name.
        let (status, text) = world.get("127.0.0.1", "/").await;
        assert!(status == 200 && text.ends_with("None"), "{text}");
    }
    let mut world = World::new();
    let pod = world.with_web(|_| async { Response::new(Full::from("plain")) });
    world.service_of("web", &[&pod], Some("https"));
    let refused = (502, "502 the pod does not speak TLS\n".to_owned());
    assert_eq!(world.get("a.example", "/").await, refused);
}

#[tokio::test]
async fn a_stream_ends_with_its_rule_and_with_its_client() {
    let mut world = World::new();
    let (_pod, mut heard) = world.with_grpc(Some(H2C));
    let (mut sender, _connection) = world.http2().await;
    let (body, first) = request();
    let answer = limited(sender.send_request(first)).await.unwrap();
    let (_, mut came) = limited(heard.recv()).await.unwrap();
    limited(body.send(data("x"))).await.unwrap();
    limited(came.recv()).await.unwrap();
    world.set(Routes::default());
    world.front.recheck();
    let end = limited(answer.into_body().collect()).await;
    assert!(end.is_err(), "{end:?}");
    assert!(limited(came.recv()).await.is_none(), "the pod is told");

    let (mut sender, connection) = world.http2().await;
    let (_body, second) = request();
    let _answer = limited(sender.send_request(second)).await.unwrap();
    let (_, mut came) = limited(heard.recv()).await.unwrap();
    drop(connection);
    assert!(limited(came.recv()).await.is_none(), "the pod is told");
}
