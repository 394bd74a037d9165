//! From arguments to a serving process, with the messages and exit codes of nginx.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use http_loop::clock::Clock;
use http_loop::event_loop::EventLoop;
use http_loop::net::Net;
use http_loop::wasi::{ListenError, Stdio, WasiNet};
use nginx::command_line::{self, Action, CommandLine};
use nginx::config::error::ConfigError;
use nginx::config::model::{Config, ErrorLog, Level, Target};
use nginx::config::{build, tree};
use nginx::serve::logs::Logs;
use nginx::serve::{BEHAVES_AS, Server};
use wasmpod_lifecycle::signals;

use crate::control::{self, Control};

/// Writes a line to standard error; there is nowhere else to say that it failed.
pub(crate) fn say(line: &str) {
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
            say(
                "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix] [-e filename] [-c filename] [-g directives]",
            );
            ExitCode::SUCCESS
        }
        Action::Test | Action::Serve | Action::Signal(_) => configured(&line),
    }
}

pub(crate) fn read(line: &CommandLine, net: &WasiNet) -> Result<Config, ConfigError> {
    let mut nodes = tree::read_text(&tree::RealFiles, &line.globals, "command line")?;
    nodes.extend(tree::read(&tree::RealFiles, &line.config)?);
    build::build(&nodes, &|name| net.resolve(name))
}

fn configured(line: &CommandLine) -> ExitCode {
    if line.action == Action::Serve {
        control::begin();
    }
    let mut net = WasiNet::new();
    let mut clock = Clock::default();
    let now = net.now();
    clock.advance(now, || net.wall_clock());
    let mut logs = Logs::new(Box::new(Stdio::stdout()), Box::new(Stdio::stderr()));
    let config = match read(line, &net) {
        Ok(config) => config,
        Err(error) => {
            // As in the image, where the error log is standard error too, the message comes in both forms.
            if line.action != Action::Test {
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
    if let Action::Signal(command) = line.action {
        return control::send(command, &config, &clock, logs);
    }
    serve(line, config, net, &clock, logs)
}

/// Listens where a configuration says and takes its addresses out where nobody can: a pod without IPv6 serves it on
/// IPv4 alone, as does `[::]` where it means both.
pub(crate) fn listen(
    config: &mut Config,
    mut open: impl FnMut(SocketAddr) -> Result<(), ListenError>,
) -> Result<(), String> {
    let mut refused = None;
    config.listens.retain(|listen| {
        if refused.is_some() {
            return false;
        }
        match open(listen.address) {
            Ok(()) => true,
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
    match refused {
        Some(message) => Err(message),
        None if config.listens.is_empty() => {
            Err("no address to listen on: the configuration has no \"server\"".to_owned())
        }
        None => Ok(()),
    }
}

fn serve(
    line: &CommandLine,
    mut config: Config,
    mut net: WasiNet,
    clock: &Clock,
    mut logs: Logs,
) -> ExitCode {
    if let Err(message) = listen(&mut config, |address| net.listen(address)) {
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
        && let Err(error) = std::fs::write(path, format!("{}\n", signals::process_id()))
    {
        let message = format!("open() \"{path}\" failed ({})", tree::errno_text(&error));
        logs.error(clock, &config.error_log, Level::Warn, None, &message);
    }
    logs.flush();
    let hostname = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned());
    net.wake_on(signals::subscribe());
    let listeners = config.listens.len();
    let mut control = Control::new(line, &config);
    let server = Server::new(Rc::new(config), logs, hostname);
    EventLoop::new(net, listeners, server).run_until(|event_loop| control.heed(event_loop))
}
