//! The way down for a native Unix program: the kernel's signals.
//!
//! A handler only notes the signal and writes to a pipe on which waiting programs wait. What a container knows and the
//! kernel does not, how much of a grace period is left, is told as unlimited. A signal that was ever handled or ignored
//! has its default action emulated afterwards, since handlers are never taken down.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal as Sent, getpid, kill_process, test_kill_process};
use signal_hook::consts::FORBIDDEN;
use signal_hook::{flag, low_level};

use crate::signals::Action;
use crate::termination::Left;
use crate::{Error, Signal};

/// What would end a program, and is therefore heard by one that handles termination.
const ENDING: [Signal; 6] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::TERM,
];

/// What one signal does, and whether it has come.
struct Watched {
    signal: Signal,
    came: Arc<AtomicBool>,
    action: Action,
}

/// All that this program knows about signals.
struct State {
    watched: Vec<Watched>,
    handles_termination: bool,
    /// Where handlers write a byte; its other end is read by whoever waits.
    waker: Option<UnixStream>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
    Mutex::new(State {
        watched: Vec::new(),
        handles_termination: false,
        waker: None,
    })
});
/// The end of the pipe that is read; apart from the state, so that nobody waits with the state locked.
static WOKEN: Mutex<Option<UnixStream>> = Mutex::new(None);
/// The number of the signal that asked last.
static REQUESTED: AtomicI32 = AtomicI32::new(0);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Has a signal noted from here on. A kernel that refuses it leaves it at its default action.
    fn watch(&mut self, signal: Signal) -> Result<&mut Watched, Error> {
        if FORBIDDEN.contains(&i32::from(signal.number())) {
            return Err(Error::Invalid);
        }
        let known = self.watched.iter().position(|one| one.signal == signal);
        let at = match known {
            Some(at) => at,
            None => {
                let came = Arc::new(AtomicBool::new(false));
                let number = i32::from(signal.number());
                flag::register(number, Arc::clone(&came)).map_err(|_| Error::Invalid)?;
                if self.waker.is_none() {
                    let (waker, woken) = UnixStream::pair().map_err(|_| Error::Invalid)?;
                    self.waker = Some(waker);
                    *lock(&WOKEN) = Some(woken);
                }
                if let Some(Ok(waker)) = self.waker.as_ref().map(UnixStream::try_clone) {
                    // Without it a wait is only longer.
                    let _ = low_level::pipe::register(number, waker);
                }
                let action = Action::Default;
                self.watched.push(Watched {
                    signal,
                    came,
                    action,
                });
                self.watched.len() - 1
            }
        };
        self.watched.get_mut(at).ok_or(Error::Invalid)
    }

    /// Has the signals that came and are not handled do what they do: nothing, their default action, or asking to end.
    fn settle(&self) {
        for watched in &self.watched {
            if watched.action == Action::Handle || !watched.came.swap(false, Ordering::AcqRel) {
                continue;
            }
            let number = i32::from(watched.signal.number());
            if watched.action == Action::Default && self.handles_termination {
                REQUESTED.store(number, Ordering::Release);
            } else if watched.action == Action::Default {
                // It ends the program, or does nothing.
                let _ = low_level::emulate_default_handler(number);
            }
        }
    }

    /// The lowest signal that has come and is handled.
    fn take(&self) -> Option<Signal> {
        self.settle();
        let handled = self.watched.iter().filter(|watched| {
            watched.action == Action::Handle && watched.came.load(Ordering::Acquire)
        });
        let first = handled.min_by_key(|watched| watched.signal)?;
        first.came.store(false, Ordering::Release);
        Some(first.signal)
    }
}

/// Waits until `found` gives something, at most so long.
fn wait_until<T>(limit: Option<Duration>, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        let left = match (limit, end) {
            (Some(_), Some(end)) => Some(end.saturating_duration_since(Instant::now())),
            _ => None,
        };
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        match &mut *lock(&WOKEN) {
            Some(woken) => {
                let _ = woken.set_read_timeout(left);
                match woken.read(&mut [0; 64]) {
                    Ok(_) => {}
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                        ) => {}
                    Err(_) => return None,
                }
            }
            // Nothing can come.
            None => match left {
                Some(left) => std::thread::sleep(left),
                None => std::thread::park(),
            },
        }
    }
}

pub(crate) fn handle_termination(handled: bool) {
    let mut state = lock(&STATE);
    state.handles_termination = handled;
    if handled {
        for signal in ENDING {
            // One that the kernel refuses keeps its default action.
            let _ = state.watch(signal);
        }
    }
}

fn asked() -> Option<Left> {
    lock(&STATE).settle();
    (REQUESTED.load(Ordering::Acquire) != 0).then_some(Left::Unlimited)
}

pub(crate) fn requested() -> Option<Left> {
    handle_termination(true);
    asked()
}

pub(crate) fn wait_for_termination(limit: Option<Duration>) -> Option<Left> {
    handle_termination(true);
    wait_until(limit, asked)
}

pub(crate) fn termination_signal() -> Option<Signal> {
    Signal::of_number(u8::try_from(REQUESTED.load(Ordering::Acquire)).ok()?)
}

pub(crate) fn set_action(signal: Signal, action: Action) -> Result<(), Error> {
    let mut state = lock(&STATE);
    let watched = state.watch(signal)?;
    watched.action = action;
    if action != Action::Handle {
        watched.came.store(false, Ordering::Release);
    }
    Ok(())
}

pub(crate) fn take() -> Option<Signal> {
    lock(&STATE).take()
}

pub(crate) fn wait(limit: Option<Duration>) -> Option<Signal> {
    wait_until(limit, take)
}

pub(crate) fn process_id() -> u32 {
    std::process::id()
}

pub(crate) fn main_command() -> Vec<String> {
    std::env::args().collect()
}

pub(crate) fn kill(process: u32, signal: Option<Signal>) -> Result<(), Error> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(Error::NoSuchProcess)?;
    let sent = match signal {
        None => test_kill_process(pid),
        Some(signal) => {
            let number = i32::from(signal.number());
            // To this thread: the kernel may give what is sent to the process to another one, some time later.
            if pid == getpid() {
                low_level::raise(number).map_err(|_| Error::Invalid)?;
                Ok(())
            } else {
                kill_process(pid, Sent::from_named_raw(number).ok_or(Error::Invalid)?)
            }
        }
    };
    let result = sent.map_err(|errno| match errno {
        rustix::io::Errno::SRCH => Error::NoSuchProcess,
        rustix::io::Errno::PERM => Error::NotPermitted,
        _ => Error::Invalid,
    });
    // As in a container: what is sent to oneself does its work at once.
    if result.is_ok() && pid == getpid() {
        lock(&STATE).settle();
    }
    result
}
