//! The sandbox's port, implemented: programs are prepared once, containers are created, run and removed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmpod_image::{Digest, Program};
use wasmpod_ipc::{IpcLimits, SegmentProvider};
use wasmpod_sandbox::{
    BoxFuture, ContainerConfig, ContainerId, ContainerRuntime, ContainerState, Exit, ProgressSink,
    RuntimeError, Usage,
};

use crate::code_store::{CodeStore, MAX_STORE_BYTES};
use crate::compile::Compiler;
use crate::container::Container;
use crate::engine::Engines;
use crate::error::SetupError;
use crate::inspect::Inspection;
use crate::notice::{Notice, NoticeFn, Notices};
use crate::programs::Programs;
use crate::shared_pages;

/// Containers that may exist at a time. Each guest takes six mappings of the process, and Linux allows 65,530
/// (`vm.max_map_count`); at the limit creating fails with a clear error instead of the kernel's "cannot allocate memory".
pub const MAX_CONTAINERS: usize = 10_000;

/// How the runtime is set up.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Where compiled code is kept; `None` compiles every program again in each process.
    pub code_store: Option<PathBuf>,
    /// The size of the code store, in bytes, above which the oldest entries are removed.
    pub code_store_max_bytes: u64,
    /// Who hears what is worth knowing but no error.
    pub notices: Arc<NoticeFn>,
}

impl Default for RuntimeConfig {
    /// No code store; notices are dropped.
    fn default() -> Self {
        let notices = Arc::new(|_: Notice| {});
        Self {
            code_store: None,
            code_store_max_bytes: MAX_STORE_BYTES,
            notices,
        }
    }
}

impl std::fmt::Debug for RuntimeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeConfig")
            .field("code_store", &self.code_store)
            .field("code_store_max_bytes", &self.code_store_max_bytes)
            .finish_non_exhaustive()
    }
}

/// Runs containers as WebAssembly instances in this process.
pub struct Runtime {
    engines: Arc<Engines>,
    programs: Programs,
    containers: Mutex<HashMap<ContainerId, Arc<Container>>>,
    sequence: AtomicU64,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let containers = self.containers().len();
        f.debug_struct("Runtime")
            .field("containers", &containers)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Sets up the engines and opens the code store.
    ///
    /// # Errors
    /// This machine cannot run WebAssembly. A code store that cannot be used is only a notice.
    pub fn new(config: &RuntimeConfig) -> Result<Self, SetupError> {
        let notices = Notices::new(Arc::clone(&config.notices));
        let store = config.code_store.as_deref();
        let store =
            store.and_then(|dir| CodeStore::open(dir, config.code_store_max_bytes, &notices));
        let engines = Arc::new(Engines::new()?);
        let compiler = Compiler::new(Arc::clone(&engines), store, notices);
        let programs = Programs::new(compiler.map_err(SetupError::engine)?);
        let (containers, sequence) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self {
            engines,
            programs,
            containers,
            sequence,
        })
    }

    /// What `program` is and needs, and whether this host offers it. Nothing is compiled.
    ///
    /// # Errors
    /// [`RuntimeError::InvalidProgram`]: its bytes are not valid WebAssembly.
    pub fn inspect(&self, program: &Program) -> Result<Inspection, RuntimeError> {
        self.programs.compiler().inspect(program)
    }

    /// Seats of the pool that nobody has.
    #[cfg(test)]
    pub(crate) fn free_seats(&self) -> Option<usize> {
        self.engines.pool().map(crate::pool::Pool::free_seats)
    }

    fn containers(&self) -> MutexGuard<'_, HashMap<ContainerId, Arc<Container>>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn container(&self, id: &ContainerId) -> Option<Arc<Container>> {
        self.containers().get(id).cloned()
    }

    /// 64 hexadecimal digits, as other runtimes' container ids are.
    fn new_id(&self, config: &ContainerConfig) -> ContainerId {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let (pod, name, attempt) = (&config.pod.uid, &config.name, config.attempt);
        let process = std::process::id();
        let seed = format!("{process}/{number}/{pod}/{name}/{attempt}");
        ContainerId::new(Digest::of(seed.as_bytes()).hex())
    }

    async fn create(&self, config: ContainerConfig) -> Result<ContainerId, RuntimeError> {
        if self.containers().len() >= MAX_CONTAINERS {
            return Err(RuntimeError::HostLimit {
                what: format!("{MAX_CONTAINERS} containers"),
            });
        }
        let linked = self.programs.get(&config.program, None).await?;
        let id = self.new_id(&config);
        let container = Container::create(linked, config, self.engines.ticker())?;
        self.containers().insert(id.clone(), container);
        Ok(id)
    }

    fn start(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let container = self
            .container(id)
            .ok_or_else(|| RuntimeError::NoSuchContainer { id: id.clone() })?;
        container.start().map_err(|detail| RuntimeError::Start {
            container: id.to_string(),
            detail,
        })
    }
}

impl ContainerRuntime for Runtime {
    fn prepare<'a>(
        &'a self,
        program: &'a Arc<Program>,
        progress: ProgressSink,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(async move { self.programs.get(program, Some(progress)).await.map(drop) })
    }

    fn create_container(
        &self,
        config: ContainerConfig,
    ) -> BoxFuture<'_, Result<ContainerId, RuntimeError>> {
        Box::pin(self.create(config))
    }

    fn start_container<'a>(
        &'a self,
        id: &'a ContainerId,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        Box::pin(async move { self.start(id) })
    }

    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            match self.container(id) {
                Some(container) => container.ended().await,
                None => Exit::internal_error(format!("no container \"{id}\" to wait for")),
            }
        })
    }

    fn stop_container<'a>(&'a self, id: &'a ContainerId, grace: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(container) = self.container(id) {
                container.stop(grace).await;
            }
        })
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let container = self.containers().remove(id);
            if let Some(container) = container {
                container.stop(Duration::ZERO).await;
            }
        })
    }

    fn container_status(&self, id: &ContainerId) -> Option<ContainerState> {
        self.container(id).map(|container| container.state())
    }

    fn shared_memory(&self, limits: &IpcLimits) -> Arc<dyn SegmentProvider> {
        // One more for the numbers of the pod's semaphores.
        let segments = limits
            .max_shared_memory_objects
            .saturating_add(limits.system_v.shmmni)
            .saturating_add(1);
        shared_pages::provider(segments.into(), limits.max_shared_memory_bytes)
    }

    fn usage(&self, id: &ContainerId) -> Option<Usage> {
        self.container(id)?.usage()
    }
}
