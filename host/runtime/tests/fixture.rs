//! A pod to run guests in.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmpod_image::Program;
use wasmpod_ipc::{Host, IpcLimits, PodIpc};
use wasmpod_network::{PodNetwork, PodNetworkConfig};
use wasmpod_sandbox::logs::Capture;
use wasmpod_sandbox::{
    Clock, ContainerConfig, ContainerId, ContainerRuntime as _, CpuShare, Exit, GuestInput,
    GuestOutput, HttpSettings, LogSink, MainProcess, MemoryShare, PodIdentity, PodTaskSet,
    Progress, Role, RuntimeError, Signal,
};
use wasmpod_volume::ContainerRoot;

use crate::{Runtime, RuntimeConfig};

/// How long a test waits for something that must happen, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(40);

/// Bytes of output that are kept for a test to look at.
const CAPTURE_BYTES: usize = 1 << 20;

/// The memory limit of a container unless a test says otherwise, in bytes.
pub(super) const MEMORY_LIMIT_BYTES: u64 = 16 << 20;

/// A runtime and one pod.
pub(super) struct Pod {
    pub(super) runtime: Runtime,
    pub(super) network: PodNetwork,
    pub(super) ipc: PodIpc,
    pub(super) tasks: PodTaskSet,
    clock: Clock,
}

/// A container that was created.
pub(super) struct Container {
    pub(super) id: ContainerId,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

impl Pod {
    /// A pod on a runtime without a code store.
    pub(super) fn new() -> Self {
        Self::on(Runtime::new(&RuntimeConfig::default()).unwrap())
    }

    /// A pod on `runtime`; its tasks run on the test's own tokio runtime.
    pub(super) fn on(runtime: Runtime) -> Self {
        let hostname = "pod".to_owned();
        let limits = IpcLimits::default();
        let host = Host {
            memory: runtime.shared_memory(&limits),
            ..Host::default()
        };
        Self {
            runtime,
            network: PodNetwork::new(PodNetworkConfig {
                hostname,
                ..Default::default()
            }),
            ipc: PodIpc::with_host(limits, host),
            tasks: PodTaskSet::new(tokio::runtime::Handle::current()),
            clock: Clock::host(),
        }
    }

    /// What a container named `name` needs to run `program`.
    pub(super) fn config(
        &self,
        name: &str,
        program: &Arc<Program>,
    ) -> (ContainerConfig, Capture, Capture) {
        let (out, stdout) = LogSink::capture(CAPTURE_BYTES);
        let (err, stderr) = LogSink::capture(CAPTURE_BYTES);
        let config = ContainerConfig {
            pod: PodIdentity {
                namespace: "default".into(),
                name: "pod".into(),
                uid: "7c1e1f3e".into(),
            },
            name: name.to_owned(),
            attempt: 0,
            program: Arc::clone(program),
            args: vec![program.name.clone()],
            env: Vec::new(),
            working_dir: "/".into(),
            root: ContainerRoot {
                preopens: Vec::new(),
            },
            network: self.network.attach(name),
            ports: Vec::new(),
            http: HttpSettings::default(),
            ipc: self.ipc.attach(name),
            ipc_wait_for_open: Duration::ZERO,
            memory: MemoryShare::new(MEMORY_LIMIT_BYTES),
            cpu: CpuShare::unlimited(),
            stdin: GuestInput::Empty,
            stdout: GuestOutput::Log(out),
            stderr: GuestOutput::Log(err),
            terminal: None,
            role: Role::Main(MainProcess::new(std::slice::from_ref(&program.name))),
            stop_signal: Signal::TERM,
            tasks: self.tasks.handle(),
            clock: self.clock,
        };
        (config, stdout, stderr)
    }

    /// Creates and starts a container with the guest of that name, after `change` had its way with the config.
    pub(super) async fn start(
        &self,
        guest: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> Result<Container, RuntimeError> {
        self.start_program(&program(guest), guest, change).await
    }

    /// Creates and starts a container named `name` with `program`, after `change` had its way with the config.
    pub(super) async fn start_program(
        &self,
        program: &Arc<Program>,
        name: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> Result<Container, RuntimeError> {
        let (mut config, stdout, stderr) = self.config(name, program);
        change(&mut config);
        let id = self.runtime.create_container(config).await?;
        self.runtime.start_container(&id).await?;
        Ok(Container { id, stdout, stderr })
    }

    /// Waits for the end of a container.
    pub(super) async fn exit(&self, container: &Container) -> Exit {
        in_time(
            "the container ends",
            self.runtime.wait_container(&container.id),
        )
        .await
    }

    /// Runs the guest of that name to its end.
    pub(super) async fn run(&self, guest: &str) -> Exit {
        self.run_with(guest, |_| {}).await.0
    }

    /// Runs a guest to its end and gives its output too.
    pub(super) async fn run_with(
        &self,
        guest: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> (Exit, Container) {
        let container = self.start(guest, change).await.unwrap();
        (self.exit(&container).await, container)
    }

    /// Prepares a program.
    pub(super) async fn prepare(&self, program: &Arc<Program>) -> Result<(), RuntimeError> {
        let ignore = Arc::new(|_: Progress| {});
        in_time(
            "the program is prepared",
            self.runtime.prepare(program, ignore),
        )
        .await
    }
}

/// The guest of that name in tests/guests.
pub(super) fn program(guest: &str) -> Arc<Program> {
    Arc::new(Program::new(format!("{guest}.wasm"), wasm(guest)))
}

/// The bytes of the guest of that name in tests/guests.
pub(super) fn wasm(guest: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    wat::parse_file(path.join(format!("{guest}.wat"))).unwrap()
}

/// Waits, but not forever.
pub(super) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("waited {PATIENCE:?} until {what}"))
}

/// Waits until `condition` holds, letting the pod's tasks run meanwhile.
pub(super) async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    in_time(what, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
