//! The command of the image `training/webapp`.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    use http_loop::event_loop::EventLoop;
    use http_loop::wasi::{Stdio, WasiNet};
    use std::io::Write;
    use std::net::SocketAddr;

    let start = || {
        let port = webapp::port(std::env::var("PORT").ok().as_deref())?;
        let address = SocketAddr::from(([0, 0, 0, 0], port));
        let mut net = WasiNet::new();
        net.listen(address).map_err(|error| {
            format!(
                "{}() to {address} failed ({})",
                error.call,
                error.errno_text()
            )
        })?;
        let provider = std::env::var("PROVIDER").ok();
        let mut hello = webapp::Hello::new(provider.as_deref(), Box::new(Stdio::stderr()));
        hello.say_start(address);
        Ok(EventLoop::new(net, 1, hello))
    };
    let error: String = match start() {
        Ok(event_loop) => event_loop.run(),
        Err(error) => error,
    };
    // There is nowhere else to say it.
    let _ = writeln!(Stdio::stderr(), "webapp: {error}");
    ExitCode::FAILURE
}

/// On other targets there are only the tests of the library.
#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
