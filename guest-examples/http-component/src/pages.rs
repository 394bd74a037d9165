//! The pages of this server.
//!
//! | path | answer |
//! |---|---|
//! | `/` | `hello` |
//! | `/request` | what came: method, path, authority, headers |
//! | `/echo` | the body and the trailers of the request, as they come |
//! | `/length` | how many bytes the body of the request had |
//! | `/bytes/N` | N bytes |
//! | `/trailers` | a body with a trailer |
//! | `/fetch/URL` | what another server answers to GET |
//! | `/forward/URL` | what another server answers to this body |
//! | `/env` | arguments, environment, and the file `/etc/hostname` |
//! | `/count` | how many requests this instance has had |
//! | `/print/WORD` | nothing, but `WORD` on standard output and error |
//! | `/sleep/MS` | `awake`, after so many milliseconds |
//! | `/after/WORD` | `done`, and after that `WORD` on standard output |
//! | `/file/WORD` | nothing, but `WORD` is added to `/data/file` |
//! | `/trap`, `/late-trap`, `/loop`, `/memory`, `/exit`, `/none`, `/error/NAME` | see `failures` |

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, IncomingResponse, ResponseOutparam};

use crate::{body, client, failures};

/// Requests of this instance.
static COUNT: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Pages;

impl Guest for Pages {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // A client that is gone has nobody to tell.
        let _: Option<()> = page(request, out);
    }
}

fn page(request: IncomingRequest, out: ResponseOutparam) -> Option<()> {
    let path = request.path_with_query().unwrap_or_default();
    let (name, rest) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((path.trim_start_matches('/'), ""));
    match name {
        "" => body::text(out, 200, "hello\n"),
        "request" => body::text(out, 200, &describe(&request)),
        "echo" => echo(request, out),
        "length" => {
            let length = body::length(request.consume().ok()?)?;
            body::text(out, 200, &format!("{length}\n"))
        }
        "bytes" => bytes(out, rest.parse().ok()?),
        "trailers" => trailers(out),
        "fetch" => relay(out, client::get(rest)),
        "forward" => relay(out, client::post(rest, request.consume().ok()?)),
        "env" => body::text(out, 200, &environment()),
        "count" => body::text(out, 200, &format!("{}\n", COUNT.load(Ordering::Relaxed))),
        "print" => {
            println!("{rest}");
            eprintln!("{rest}");
            body::text(out, 204, "")
        }
        "sleep" => {
            std::thread::sleep(Duration::from_millis(rest.parse().ok()?));
            body::text(out, 200, "awake\n")
        }
        "after" => {
            body::text(out, 200, "done\n")?;
            println!("{rest}");
            Some(())
        }
        "file" => {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.append(true).create(true).open("/data/file").ok()?;
            writeln!(file, "{rest}").ok()?;
            body::text(out, 204, "")
        }
        "trap" => failures::trap(),
        "late-trap" => failures::late_trap(out),
        "loop" => failures::endless(),
        "memory" => failures::take_all_memory(),
        "exit" => std::process::exit(3),
        "none" => None,
        "error" => failures::error(out, rest),
        _ => body::text(out, 404, "not found\n"),
    }
}

fn describe(request: &IncomingRequest) -> String {
    let mut text = String::new();
    let method = request.method();
    let path = request.path_with_query().unwrap_or_default();
    let authority = request.authority().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{method:?} {path} {authority}");
    for (name, value) in request.headers().entries() {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(&value));
    }
    text
}

fn echo(request: IncomingRequest, out: ResponseOutparam) -> Option<()> {
    let headers = request.headers().entries();
    let kind = headers.iter().find(|(name, _)| name == "content-type");
    let kind = kind.map_or_else(String::new, |(_, value)| {
        String::from_utf8_lossy(value).into_owned()
    });
    let kind = if kind.is_empty() {
        "application/octet-stream"
    } else {
        &kind
    };
    let sending = body::begin(out, 200, &[("content-type", kind), ("trailer", "x-sum")])?;
    let trailers = sending.copy(request.consume().ok()?)?;
    let trailers = trailers.map(|trailers| trailers.clone());
    sending.finish(trailers)
}

fn bytes(out: ResponseOutparam, count: usize) -> Option<()> {
    let piece = [b'x'; 16 * 1024];
    let sending = body::begin(out, 200, &[])?;
    let mut left = count;
    while left > 0 {
        let now = piece.get(..left.min(piece.len()))?;
        sending.write(now)?;
        left -= now.len();
    }
    sending.finish(None)
}

fn trailers(out: ResponseOutparam) -> Option<()> {
    let sending = body::begin(out, 200, &[("trailer", "x-sum")])?;
    sending.write(b"with a trailer\n")?;
    let trailers = Fields::new();
    trailers.append("x-sum", b"15").ok()?;
    sending.finish(Some(trailers))
}

fn environment() -> String {
    let mut text = String::new();
    for argument in std::env::args() {
        let _ = writeln!(text, "arg {argument}");
    }
    for (name, value) in std::env::vars() {
        let _ = writeln!(text, "env {name}={value}");
    }
    let file = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let _ = writeln!(text, "file {}", file.trim_end());
    text
}

/// Sends on what another server has answered, or the error.
fn relay(out: ResponseOutparam, answer: Result<IncomingResponse, ErrorCode>) -> Option<()> {
    match answer {
        Ok(response) => {
            let sending = body::begin(out, response.status(), &[])?;
            let trailers = sending.copy(response.consume().ok()?)?;
            let trailers = trailers.map(|trailers| trailers.clone());
            sending.finish(trailers)
        }
        Err(code) => {
            ResponseOutparam::set(out, Err(code));
            Some(())
        }
    }
}
