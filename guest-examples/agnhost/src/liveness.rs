//! `liveness`: healthy for ten seconds, and never again.

use std::process::ExitCode;

use http_loop::pages::Page;

use crate::serve::serve;

/// How long it is healthy, in nanoseconds.
const HEALTHY: u64 = 10_000_000_000;

/// Runs the mode, on port 8080.
pub(crate) fn run() -> ExitCode {
    let mut start = None;
    serve(8080, move |context, request| {
        let now = context.clock.now();
        let age = now - *start.get_or_insert(now);
        match request.target {
            b"/started" => Page::text(200, format!("{}s", age / 1_000_000_000)),
            b"/healthz" if age > HEALTHY => {
                Page::text(500, format!("error: {}s", age / 1_000_000_000))
            }
            b"/healthz" => Page::text(200, "ok"),
            _ => Page::text(404, "404 page not found\n"),
        }
    })
}
