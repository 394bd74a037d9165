//! What one guest holds of its host, for each of the two kinds of guests.
//!
//! Built when the container is created and dropped with its store; dropping it closes the guest's files, sockets and
//! queues.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use wasmpod_ipc::ContainerIpc;
use wasmpod_network::ContainerNetwork;
use wasmpod_sandbox::{Clock, DeclaredPort, GuestInput, GuestOutput, MemoryShare};
use wasmpod_volume::ContainerRoot;
use wasmtime::component::ResourceTable;
use wasmtime::{Memory, Store};
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::http::{Outgoing, Trust};
use super::ipc::{Door, Handles, unmap_all};
use super::lifecycle::Signals;
use super::stdio::{Farewell, Stdin, Stdout};
use super::time;
use super::wasip1_sockets::{Listeners, Sockets, announce};
use crate::limits::{Limits, MAX_HOST_OBJECTS};

/// The environment variable in which a program looks for the directory that it starts in; POSIX shells keep it.
const WORKING_DIRECTORY_VARIABLE: &str = "PWD";

/// The host's side of a component.
pub(crate) struct ComponentState {
    // First the handles, then what they belong to.
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    network: Arc<ContainerNetwork>,
    ipc: Door,
    pub(super) signals: Signals,
    pub(crate) limits: Limits,
}

impl ComponentState {
    /// Opens everything in `setting` for a component.
    ///
    /// # Errors
    /// A directory cannot be opened.
    pub(crate) fn new(setting: &Setting, held: Held) -> Result<Self, String> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HOST_OBJECTS);
        let mut wasi = configure(WasiCtxBuilder::new(), setting, Farewell::Closed)?.build();
        if let Some(opened) = &setting.opened {
            wasi.filesystem().clone_from(opened);
        }
        let Held {
            network,
            ipc,
            signals,
        } = held;
        Ok(Self {
            table,
            wasi,
            http: WasiHttpCtx::new(),
            outgoing: Outgoing::new(Arc::clone(&network), setting.trust.clone()),
            network,
            ipc: Door::new(ipc, setting.ipc_wait_for_open),
            signals,
            limits: limits(setting),
        })
    }

    /// The host objects, and the door to the IPC objects among them.
    pub(super) const fn table_and_ipc(&mut self) -> (&mut ResourceTable, &Door) {
        (&mut self.table, &self.ipc)
    }

    /// The host objects.
    pub(super) const fn table(&self) -> &ResourceTable {
        &self.table
    }

    /// The host objects, and the network that sockets among them belong to.
    pub(super) fn table_and_network(&mut self) -> (&mut ResourceTable, &ContainerNetwork) {
        (&mut self.table, &self.network)
    }
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for ComponentState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// The host's side of a core module.
pub(crate) struct CoreState {
    pub(super) wasi: WasiP1Ctx,
    pub(super) handles: Handles,
    pub(super) ipc: Door,
    pub(super) signals: Signals,
    pub(crate) limits: Limits,
    /// The guest's memory, once it was looked for.
    pub(super) memory: Option<Memory>,
    /// The pod's time.
    pub(super) clock: Clock,
    // First the sockets, then what they belong to.
    pub(super) sockets: Sockets,
    pub(super) network: Arc<ContainerNetwork>,
}

impl CoreState {
    /// Opens everything in `setting` for a core module.
    ///
    /// # Errors
    /// A directory or a port that is to be listened on cannot be opened.
    pub(crate) fn new(setting: &Setting, held: Held, listeners: Listeners) -> Result<Self, String> {
        let Held {
            network,
            ipc,
            signals,
        } = held;
        let mut sockets = Sockets::default();
        let mut builder = WasiCtxBuilder::new();
        if listeners == Listeners::Preopened {
            let names = sockets.preopen(&setting.ports, &network)?;
            announce(&names, &setting.env, &mut builder);
            reserve_numbers(names.len(), setting, &mut builder)?;
        }
        let mut wasi = configure(builder, setting, Farewell::BrokenPipe)?.build_p1();
        wasi.ctx().table.set_max_capacity(MAX_HOST_OBJECTS);
        Ok(Self {
            wasi,
            handles: Handles::default(),
            ipc: Door::new(ipc, setting.ipc_wait_for_open),
            signals,
            limits: limits(setting),
            memory: None,
            clock: setting.clock,
            sockets,
            network,
        })
    }
}

/// The store of a core module. Before it is dropped, segments are taken out of the guest's memory.
pub(crate) struct CoreStore(Store<CoreState>);

impl CoreStore {
    /// Takes over a store.
    pub(crate) const fn new(store: Store<CoreState>) -> Self {
        Self(store)
    }
}

impl Deref for CoreStore {
    type Target = Store<CoreState>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for CoreStore {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for CoreStore {
    fn drop(&mut self) {
        unmap_all(&mut self.0);
    }
}

/// What a container is started with.
pub(crate) struct Setting {
    /// The arguments, the program's name first.
    pub(crate) args: Vec<String>,
    /// The environment.
    pub(crate) env: Vec<(String, String)>,
    /// The directory in which the program starts.
    pub(crate) working_dir: String,
    /// The directories that it sees.
    pub(crate) root: ContainerRoot,
    /// The same, opened, for instances that come one after the other; instead of `root`.
    pub(crate) opened: Option<WasiFilesystemCtx>,
    /// Whose certificates its requests believe.
    pub(crate) trust: Trust,
    /// The linear memory that it may have.
    pub(crate) memory: MemoryShare,
    /// The TCP ports that it declares.
    pub(crate) ports: Vec<DeclaredPort>,
    /// Its standard input.
    pub(crate) stdin: GuestInput,
    /// Its standard output.
    pub(crate) stdout: GuestOutput,
    /// Its standard error.
    pub(crate) stderr: GuestOutput,
    /// Its time.
    pub(crate) clock: Clock,
    /// How long opening an IPC object waits for what is not there yet; zero for not at all.
    pub(crate) ipc_wait_for_open: Duration,
}

impl Setting {
    /// Opens the directories once for all components that are made of this: opening takes as long as a small request.
    ///
    /// # Errors
    /// A directory cannot be opened.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        let mut wasi = configure(WasiCtxBuilder::new(), self, Farewell::Closed)?.build();
        self.opened = Some(wasi.filesystem().clone());
        // What stays is open.
        self.root.preopens.clear();
        Ok(())
    }
}

/// What a container owns in its pod and gives back when it ends. Instances that answer HTTP requests share it.
#[derive(Clone)]
pub(crate) struct Held {
    /// Its sockets.
    pub(crate) network: Arc<ContainerNetwork>,
    /// Its IPC objects.
    pub(crate) ipc: Arc<ContainerIpc>,
    /// What it learns of signals; also held by who sends them.
    pub(crate) signals: Signals,
}

fn limits(setting: &Setting) -> Limits {
    Limits::new(setting.memory.clone())
}

/// Gives the preopened listeners' numbers to directories that no guest reaches, because the engine counts its
/// descriptors itself and has no word for "not this one". Without a directory it never comes to count.
fn reserve_numbers(
    count: usize,
    setting: &Setting,
    wasi: &mut WasiCtxBuilder,
) -> Result<(), String> {
    if let Some(root) = setting.root.preopens.first() {
        for _ in 0..count {
            wasi.preopened_dir(root.open_path(), "", FsPerms::ReadOnly)
                .map_err(|error| format!("cannot open {}: {error:#}", root.guest_path))?;
        }
    }
    Ok(())
}

fn configure(
    mut wasi: WasiCtxBuilder,
    config: &Setting,
    farewell: Farewell,
) -> Result<WasiCtxBuilder, String> {
    wasi.stdin(Stdin(config.stdin.clone()));
    wasi.stdout(Stdout(config.stdout.clone(), farewell));
    wasi.stderr(Stdout(config.stderr.clone(), farewell));
    wasi.monotonic_clock(time::Monotonic(config.clock));
    wasi.wall_clock(time::Wall(config.clock));
    wasi.args(&config.args);
    wasi.envs(&config.env);
    if !config
        .env
        .iter()
        .any(|(name, _)| name == WORKING_DIRECTORY_VARIABLE)
    {
        wasi.env(WORKING_DIRECTORY_VARIABLE, &config.working_dir);
    }
    wasi.initial_cwd(&config.working_dir);
    // File operations run on the runtime's blocking threads: a slow disk must not hold up the pod's other containers.
    wasi.allow_blocking_current_thread(false);
    for preopen in &config.root.preopens {
        let perms = if preopen.read_only {
            FsPerms::ReadOnly
        } else {
            FsPerms::ReadWrite
        };
        wasi.preopened_dir(preopen.open_path(), &preopen.guest_path, perms)
            .map_err(|error| format!("cannot open {}: {error:#}", preopen.guest_path))?;
    }
    Ok(wasi)
}
