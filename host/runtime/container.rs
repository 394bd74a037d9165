//! One container instance: from its creation to its exit.
//!
//! ```text
//!             start                      returns, exits, traps, is stopped, its pod ends
//!  Created ──────────► Running ─────────────────────────────────────────────────────────► Exited
//!     └──────────────────────────────── stopped or removed ─────────────────────────────────┘
//! ```
//!
//! * Created ([`Container::create`]): the store is built, directories are open, no code of the guest has run.
//! * Running ([`Container::start`]): the guest is a task of its pod. A signal (a stop, one that an instance of the
//!   container sends, a terminal's `^C`) drops it where it waits, unless it handles or ignores that
//!   (`host::Signals`): then it goes on until it ends or is killed.
//! * Exited: the store is gone and with it the guest's files, sockets and queues; only then is the exit told.
//!
//! A panic of host code on behalf of the guest ends this container and nothing else.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wasmpod_sandbox::{
    ContainerConfig, ContainerState, CpuShare, Exit, GuestInput, Mailbox, MemoryShare, PodTasks,
    Role, RuntimeError, Signal, SignalSet, Terminal, Usage,
};
use wasmtime::{Store, UpdateDeadline};

use crate::exit;
use crate::host::{ComponentState, CoreState, CoreStore, Held, Origin, Setting, Signals, Trust};
use crate::http::{Instances, Server, Surroundings};
use crate::inspect::CORE_ENTRY;
use crate::limits::Limits;
use crate::link::Linked;
use crate::polled::Polled;
use crate::ticker::Ticker;
use crate::turn::Turn;
use crate::woken::Woken;

/// Ticks of the epoch clock after which a guest yields.
const YIELD_AFTER_TICKS: u64 = 1;

/// Why an HTTP component is not run as a command.
const NO_COMMAND: &str = "the component handles HTTP requests and exports no `wasi:cli/run`: it cannot be run as a command";

/// One container instance.
pub(crate) struct Container {
    guest: Mutex<Option<Guest>>,
    exit: watch::Sender<Option<Exit>>,
    stop: watch::Sender<Option<Stop>>,
    stop_signal: Signal,
    cpu: CpuShare,
    memory: MemoryShare,
}

/// How a container is asked to end.
#[derive(Clone, Copy, Debug)]
struct Stop {
    signal: Signal,
    /// When it is ended by force; `None`: never.
    kill_at: Option<Instant>,
}

impl Stop {
    const KILL: Self = Self {
        signal: Signal::KILL,
        kill_at: None,
    };
}

/// A guest that was created and not started.
struct Guest {
    instance: Instance,
    program: String,
    tasks: PodTasks,
    stdin: GuestInput,
    terminal: Option<Terminal>,
    signals: Signals,
    turn: Arc<Turn>,
}

enum Instance {
    Module(Arc<Linked>, CoreStore),
    Component(Arc<Linked>, Store<ComponentState>),
    /// Instances are made for requests.
    Http(Server),
}

impl Container {
    /// Builds the instance with everything in `config`; no code of the guest runs.
    ///
    /// # Errors
    /// A directory or a port that is to be listened on cannot be opened.
    pub(crate) fn create(
        linked: Arc<Linked>,
        config: ContainerConfig,
        ticker: &Arc<Ticker>,
    ) -> Result<Arc<Self>, RuntimeError> {
        let ContainerConfig {
            pod: _,
            name,
            attempt: _,
            program,
            args,
            env,
            working_dir,
            root,
            network,
            ports,
            http,
            ipc,
            memory,
            cpu,
            stdin,
            stdout,
            stderr,
            terminal,
            role,
            stop_signal,
            tasks,
            clock,
            ipc_wait_for_open,
        } = config;
        let is_main = matches!(role, Role::Main(_));
        let setting = Setting {
            trust: Trust::of(&env, &working_dir, &root),
            args,
            env,
            working_dir,
            root,
            opened: None,
            ports,
            memory: memory.clone(),
            stdin: stdin.clone(),
            stdout,
            stderr,
            clock,
            ipc_wait_for_open,
        };
        let signals = Signals::new(role);
        let held = Held {
            network: Arc::new(network),
            ipc: Arc::new(ipc),
            signals: signals.clone(),
        };
        let turn = Turn::new(Arc::clone(ticker));
        let instance = match &*linked {
            // One beside the container's main process is a command that somebody waits for.
            Linked::Http(_) if is_main => {
                let surroundings = Surroundings {
                    network: Arc::clone(&held.network),
                    ports: setting.ports.iter().map(|port| port.number).collect(),
                    settings: http,
                    tasks: tasks.clone(),
                    cpu: cpu.clone(),
                    log: setting.stderr.clone(),
                    program: program.name.clone(),
                };
                // Requests have no input but their own.
                let setting = Setting {
                    stdin: GuestInput::Empty,
                    ..setting
                };
                let max_uses = surroundings.settings.max_instance_reuse_count;
                let instances = Instances::new(linked, setting, held, max_uses, ticker);
                instances.map(|instances| Instance::Http(Server::new(instances, surroundings)))
            }
            _ => Instance::new(linked, &setting, held, &turn),
        };
        let instance = instance.map_err(|detail| RuntimeError::Create {
            container: name,
            detail,
        })?;
        let guest = Guest {
            instance,
            program: program.name.clone(),
            tasks,
            stdin,
            terminal,
            signals,
            turn,
        };
        Ok(Arc::new(Self {
            guest: Mutex::new(Some(guest)),
            exit: watch::Sender::new(None),
            stop: watch::Sender::new(None),
            stop_signal,
            cpu,
            memory,
        }))
    }

    /// Lets the guest run as a task of its pod. Starting again does nothing.
    ///
    /// # Errors
    /// The pod has ended, or has too many tasks; the port of an HTTP component is taken.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), String> {
        let Some(guest) = self.guest().take() else {
            return Ok(());
        };
        if let Instance::Http(server) = &guest.instance {
            server.listen()?;
        }
        let tasks = guest.tasks.clone();
        let run = run(Arc::clone(self), guest);
        // If it is refused the future is dropped unpolled, and says so itself.
        tasks
            .spawn(run)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Resolves when the container has ended.
    pub(crate) async fn ended(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let ended = exit.wait_for(Option::is_some).await;
        let exit = ended.ok().and_then(|exit| exit.clone());
        exit.unwrap_or_else(|| Exit::internal_error("the container's end was not told"))
    }

    /// Ends the container; by force `grace` later. Resolves when it has ended.
    pub(crate) async fn stop(&self, grace: Duration) {
        if !grace.is_zero() {
            self.signal(Stop {
                signal: self.stop_signal,
                // A time that cannot be told never comes.
                kill_at: Instant::now().checked_add(grace),
            });
            if tokio::time::timeout(grace, self.ended()).await.is_ok() {
                return;
            }
        }
        self.signal(Stop::KILL);
        self.ended().await;
    }

    /// What the container is doing.
    pub(crate) fn state(&self) -> ContainerState {
        match (&*self.exit.borrow(), self.guest().is_some()) {
            (Some(exit), _) => ContainerState::Exited(exit.clone()),
            (None, true) => ContainerState::Created,
            (None, false) => ContainerState::Running,
        }
    }

    /// What the container uses, while it runs.
    pub(crate) fn usage(&self) -> Option<Usage> {
        matches!(self.state(), ContainerState::Running).then(|| Usage {
            cpu: self.cpu.used(),
            memory_bytes: self.memory.used_bytes(),
        })
    }

    fn signal(&self, stop: Stop) {
        self.stop.send_if_modified(|last| {
            let is_new = last.is_none_or(|last| last.signal != Signal::KILL);
            if is_new {
                *last = Some(stop);
            }
            is_new
        });
        // One that was never started has nobody to end it.
        let guest = self.guest().take();
        if guest.is_some() {
            drop(guest);
            self.tell(stop.signal.exit());
        }
    }

    /// The first exit is the exit.
    fn tell(&self, exit: Exit) {
        self.exit.send_if_modified(|told| {
            let is_first = told.is_none();
            told.get_or_insert(exit);
            is_first
        });
    }

    fn guest(&self) -> MutexGuard<'_, Option<Guest>> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    fn new(
        linked: Arc<Linked>,
        setting: &Setting,
        held: Held,
        turn: &Arc<Turn>,
    ) -> Result<Self, String> {
        Ok(match &*linked {
            Linked::Module(module) => {
                let state = CoreState::new(setting, held, module.listeners)?;
                let mut store = Store::new(module.code.module().engine(), state);
                guard(&mut store, |state| &mut state.limits, turn);
                Self::Module(linked, CoreStore::new(store))
            }
            Linked::Component(_) | Linked::Http(_) => {
                if linked.command().is_none() {
                    return Err(NO_COMMAND.to_owned());
                }
                let state = ComponentState::new(setting, held)?;
                let mut store = Store::new(linked.engine(), state);
                guard(&mut store, |state| &mut state.limits, turn);
                Self::Component(linked, store)
            }
        })
    }

    /// Runs the guest to its end. True when it returned with success.
    async fn run(self) -> wasmtime::Result<bool> {
        match self {
            Self::Module(linked, mut store) => {
                let Linked::Module(module) = &*linked else {
                    return Ok(false);
                };
                let instance = module.code.instantiate_async(&mut *store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut *store, CORE_ENTRY)?;
                start.call_async(&mut *store, ()).await?;
                Ok(true)
            }
            Self::Component(linked, mut store) => {
                let Some(command) = linked.command() else {
                    return Ok(false);
                };
                let instance = command.instantiate_async(&mut store).await?;
                Ok(instance.wasi_cli_run().call_run(&mut store).await?.is_ok())
            }
            // It is served instead.
            Self::Http(_) => Ok(false),
        }
    }
}

/// Bounds what the guest may take, and lets it yield. The deadline must be set before the first instruction: it is 0
/// at first, which interrupts at once.
pub(crate) fn guard<T: 'static>(
    store: &mut Store<T>,
    limits: fn(&mut T) -> &mut Limits,
    turn: &Arc<Turn>,
) {
    store.limiter(move |state| limits(state));
    store.set_epoch_deadline(YIELD_AFTER_TICKS);
    let turn = Arc::clone(turn);
    store.epoch_deadline_callback(move |_| {
        Ok(if turn.interrupt() {
            UpdateDeadline::Yield(YIELD_AFTER_TICKS)
        } else {
            UpdateDeadline::Continue(YIELD_AFTER_TICKS)
        })
    });
}

/// The life of a started container. Its end is told even if the task is dropped before its first poll.
fn run(container: Arc<Container>, guest: Guest) -> impl Future<Output = ()> + Send {
    let report = Report(Arc::clone(&container));
    async move {
        live(&container, guest).await;
        drop(report);
    }
}

async fn live(container: &Container, guest: Guest) {
    let Guest {
        instance,
        program,
        tasks: _,
        stdin,
        terminal,
        signals,
        turn,
    } = guest;
    let mut stops = container.stop.subscribe();
    stops.mark_changed();
    let mut arrivals = Arrivals {
        stops,
        mailbox: signals.mailbox().clone(),
        typed: terminal.as_ref().map(Terminal::signals),
    };
    if let Instance::Http(server) = instance {
        let exit = serve(server, &mut arrivals, &signals).await;
        return container.tell(exit);
    }
    let cpu = container.cpu.clone();
    let mut polled = Polled::new(instance.run(), turn, cpu);
    let exit = loop {
        let (mut arrived, origin) = tokio::select! {
            biased;
            arrived = Woken::new(arrivals.next()) => arrived,
            result = &mut polled => break match result {
                Ok(Ok(success)) => exit::of_return(success),
                Ok(Err(error)) => exit::of_error(&program, &error),
                Err(message) => Exit::internal_error(message),
            },
        };
        let ended = std::iter::from_fn(|| arrived.pop())
            .find(|signal| signals.deliver(*signal, origin).is_end());
        if let Some(signal) = ended {
            break signal.exit();
        }
        if let (Origin::Stop(_), GuestInput::Pipe(reader)) = (origin, &stdin) {
            reader.end();
        }
    };
    // Files, sockets and queues are closed before anyone hears of the end.
    drop(polled);
    container.tell(exit);
}

/// The life of an HTTP component: whatever asks it to end lets it answer the requests that there are.
async fn serve(server: Server, arrivals: &mut Arrivals, signals: &Signals) -> Exit {
    let exit = {
        let mut running = std::pin::pin!(server.run());
        loop {
            let (mut arrived, origin) = tokio::select! {
                biased;
                arrived = Woken::new(arrivals.next()) => arrived,
                exit = &mut running => break exit,
            };
            let mut ended = None;
            while let Some(signal) = arrived.pop() {
                // Instances can handle signals too, while they answer.
                let ends = signals.deliver(signal, origin).is_end();
                let asks = [Signal::TERM, Signal::INT, Signal::QUIT].contains(&signal)
                    || matches!(origin, Origin::Stop(_));
                if asks && signal != Signal::KILL {
                    server.drain();
                } else if ends {
                    ended = ended.or(Some(signal));
                }
            }
            if let Some(signal) = ended {
                break signal.exit();
            }
        }
    };
    server.kill().await;
    exit
}

/// Where signals come from.
struct Arrivals {
    stops: watch::Receiver<Option<Stop>>,
    mailbox: Mailbox,
    typed: Option<Mailbox>,
}

impl Arrivals {
    /// The next ones, all of one origin.
    async fn next(&mut self) -> (SignalSet, Origin) {
        tokio::select! {
            biased;
            stop = changed(&mut self.stops) => (stop.signal.into(), Origin::Stop(stop.kill_at)),
            arrived = self.mailbox.take() => (arrived, Origin::Process),
            arrived = take(self.typed.as_ref()) => (arrived, Origin::Terminal),
        }
    }
}

/// The next value that is sent; one that was sent before counts too.
async fn changed<T: Copy>(values: &mut watch::Receiver<Option<T>>) -> T {
    loop {
        // The senders are held by the container and by who runs it: without them nothing comes any more.
        if values.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(value) = *values.borrow_and_update() {
            return value;
        }
    }
}

/// What arrives in a mailbox that may be missing.
async fn take(mailbox: Option<&Mailbox>) -> SignalSet {
    match mailbox {
        Some(mailbox) => mailbox.take().await,
        None => std::future::pending().await,
    }
}

/// Tells the end of a container whose task was dropped with its pod.
struct Report(Arc<Container>);

impl Drop for Report {
    fn drop(&mut self) {
        self.0.tell(Exit::killed());
    }
}
