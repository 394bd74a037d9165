//! Access and error logs.

use std::fs::OpenOptions;
use std::io::Write;

use http_loop::clock::Clock;
use http_loop::decimal::push_decimal;
use http_loop::log::LineLog;

use crate::config::model::{ErrorLog, Level, Target};

/// All logs of this process.
pub struct Logs {
    stdout: LineLog<Box<dyn Write>>,
    stderr: LineLog<Box<dyn Write>>,
    /// By path; those that cannot be opened write nowhere.
    files: Vec<(String, LineLog<Box<dyn Write>>)>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Logs {
    /// Logs on these two streams, and on files when one is named.
    #[must_use]
    pub fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self {
            stdout: LineLog::new(stdout),
            stderr: LineLog::new(stderr),
            files: Vec::new(),
        }
    }

    /// Where a line of this log is appended; `None` when it is off.
    pub fn line(&mut self, target: &Target) -> Option<&mut Vec<u8>> {
        match target {
            Target::Stdout => Some(self.stdout.line()),
            Target::Stderr => Some(self.stderr.line()),
            Target::Off => None,
            Target::File(path) => {
                let known = self.files.iter().position(|(known, _)| known == path);
                let at = known.unwrap_or_else(|| {
                    let writer: Box<dyn Write> =
                        match OpenOptions::new().append(true).create(true).open(path) {
                            Ok(file) => Box::new(file),
                            Err(_) => Box::new(std::io::sink()),
                        };
                    self.files.push((path.clone(), LineLog::new(writer)));
                    self.files.len() - 1
                });
                self.files.get_mut(at).map(|(_, log)| log.line())
            }
        }
    }

    /// Writes a line of an error log, if it is loud enough; `serial` is the connection it is about.
    pub fn error(
        &mut self,
        clock: &Clock,
        log: &ErrorLog,
        level: Level,
        serial: Option<u64>,
        message: &str,
    ) {
        if level > log.level {
            return;
        }
        let Some(line) = self.line(&log.target) else {
            return;
        };
        line.extend_from_slice(clock.error_log_time());
        line.extend_from_slice(b" [");
        line.extend_from_slice(level.name().as_bytes());
        // Process and thread: there is one, and in a container it is the first.
        line.extend_from_slice(b"] 1#1: ");
        if let Some(serial) = serial {
            line.push(b'*');
            push_decimal(line, serial);
            line.push(b' ');
        }
        line.extend_from_slice(message.as_bytes());
        line.push(b'\n');
    }

    /// Opens the files anew, which may have been moved away.
    pub fn reopen(&mut self) {
        self.flush();
        self.files.clear();
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) {
        self.stderr.flush();
        self.stdout.flush();
        for (_, file) in &mut self.files {
            file.flush();
        }
    }
}
