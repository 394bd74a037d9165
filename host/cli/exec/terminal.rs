//! The terminal while it is handed over: raw, so that every key goes through; its sizes; and what still ends us.
//!
//! Whatever way this process ends that it can know of, a panic included, the terminal is as before.

use std::future::pending;
use std::io;
#[cfg(not(unix))]
use std::time::Duration;

use wasmpod_api::client::TerminalSize;

/// The terminal in raw mode. Dropping it gives the terminal back.
#[derive(Debug)]
pub(super) struct RawMode {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

impl RawMode {
    #[cfg(unix)]
    pub(super) fn enter() -> io::Result<Self> {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }

    #[cfg(windows)]
    pub(super) fn enter() -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        Ok(Self {})
    }
}

impl Drop for RawMode {
    // There is no other way to give it back when this one fails.
    #[cfg(unix)]
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }

    #[cfg(windows)]
    fn drop(&mut self) {
        drop(crossterm::terminal::disable_raw_mode());
    }
}

/// How large the terminal is: standard output's, else standard input's.
#[cfg(unix)]
fn size() -> Option<TerminalSize> {
    let found = rustix::termios::tcgetwinsize(io::stdout())
        .or_else(|_| rustix::termios::tcgetwinsize(io::stdin()));
    let found = found
        .ok()
        .filter(|size| size.ws_col > 0 && size.ws_row > 0)?;
    Some(TerminalSize {
        columns: found.ws_col,
        rows: found.ws_row,
    })
}

#[cfg(windows)]
fn size() -> Option<TerminalSize> {
    let (columns, rows) = crossterm::terminal::size().ok()?;
    Some(TerminalSize { columns, rows })
}

/// How often the size is looked at where no signal tells that it changed.
#[cfg(not(unix))]
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The sizes of the terminal: how large it is, then each time that it changes.
#[derive(Debug)]
pub(super) struct Sizes {
    is_terminal: bool,
    last: Option<TerminalSize>,
    #[cfg(unix)]
    changes: Option<tokio::signal::unix::Signal>,
}

impl Sizes {
    pub(super) fn watch(is_terminal: bool) -> Self {
        Self {
            is_terminal,
            last: None,
            #[cfg(unix)]
            changes: {
                use tokio::signal::unix::{SignalKind, signal};
                // Without it the size is told once.
                signal(SignalKind::window_change()).ok()
            },
        }
    }

    /// The next size. Never resolves without a terminal.
    pub(super) async fn next(&mut self) -> TerminalSize {
        if !self.is_terminal {
            return pending().await;
        }
        loop {
            if let Some(size) = size().filter(|size| self.last != Some(*size)) {
                self.last = Some(size);
                return size;
            }
            self.changed().await;
        }
    }

    #[cfg(unix)]
    async fn changed(&mut self) {
        match &mut self.changes {
            Some(changes) => {
                changes.recv().await;
            }
            None => pending().await,
        }
    }

    #[cfg(not(unix))]
    async fn changed(&mut self) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What ends us from outside while the terminal is raw; without it the usual way is right.
#[derive(Debug)]
pub(super) struct Stops {
    #[cfg(unix)]
    signals: Option<[(tokio::signal::unix::Signal, u8); 3]>,
}

impl Stops {
    #[cfg(unix)]
    pub(super) fn listen(is_raw: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = if is_raw {
            // 128 and the number of the signal, as a shell has it.
            Some([
                (signal(SignalKind::hangup())?, 129),
                (signal(SignalKind::interrupt())?, 130),
                (signal(SignalKind::terminate())?, 143),
            ])
        } else {
            None
        };
        Ok(Self { signals })
    }

    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> u8 {
        match &mut self.signals {
            None => pending().await,
            Some([(hangup, first), (interrupt, second), (terminate, third)]) => tokio::select! {
                _ = hangup.recv() => *first,
                _ = interrupt.recv() => *second,
                _ = terminate.recv() => *third,
            },
        }
    }

    #[cfg(not(unix))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it can fail where there are signals"
    )]
    pub(super) fn listen(_is_raw: bool) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> u8 {
        // Closing the window ends the process, and the console with it.
        pending().await
    }
}
