//! What programs do about signals, one way each; the host's tests run it as a component and as a core module.
//!
//! | arguments | what it does |
//! |---|---|
//! | `drain SECONDS CODE` | goes on until it is asked to end, then works for so long, and exits so |
//! | `poll CODE` | the same without work; a component waits for it and a timer at once |
//! | `linger` | is asked to end, and goes on |
//! | `heed NAME…` | prints these signals as they come; ends well with SIGQUIT |
//! | `kill PROCESS NAME` | sends a signal; 0 for NAME looks only |
//! | `main` | prints the arguments of process 1 |

use std::process::ExitCode;
use std::time::Duration;

use wasmpod_lifecycle::signals::{self, Action};
use wasmpod_lifecycle::termination::{self, Left};
use wasmpod_lifecycle::{Error, Signal};

/// The exit code of wrong arguments.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    exit(run(&args).unwrap_or_else(|| {
        eprintln!("lifecycle: wrong arguments: {args:?}");
        USAGE
    }))
}

/// WASI 0.2's own exit of a `main` knows success and failure only.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn exit(code: u8) -> ExitCode {
    wasip2::cli::exit::exit_with_code(code);
    ExitCode::FAILURE
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn exit(code: u8) -> ExitCode {
    ExitCode::from(code)
}

fn run(args: &[&str]) -> Option<u8> {
    match args {
        ["drain", seconds, code] => {
            println!("working");
            tell(termination::wait(None));
            std::thread::sleep(Duration::from_secs(seconds.parse().ok()?));
            tell(termination::requested());
            code.parse().ok()
        }
        ["poll", code] => {
            println!("working");
            poll();
            tell(termination::requested());
            code.parse().ok()
        }
        ["linger"] => {
            println!("working");
            tell(termination::wait(None));
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        ["heed", names @ ..] => heed(names),
        ["kill", process, name] => Some(kill(process.parse().ok()?, name)),
        ["main"] => {
            println!("{:?}", signals::main_command());
            Some(0)
        }
        _ => None,
    }
}

/// Says who asked, and how many whole seconds are left.
fn tell(left: Option<Left>) {
    let signal = termination::signal().map(|signal| signal.to_string());
    let left = left.map(|left| match left {
        Left::Time(left) => format!("{} s", left.as_secs()),
        Left::Unlimited => "no limit".to_owned(),
    });
    println!("asked by {signal:?}, left {left:?}");
}

/// Waits for two things at once, of which the timer is far away.
#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn poll() {
    let timer = wasip2::clocks::monotonic_clock::subscribe_duration(3_600_000_000_000);
    let asked = termination::subscribe();
    let ready = wasip2::io::poll::poll(&[&timer, &asked]);
    println!("ready {ready:?}, still {}", asked.ready());
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn poll() {
    while termination::wait(Some(Duration::from_secs(1))).is_none() {}
}

fn heed(names: &[&str]) -> Option<u8> {
    for name in names {
        if let Err(error) = signals::set_action(Signal::parse(name)?, Action::Handle) {
            println!("{name}: {error}");
        }
    }
    println!("heeding as process {}", signals::process_id());
    loop {
        match signals::wait(None) {
            Some(Signal::QUIT) => return Some(0),
            signal => println!("{:?}", signal.map(|signal| signal.to_string())),
        }
    }
}

fn kill(process: u32, name: &str) -> u8 {
    let sent = match Signal::parse(name) {
        Some(signal) => signals::kill(process, signal),
        None => signals::find(process),
    };
    match sent {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            if error == Error::NoSuchProcess { 3 } else { 1 }
        }
    }
}
