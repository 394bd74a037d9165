//! From arguments to a serving process, with the messages and exit codes of nginx.

use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use http_loop::clock::Clock;
use http_loop::event_loop::EventLoop;
use http_loop::net::Net;
use http_loop::wasi::{Stdio, WasiNet};
use nginx::command_line::{self, Action, CommandLine};
use nginx::config::error::ConfigError;
use nginx::config::model::{Config, ErrorLog, Level, Target};
use nginx::config::{build, tree};
use nginx::serve::logs::Logs;
use nginx::serve::{BEHAVES_AS, Server};

/// Writes a line to standard error; there is nowhere else to say that it failed.
fn say(line: &str) {
    let mut stderr = Stdio::stderr();
    let _ = stderr
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| stderr.flush());
}

fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!(
        "nginx version: wasmpod-nginx/{own} (a WebAssembly program with the behaviour of nginx {BEHAVES_AS})"
    )
}

/// Runs the command.
pub(crate) fn run() -> ExitCode {
    let line = match command_line::parse(std::env::args().skip(1)) {
        Ok(line) => line,
        Err(message) => {
            say(&format!("nginx: {message}"));
            return ExitCode::FAILURE;
        }
    };
    match line.action {
        Action::Version => {
            say(&version());
            ExitCode::SUCCESS
        }
        Action::Help => {
            say(&version());
            say("Usage: nginx [-?hvVtTq] [-p prefix] [-e filename] [-c filename] [-g directives]");
            ExitCode::SUCCESS
        }
        Action::Test | Action::Serve => configured(&line),
    }
}

fn read(line: &CommandLine, net: &WasiNet) -> Result<Config, ConfigError> {
    let mut nodes = tree::read_text(&tree::RealFiles, &line.globals, "command line")?;
    nodes.extend(tree::read(&tree::RealFiles, &line.config)?);
    build::build(&nodes, &|name| net.resolve(name))
}

fn configured(line: &CommandLine) -> ExitCode {
    let mut net = WasiNet::new();
    let mut clock = Clock::default();
    let now = net.now();
    clock.advance(now, || net.wall_clock());
    let mut logs = Logs::new(Box::new(Stdio::stdout()), Box::new(Stdio::stderr()));
    let config = match read(line, &net) {
        Ok(config) => config,
        Err(error) => {
            // As in the image, where the error log is standard error too, the message comes in both forms.
            if line.action == Action::Serve {
                let log = ErrorLog {
                    target: Target::Stderr,
                    level: Level::Notice,
                };
                logs.error(&clock, &log, Level::Emerg, None, &error.to_string());
                logs.flush();
            }
            say(&format!("nginx: [emerg] {error}"));
            if line.action == Action::Test {
                say(&format!(
                    "nginx: configuration file {} test failed",
                    line.config
                ));
            }
            return ExitCode::FAILURE;
        }
    };
    for warning in &config.warnings {
        logs.error(&clock, &config.error_log, Level::Warn, None, warning);
    }
    if line.action == Action::Test {
        if !line.quiet {
            say(&format!(
                "nginx: the configuration file {} syntax is ok",
                line.config
            ));
            say(&format!(
                "nginx: configuration file {} test is successful",
                line.config
            ));
        }
        logs.flush();
        return ExitCode::SUCCESS;
    }
    serve(config, net, &clock, logs)
}

fn serve(mut config: Config, mut net: WasiNet, clock: &Clock, mut logs: Logs) -> ExitCode {
    let mut refused = None;
    config.listens.retain(|listen| {
        if refused.is_some() {
            return false;
        }
        match net.listen(listen.address) {
            Ok(()) => true,
            // A pod without IPv6 serves the same configuration on IPv4 alone; so does `[::]` where it means both.
            Err(error) if listen.address.is_ipv6() && error.is_unsupported_family() => false,
            Err(error) => {
                refused = Some(format!(
                    "{}() to {} failed ({})",
                    error.call,
                    listen.address,
                    error.errno_text()
                ));
                false
            }
        }
    });
    if refused.is_none() && config.listens.is_empty() {
        refused = Some("no address to listen on: the configuration has no \"server\"".to_owned());
    }
    if let Some(message) = refused {
        logs.error(clock, &config.error_log, Level::Emerg, None, &message);
        logs.flush();
        say(&format!("nginx: [emerg] {message}"));
        return ExitCode::FAILURE;
    }
    for message in [
        version().replacen("nginx version: ", "", 1),
        "start worker processes".to_owned(),
    ] {
        logs.error(clock, &config.error_log, Level::Notice, None, &message);
    }
    if let Some(path) = &config.pid
        && let Err(error) = std::fs::write(path, "1\n")
    {
        let message = format!("open() \"{path}\" failed ({})", tree::errno_text(&error));
        logs.error(clock, &config.error_log, Level::Warn, None, &message);
    }
    logs.flush();
    let hostname = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned());
    let listeners = config.listens.len();
    EventLoop::new(net, listeners, Server::new(Rc::new(config), logs, hostname)).run()
}
