//! Requests to other servers.

use std::io::Write as _;
use std::process::ExitCode;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

/// How long another server may take to be connected, to begin, and to go on, in nanoseconds.
const PATIENCE: u64 = 2_000_000_000;

/// Bytes that are moved at a time.
const PIECE_BYTES: u64 = 64 * 1024;

/// Prints what is at a URL.
pub(crate) fn print(url: &str) -> ExitCode {
    let answer = get(url).map_err(|code| eprintln!("{url}: {code:?}"));
    let Ok(answer) = answer else {
        return ExitCode::FAILURE;
    };
    let is_success = (200..300).contains(&answer.status());
    let printed = answer.consume().and_then(|body| copy(&body));
    match (is_success, printed) {
        (true, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn copy(body: &IncomingBody) -> Result<(), ()> {
    let input = body.stream()?;
    loop {
        match input.blocking_read(PIECE_BYTES) {
            Ok(piece) => std::io::stdout().write_all(&piece).map_err(drop)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(_)) => return Err(()),
        }
    }
}

/// What is at a URL.
pub(crate) fn get(url: &str) -> Result<IncomingResponse, ErrorCode> {
    wait(outgoing_handler::handle(request(url)?, Some(options()))?)
}

/// What a server answers to this body.
pub(crate) fn post(url: &str, from: IncomingBody) -> Result<IncomingResponse, ErrorCode> {
    let request = request(url)?;
    let failed = || ErrorCode::InternalError(None);
    request.set_method(&Method::Post).map_err(|()| failed())?;
    let body = request.body().map_err(|()| failed())?;
    let answer = outgoing_handler::handle(request, Some(options()))?;
    let input = from.stream().map_err(|()| failed())?;
    let output = body.write().map_err(|()| failed())?;
    while output.blocking_splice(&input, PIECE_BYTES).is_ok() {}
    drop((input, output));
    OutgoingBody::finish(body, None)?;
    wait(answer)
}

fn request(url: &str) -> Result<OutgoingRequest, ErrorCode> {
    let invalid = || ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).map_err(|()| invalid())?;
    request
        .set_authority(Some(authority))
        .map_err(|()| invalid())?;
    let path = format!("/{path}");
    request
        .set_path_with_query(Some(&path))
        .map_err(|()| invalid())?;
    Ok(request)
}

fn options() -> RequestOptions {
    let options = RequestOptions::new();
    // A host that has no time-outs has none.
    let _: Result<(), ()> = options.set_connect_timeout(Some(PATIENCE));
    let _: Result<(), ()> = options.set_first_byte_timeout(Some(PATIENCE));
    let _: Result<(), ()> = options.set_between_bytes_timeout(Some(PATIENCE));
    options
}

fn wait(answer: FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    answer.subscribe().block();
    let answer = answer.get().and_then(Result::ok);
    answer.unwrap_or(Err(ErrorCode::InternalError(None)))
}
