//! One container instance: from its creation to its exit.
//!
//! ```text
//!             start                      returns, exits, traps, is stopped, its pod ends
//!  Created ──────────► Running ─────────────────────────────────────────────────────────► Exited
//!     └──────────────────────────────── stopped or removed ─────────────────────────────────┘
//! ```
//!
//! * Created ([`Container::create`]): the store is built, directories are open, no code of the guest has run.
//! * Running ([`Container::start`]): the guest is a task of its pod. A stop drops it where it waits: WebAssembly has no
//!   signals, so every guest takes SIGTERM's default action.
//! * Exited: the store is gone and with it the guest's files, sockets and queues; only then is the exit told.
//!
//! A panic of host code on behalf of the guest ends this container and nothing else.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use wasmpod_ipc::ContainerIpc;
use wasmpod_sandbox::{ContainerConfig, ContainerState, Exit, PodTasks, RuntimeError, Usage};
use wasmtime::Store;

use crate::exit;
use crate::host::{ComponentState, CoreState, Held, Setting};
use crate::inspect::CORE_ENTRY;
use crate::limits::Limits;
use crate::link::Linked;
use crate::ticker::Ticker;

/// Ticks of the epoch clock after which a guest yields.
const YIELD_AFTER_TICKS: u64 = 1;

/// One container instance.
pub(crate) struct Container {
    guest: Mutex<Option<Guest>>,
    exit: watch::Sender<Option<Exit>>,
    stop: watch::Sender<Option<Signal>>,
}

/// How a container is asked to end; the later one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Signal {
    Terminate,
    Kill,
}

impl Signal {
    fn exit(self) -> Exit {
        match self {
            Self::Terminate => Exit::terminated(),
            Self::Kill => Exit::killed(),
        }
    }
}

/// A guest that was created and not started.
struct Guest {
    instance: Instance,
    program: String,
    ipc: Arc<ContainerIpc>,
    tasks: PodTasks,
}

enum Instance {
    Module(Arc<Linked>, Store<CoreState>),
    Component(Arc<Linked>, Store<ComponentState>),
}

impl Container {
    /// Builds the instance with everything in `config`; no code of the guest runs.
    ///
    /// # Errors
    /// A directory cannot be opened.
    pub(crate) fn create(
        linked: Arc<Linked>,
        config: ContainerConfig,
    ) -> Result<Arc<Self>, RuntimeError> {
        let ContainerConfig {
            name,
            program,
            network,
            ipc,
            tasks,
            ..
        } = config;
        let ContainerConfig {
            args,
            env,
            working_dir,
            root,
            ..
        } = config;
        let ContainerConfig {
            memory_limit_bytes,
            stdin,
            stdout,
            stderr,
            clock,
            ..
        } = config;
        let setting = Setting {
            args,
            env,
            working_dir,
            root,
            memory_limit_bytes,
            stdin,
            stdout,
            stderr,
            clock,
        };
        let ipc = Arc::new(ipc);
        let held = Held {
            network,
            ipc: Arc::clone(&ipc),
        };
        let instance =
            Instance::new(linked, &setting, held).map_err(|detail| RuntimeError::Create {
                container: name,
                detail,
            })?;
        let guest = Guest {
            instance,
            program: program.name.clone(),
            ipc,
            tasks,
        };
        let guest = Mutex::new(Some(guest));
        Ok(Arc::new(Self {
            guest,
            exit: watch::Sender::new(None),
            stop: watch::Sender::new(None),
        }))
    }

    /// Lets the guest run as a task of its pod. Starting again does nothing.
    ///
    /// # Errors
    /// The pod has ended, or has too many tasks.
    pub(crate) fn start(self: &Arc<Self>, ticker: &Arc<Ticker>) -> Result<(), String> {
        let Some(guest) = self.guest().take() else {
            return Ok(());
        };
        let tasks = guest.tasks.clone();
        let run = run(Arc::clone(self), guest, Arc::clone(ticker));
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
        if grace.is_zero() {
            self.signal(Signal::Kill);
        } else {
            self.signal(Signal::Terminate);
            if tokio::time::timeout(grace, self.ended()).await.is_ok() {
                return;
            }
            self.signal(Signal::Kill);
        }
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
        matches!(self.state(), ContainerState::Running).then(Usage::default)
    }

    fn signal(&self, signal: Signal) {
        self.stop
            .send_modify(|last| *last = (*last).max(Some(signal)));
        // One that was never started has nobody to end it.
        let guest = self.guest().take();
        if guest.is_some() {
            drop(guest);
            self.tell(signal.exit());
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
    fn new(linked: Arc<Linked>, setting: &Setting, held: Held) -> Result<Self, String> {
        Ok(match &*linked {
            Linked::Module(module) => {
                let mut store =
                    Store::new(module.module().engine(), CoreState::new(setting, held)?);
                guard(&mut store, |state| &mut state.limits);
                Self::Module(linked, store)
            }
            Linked::Component(command) => {
                let state = ComponentState::new(setting, held)?;
                let mut store = Store::new(command.engine(), state);
                guard(&mut store, |state| &mut state.limits);
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
                let instance = module.instantiate_async(&mut store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut store, CORE_ENTRY)?;
                start.call_async(&mut store, ()).await?;
                Ok(true)
            }
            Self::Component(linked, mut store) => {
                let Linked::Component(command) = &*linked else {
                    return Ok(false);
                };
                let instance = command.instantiate_async(&mut store).await?;
                Ok(instance.wasi_cli_run().call_run(&mut store).await?.is_ok())
            }
        }
    }
}

/// Bounds what the guest may take, and lets it yield. The deadline must be set before the first instruction: it is 0
/// at first, which interrupts at once.
fn guard<T: 'static>(store: &mut Store<T>, limits: fn(&mut T) -> &mut Limits) {
    store.limiter(move |state| limits(state));
    store.set_epoch_deadline(YIELD_AFTER_TICKS);
    store.epoch_deadline_async_yield_and_update(YIELD_AFTER_TICKS);
}

/// The life of a started container. Its end is told even if the task is dropped before its first poll.
fn run(
    container: Arc<Container>,
    guest: Guest,
    ticker: Arc<Ticker>,
) -> impl Future<Output = ()> + Send {
    let report = Report(Arc::clone(&container));
    async move {
        live(&container, guest, ticker).await;
        drop(report);
    }
}

async fn live(container: &Container, guest: Guest, ticker: Arc<Ticker>) {
    let Guest {
        instance,
        program,
        ipc,
        tasks: _,
    } = guest;
    let mut polled = Polled {
        future: Some(Box::pin(instance.run())),
        ipc,
        ticker,
        turns_to_give_up: 0,
    };
    let mut stop = container.stop.subscribe();
    let exit = tokio::select! {
        biased;
        signal = stopped(&mut stop) => signal.exit(),
        result = &mut polled => match result {
            Ok(Ok(success)) => exit::of_return(success),
            Ok(Err(error)) => exit::of_error(&program, &error),
            Err(message) => Exit::internal_error(message),
        },
    };
    // Files, sockets and queues are closed before anyone hears of the end.
    drop(polled);
    container.tell(exit);
}

async fn stopped(stop: &mut watch::Receiver<Option<Signal>>) -> Signal {
    match stop.wait_for(Option::is_some).await {
        Ok(signal) => signal.unwrap_or(Signal::Kill),
        // The container holds the sender, and whoever runs it holds the container.
        Err(_) => Signal::Kill,
    }
}

/// Tells the end of a container whose task was dropped with its pod.
struct Report(Arc<Container>);

impl Drop for Report {
    fn drop(&mut self) {
        self.0.tell(Exit::killed());
    }
}

/// Turns that a guest gives up after it has computed for a whole tick.
///
/// What its neighbours wait for takes several tasks, one waking the next: a request that comes by a published port goes
/// through the port's task to the guest that answers, and back. If the computing guest ran between any two of them,
/// each would wait for a tick. A turn costs it about a microsecond of a millisecond when nobody else has anything to do.
const TURNS_GIVEN_UP: u32 = 6;

/// A guest that is being run: the epoch clock ticks while it is polled, queues are settled when it waits, and a panic
/// of host code ends it.
struct Polled<F: Future> {
    future: Option<Pin<Box<F>>>,
    ipc: Arc<ContainerIpc>,
    ticker: Arc<Ticker>,
    /// How many turns it still lets pass.
    turns_to_give_up: u32,
}

impl<F: Future> Future for Polled<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(future) = this.future.as_mut() else {
            return Poll::Ready(Err("polled after its end".to_owned()));
        };
        if this.turns_to_give_up > 0 {
            this.turns_to_give_up -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let ticks = this.ticker.ticks();
        let running = this.ticker.enter();
        // Unwind safety: after a panic the future is only dropped, never polled again, and what it shares with other
        // containers (sockets, queues) is behind locks of the pod's crates, which recover from poisoning.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        drop(running);
        this.ipc.settle();
        match polled {
            Ok(Poll::Pending) => {
                if this.ticker.ticks() != ticks {
                    this.turns_to_give_up = TURNS_GIVEN_UP;
                }
                Poll::Pending
            }
            Ok(Poll::Ready(result)) => {
                this.end();
                Poll::Ready(Ok(result))
            }
            Err(panic) => {
                this.end();
                Poll::Ready(Err(panic_message(panic.as_ref())))
            }
        }
    }
}

impl<F: Future> Polled<F> {
    /// Drops the guest with all that it holds.
    fn end(&mut self) {
        let future = self.future.take();
        // Unwind safety: as for polling. The panic has been reported by the panic hook.
        drop(catch_unwind(AssertUnwindSafe(|| drop(future))));
    }
}

impl<F: Future> Drop for Polled<F> {
    fn drop(&mut self) {
        self.end();
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
