//! A web server on hyper and tokio as they are for WasmEdge: it opens its socket itself, and serves all connections at
//! once.

use std::convert::Infallible;
use std::net::SocketAddr;

use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Request, Response};
use tokio::net::TcpListener;

async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(match request.uri().path() {
        "/echo" => Response::new(request.into_body()),
        "/sleep" => {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            Response::new(Body::from("slept\n"))
        }
        _ => Response::new(Body::from("hello from hyper\n")),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 8060))).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn(async move {
            let served = Http::new().serve_connection(stream, service_fn(answer));
            if let Err(error) = served.await {
                eprintln!("a client: {error}");
            }
        });
    }
}
