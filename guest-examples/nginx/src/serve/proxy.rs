//! What is said to another server, and what of its answer is passed on.

use http_loop::decimal::push_decimal;
use http_loop::request::Request;
use http_loop::response::Response;
use http_loop::service::{Failure, Transfer};

use super::answer;
use super::state::View;
use super::uri;
use crate::config::model::ProxyPass;

/// Fields of the request that concern this connection only; `Host`, `Connection` and the length are set anew.
const NOT_PASSED_ON: [&str; 10] = [
    "host",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "expect",
    "proxy-connection",
    "trailer",
];
/// Fields of the response that are not for the client, nginx's default of `proxy_hide_header` included.
const NOT_PASSED_BACK: [&str; 14] = [
    "date",
    "server",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "content-type",
    "location",
    "refresh",
    "x-pad",
    "x-accel-expires",
    "x-accel-redirect",
    "x-accel-limit-rate",
    "x-accel-buffering",
];

/// The head of the request to the other server, without length and without its empty line.
pub(super) fn request_head(view: &View<'_>, request: &Request<'_>, pass: &ProxyPass) -> Vec<u8> {
    let settings = &view.state.location.settings;
    let mut out = Vec::with_capacity(256 + request.raw.len());
    out.extend_from_slice(request.method.as_bytes());
    out.push(b' ');
    push_target(&mut out, view, request, pass);
    out.extend_from_slice(if settings.proxy_http_11 {
        b" HTTP/1.1\r\n"
    } else {
        b" HTTP/1.0\r\n"
    });
    let set = |name: &str| {
        settings
            .proxy_headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    if !set("host") {
        push(&mut out, b"Host", pass.host.as_bytes());
    }
    if !set("connection") {
        push(&mut out, b"Connection", b"close");
    }
    for (name, value) in settings.proxy_headers.iter() {
        let value = value.value(view);
        // An empty value removes the field.
        if !value.is_empty() && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            push(&mut out, name.as_bytes(), &value);
        }
    }
    if settings.proxy_pass_request_headers {
        for (name, value) in request.fields.iter() {
            let is_own = NOT_PASSED_ON
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
            let is_set = settings
                .proxy_headers
                .iter()
                .any(|(set, _)| name.eq_ignore_ascii_case(set.as_bytes()));
            if !is_own
                && !is_set
                && !request
                    .fields
                    .lists("connection", &String::from_utf8_lossy(name))
            {
                push(&mut out, name, value);
            }
        }
    }
    out
}

fn push(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push_target(out: &mut Vec<u8>, view: &View<'_>, request: &Request<'_>, pass: &ProxyPass) {
    let state = view.state;
    match &pass.uri {
        // As the client wrote it, unless it was rewritten here.
        None if !state.rewritten && request.target.starts_with(b"/") => {
            out.extend_from_slice(request.target);
            return;
        }
        None => uri::push_escaped(out, &state.uri),
        Some(uri) => {
            out.extend_from_slice(uri.as_bytes());
            uri::push_escaped(
                out,
                state.uri.get(pass.location.len()..).unwrap_or_default(),
            );
        }
    }
    if !state.args.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&state.args);
    }
}

/// Appends the head for the client.
pub(super) fn push_response_head(
    out: &mut Vec<u8>,
    view: &View<'_>,
    pass: &ProxyPass,
    response: &Response<'_>,
    transfer: Transfer,
    keep_alive: bool,
) {
    let settings = &view.state.location.settings;
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(out, u64::from(response.status));
    out.push(b' ');
    out.extend_from_slice(response.reason);
    out.extend_from_slice(b"\r\n");
    push(out, b"Server", b"nginx");
    push(out, b"Date", view.context.clock.http_date());
    if let Some(content_type) = response.fields.get("content-type") {
        push(out, b"Content-Type", content_type);
    }
    match transfer {
        Transfer::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Transfer::Chunked => push(out, b"Transfer-Encoding", b"chunked"),
        // The length that a HEAD request or a 304 is told, or that an empty body has.
        Transfer::None => {
            if let Some(length) = response.fields.get("content-length") {
                push(out, b"Content-Length", length);
            }
        }
        Transfer::UntilClose => {}
    }
    answer::push_connection(out, settings, keep_alive);
    for name in ["Location", "Refresh"] {
        for value in response.fields.all(name) {
            push(out, name.as_bytes(), &redirected(view, pass, value));
        }
    }
    for (name, value) in response.fields.iter() {
        let is_own = NOT_PASSED_BACK
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
        let is_hidden = settings
            .proxy_hide_headers
            .iter()
            .any(|hidden| name.eq_ignore_ascii_case(hidden.as_bytes()));
        if !is_own && !is_hidden {
            push(out, name, value);
        }
    }
    answer::push_added(out, view, response.status);
    out.extend_from_slice(b"\r\n");
}

/// `proxy_redirect`: the other server's own address becomes ours.
fn redirected(view: &View<'_>, pass: &ProxyPass, value: &[u8]) -> Vec<u8> {
    let replace = |from: &[u8], to: &[u8]| value.strip_prefix(from).map(|rest| [to, rest].concat());
    let replaced = match &view.state.location.settings.proxy_redirect {
        Some(list) => list
            .iter()
            .find_map(|(from, to)| replace(from.as_bytes(), &to.value(view))),
        None => match &pass.uri {
            Some(uri) => replace(
                format!("http://{}{uri}", pass.host).as_bytes(),
                pass.location.as_bytes(),
            ),
            None => replace(format!("http://{}/", pass.host).as_bytes(), b"/"),
        },
    };
    replaced.unwrap_or_else(|| value.to_vec())
}

/// A failure as nginx's error log tells it.
pub(super) fn failure_text(failure: Failure) -> String {
    match failure {
        Failure::Connect(error) => format!("connect() failed ({}) while connecting to upstream", error.errno_text()),
        Failure::ConnectTimedOut => {
            "upstream timed out (110: Operation timed out) while connecting to upstream".to_owned()
        }
        Failure::SendTimedOut => {
            "upstream timed out (110: Operation timed out) while sending request to upstream".to_owned()
        }
        Failure::ReadTimedOut => {
            "upstream timed out (110: Operation timed out) while reading response header from upstream".to_owned()
        }
        Failure::Closed => {
            "upstream prematurely closed connection while reading response header from upstream".to_owned()
        }
        Failure::Malformed => "upstream sent no valid HTTP/1.0 header while reading response header from upstream".to_owned(),
        Failure::TooLarge => "upstream sent too big header while reading response header from upstream".to_owned(),
        Failure::ClientBody { status } => format!("client's body was refused with {status}"),
    }
}
