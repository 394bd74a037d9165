//! A single-threaded HTTP/1.1 server for guests, directly on WASI 0.2.
//!
//! A WebAssembly guest is one thread, and every call out of it costs some hundred nanoseconds. So this is one
//! event loop with one `poll` for everything that waits, one `read` for all requests that a client has sent, and
//! one `write` for all answers. What is answered is decided by a [`service::Service`]; the loop owns framing,
//! keep-alive, time-outs, back-pressure and the forwarding of a request to another server.
//!
//! Standards: RFC 9110 (semantics), RFC 9112 (HTTP/1.1). Not here: TLS, HTTP/2, the Upgrade mechanism.
//!
//! Everything but `wasi` is free of I/O and is tested natively, on a scripted network (`fake`).

pub mod body;
pub mod clock;
pub mod date;
pub mod decimal;
pub mod event_loop;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod head;
pub mod log;
pub mod net;
pub mod pages;
pub mod request;
pub mod response;
pub mod service;
pub mod status;
#[cfg(target_os = "wasi")]
pub mod wasi;
