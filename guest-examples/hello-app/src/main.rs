//! The command of the image `google-samples/hello-app`: greets every request, on the port that `PORT` names or 8080,
//! and tells its version and the name of its pod. It is our program, not that image.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    use http_loop::event_loop::EventLoop;
    use http_loop::pages::{Page, Pages};
    use http_loop::wasi::{Stdio, WasiNet};
    use std::io::Write;
    use std::net::SocketAddr;

    let start = || {
        let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
        let port: u16 = port
            .parse()
            .map_err(|_| format!("PORT is \"{port}\": must be between 0 and 65535"))?;
        let address = SocketAddr::from(([0, 0, 0, 0], port));
        let mut net = WasiNet::new();
        net.listen(address).map_err(|error| {
            format!(
                "{}() to {address} failed ({})",
                error.call,
                error.errno_text()
            )
        })?;
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let text = format!("Hello, world!\nVersion: 2.0.0\nHostname: {}\n", host.trim());
        // The log is for people; without it the server still serves.
        let _ = writeln!(Stdio::stderr(), "Server listening on port {port}");
        let pages = Pages::new(move |_: &_, request: &http_loop::request::Request<'_>| {
            let target = String::from_utf8_lossy(request.target);
            let _ = writeln!(Stdio::stderr(), "Serving request: {target}");
            Page::text(200, text.clone())
        });
        Ok(EventLoop::new(net, 1, pages))
    };
    let error: String = match start() {
        Ok(event_loop) => event_loop.run(),
        Err(error) => error,
    };
    // There is nowhere else to say it.
    let _ = writeln!(Stdio::stderr(), "hello-app: {error}");
    ExitCode::FAILURE
}

/// On other targets it does nothing.
#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
