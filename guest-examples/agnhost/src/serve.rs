//! An HTTP server of pages, as the modes that serve share it.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use http_loop::event_loop::EventLoop;
use http_loop::pages::{Page, Pages};
use http_loop::request::Request;
use http_loop::service::Context;
use http_loop::wasi::{Stdio, WasiNet};

/// Serves `page` on a port of all addresses, until the host ends it.
pub(crate) fn serve(port: u16, page: impl FnMut(&Context<'_>, &Request<'_>) -> Page) -> ExitCode {
    let address = SocketAddr::from(([0, 0, 0, 0], port));
    let mut net = WasiNet::new();
    let error = match net.listen(address) {
        Ok(()) => EventLoop::new(net, 1, Pages::new(page)).run(),
        Err(error) => format!(
            "{}() to {address} failed ({})",
            error.call,
            error.errno_text()
        ),
    };
    // There is nowhere else to say it.
    let _ = writeln!(Stdio::stderr(), "agnhost: {error}");
    ExitCode::FAILURE
}
