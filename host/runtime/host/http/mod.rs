//! `wasi:http` over the pod's virtual network: requests that a guest sends.
//!
//! The types are wasmtime-wasi-http's; what is ours is the way of a request ([`Outgoing`]): the name is looked up as the
//! pod's other programs do it, the connection is one of the container's sockets, and each request has one of its own, which
//! costs microseconds here. For `http` HTTP/1.1 is spoken over it, for `https` TLS and what both sides like better of HTTP/2
//! and HTTP/1.1.
//!
//! | file | what |
//! |---|---|
//! | `send` | the way of a request |
//! | `tls` | the handshake, and its errors in the words of WASI |
//! | `trust` | whose certificates are believed |
//! | `tasks` | what a connection of HTTP/2 wants to be run beside it |
//! | `body` | the body of a response, with its time-out |
//! | `wasi_0_3` | errors in the words of WASI 0.3 (with the feature `wasi-0-3`) |
//!
//! What it deliberately does not do: HTTP/2 without TLS, client certificates (`wasi:http` has no word for them), proxies,
//! redirects. Requests that come in are served by `crate::http`.

use std::error::Error as _;
use std::sync::Arc;

use http::uri::Scheme;
use wasmpod_network::ContainerNetwork;
use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpHooks, WasiHttpView as _,
};

use super::ComponentState;

mod body;
mod send;
mod tasks;
mod tls;
mod trust;
#[cfg(feature = "wasi-0-3")]
mod wasi_0_3;

pub(crate) use trust::Trust;

/// Bytes that a guest may write to a body at a time, and twice as many that wait for the network.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

pub(super) fn link_types(linker: &mut Linker<ComponentState>) -> Result<()> {
    let options = LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &(&options).into(), ComponentState::http)
}

pub(super) fn link_outgoing_handler(linker: &mut Linker<ComponentState>) -> Result<()> {
    outgoing_handler::add_to_linker::<_, WasiHttp>(linker, ComponentState::http)
}

/// Where a guest's requests go.
pub(super) struct Outgoing {
    network: Arc<ContainerNetwork>,
    trust: Trust,
}

impl Outgoing {
    pub(super) const fn new(network: Arc<ContainerNetwork>, trust: Trust) -> Self {
        Self { network, trust }
    }
}

type Outcome<T> = Result<T, Error>;
type Sending = Box<dyn Future<Output = Outcome<()>> + Send>;

impl WasiHttpHooks for Outgoing {
    /// Not `https`: few servers in the pods' network have a certificate.
    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Sending,
    ) -> Box<dyn Future<Output = Outcome<(http::Response<WasiBody>, Sending)>> + Send> {
        let (network, trust) = (Arc::clone(&self.network), self.trust.clone());
        Box::new(send::send(
            network,
            trust,
            request,
            options.unwrap_or_default(),
        ))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        // With TLS 1.3 a server that wants a certificate says so after the handshake.
        if let Some(error) = error.source().and_then(tls::of_chain) {
            return tls::code(error);
        }
        if is_end_of_connection(error) {
            ErrorCode::ConnectionTerminated
        } else {
            ErrorCode::HttpProtocolError
        }
    }

    fn p2_error_from_connect(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_error_from_hyper(&mut self, error: &hyper::Error) -> wasi_0_3::ErrorCode {
        wasi_0_3::of_hyper(error)
    }

    #[cfg(feature = "wasi-0-3")]
    fn p3_error_from_connect(&mut self, _: &std::io::Error) -> wasi_0_3::ErrorCode {
        wasi_0_3::ErrorCode::ConnectionRefused
    }
}

/// Whether the other side has closed the connection too early.
fn is_end_of_connection(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}
