//! Signals, and the mailboxes in which the processes of a container find them.
//!
//! WebAssembly has no signals. What a guest can see of one are the interfaces of `wasmpod:lifecycle`; for all others a
//! signal has its default action. So a signal here is a number, the action that it has by default, and the exit code of
//! a program that it ends. As on Unix a pending signal is one bit: one that is sent twice before it is looked at is
//! found once, and nobody can fill a mailbox.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::watch;

use crate::port::{Exit, ExitReason};

/// What is added to a signal's number in the exit code of a program that it ended, as shells and runtimes do.
const SIGNAL_EXIT_BASE: i32 = 128;

/// A signal by its number, signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(u8);

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

impl Signal {
    /// SIGTERM, which stops a container unless it says otherwise.
    pub const TERM: Self = Self(15);
    /// SIGKILL, which no program can handle.
    pub const KILL: Self = Self(9);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGQUIT.
    pub const QUIT: Self = Self(3);

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

    /// The signal of that number; `None` unless it is 1 to 64.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        if number == 0 || number > REAL_TIME.1 {
            return None;
        }
        Some(Self(number))
    }

    /// Whether a program may handle or ignore it: all but KILL and STOP.
    #[must_use]
    pub const fn can_be_handled(self) -> bool {
        !matches!(self.0, 9 | 19)
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

impl Default for Signal {
    fn default() -> Self {
        Self::TERM
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "SIGRTMIN+{}", self.0.saturating_sub(REAL_TIME.0)),
        }
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    const fn bit(signal: Signal) -> u64 {
        // Numbers are 1 to 64.
        1 << (signal.0.saturating_sub(1) & 63)
    }

    /// Whether the set has no signal.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the signal is in the set.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// Puts a signal in; false if it was there.
    pub const fn insert(&mut self, signal: Signal) -> bool {
        let before = self.0;
        self.0 |= Self::bit(signal);
        before != self.0
    }

    /// Takes a signal out; false if it was not there.
    pub const fn remove(&mut self, signal: Signal) -> bool {
        let before = self.0;
        self.0 &= !Self::bit(signal);
        before != self.0
    }

    /// Takes out the signal that is delivered first: KILL, then by number, as Linux delivers standard signals.
    pub fn pop(&mut self) -> Option<Signal> {
        if self.remove(Signal::KILL) {
            return Some(Signal::KILL);
        }
        let first = u8::try_from(self.0.trailing_zeros()).ok()?.checked_add(1)?;
        let signal = Signal::of_number(first)?;
        self.remove(signal);
        Some(signal)
    }
}

impl From<Signal> for SignalSet {
    fn from(signal: Signal) -> Self {
        Self(Self::bit(signal))
    }
}

/// Where a process finds what was sent to it. Clones are the same mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pending: Arc<watch::Sender<SignalSet>>,
}

impl Mailbox {
    /// An empty mailbox.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pending: Arc::new(watch::Sender::default()),
        }
    }

    /// Sends a signal.
    pub fn send(&self, signal: Signal) {
        self.pending.send_if_modified(|all| all.insert(signal));
    }

    /// Waits for signals and takes them all. Dropping the future loses nothing.
    pub async fn take(&self) -> SignalSet {
        let mut pending = self.pending.subscribe();
        loop {
            // An error cannot be: this holds the sender.
            drop(pending.wait_for(|all| !all.is_empty()).await);
            let mut taken = SignalSet::default();
            self.pending.send_if_modified(|all| {
                taken = std::mem::take(all);
                false
            });
            if !taken.is_empty() {
                return taken;
            }
        }
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of process 1: the instance that was made for the container's own command.
pub const MAIN_PROCESS_ID: u32 = 1;

/// Process numbers begin again behind this one: the kernel's `pid_max` on 64 bits, proc(5).
const MAX_PROCESS_ID: u32 = 4_194_304;

/// Process 1 of one container, as the instances that `exec` runs beside it know it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MainProcess {
    mailbox: Mailbox,
    command: Arc<[String]>,
    further: Arc<AtomicU32>,
}

impl MainProcess {
    /// Of an instance that is about to be made with this command.
    #[must_use]
    pub fn new(command: &[String]) -> Self {
        Self {
            mailbox: Mailbox::new(),
            command: command.into(),
            further: Arc::default(),
        }
    }

    /// What it finds in its mailbox.
    #[must_use]
    pub const fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Its arguments, the program's name first.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// The role of one more instance beside it, with a process number of its own.
    #[must_use]
    pub fn beside(&self) -> Role {
        let count = self.further.fetch_add(1, Ordering::Relaxed);
        let first = MAIN_PROCESS_ID + 1;
        Role::Exec(self.clone(), first + count % (MAX_PROCESS_ID - first))
    }
}

/// What an instance is in its container.
#[derive(Clone, Debug)]
pub enum Role {
    /// Process 1: the container ends with it.
    Main(MainProcess),
    /// One more beside process 1, and its own process number.
    Exec(MainProcess, u32),
}

impl Role {
    /// Process 1 of the container.
    #[must_use]
    pub const fn main_process(&self) -> &MainProcess {
        match self {
            Self::Main(main) | Self::Exec(main, _) => main,
        }
    }

    /// The instance's own process number.
    #[must_use]
    pub const fn process_id(&self) -> u32 {
        match self {
            Self::Main(_) => MAIN_PROCESS_ID,
            Self::Exec(_, id) => *id,
        }
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
            let signal = Signal::parse(text).unwrap();
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
            assert_eq!(Signal::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn default_actions_are_those_of_unix() {
        assert_eq!(Signal::TERM.exit(), Exit::terminated());
        assert_eq!(Signal::KILL.exit(), Exit::killed());
        assert_eq!(Signal::INT.exit().code, 130);
        assert!(Signal::parse("SIGUSR1").unwrap().ends_by_default());
        assert!(!Signal::parse("SIGWINCH").unwrap().ends_by_default());
        assert!(!Signal::parse("SIGSTOP").unwrap().ends_by_default());
    }

    #[tokio::test]
    async fn signals_that_were_sent_before_anyone_looked_are_all_found_once_and_a_kill_comes_first()
    {
        let main = MainProcess::new(&[]);
        for signal in [Signal::TERM, Signal::INT, Signal::KILL, Signal::TERM] {
            main.mailbox().send(signal);
        }
        let mut taken = main.clone().mailbox().take().await;
        let order = [taken.pop(), taken.pop(), taken.pop(), taken.pop()];
        assert_eq!(
            order,
            [
                Some(Signal::KILL),
                Some(Signal::INT),
                Some(Signal::TERM),
                None
            ]
        );
        let last = Signal::of_number(64).unwrap();
        main.mailbox().send(last);
        assert_eq!(main.mailbox().take().await.pop(), Some(last));
    }

    #[test]
    fn processes_of_a_container_have_numbers_of_their_own() {
        let main = MainProcess::new(&["nginx".to_owned()]);
        assert_eq!(Role::Main(main.clone()).process_id(), 1);
        assert_eq!(
            [main.beside().process_id(), main.beside().process_id()],
            [2, 3]
        );
        main.further.store(MAX_PROCESS_ID - 2, Ordering::Relaxed);
        assert_eq!(main.beside().process_id(), 2, "they begin again");
    }
}
