//! Signals: to this program from outside, and among the shells and jobs inside it (XCU 2.12).
//!
//! Every shell, subshell and job is a [`Process`]: what it does about each signal, and what is pending. One of them is
//! the program itself, whose signals come from the host (`wasmpod_lifecycle`); the others are reached by `kill` only. A
//! signal never interrupts a task: a pending one is looked at between two commands, where its trap runs, and by whoever
//! waits in `wait`. Two kinds interrupt what runs, by dropping it ([`interruptible`]): those that end a shell which has
//! a trap on `EXIT`, and `^C` for an interactive shell.
//!
//! Deliberately not done: stopping and continuing, process groups, signals to what another instance of the container
//! runs.

use crate::rt;
use crate::shell::Shell;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use wasmpod_lifecycle::signals::{self as host, Action};
pub use wasmpod_lifecycle::{Error, Signal};

/// What is added to a signal's number in the exit status of a program that it ended (XCU 2.8.2).
pub const STATUS_BASE: i32 = 128;

/// Signals that let a shell run its trap on `EXIT` before they end it, as in bash.
const LEAVING: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::TERM];

/// The exit status of a program that a signal ended.
pub fn status_of(signal: Signal) -> i32 {
    STATUS_BASE + i32::from(signal.number())
}

/// Whether the default action is to end the program.
fn ends_by_default(signal: Signal) -> bool {
    !matches!(signal.number(), 17..=23 | 28)
}

/// A set of signals.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Set(u64);

impl Set {
    fn bit(signal: Signal) -> u64 {
        1 << (signal.number().saturating_sub(1) & 63)
    }

    fn has(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    fn with(self, signal: Signal, is_in: bool) -> Self {
        if is_in {
            Self(self.0 | Self::bit(signal))
        } else {
            Self(self.0 & !Self::bit(signal))
        }
    }

    fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64)
            .filter_map(Signal::of_number)
            .filter(move |signal| self.has(*signal))
    }
}

/// A shell, subshell or job, as signals see it.
pub struct Process {
    /// Its number.
    pub id: u32,
    is_program: bool,
    trapped: Cell<Set>,
    ignored: Cell<Set>,
    /// Those that interrupt what it runs.
    interrupting: Cell<Set>,
    pending: Cell<Set>,
    killed: Cell<Option<i32>>,
    runs_trap: Cell<bool>,
    /// It is an interactive shell.
    prompts: Cell<bool>,
}

thread_local! {
    static PROGRAM: RefCell<Option<Rc<Process>>> = const { RefCell::new(None) };
}

/// The program's own number, as scripts see it. Natively it plays process 1.
fn program_id() -> u32 {
    if cfg!(target_os = "wasi") {
        host::process_id()
    } else {
        host::MAIN_PROCESS
    }
}

/// The program's number, as the host sees it.
fn host_id(id: u32) -> u32 {
    if cfg!(target_os = "wasi") || id != host::MAIN_PROCESS {
        id
    } else {
        host::process_id()
    }
}

impl Process {
    fn new(id: u32, is_program: bool, ignored: Set) -> Rc<Self> {
        Rc::new(Self {
            id,
            is_program,
            trapped: Cell::default(),
            ignored: Cell::new(ignored),
            interrupting: Cell::default(),
            pending: Cell::default(),
            killed: Cell::default(),
            runs_trap: Cell::default(),
            prompts: Cell::default(),
        })
    }

    /// The program itself; the same each time.
    pub fn program() -> Rc<Self> {
        PROGRAM.with_borrow_mut(|program| {
            let made = || Self::new(program_id(), true, Set::default());
            Rc::clone(program.get_or_insert_with(made))
        })
    }

    /// A process that this one starts; it inherits what is ignored.
    pub fn child(&self, id: u32) -> Rc<Self> {
        Self::new(id, false, self.ignored.get())
    }

    /// Another program takes the place of this one: it has the default actions, except for what is ignored.
    pub fn exec(&self) {
        self.prompts.set(false);
        let trapped = self.trapped.get().iter();
        for signal in trapped.chain(self.interrupting.get().iter()) {
            self.trapped.set(self.trapped.get().with(signal, false));
            self.interrupt(signal, false);
        }
    }

    /// Says what a signal does: has a trap, is ignored, or neither.
    pub fn set_action(&self, signal: Signal, is_trapped: bool, is_ignored: bool) {
        self.trapped
            .set(self.trapped.get().with(signal, is_trapped));
        self.ignored
            .set(self.ignored.get().with(signal, is_ignored));
        if !is_trapped {
            self.pending.set(self.pending.get().with(signal, false));
        }
        self.tell_host(signal);
    }

    /// Whether a signal without a trap interrupts what the process runs.
    fn interrupt(&self, signal: Signal, interrupts: bool) {
        let set = self.interrupting.get().with(signal, interrupts);
        self.interrupting.set(set);
        self.tell_host(signal);
    }

    /// The shell has a trap on `EXIT`, or none any more.
    pub fn leaves_orderly(&self, orderly: bool) {
        for signal in LEAVING {
            self.interrupt(signal, orderly);
        }
    }

    /// An interactive shell goes on after `^C`, and is not impressed by `^\`.
    pub fn is_interactive(&self) {
        self.prompts.set(true);
        self.interrupt(Signal::INT, true);
        self.set_action(Signal::QUIT, false, true);
    }

    fn is_caught(&self, signal: Signal) -> bool {
        self.trapped.get().has(signal) || self.interrupting.get().has(signal)
    }

    fn catches_any(&self) -> bool {
        self.trapped.get() != Set::default() || self.interrupting.get() != Set::default()
    }

    fn tell_host(&self, signal: Signal) {
        if !self.is_program {
            return;
        }
        let action = if self.ignored.get().has(signal) {
            Action::Ignore
        } else if self.is_caught(signal) {
            Action::Handle
        } else {
            Action::Default
        };
        // KILL and STOP do what they do.
        let _ = host::set_action(signal, action);
    }

    /// What `kill` does to it.
    ///
    /// # Errors
    /// What the host says, for the program itself.
    pub fn send(&self, signal: Signal) -> Result<(), Error> {
        if self.ignored.get().has(signal) {
            return Ok(());
        }
        if self.is_caught(signal) {
            self.pending.set(self.pending.get().with(signal, true));
            rt::progress();
        } else if self.is_program {
            return host::kill(host_id(self.id), signal);
        } else if ends_by_default(signal) {
            self.killed.set(Some(status_of(signal)));
            rt::progress();
        }
        Ok(())
    }

    /// The lowest signal whose trap is to run.
    pub fn pending_trap(&self) -> Option<Signal> {
        let pending = self.pending.get();
        pending
            .iter()
            .find(|signal| self.trapped.get().has(*signal))
    }

    /// Takes the signal that interrupts a shell, or what is typed into it.
    fn take_interrupt(&self, what: Interrupted) -> Option<Signal> {
        let pending = self.pending.get();
        let line = self.prompts.get().then_some(Signal::INT);
        let signal = pending.iter().find(|signal| {
            self.interrupting.get().has(*signal)
                && !self.trapped.get().has(*signal)
                && (line == Some(*signal)) == (what == Interrupted::Line)
        })?;
        self.pending.set(pending.with(signal, false));
        Some(signal)
    }
}

/// Runs the traps of what is pending; `$?` is afterwards what it was.
///
/// # Errors
/// The way out that a trap takes.
pub async fn run_traps(shell: &mut Shell) -> Result<(), crate::exec::Flow> {
    let process = Rc::clone(&shell.process);
    if process.runs_trap.get() {
        return Ok(());
    }
    while let Some(signal) = process.pending_trap() {
        // A clone of the shell that is without traps leaves them to the shell.
        let Some(action) = shell.traps.get(&name_of(signal)).cloned() else {
            return Ok(());
        };
        process
            .pending
            .set(process.pending.get().with(signal, false));
        let status = shell.status;
        process.runs_trap.set(true);
        let result = crate::exec::command::script(shell, &action).await;
        process.runs_trap.set(false);
        result?;
        shell.status = status;
        rt::give_way().await;
    }
    Ok(())
}

/// A signal's name as `trap` shows it: without `SIG`.
pub fn name_of(signal: Signal) -> String {
    signal.to_string().trim_start_matches("SIG").to_owned()
}

/// What a signal interrupts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// All that a shell does: it ends.
    Shell,
    /// A line that is typed into an interactive shell, or runs there.
    Line,
}

/// Runs something until a signal interrupts it.
///
/// # Errors
/// The signal, when it came first; what was running is dropped.
pub async fn interruptible<T>(
    process: Rc<Process>,
    what: Interrupted,
    work: impl Future<Output = T>,
) -> Result<T, Signal> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| match process.take_interrupt(what) {
        Some(signal) => Poll::Ready(Err(signal)),
        None => work.as_mut().poll(context).map(Ok),
    })
    .await
}

/// Runs a job until it ends or is killed.
pub async fn until_killed(process: Rc<Process>, job: impl Future<Output = i32>) -> i32 {
    let mut job = pin!(job);
    std::future::poll_fn(|context| match process.killed.get() {
        Some(status) => Poll::Ready(status),
        None => job.as_mut().poll(context),
    })
    .await
}

/// The program, if it has anything to do with signals.
fn catching_program() -> Option<Rc<Process>> {
    PROGRAM.with_borrow(|program| {
        let program = program.as_ref()?;
        program.catches_any().then(|| Rc::clone(program))
    })
}

/// Fetches what has come from outside.
pub fn collect() {
    if let Some(program) = catching_program() {
        while let Some(signal) = host::take() {
            receive(&program, signal);
        }
    }
}

fn receive(program: &Process, signal: Signal) {
    program
        .pending
        .set(program.pending.get().with(signal, true));
    rt::progress();
}

/// Sleeps in the host, until a signal comes if any may.
pub fn pause(time: Duration) {
    match catching_program() {
        Some(program) => {
            if let Some(signal) = host::wait(Some(time)) {
                receive(&program, signal);
            }
        }
        None => std::thread::sleep(time),
    }
}

/// Waits until stdin has something to read, giving way to signals where the host lets us wait for both.
pub async fn input_ready() {
    #[cfg(all(target_os = "wasi", target_env = "p2"))]
    while catching_program().is_some() {
        let stdin = wasip2::cli::stdin::get_stdin();
        let readable = stdin.subscribe();
        let pending = host::subscribe();
        if wasip2::io::poll::poll(&[&readable, &pending]).contains(&0) {
            return;
        }
        collect();
        rt::turn().await;
    }
}

/// A process of the container that this program is not.
pub fn find(id: u32) -> Result<(), Error> {
    host::find(id)
}

/// Sends a signal to such a process.
///
/// # Errors
/// There is none of this number, or it is out of reach.
pub fn send(id: u32, signal: Signal) -> Result<(), Error> {
    host::kill(id, signal)
}

/// The arguments of process 1.
pub fn main_command() -> Vec<String> {
    host::main_command()
}
