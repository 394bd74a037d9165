//! The pages of this server.
//!
//! | path | answer |
//! |---|---|
//! | `/` | `hello` |
//! | `/request` | what came: method, path, authority, headers |
//! | `/echo` | the body and the trailers of the request, as they come |
//! | `/pass` | the same, but the host's stream goes back to the host as it is |
//! | `/length` | how many bytes the body of the request had |
//! | `/bytes/N` | N bytes |
//! | `/trailers` | a body with a trailer |
//! | `/sent` | a body, and on standard output what became of it |
//! | `/fetch/URL` | what another server answers to GET |
//! | `/forward/URL` | what another server answers to this body |
//! | `/tcp/ADDRESS` | `connected`, once a TCP connection of the standard library is |
//! | `/env` | arguments, environment, and the file `/etc/hostname` |
//! | `/count` | how many requests this instance has had |
//! | `/print/WORD` | nothing, but `WORD` on standard output and error |
//! | `/stream/WORD` | the same on standard output, by its stream of 0.3 |
//! | `/sleep/MS` | `awake`, after so many milliseconds |
//! | `/after/WORD` | `done`, and after that `WORD` on standard output |
//! | `/trap`, `/late-trap`, `/half`, `/loop`, `/yield`, `/memory`, `/streams`, `/exit`, `/error/NAME` | see `failures` |

use std::fmt::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use wasip3::cli::stdout;
use wasip3::clocks::monotonic_clock;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

use crate::body::{self, Body};
use crate::{client, failures};

/// Requests of this instance.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds of a millisecond.
const MILLISECOND: u64 = 1_000_000;

pub(crate) struct Pages;

impl Guest for Pages {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let path = request.get_path_with_query().unwrap_or_default();
        let path = path.trim_start_matches('/');
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        page(request, name, rest).await
    }
}

async fn page(request: Request, name: &str, rest: &str) -> Result<Response, ErrorCode> {
    match name {
        "" => body::text(200, "hello\n"),
        "request" => body::text(200, &describe(&request)),
        "echo" => echo(request),
        "pass" => Ok(body::response(200, &[("trailer", "x-sum")], consume(request))?.0),
        "length" => {
            let length = body::length(consume(request)).await?;
            body::text(200, &format!("{length}\n"))
        }
        "bytes" => bytes(number(rest)?),
        "trailers" => trailers(),
        "sent" => sent(),
        "fetch" => client::ask(rest, None).await,
        "forward" => client::ask(rest, Some(consume(request))).await,
        "tcp" => match TcpStream::connect(rest) {
            Ok(_) => body::text(200, "connected\n"),
            Err(error) => body::text(502, &format!("{error}\n")),
        },
        "env" => body::text(200, &environment()),
        "count" => body::text(200, &format!("{}\n", COUNT.load(Ordering::Relaxed))),
        "print" => {
            println!("{rest}");
            eprintln!("{rest}");
            body::text(200, "")
        }
        "stream" => {
            print(format!("{rest}\n")).await?;
            body::text(200, "")
        }
        "sleep" => {
            let milliseconds = u64::try_from(number(rest)?).unwrap_or(u64::MAX);
            monotonic_clock::wait_for(milliseconds.saturating_mul(MILLISECOND)).await;
            body::text(200, "awake\n")
        }
        "after" => {
            let word = rest.to_owned();
            wasip3::spawn_local(async move {
                monotonic_clock::wait_for(MILLISECOND).await;
                println!("{word}");
            });
            body::text(200, "done\n")
        }
        "trap" => failures::trap(),
        "late-trap" => failures::late_trap(),
        "half" => failures::half(),
        "loop" => failures::endless(),
        "yield" => failures::endless_turns().await,
        "memory" => failures::take_all_memory(),
        "streams" => failures::take_all_streams(),
        "exit" => std::process::exit(3),
        "error" => Err(failures::error(rest)),
        _ => body::text(404, "not found\n"),
    }
}

fn number(text: &str) -> Result<usize, ErrorCode> {
    text.parse().map_err(|_| ErrorCode::HttpRequestUriInvalid)
}

/// The body of a request, with which nothing goes wrong here.
fn consume(request: Request) -> Body {
    let processed = wit_future::new(|| Ok(())).1;
    let (contents, end) = Request::consume_body(request, processed);
    Body { contents, end }
}

fn describe(request: &Request) -> String {
    let mut text = String::new();
    let method = request.get_method();
    let path = request.get_path_with_query().unwrap_or_default();
    let authority = request.get_authority().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{method:?} {path} {authority}");
    for (name, value) in request.get_headers().copy_all() {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(&value));
    }
    text
}

fn echo(request: Request) -> Result<Response, ErrorCode> {
    let (sending, body) = body::pipe();
    let (response, _) = body::response(200, &[("trailer", "x-sum")], body)?;
    wasip3::spawn_local(sending.copy(consume(request)));
    Ok(response)
}

fn bytes(count: usize) -> Result<Response, ErrorCode> {
    let (mut sending, body) = body::pipe();
    let (response, _) = body::response(200, &[], body)?;
    wasip3::spawn_local(async move {
        let mut left = count;
        while left > 0 {
            let now = left.min(16 * 1024);
            if !sending.write(vec![b'x'; now]).await {
                return;
            }
            left -= now;
        }
        sending.finish(None).await;
    });
    Ok(response)
}

fn trailers() -> Result<Response, ErrorCode> {
    let trailers = Fields::new();
    let appended = trailers.append("x-sum", b"15");
    appended.map_err(|_| ErrorCode::InternalError(None))?;
    let (mut sending, body) = body::pipe();
    let (response, _) = body::response(200, &[("trailer", "x-sum")], body)?;
    wasip3::spawn_local(async move {
        sending.write(b"with a trailer\n".to_vec()).await;
        sending.finish(Some(trailers)).await;
    });
    Ok(response)
}

/// A body of which the component waits to learn what became of it, in more than one piece.
fn sent() -> Result<Response, ErrorCode> {
    let (mut sending, body) = body::pipe();
    let (response, sent) = body::response(200, &[], body)?;
    wasip3::spawn_local(async move {
        for _ in 0..64 {
            if !sending.write(vec![b'x'; 64 * 1024]).await {
                break;
            }
        }
        sending.finish(None).await;
        println!("{:?}", sent.await);
    });
    Ok(response)
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

/// Writes to standard output by the stream of 0.3.
async fn print(text: String) -> Result<(), ErrorCode> {
    let (mut writer, reader) = wit_stream::new();
    let written = stdout::write_via_stream(reader);
    let rest = writer.write_all(text.into_bytes()).await;
    drop(writer);
    let is_written = rest.is_empty() && written.await.is_ok();
    is_written
        .then_some(())
        .ok_or(ErrorCode::InternalError(None))
}
