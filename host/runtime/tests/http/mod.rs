//! HTTP components, served in a pod: the guest is the built-in image `wasmpod/http-component`, the clients are hyper over
//! the pod's network, or plain bytes where it matters what is on the wire.
//!
//! * `answers`: bodies, trailers, both versions of HTTP, many requests at a time. `instances`: which instance answers. `threads`: where.
//! * `failures`: what ends one request and nothing else. `times`: time-outs. `ends`: how a server begins and ends.
//! * `alike`: what holds for guests of both versions of WASI.
//! * `outgoing`: requests that guests send; `tls`: those over TLS. `wasi_0_3`: all of that for a guest of WASI 0.3.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use wasmpod_image::Program;
use wasmpod_network::{AddressFamily, ContainerNetwork, Errno, TcpStream};
use wasmpod_sandbox::{ContainerConfig, DeclaredPort, MemoryShare};

use super::fixture::{Container, Pod, in_time};
use crate::{Runtime, RuntimeConfig};

mod alike;
mod answers;
mod ends;
mod failures;
mod instances;
mod outgoing;
mod threads;
mod times;
mod tls;
#[cfg(feature = "wasi-0-3")]
mod wasi_0_3;

/// The port of the container, unless a test says otherwise.
const PORT: u16 = 8000;

/// Memory for a hundred instances of the guest.
const MEMORY_BYTES: u64 = 256 << 20;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A pod with one HTTP component that listens, and a client beside it.
struct Served {
    pod: Pod,
    container: Container,
    client: ContainerNetwork,
}

/// An answer that was read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
}

/// A pod whose runtime keeps compiled code for the next test, each of which is a process.
fn pod() -> Pod {
    let code = std::env::current_exe().unwrap();
    let config = RuntimeConfig {
        code_store: Some(code.with_file_name("http-component-code")),
        ..RuntimeConfig::default()
    };
    Pod::on(Runtime::new(&config).unwrap())
}

fn guest() -> Arc<Program> {
    let packed = include_bytes!("../../../image/builtin/http-component.wasm.zst");
    unpacked("http-component.wasm", packed)
}

fn unpacked(name: &str, packed: &[u8]) -> Arc<Program> {
    Arc::new(Program::new(name, zstd::decode_all(packed).unwrap()))
}

/// These ports, as a container declares them.
fn declared(numbers: &[u16]) -> Vec<DeclaredPort> {
    let port = |number: &u16| DeclaredPort {
        name: None,
        number: *number,
    };
    numbers.iter().map(port).collect()
}

/// Starts the guest as a container of `pod`; its ports are open when this returns.
async fn start(pod: &Pod, name: &str, change: impl FnOnce(&mut ContainerConfig)) -> Container {
    start_program(pod, &guest(), name, change).await
}

/// The same with another guest.
async fn start_program(
    pod: &Pod,
    program: &Arc<Program>,
    name: &str,
    change: impl FnOnce(&mut ContainerConfig),
) -> Container {
    let change = |config: &mut ContainerConfig| {
        config.ports = declared(&[PORT]);
        config.memory = MemoryShare::new(MEMORY_BYTES);
        change(config);
    };
    in_time("the guest starts", pod.start_program(program, name, change))
        .await
        .unwrap()
}

async fn serve(change: impl FnOnce(&mut ContainerConfig)) -> Served {
    serve_program(&guest(), change).await
}

async fn serve_program(
    program: &Arc<Program>,
    change: impl FnOnce(&mut ContainerConfig),
) -> Served {
    let pod = pod();
    let container = start_program(&pod, program, "server", change).await;
    let client = pod.network.attach("client");
    Served {
        pod,
        container,
        client,
    }
}

impl Served {
    async fn connect(&self) -> Result<TcpStream, Errno> {
        self.connect_to(PORT).await
    }

    async fn connect_to(&self, port: u16) -> Result<TcpStream, Errno> {
        let socket = self.client.tcp_socket(AddressFamily::Ipv4)?;
        socket.connect(([127, 0, 0, 1], port).into())?;
        in_time("a connection", poll_fn(|cx| socket.poll_connect(cx))).await
    }

    /// A connection for several requests.
    async fn http1(&self) -> http1::SendRequest<Body> {
        let io = TokioIo::new(self.connect().await.unwrap());
        let (sender, connection) = http1::handshake(io).await.unwrap();
        drop(self.pod.tasks.handle().spawn(connection).unwrap());
        sender
    }

    async fn http2(&self) -> http2::SendRequest<Body> {
        let io = TokioIo::new(self.connect().await.unwrap());
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = handshake.await.unwrap();
        drop(self.pod.tasks.handle().spawn(connection).unwrap());
        sender
    }

    /// GET over a connection of its own.
    async fn get(&self, path: &str) -> Answer {
        let mut sender = self.http1().await;
        let answer = sender.send_request(get(path));
        read(in_time(path, answer).await.unwrap()).await.unwrap()
    }

    /// Sends bytes over a connection of their own, and gives all that comes back until the other side closes.
    async fn raw(&self, bytes: &'static str) -> String {
        let stream = self.connect().await.unwrap();
        stream
            .write_all(Bytes::from_static(bytes.as_bytes()))
            .await
            .unwrap();
        rest(&stream).await
    }
}

/// What comes until the other side closes.
async fn rest(stream: &TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        match in_time("the answer", stream.read(64 * 1024)).await {
            Ok(bytes) if !bytes.is_empty() => all.extend_from_slice(&bytes),
            _ => return String::from_utf8(all).unwrap(),
        }
    }
}

fn get(path: &str) -> Request<Body> {
    let request = Request::get(path).header("host", "pod");
    request.body(Empty::new().boxed_unsync()).unwrap()
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Body> {
    let request = Request::post(path).header("host", "pod");
    request.body(Full::new(body.into()).boxed_unsync()).unwrap()
}

/// Reads an answer to its end; an error is one of the body.
async fn read(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let (parts, body) = response.into_parts();
    let collected = in_time("the body", body.collect()).await?;
    let trailers = collected.trailers().cloned();
    let body = collected.to_bytes().to_vec();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body).unwrap(),
        trailers,
    })
}
