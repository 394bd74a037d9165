//! What nginx does about signals, and how `nginx -s` sends them.
//!
//! | signal | what it does | `-s` |
//! |---|---|---|
//! | TERM, INT | ends at once | `stop` |
//! | QUIT | listens no more, answers the requests that are under way, then ends | `quit` |
//! | HUP | reads the configuration again; one with a mistake changes nothing | `reload` |
//! | USR1 | opens its log files again | `reopen` |
//! | WINCH | as QUIT, when it is called `httpd`, whose word for that it is | |
//!
//! It ends with 0. What it does not do: upgrade to another program (USR2), or leave connections to old processes: after
//! a reload they get their answers here, by the old configuration, and are closed.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use http_loop::clock::Clock;
use http_loop::event_loop::EventLoop;
use http_loop::wasi::WasiNet;
use nginx::command_line::{Command, CommandLine};
use nginx::config::model::{Config, Level};
use nginx::config::tree;
use nginx::serve::Server;
use nginx::serve::logs::Logs;
use wasmpod_lifecycle::Signal;
use wasmpod_lifecycle::signals::{self, Action};

use crate::process;

/// Where nginx leaves its number when the configuration does not say.
const PID: &str = "/run/nginx.pid";

/// A server that listens to signals.
pub(crate) struct Control {
    line: CommandLine,
    /// The addresses of the loop's listeners by their numbers; those that are closed are none.
    listeners: Vec<Option<SocketAddr>>,
    pid: Option<String>,
    is_quitting: bool,
}

type Loop = EventLoop<WasiNet, Server>;

/// Heeds signals from now on: what comes before the server runs is found when it does.
pub(crate) fn begin() {
    let mut heeded = vec![
        Signal::TERM,
        Signal::INT,
        Signal::QUIT,
        Signal::HUP,
        Signal::USR1,
    ];
    let called = std::env::args().next().unwrap_or_default();
    let name = called.rsplit('/').next().unwrap_or_default();
    if name.starts_with("httpd") {
        heeded.push(Signal::WINCH);
    }
    for signal in heeded {
        // A host that refuses keeps the default action.
        let _ = signals::set_action(signal, Action::Handle);
    }
}

impl Control {
    /// For a server on this configuration's addresses.
    pub(crate) fn new(line: &CommandLine, config: &Config) -> Self {
        Self {
            line: line.clone(),
            listeners: config
                .listens
                .iter()
                .map(|listen| Some(listen.address))
                .collect(),
            pid: config.pid.clone(),
            is_quitting: false,
        }
    }

    /// Does what has been asked for since the last time; gives the exit code at the end.
    pub(crate) fn heed(&mut self, event_loop: &mut Loop) -> Option<ExitCode> {
        while let Some(signal) = signals::take() {
            let number = signal.number();
            let what = match signal {
                Signal::QUIT | Signal::WINCH => "shutting down",
                Signal::HUP => "reconfiguring",
                Signal::USR1 => "reopening logs",
                _ => "exiting",
            };
            notice(
                event_loop,
                Level::Notice,
                &format!("signal {number} ({signal}) received, {what}"),
            );
            match signal {
                Signal::QUIT | Signal::WINCH => self.quit(event_loop),
                Signal::HUP if !self.is_quitting => {
                    if let Err(message) = self.reload(event_loop) {
                        notice(event_loop, Level::Emerg, &message);
                    }
                }
                Signal::HUP => {}
                Signal::USR1 => event_loop.service().logs().reopen(),
                _ => return Some(self.end(event_loop)),
            }
        }
        (self.is_quitting && event_loop.clients() == 0).then(|| self.end(event_loop))
    }

    fn quit(&mut self, event_loop: &mut Loop) {
        if self.is_quitting {
            return;
        }
        self.is_quitting = true;
        notice(event_loop, Level::Notice, "gracefully shutting down");
        event_loop.service().close_up_to(u64::MAX);
        event_loop.set_listeners(Vec::new());
        event_loop.close_clients();
    }

    fn end(&self, event_loop: &mut Loop) -> ExitCode {
        if let Some(path) = &self.pid {
            // It was perhaps never written.
            let _ = std::fs::remove_file(path);
        }
        notice(event_loop, Level::Notice, "exit");
        ExitCode::SUCCESS
    }

    /// Serves what the configuration says now.
    fn reload(&mut self, event_loop: &mut Loop) -> Result<(), String> {
        let read = process::read(&self.line, event_loop.net());
        let mut config = read.map_err(|error| error.to_string())?;
        let before = self.listeners.len();
        let known = &mut self.listeners;
        let listened = process::listen(&mut config, |address| {
            if !known.contains(&Some(address)) {
                event_loop.net().listen(address)?;
                known.push(Some(address));
            }
            Ok(())
        });
        if let Err(message) = listened {
            // What was opened is no use without the rest.
            for number in before..self.listeners.len() {
                http_loop::net::Net::close_listener(event_loop.net(), number);
            }
            for opened in self.listeners.iter_mut().skip(before) {
                *opened = None;
            }
            return Err(message);
        }
        let wanted = |address: SocketAddr| {
            let mut listens = config.listens.iter();
            listens.position(|listen| listen.address == address)
        };
        let slots: Vec<_> = self
            .listeners
            .iter()
            .map(|address| wanted((*address)?))
            .collect();
        let numbers = (0_usize..).zip(&slots);
        let open = numbers.filter_map(|(number, slot)| slot.map(|_| number));
        let open: Vec<usize> = open.collect();
        for (address, slot) in self.listeners.iter_mut().zip(&slots) {
            if slot.is_none() {
                *address = None;
            }
        }
        for warning in &config.warnings {
            notice(event_loop, Level::Warn, warning);
        }
        let served_so_far = event_loop.accepted();
        event_loop.set_listeners(open);
        event_loop.service().close_up_to(served_so_far);
        event_loop.close_clients();
        event_loop.service().reload(Rc::new(config), slots);
        Ok(())
    }
}

fn notice(event_loop: &mut Loop, level: Level, message: &str) {
    let (service, clock) = event_loop.service_and_clock();
    let log = service.config().error_log.clone();
    service.logs().error(clock, &log, level, None, message);
}

/// `nginx -s`: finds the nginx of this container by the file that it has left, and tells it.
pub(crate) fn send(command: Command, config: &Config, clock: &Clock, mut logs: Logs) -> ExitCode {
    let signal = match command {
        Command::Stop => Signal::TERM,
        Command::Quit => Signal::QUIT,
        Command::Reload => Signal::HUP,
        Command::Reopen => Signal::USR1,
    };
    let started = "signal process started";
    logs.error(clock, &config.error_log, Level::Notice, None, started);
    logs.flush();
    let path = config.pid.as_deref().unwrap_or(PID);
    let failure = match std::fs::read_to_string(path) {
        Err(error) => {
            let reason = tree::errno_text(&error);
            format!("[error] open() \"{path}\" failed ({reason})")
        }
        Ok(text) => match text.trim().parse() {
            Err(_) => format!(
                "[error] invalid PID number \"{}\" in \"{path}\"",
                text.trim()
            ),
            Ok(process) => match signals::kill(process, signal) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(error) => format!(
                    "[alert] kill({process}, {}) failed ({error})",
                    signal.number()
                ),
            },
        },
    };
    process::say(&format!("nginx: {failure}"));
    ExitCode::FAILURE
}
