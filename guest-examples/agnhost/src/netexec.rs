//! `netexec`: a web server that tells about itself and does small things when asked.
//!
//! Upstream's serves datagrams beside that. A guest has one thread, so here `--udp-port` serves datagrams instead.

use std::process::ExitCode;
use std::time::Duration;

use http_loop::pages::Page;

use crate::arguments::Arguments;
use crate::dial::{dial, serve_udp};
use crate::serve::serve;

const OPTIONS: [&str; 3] = ["http-port", "udp-port", "delay-shutdown"];

/// Runs the mode.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let ports = Arguments::parse(args, &OPTIONS).and_then(|options| {
        let http: u16 = options.number("http-port", 8080)?;
        Ok((http, options.number("udp-port", 0)?))
    });
    let (port, udp_port) = match ports {
        Ok(ports) => ports,
        Err(message) => {
            eprintln!("agnhost: {message}");
            return ExitCode::from(2);
        }
    };
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim().to_owned();
    if udp_port != 0 {
        let ended = serve_udp(udp_port, &host);
        eprintln!("agnhost: {ended:?}");
        return ExitCode::FAILURE;
    }
    serve(port, move |context, request| {
        let target = String::from_utf8_lossy(request.target);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_default()
                .replace('+', " ")
        };
        match path {
            "/" | "/healthz" => Page::text(200, format!("NOW: {}", context.clock.unix())),
            "/hostname" | "/hostName" => Page::text(200, host.clone()),
            "/clientip" => Page::text(200, context.connection.peer.to_string()),
            "/echo" => {
                let code = value("code").parse().unwrap_or(200);
                Page::text(code, value("msg"))
            }
            "/header" => {
                let name = value("key");
                let field = request.fields.get(&name.to_ascii_lowercase());
                Page::text(200, String::from_utf8_lossy(field.unwrap_or_default()))
            }
            "/dial" => {
                let port = value("port").parse().unwrap_or(0);
                match dial(&value("protocol"), &value("host"), port, &value("request")) {
                    Ok(answer) => Page::text(200, answer),
                    Err(error) => Page::text(500, error),
                }
            }
            "/write" => match std::fs::write(value("path"), value("text")) {
                Ok(()) => Page::text(200, "written"),
                Err(error) => Page::text(500, error.to_string()),
            },
            "/exit" => {
                let code = value("code").parse().unwrap_or(0);
                if let Some(wait) = value("wait").strip_suffix('s').and_then(|s| s.parse().ok()) {
                    std::thread::sleep(Duration::from_secs(wait));
                }
                exit(code)
            }
            _ => Page::text(404, "404 page not found\n"),
        }
    })
}

/// WASI's own exit knows success and failure only; this one keeps the status.
fn exit(code: u8) -> ! {
    wasip2::cli::exit::exit_with_code(code);
    std::process::exit(1)
}
