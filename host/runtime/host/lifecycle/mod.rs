//! Signals and termination, as a guest can see them: the package `wasmpod:lifecycle` for components and the imports of
//! module `wasmpod_lifecycle` for core modules.
//!
//! What signal(7) is to a Unix program is [`Signals`] here: for each signal whether the guest handles it, ignores it or
//! leaves it to its default action, and which of those that it handles are pending. Termination is the short form for
//! programs that only want to know that they shall end: one who asks for it is told of whatever would have ended it.
//! A guest reaches itself and process 1 of its own container, and nobody else.
//!
//! What it deliberately does not do: decide when a container is stopped, or end it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wasmpod_sandbox::{MAIN_PROCESS_ID, Mailbox, Role, Signal, SignalSet};

mod component;
mod core;

pub(super) use self::component::{link_signals, link_termination};
pub(super) use self::core::link as link_core;

/// What one guest and those who send it signals share; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Signals(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    role: Role,
    mailbox: Mailbox,
    state: watch::Sender<State>,
}

/// What the guest does about signals, and what it has not looked at yet.
#[derive(Debug, Default)]
struct State {
    handled: SignalSet,
    ignored: SignalSet,
    pending: SignalSet,
    /// It wants to be told of what would end it.
    handles_termination: bool,
    requested: Option<Request>,
}

/// The guest was asked to end.
#[derive(Clone, Copy, Debug)]
struct Request {
    signal: Signal,
    /// When it is ended by force; `None`: never.
    kill_at: Option<Instant>,
}

impl Request {
    /// What is left, in nanoseconds; the greatest number if there is no end.
    fn left_nanoseconds(self) -> u64 {
        let left = |at: Instant| at.saturating_duration_since(Instant::now()).as_nanos();
        self.kill_at
            .map_or(u64::MAX, |at| u64::try_from(left(at)).unwrap_or(u64::MAX))
    }
}

/// Who sends a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// The container is stopped, and ended by force at this time.
    Stop(Option<Instant>),
    /// A process of the container.
    Process,
    /// The user of the terminal.
    Terminal,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The guest is told, or nothing happens.
    Goes,
    /// The guest is ended by it.
    Ends,
}

impl Delivery {
    /// Whether the guest is ended.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::Ends)
    }
}

/// What a guest wants of a signal, sigaction(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Default,
    Ignore,
    Handle,
}

/// Why a call did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// EINVAL: no such signal, or one that nobody may handle.
    Invalid,
    /// ESRCH: no such process.
    NoSuchProcess,
}

impl Signals {
    /// Of a guest that is about to be made.
    pub(crate) fn new(role: Role) -> Self {
        let mailbox = match &role {
            Role::Main(main) => main.mailbox().clone(),
            Role::Exec(..) => Mailbox::new(),
        };
        Self(Arc::new(Shared {
            role,
            mailbox,
            state: watch::Sender::default(),
        }))
    }

    /// Where what others send to the guest arrives; whoever runs it delivers from there.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0.mailbox
    }

    /// Gives a signal to the guest.
    pub(crate) fn deliver(&self, signal: Signal, origin: Origin) -> Delivery {
        let mut delivery = Delivery::Goes;
        self.0.state.send_if_modified(|state| {
            let is_handled = state.handled.contains(signal);
            let tells = match origin {
                Origin::Stop(_) => state.handles_termination || is_handled,
                Origin::Process => {
                    state.handles_termination && !is_handled && signal.ends_by_default()
                }
                Origin::Terminal => false,
            };
            if signal == Signal::KILL {
                delivery = Delivery::Ends;
            } else if is_handled {
                state.pending.insert(signal);
            } else if !tells && !state.ignored.contains(signal) && signal.ends_by_default() {
                delivery = Delivery::Ends;
            }
            if tells {
                let kill_at = match origin {
                    Origin::Stop(kill_at) => kill_at,
                    Origin::Process | Origin::Terminal => None,
                };
                state.requested = Some(Request { signal, kill_at });
            }
            is_handled || tells
        });
        delivery
    }

    /// Says what the guest does about a signal. What is pending of one that it does not handle any more is forgotten.
    fn set_action(&self, signal: u8, action: Action) -> Result<(), Refusal> {
        let signal = Signal::of_number(signal).filter(|signal| signal.can_be_handled());
        let signal = signal.ok_or(Refusal::Invalid)?;
        self.0.state.send_if_modified(|state| {
            state.handled.remove(signal);
            state.ignored.remove(signal);
            match action {
                Action::Handle => drop(state.handled.insert(signal)),
                Action::Ignore => drop(state.ignored.insert(signal)),
                Action::Default => {}
            }
            if action != Action::Handle {
                state.pending.remove(signal);
            }
            false
        });
        Ok(())
    }

    /// The next pending signal that the guest handles.
    fn take(&self) -> Option<Signal> {
        let mut taken = None;
        self.0.state.send_if_modified(|state| {
            taken = state.pending.pop();
            false
        });
        taken
    }

    /// Resolves when a signal is pending.
    async fn pending(&self) {
        self.until(|state| !state.pending.is_empty()).await;
    }

    /// As [`take`](Self::take), after waiting for a signal; `None` is forever.
    async fn wait(&self, limit: Option<Duration>) -> Option<Signal> {
        within(limit, self.pending()).await;
        self.take()
    }

    /// Sends a signal to a process of the container, kill(2); 0 only asks whether there is such a process.
    fn kill(&self, process: u32, signal: u8) -> Result<(), Refusal> {
        let mailbox = match process {
            MAIN_PROCESS_ID => self.0.role.main_process().mailbox(),
            own if own == self.0.role.process_id() => &self.0.mailbox,
            _ => return Err(Refusal::NoSuchProcess),
        };
        if signal == 0 {
            return Ok(());
        }
        mailbox.send(Signal::of_number(signal).ok_or(Refusal::Invalid)?);
        Ok(())
    }

    /// The guest's own process number.
    fn process_id(&self) -> u32 {
        self.0.role.process_id()
    }

    /// The arguments of process 1.
    fn main_command(&self) -> &[String] {
        self.0.role.main_process().command()
    }

    /// The guest wants to be told of what would end it from here on, or leaves it to the default action again.
    fn handle_termination(&self, is_handled: bool) {
        self.0.state.send_if_modified(|state| {
            state.handles_termination = is_handled;
            false
        });
    }

    /// What asked the guest to end.
    fn requested(&self) -> Option<Request> {
        self.0.state.borrow().requested
    }

    /// Resolves when the guest was asked to end.
    async fn termination(&self) {
        self.until(|state| state.requested.is_some()).await;
    }

    /// As [`requested`](Self::requested), after waiting for it; `None` is forever.
    async fn wait_for_termination(&self, limit: Option<Duration>) -> Option<Request> {
        within(limit, self.termination()).await;
        self.requested()
    }

    async fn until(&self, is_so: impl FnMut(&State) -> bool) {
        // This holds the sender: an error cannot be.
        drop(self.0.state.subscribe().wait_for(is_so).await);
    }
}

/// Waits, but no longer than `limit`; looking is not waiting.
async fn within(limit: Option<Duration>, what: impl Future<Output = ()>) {
    match limit {
        Some(Duration::ZERO) => {}
        Some(limit) => drop(tokio::time::timeout(limit, what).await),
        None => what.await,
    }
}

#[cfg(test)]
mod tests {
    use wasmpod_sandbox::MainProcess;

    use super::*;

    fn signals() -> Signals {
        Signals::new(Role::Main(MainProcess::new(&[])))
    }

    fn number(name: &str) -> u8 {
        Signal::parse(name).unwrap().number()
    }

    /// Whether a signal ends a guest that has said this about it.
    fn ends(name: &str, action: Action, origin: Origin) -> bool {
        let signals = signals();
        signals.set_action(number(name), action).unwrap();
        signals
            .deliver(Signal::parse(name).unwrap(), origin)
            .is_end()
    }

    #[test]
    fn a_signal_does_what_the_guest_has_said() {
        for origin in [Origin::Stop(None), Origin::Process, Origin::Terminal] {
            for (name, by_default) in [("TERM", true), ("USR1", true), ("WINCH", false)] {
                assert_eq!(
                    ends(name, Action::Default, origin),
                    by_default,
                    "{name} {origin:?}"
                );
                assert!(!ends(name, Action::Ignore, origin), "{name} {origin:?}");
                assert!(!ends(name, Action::Handle, origin), "{name} {origin:?}");
            }
            assert!(signals().deliver(Signal::KILL, origin).is_end());
        }
    }

    #[test]
    fn nobody_handles_what_cannot_be_handled() {
        for wrong in [0, 9, 19, 65, 255] {
            let set = signals().set_action(wrong, Action::Handle);
            assert_eq!(set, Err(Refusal::Invalid), "{wrong}");
        }
    }

    #[test]
    fn pending_signals_are_taken_by_number_and_once() {
        let signals = signals();
        for name in ["TERM", "HUP"] {
            signals.set_action(number(name), Action::Handle).unwrap();
        }
        for name in ["TERM", "HUP", "TERM", "CHLD"] {
            signals.deliver(Signal::parse(name).unwrap(), Origin::Process);
        }
        assert_eq!(signals.take().map(Signal::number), Some(1));
        signals.set_action(15, Action::Default).unwrap();
        assert_eq!(signals.take(), None, "it is not handled any more");
    }

    #[test]
    fn one_who_handles_termination_is_told_of_all_that_would_end_it_but_not_of_the_terminal() {
        let signals = signals();
        signals.handle_termination(true);
        assert!(signals.deliver(Signal::INT, Origin::Terminal).is_end());
        assert!(signals.requested().is_none());
        let winch = Signal::parse("WINCH").unwrap();
        assert!(!signals.deliver(winch, Origin::Process).is_end());
        assert!(signals.requested().is_none());
        assert!(!signals.deliver(Signal::QUIT, Origin::Process).is_end());
        assert_eq!(
            signals.requested().map(|request| request.signal),
            Some(Signal::QUIT)
        );
        assert!(!signals.deliver(winch, Origin::Stop(None)).is_end());
        assert_eq!(
            signals.requested().map(|request| request.signal),
            Some(winch)
        );
        signals.handle_termination(false);
        assert!(signals.deliver(Signal::TERM, Origin::Stop(None)).is_end());
    }

    #[test]
    fn a_process_reaches_itself_and_process_1_only() {
        let main = MainProcess::new(&["nginx".to_owned()]);
        let beside = Signals::new(main.beside());
        let (own, other) = (beside.process_id(), beside.process_id() + 1);
        assert_eq!(beside.kill(1, 0), Ok(()));
        assert_eq!(beside.kill(own, 15), Ok(()));
        assert_eq!(beside.kill(1, 65), Err(Refusal::Invalid));
        for process in [0, other, u32::MAX] {
            assert_eq!(
                beside.kill(process, 9),
                Err(Refusal::NoSuchProcess),
                "{process}"
            );
        }
        assert_eq!(beside.main_command(), ["nginx"]);
    }
}
