//! Plays one pod: real guests, the engine, the whole sandbox, on a clock that jumps to the next thing that happens.
//!
//! The test and the pod share one thread and one paused clock. Time stands still while a guest computes or a file is
//! read, and jumps when everything waits; so a test may wait for four minutes and take none. What a test waits for is
//! bounded by [`PATIENCE`], which is virtual as well.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;
use wasmpod_image::Image;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{
    ConfigMap, ContainerStatus, Pod as PodObject, PodStatus, Secret, Service,
};
use wasmpod_manifest::{Manifests, Source, read};
use wasmpod_network::Network;
use wasmpod_runtime::{Runtime, RuntimeConfig};
use wasmpod_sandbox::{
    AttachRequest, BoxFuture, Clock, ContainerUsage, ExecRequest, HostFacts, ImageFailure,
    ImageSource, IpcLimits, LogItem, LogLimits, LogOptions, Placement, PodEvent, PodSources,
    SandboxConfig, SandboxHandle, SandboxStatus, Session,
};
use wasmpod_volume::VolumePolicy;

/// How long anything may take before a test gives up, in virtual time: longer than any back-off.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// When the clocks of all pods begin.
pub(crate) const BEGINNING: &str = "2026-11-21T10:00:00Z";

/// Runs a test on virtual time.
pub(crate) fn play(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .event_interval(1)
        .global_queue_interval(1)
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// A clock that shows [`BEGINNING`].
pub(crate) fn clock() -> Clock {
    Clock::virtual_from(BEGINNING.parse::<Timestamp>().unwrap())
}

/// The engine; the code that it compiles is kept between tests.
pub(crate) fn engine() -> Arc<Runtime> {
    let code_store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance-code");
    let runtime = Runtime::new(&RuntimeConfig {
        code_store: Some(code_store),
        ..RuntimeConfig::default()
    });
    Arc::new(runtime.unwrap())
}

/// The module that plays the modes of upstream's test image, as a file's image.
pub(crate) fn agnhost() -> String {
    guest("agnhost")
}

/// A guest of tests/guests, as a file's image.
pub(crate) fn guest(name: &str) -> String {
    unpacked(name).to_str().unwrap().to_owned()
}

/// A guest of tests/guests, unpacked once for all tests of this checkout.
fn unpacked(name: &str) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/guests")
        .join(format!("{name}.wasm.zst"));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.wasm"));
    let mut module = Vec::new();
    let file = std::fs::File::open(packed).unwrap();
    zstd::Decoder::new(file)
        .unwrap()
        .read_to_end(&mut module)
        .unwrap();
    if std::fs::read(&path).ok().as_deref() != Some(module.as_slice()) {
        // Other tests do the same at the same time: whoever is last puts the same bytes there.
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::io::Write::write_all(&mut file, &module).unwrap();
        file.persist(&path).unwrap();
    }
    path
}

/// The objects beside the pod, which a test may change.
#[derive(Default)]
struct Objects {
    config_maps: BTreeMap<String, Arc<ConfigMap>>,
    secrets: BTreeMap<String, Arc<Secret>>,
    services: Vec<Service>,
}

struct Sources(Arc<Mutex<Objects>>);

impl PodSources for Sources {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.0.lock().unwrap().config_maps.get(name).cloned()
    }

    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.0.lock().unwrap().secrets.get(name).cloned()
    }

    fn services(&self) -> Vec<Service> {
        self.0.lock().unwrap().services.clone()
    }
}

struct Images;

impl ImageSource for Images {
    fn resolve<'a>(
        &'a self,
        reference: &'a str,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<Image>, ImageFailure>> {
        Box::pin(async move {
            wasmpod_image::resolve(reference, Path::new("/"))
                .map_err(|error| ImageFailure::from(&error))
        })
    }
}

/// What a command in a container gave.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A pod that is being played.
pub(crate) struct Pod {
    sandbox: SandboxHandle,
    object: PodObject,
    objects: Arc<Mutex<Objects>>,
    clock: Clock,
    /// None when the agent keeps it.
    dir: Option<TempDir>,
}

impl Pod {
    /// Starts the one pod of a manifest, with the ConfigMaps, Secrets and Services beside it.
    pub(crate) async fn start(manifest: &str) -> Self {
        let read = read(&[Source::new("test.yaml", manifest)]);
        Self::of(read.unwrap_or_else(|report| panic!("{report:?}\n{manifest}"))).await
    }

    async fn of(manifests: Manifests) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let mut object = manifests.pods.into_iter().next().unwrap();
        object.metadata.uid = Some("0b6e2f0a-6a57-4d5c-9d3c-1f0e8c1d2b3a".to_owned());
        object.metadata.generation.get_or_insert(1);
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let objects = Arc::new(Mutex::new(Objects {
            config_maps: manifests
                .config_maps
                .into_iter()
                .map(|map| (name(&map.metadata.name), Arc::new(map)))
                .collect(),
            secrets: manifests
                .secrets
                .into_iter()
                .map(|secret| (name(&secret.metadata.name), Arc::new(secret)))
                .collect(),
            services: manifests.services,
        }));
        let clock = clock();
        let sandbox = SandboxHandle::start(
            SandboxConfig {
                pod: Arc::new(object.clone()),
                host: HostFacts {
                    node_name: "node".to_owned(),
                    host_ips: vec!["192.0.2.1".to_owned()],
                },
                runtime: engine(),
                images: Arc::new(Images),
                sources: Arc::new(Sources(Arc::clone(&objects))),
                network: Arc::new(Network::new()),
                publish: Vec::new(),
                volume_policy: VolumePolicy::for_this_host(),
                ipc_limits: IpcLimits::default(),
                pods_dir: make("pods"),
                logs_dir: make("logs"),
                log_limits: LogLimits::default(),
                clock,
            },
            Placement::current(),
        );
        Self {
            sandbox: sandbox.unwrap(),
            object,
            objects,
            clock,
            dir: Some(dir),
        }
    }

    /// A pod that an agent has started. Its object and the objects beside it are changed there.
    pub(crate) fn of_agent(sandbox: SandboxHandle, object: PodObject, clock: Clock) -> Self {
        Self {
            sandbox,
            object,
            objects: Arc::default(),
            clock,
            dir: None,
        }
    }

    /// What a GET of this URL gives, asked in a container of the pod as soon as the server listens.
    pub(crate) async fn get(&self, container: &str, url: &str) -> String {
        let end = self.elapsed() + PATIENCE;
        loop {
            let got = self.exec(container, &["wget", "-qO-", url]).await;
            if got.code == 0 {
                return got.stdout;
            }
            let is_starting = got.stderr.contains("Connection refused") && self.elapsed() < end;
            assert!(is_starting, "GET {url}: {got:?}\n{}", self.told());
            self.pause(Duration::from_secs(1)).await;
        }
    }

    /// What the running containers use.
    pub(crate) fn usage(&self) -> Vec<ContainerUsage> {
        self.sandbox.usage()
    }

    /// Waits until the status is as wanted; what was wanted is told when it never is.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&PodStatus) -> bool) -> PodStatus {
        let mut watch = self.sandbox.watch();
        let found = timeout(PATIENCE, watch.wait_for(|status| wanted(&status.pod))).await;
        if let Ok(Ok(status)) = found {
            return status.pod.clone();
        }
        panic!(
            "the pod never is as wanted: {what}\n{}\n{}",
            serde_json::to_string_pretty(&self.status().pod).unwrap(),
            self.told()
        );
    }

    /// Waits until the pod's phase is this one and all of it is released.
    pub(crate) async fn ends(&self, phase: &str) -> PodStatus {
        self.until(&format!("phase {phase}"), |status| {
            status.phase.as_deref() == Some(phase)
        })
        .await
    }

    /// Waits until the pod is ready.
    pub(crate) async fn is_ready(&self) -> PodStatus {
        self.until("Ready", |status| condition(status, "Ready") == Some("True"))
            .await
    }

    /// The status now.
    pub(crate) fn status(&self) -> Arc<SandboxStatus> {
        self.sandbox.status()
    }

    /// The status of a container, init containers included.
    pub(crate) fn container(&self, name: &str) -> ContainerStatus {
        container(&self.status().pod, name)
    }

    /// The pod's own directory on the host.
    pub(crate) fn host_dir(&self) -> PathBuf {
        let uid = self.object.metadata.uid.as_deref().unwrap();
        self.dir.as_ref().unwrap().path().join("pods").join(uid)
    }

    /// Virtual time since the pod was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<PodEvent> {
        self.sandbox.events().list()
    }

    /// The events so far, as text, for messages.
    pub(crate) fn told(&self) -> String {
        let lines = self.events().into_iter().map(|event| {
            format!(
                "{} {:?} {}: {}\n",
                event.time, event.container, event.reason, event.message
            )
        });
        lines.collect()
    }

    /// What a container's current (or last) instance has printed so far, both outputs.
    pub(crate) async fn log(&self, container: &str) -> String {
        self.log_with(container, LogOptions::default()).await
    }

    /// What the instance before that has printed.
    pub(crate) async fn previous_log(&self, container: &str) -> String {
        let options = LogOptions {
            previous: true,
            ..LogOptions::default()
        };
        self.log_with(container, options).await
    }

    /// What `kubectl logs` with these options gives.
    pub(crate) async fn log_with(&self, container: &str, options: LogOptions) -> String {
        let mut reader = self.sandbox.logs(container, options).unwrap();
        let mut text = String::new();
        while let Some(item) = reader.next().await.unwrap() {
            if let LogItem::Line(line) = item {
                text.push_str(&String::from_utf8_lossy(&line.text));
                if !line.is_partial {
                    text.push('\n');
                }
            }
        }
        text
    }

    /// Waits until a container's log is as wanted.
    pub(crate) async fn log_until(&self, container: &str, wanted: impl Fn(&str) -> bool) -> String {
        let end = self.elapsed() + PATIENCE;
        loop {
            let text = self.log(container).await;
            if wanted(&text) {
                return text;
            }
            assert!(
                self.elapsed() < end,
                "the log of {container} stays so:\n{text}\n{}",
                self.told()
            );
            self.pause(Duration::from_millis(100)).await;
        }
    }

    /// Runs a command in a container to its end.
    pub(crate) async fn exec(&self, container: &str, command: &[&str]) -> Executed {
        let request = ExecRequest {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            stdin: false,
            stdout: true,
            stderr: true,
            tty: false,
        };
        let session = timeout(PATIENCE, self.sandbox.exec(container, request)).await;
        let mut session = session.unwrap().unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some((stream, bytes)) = session.output.next().await {
            match stream {
                wasmpod_sandbox::logs::Stream::Stdout => stdout.extend_from_slice(&bytes),
                wasmpod_sandbox::logs::Stream::Stderr => stderr.extend_from_slice(&bytes),
            }
        }
        let exit = session.exit().await;
        Executed {
            code: exit.code,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Joins a client with a container's own streams.
    pub(crate) async fn attach(&self, container: &str, request: AttachRequest) -> Session {
        let attached = timeout(PATIENCE, self.sandbox.attach(container, request)).await;
        attached.unwrap().unwrap()
    }

    /// Lets virtual time pass.
    pub(crate) async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Changes the pod's object, as an update through the API does.
    pub(crate) async fn update(&mut self, change: impl FnOnce(&mut PodObject)) {
        change(&mut self.object);
        let generation = self.object.metadata.generation.get_or_insert(1);
        *generation += 1;
        self.sandbox.update(Arc::new(self.object.clone())).await;
    }

    /// Puts the ConfigMaps and Secrets of a manifest in the place of those that are there.
    pub(crate) async fn apply(&self, manifest: &str) {
        let manifests = read(&[Source::new("test.yaml", manifest)]).unwrap();
        {
            let mut objects = self.objects.lock().unwrap();
            for map in manifests.config_maps {
                let name = map.metadata.name.clone().unwrap();
                objects.config_maps.insert(name, Arc::new(map));
            }
            for secret in manifests.secrets {
                let name = secret.metadata.name.clone().unwrap();
                objects.secrets.insert(name, Arc::new(secret));
            }
        }
        self.sandbox.refresh().await;
    }

    /// Removes a ConfigMap or Secret.
    pub(crate) async fn remove(&self, name: &str) {
        {
            let mut objects = self.objects.lock().unwrap();
            objects.config_maps.remove(name);
            objects.secrets.remove(name);
        }
        self.sandbox.refresh().await;
    }

    /// Deletes the pod; `grace` in seconds, or that of its spec. Does not wait.
    pub(crate) async fn delete(&self, grace: Option<u64>) {
        self.sandbox.stop(grace.map(Duration::from_secs)).await;
    }

    /// Waits until everything of the pod is released.
    pub(crate) async fn gone(&self) -> PodStatus {
        let status = timeout(PATIENCE, self.sandbox.wait()).await;
        status
            .unwrap_or_else(|_| panic!("the pod never ends:\n{}", self.told()))
            .pod
            .clone()
    }
}

/// The status of a condition.
pub(crate) fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a str> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some(&found.status)
}

/// The status of a container, init containers included.
pub(crate) fn container(status: &PodStatus, name: &str) -> ContainerStatus {
    let all = [&status.init_container_statuses, &status.container_statuses];
    let mut all = all.into_iter().flatten().flatten();
    let found = all.find(|container| container.name == name);
    found
        .unwrap_or_else(|| panic!("no container {name}: {status:?}"))
        .clone()
}
