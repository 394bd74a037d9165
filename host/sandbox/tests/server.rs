//! Servers in a pod's virtual network, as a guest would be one.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::{HeaderMap, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use wasmpod_network::{AddressFamily, ContainerNetwork, Errno, PodNetwork, TcpSocket, TcpStream};

/// What a server was asked, oldest first.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// A container's socket that listens on a port of the pod.
pub(crate) struct Listener {
    socket: TcpSocket,
    _container: ContainerNetwork,
}

impl Listener {
    pub(crate) fn bind(pod: &PodNetwork, port: u16) -> Self {
        let container = pod.attach("server");
        let socket = container.tcp_socket(AddressFamily::Ipv4).unwrap();
        let all: SocketAddr = ([0, 0, 0, 0], port).into();
        socket.bind(all).unwrap();
        socket.listen().unwrap();
        Self {
            socket,
            _container: container,
        }
    }

    pub(crate) async fn accept(&self) -> TcpStream {
        loop {
            poll_fn(|cx| self.socket.poll_accept_ready(cx)).await;
            match self.socket.try_accept() {
                Ok(accepted) => return accepted.stream().unwrap(),
                Err(Errno::Again) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Answers each request with what `answer` makes of its head; one request for each connection.
pub(crate) fn http(
    pod: &PodNetwork,
    port: u16,
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (Requests, JoinHandle<()>) {
    let listener = Listener::bind(pod, port);
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let task = tokio::spawn(async move {
        loop {
            let stream = listener.accept().await;
            let mut head = Vec::new();
            // What does not begin with a method is no request, and answered at once.
            let may_be_request = |head: &[u8]| head.first().is_none_or(u8::is_ascii_uppercase);
            while !head.ends_with(b"\r\n\r\n") && may_be_request(&head) {
                match stream.read(4096).await {
                    Ok(bytes) if !bytes.is_empty() => head.extend_from_slice(&bytes),
                    _ => break,
                }
            }
            if head.is_empty() {
                continue;
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let text = answer(&head);
            seen.lock().unwrap().push(head);
            let _: Result<(), Errno> = stream.write_all(Bytes::from(text)).await;
        }
    });
    (requests, task)
}

/// The same over TLS, with a certificate that it signed itself for another name.
pub(crate) fn https(
    pod: &PodNetwork,
    port: u16,
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (Requests, JoinHandle<()>) {
    let own = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = Listener::bind(pod, port);
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let task = tokio::spawn(async move {
        loop {
            let Ok(mut stream) = acceptor.accept(listener.accept().await).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
            let head = String::from_utf8(head).unwrap();
            let text = answer(&head);
            seen.lock().unwrap().push(head);
            stream.write_all(text.as_bytes()).await.unwrap();
            // Who asked may be gone.
            let _: std::io::Result<()> = stream.shutdown().await;
        }
    });
    (requests, task)
}

/// An HTTP answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// A gRPC server that gives every call this message, status and status text.
pub(crate) fn grpc(
    pod: &PodNetwork,
    port: u16,
    message: &'static [u8],
    status: (&'static str, &'static str),
) -> (Requests, JoinHandle<()>) {
    let listener = Listener::bind(pod, port);
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let task = tokio::spawn(async move {
        loop {
            let stream = listener.accept().await;
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let (head, mut body) = request.into_parts();
                let mut text = format!("{} {}", head.method, head.uri.path());
                let agent = head.headers.get("user-agent").unwrap().to_str().unwrap();
                text.push_str(&format!(" {agent}"));
                seen.lock().unwrap().push(text);
                // The body is what `grpc`'s own tests look at.
                tokio::spawn(async move { while body.data().await.is_some() {} });
                let head = Response::builder()
                    .header("content-type", "application/grpc")
                    .body(())
                    .unwrap();
                let mut send = respond.send_response(head, false).unwrap();
                if !message.is_empty() {
                    send.send_data(Bytes::from_static(message), false).unwrap();
                }
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", status.0.parse().unwrap());
                trailers.insert("grpc-message", status.1.parse().unwrap());
                send.send_trailers(trailers).unwrap();
            }
        }
    });
    (requests, task)
}
