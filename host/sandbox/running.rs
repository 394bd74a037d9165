//! The containers of a pod that run now, for everything that is done beside them: exec, attach, probes, hooks, usage.
//!
//! A `RunningContainer` is one instance with what a further instance beside it needs. It is in the pod's
//! `RunningContainers` from its start to its end; the end ends all that runs beside it, and is waited for by whoever
//! clears up after the container (`RunningContainer::end`). Handles of the pod look containers up here, so that a look
//! at a pod need not wait for its driver.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use wasmpod_image::Image;
use wasmpod_lifecycle::pod::ContainerIndex;
use wasmpod_manifest::k8s::Container;

use crate::config::SandboxConfig;
use crate::cpu::CpuShare;
use crate::events::PodEvents;
use crate::memory::MemoryShare;
use crate::port::{ContainerId, Exit, PodIdentity};
use crate::probe::Dialer;
use crate::resources::Resources;
use crate::signal::{MainProcess, Signal};
use crate::spec;
use crate::stdio::{Attachments, InputWriter, Terminal};
use crate::tasks::PodTasks;

/// How many commands may run beside one container at a time, those of probes and hooks included; ours. Each is a Wasm
/// instance with a memory of its own. One more is refused.
pub const MAX_EXECS_PER_CONTAINER: u32 = 32;

/// One container instance that runs.
pub(crate) struct RunningContainer {
    pub(crate) index: ContainerIndex,
    pub(crate) attempt: u32,
    pub(crate) id: ContainerId,
    pub(crate) identity: Arc<PodIdentity>,
    pub(crate) config: Arc<SandboxConfig>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) tasks: PodTasks,
    pub(crate) events: PodEvents,
    pub(crate) image: Arc<Image>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) working_dir: String,
    pub(crate) cpu: CpuShare,
    pub(crate) memory: MemoryShare,
    pub(crate) main_process: MainProcess,
    pub(crate) stop_signal: Signal,
    pub(crate) streams: ContainerStreams,
    /// A permit for each command that may still be run beside it.
    pub(crate) seats: Semaphore,
    /// How the container ended.
    pub(crate) exit: watch::Sender<Option<Exit>>,
}

/// The outer ends of a container's own standard streams.
#[derive(Debug, Default)]
pub(crate) struct ContainerStreams {
    /// Who is attached.
    pub(crate) attachments: Attachments,
    /// Into its standard input, while nobody has taken it for good.
    pub(crate) input: Mutex<Option<InputWriter>>,
    /// Its terminal, if it has one.
    pub(crate) terminal: Option<Terminal>,
}

/// A place beside a container, held by a command that runs there.
#[derive(Debug)]
pub(crate) struct Seat(Arc<RunningContainer>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.add_permits(1);
    }
}

impl RunningContainer {
    /// The container in its pod's spec.
    pub(crate) fn spec(&self) -> Option<&Container> {
        spec::container(&self.config.pod, self.index)
    }

    pub(crate) fn name(&self) -> &str {
        self.spec().map_or("", |spec| &spec.name)
    }

    /// How the host reaches what the container listens on.
    pub(crate) fn dialer(&self) -> Dialer {
        Dialer {
            pod: self.resources.network.clone(),
            network: Arc::clone(&self.config.network),
        }
    }

    pub(crate) fn warn(&self, reason: &str, message: String) {
        self.events.warning(Some(self.name()), reason, message);
    }

    /// Resolves when the container has ended.
    pub(crate) async fn ended(&self) {
        // Cannot fail: this value holds the sender.
        drop(self.exit.subscribe().wait_for(Option::is_some).await);
    }

    /// A place for one more command; `None` when there are [`MAX_EXECS_PER_CONTAINER`].
    pub(crate) fn take_seat(self: &Arc<Self>) -> Option<Seat> {
        let permit = self.seats.try_acquire().ok()?;
        permit.forget();
        Some(Seat(Arc::clone(self)))
    }

    /// The container has ended: ends what runs beside it, and waits for that.
    pub(crate) async fn end(&self, exit: Exit) {
        self.exit.send_replace(Some(exit));
        self.streams.attachments.end();
        // An error means that they are all gone already.
        drop(self.seats.acquire_many(MAX_EXECS_PER_CONTAINER).await);
    }
}

impl fmt::Debug for RunningContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningContainer")
            .field("name", &self.name())
            .field("attempt", &self.attempt)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What one running container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    /// `containers[*].name`
    pub name: String,
    /// Time that its guests have run, commands beside it included.
    pub cpu: Duration,
    /// Its linear memory, in bytes.
    pub memory_bytes: u64,
}

/// The containers of one pod that run now.
#[derive(Debug, Default)]
pub(crate) struct RunningContainers {
    all: Mutex<Vec<Arc<RunningContainer>>>,
}

impl RunningContainers {
    pub(crate) fn add(&self, container: Arc<RunningContainer>) {
        self.lock().push(container);
    }

    /// Nobody finds this instance from here on.
    pub(crate) fn remove(&self, container: &Arc<RunningContainer>) {
        self.lock().retain(|known| !Arc::ptr_eq(known, container));
    }

    /// Does something with a container that runs; `None` if it does not. The pod cannot end meanwhile, so `with` must
    /// be quick.
    pub(crate) fn with<T>(
        &self,
        name: &str,
        with: impl FnOnce(&Arc<RunningContainer>) -> T,
    ) -> Option<T> {
        let all = self.lock();
        all.iter().find(|known| known.name() == name).map(with)
    }

    pub(crate) fn usage(&self) -> Vec<ContainerUsage> {
        let all = self.lock();
        let used = all.iter().filter_map(|container| {
            let usage = container.config.runtime.usage(&container.id)?;
            Some(ContainerUsage {
                name: container.name().to_owned(),
                cpu: usage.cpu,
                memory_bytes: usage.memory_bytes,
            })
        });
        used.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<RunningContainer>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
