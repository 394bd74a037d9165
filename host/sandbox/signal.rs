//! Signals that end a container, and the mailbox in which process 1 of a container finds them.
//!
//! WebAssembly has no signals. What a guest can see of one is the interface `wasmpod:lifecycle/termination`; for all
//! others a signal has its default action. So a signal here is a number, the action that it has by default, and the
//! exit code of a program that it ends.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::port::{Exit, ExitReason};

/// What is added to a signal's number in the exit code of a program that it ended, as shells and runtimes do.
const SIGNAL_EXIT_BASE: i32 = 128;

/// A signal by its number, signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopSignal(u8);

/// The names of the standard signals and of the real-time ones that `lifecycle.stopSignal` may name, with the numbers
/// that they have on x86 and ARM.
const NAMES: [(&str, u8); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The first and the last real-time signal.
const REAL_TIME: (u8, u8) = (34, 64);

impl StopSignal {
    /// SIGTERM, which stops a container unless it says otherwise.
    pub const TERM: Self = Self(15);
    /// SIGKILL, which no program can handle.
    pub const KILL: Self = Self(9);
    /// SIGINT.
    pub const INT: Self = Self(2);

    /// The signal of that name, with or without `SIG` (`SIGTERM`, `SIGRTMIN+3`), or number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = REAL_TIME;
        if let Ok(number) = text.parse::<u8>() {
            return (1..=last).contains(&number).then_some(Self(number));
        }
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let number = if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            *number
        } else if let Some(offset) = name.strip_prefix("RTMIN") {
            first.checked_add(offset.strip_prefix('+').map_or(Ok(0), str::parse).ok()?)?
        } else {
            let offset = name.strip_prefix("RTMAX")?;
            last.checked_sub(offset.strip_prefix('-').map_or(Ok(0), str::parse).ok()?)?
        };
        (number <= last).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether the default action is to end the program; others are ignored by one that does not handle them
    /// (CHLD, CONT, URG, WINCH), or would stop it (STOP, TSTP, TTIN, TTOU), which no guest can be.
    #[must_use]
    pub const fn ends_by_default(self) -> bool {
        !matches!(self.0, 17..=23 | 28)
    }

    /// The end of a program by this signal's default action.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::KILL => Exit::killed(),
            Self::TERM => Exit::terminated(),
            Self(number) => Exit {
                code: SIGNAL_EXIT_BASE + i32::from(number),
                reason: ExitReason::Terminated,
                message: None,
            },
        }
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self::TERM
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "SIGRTMIN+{}", self.0.saturating_sub(REAL_TIME.0)),
        }
    }
}

/// The mailbox of one container's process 1: the instance that was made for the container's own command. Instances
/// that `exec` runs beside it get a clone, and what `kill -TERM 1` sends arrives here. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MainProcess {
    signal: Arc<watch::Sender<Option<StopSignal>>>,
}

impl MainProcess {
    /// The mailbox of an instance that is about to be made.
    #[must_use]
    pub fn new() -> Self {
        Self {
            signal: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Sends a signal. SIGKILL is kept whatever comes after it.
    pub fn send(&self, signal: StopSignal) {
        self.signal.send_if_modified(|last| {
            let is_new = *last != Some(StopSignal::KILL);
            if is_new {
                *last = Some(signal);
            }
            is_new
        });
    }

    /// The signals that arrive, from the first one.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<StopSignal>> {
        let mut signals = self.signal.subscribe();
        signals.mark_changed();
        signals
    }
}

impl Default for MainProcess {
    fn default() -> Self {
        Self::new()
    }
}

/// What an instance is in its container.
#[derive(Clone, Debug)]
pub enum Role {
    /// Process 1: the container ends with it.
    Main(MainProcess),
    /// One more beside it; the mailbox is process 1's.
    Exec(MainProcess),
}

impl Role {
    /// Process 1 of the container.
    #[must_use]
    pub const fn main_process(&self) -> &MainProcess {
        match self {
            Self::Main(main) | Self::Exec(main) => main,
        }
    }
}

impl Default for Role {
    fn default() -> Self {
        Self::Main(MainProcess::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_and_numbers_of_signal_7() {
        for (text, number, shown) in [
            ("SIGTERM", 15, "SIGTERM"),
            ("TERM", 15, "SIGTERM"),
            ("15", 15, "SIGTERM"),
            ("SIGKILL", 9, "SIGKILL"),
            ("SIGUSR1", 10, "SIGUSR1"),
            ("SIGRTMIN", 34, "SIGRTMIN+0"),
            ("SIGRTMIN+3", 37, "SIGRTMIN+3"),
            ("SIGRTMAX", 64, "SIGRTMIN+30"),
            ("SIGRTMAX-14", 50, "SIGRTMIN+16"),
        ] {
            let signal = StopSignal::parse(text).unwrap();
            assert_eq!(
                (signal.number(), signal.to_string().as_str()),
                (number, shown)
            );
        }
        for wrong in [
            "",
            "SIG",
            "SIGTERMINATE",
            "0",
            "65",
            "SIGRTMIN+99",
            "SIGRTMAX-99",
            "-1",
        ] {
            assert_eq!(StopSignal::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn default_actions_are_those_of_unix() {
        assert_eq!(StopSignal::TERM.exit(), Exit::terminated());
        assert_eq!(StopSignal::KILL.exit(), Exit::killed());
        assert_eq!(StopSignal::INT.exit().code, 130);
        assert!(StopSignal::parse("SIGUSR1").unwrap().ends_by_default());
        assert!(!StopSignal::parse("SIGWINCH").unwrap().ends_by_default());
        assert!(!StopSignal::parse("SIGSTOP").unwrap().ends_by_default());
    }

    #[test]
    fn a_signal_that_was_sent_before_anyone_looked_is_found_and_a_kill_stays() {
        let main = MainProcess::new();
        main.send(StopSignal::KILL);
        main.send(StopSignal::TERM);
        let mut signals = main.subscribe();
        assert!(signals.has_changed().unwrap());
        assert_eq!(*signals.borrow_and_update(), Some(StopSignal::KILL));
    }
}
