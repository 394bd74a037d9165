//! Requests to other servers.

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme};
use wasip3::wit_future;

use crate::body::Body;

/// How long another server may take to be connected, to begin, and to go on, in nanoseconds.
const PATIENCE: u64 = 2_000_000_000;

/// What another server answers to GET, or to POST with this body.
pub(crate) async fn ask(url: &str, body: Option<Body>) -> Result<Response, ErrorCode> {
    let invalid = || ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let options = RequestOptions::new();
    // A host that has no time-outs has none.
    let _ = options.set_connect_timeout(Some(PATIENCE));
    let _ = options.set_first_byte_timeout(Some(PATIENCE));
    let _ = options.set_between_bytes_timeout(Some(PATIENCE));
    let method = if body.is_some() {
        Method::Post
    } else {
        Method::Get
    };
    let (contents, end) = match body {
        Some(body) => (Some(body.contents), body.end),
        None => (None, wit_future::new(|| Ok(None)).1),
    };
    let (request, _) = Request::new(Fields::new(), contents, end, Some(options));
    request.set_method(&method).map_err(|()| invalid())?;
    request.set_scheme(Some(&scheme)).map_err(|()| invalid())?;
    request
        .set_authority(Some(authority))
        .map_err(|()| invalid())?;
    request
        .set_path_with_query(Some(&format!("/{path}")))
        .map_err(|()| invalid())?;
    client::send(request).await
}
