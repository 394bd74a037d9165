//! Whole pods on the scripted runtime and on virtual time.

mod attach;
mod exec;
mod failures;
mod hooks;
mod order;
mod probes;
pub(crate) mod server;
mod stop;
mod upkeep;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wasmpod_image::Image;
use wasmpod_ipc::IpcLimits;
use wasmpod_lifecycle::HostFacts;
use wasmpod_lifecycle::time::Timestamp;
use wasmpod_manifest::k8s::{ConfigMap, ContainerStatus, Pod, Secret, Service};
use wasmpod_network::Network;
use wasmpod_volume::VolumePolicy;

use crate::fake::{FakeRuntime, Script};
use crate::logs::LogLimits;
use crate::{
    BoxFuture, Clock, ContainerRuntime, ImageFailure, ImageSource, LogItem, LogOptions, Placement,
    PodSources, SandboxConfig, SandboxHandle,
};

/// The smallest file that is a WebAssembly module.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A pod in a directory of its own.
struct World {
    dir: TempDir,
    runtime: Arc<FakeRuntime>,
    surroundings: Arc<Surroundings>,
    publish: Vec<crate::PublishRequest>,
}

/// Images and objects. An image `x` is the module `x.wasm`.
#[derive(Debug, Default)]
struct Surroundings {
    base: PathBuf,
    image_failures: Mutex<HashMap<String, ImageFailure>>,
    config_maps: Mutex<HashMap<String, Arc<ConfigMap>>>,
}

impl ImageSource for Surroundings {
    fn resolve<'a>(
        &'a self,
        reference: &'a str,
        _pull_policy: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<Image>, ImageFailure>> {
        Box::pin(async move {
            if let Some(failure) = self.image_failures.lock().unwrap().get(reference) {
                return Err(failure.clone());
            }
            let file = format!("{reference}.wasm");
            std::fs::write(self.base.join(&file), EMPTY_MODULE).unwrap();
            wasmpod_image::resolve(&format!("./{file}"), &self.base)
                .map_err(|error| ImageFailure::from(&error))
        })
    }
}

impl PodSources for Surroundings {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.config_maps.lock().unwrap().get(name).cloned()
    }

    fn secret(&self, _name: &str) -> Option<Arc<Secret>> {
        None
    }

    fn services(&self) -> Vec<Service> {
        Vec::new()
    }
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let surroundings = Surroundings {
            base: dir.path().to_owned(),
            ..Surroundings::default()
        };
        std::fs::create_dir(dir.path().join("pods")).unwrap();
        Self {
            dir,
            runtime: Arc::new(FakeRuntime::new()),
            surroundings: Arc::new(surroundings),
            publish: Vec::new(),
        }
    }

    /// Starts a pod with this spec; containers without an image get their own name as one.
    fn start(&self, mut spec: Value) -> SandboxHandle {
        Self::name_images(&mut spec);
        self.start_pod(Self::pod(&spec))
    }

    /// Containers without an image get their own name as one.
    fn name_images(spec: &mut Value) {
        for list in ["containers", "initContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                let name = container["name"].clone();
                container
                    .as_object_mut()
                    .unwrap()
                    .entry("image")
                    .or_insert(name);
            }
        }
    }

    fn start_pod(&self, pod: Pod) -> SandboxHandle {
        let pod = Arc::new(pod);
        let runtime: Arc<dyn ContainerRuntime> = Arc::<FakeRuntime>::clone(&self.runtime);
        let config = SandboxConfig {
            pod,
            host: HostFacts {
                node_name: "n".to_owned(),
                host_ips: vec!["192.0.2.1".to_owned()],
            },
            runtime,
            images: Arc::<Surroundings>::clone(&self.surroundings),
            sources: Arc::<Surroundings>::clone(&self.surroundings),
            network: Arc::new(Network::new()),
            publish: self.publish.clone(),
            volume_policy: VolumePolicy::default(),
            ipc_limits: IpcLimits::default(),
            pods_dir: self.dir.path().join("pods"),
            logs_dir: self.dir.path().join("logs"),
            log_limits: LogLimits::default(),
            clock: Clock::virtual_from(Timestamp::new(1_795_255_200, 0).unwrap()),
        };
        SandboxHandle::start(config, Placement::current()).unwrap()
    }

    /// The pod of [`start`](Self::start) with this spec, for updates.
    fn pod(spec: &Value) -> Pod {
        let metadata = json!({"name": "p", "namespace": "default", "uid": "u"});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn script(&self, container: &str, instances: impl Into<Vec<Script>>) {
        self.runtime.script(container, instances);
    }

    /// Nothing of any pod is left on the host or in the runtime.
    fn is_clean(&self) -> bool {
        let pods = std::fs::read_dir(self.dir.path().join("pods"))
            .unwrap()
            .count();
        pods == 0 && self.runtime.containers() == 0
    }
}

/// Waits on virtual time; a condition that never comes is a failure after an hour of it.
async fn until(handle: &SandboxHandle, wanted: impl Fn(&crate::SandboxStatus) -> bool) {
    let found = handle.wait_for(&wanted);
    match tokio::time::timeout(Duration::from_secs(3600), found).await {
        Ok(status) if wanted(&status) => {}
        _ => panic!(
            "never came: {:#?}\n{:#?}",
            handle.status(),
            handle.events().list()
        ),
    }
}

async fn ended(handle: &SandboxHandle) -> String {
    until(handle, |status| status.ended).await;
    handle.status().phase().to_owned()
}

async fn running(handle: &SandboxHandle) {
    until(handle, crate::SandboxStatus::is_ready).await;
}

fn container(status: &crate::SandboxStatus, name: &str) -> Option<ContainerStatus> {
    let pod = &status.pod;
    let all = pod
        .init_container_statuses
        .iter()
        .chain(&pod.container_statuses)
        .flatten();
    all.into_iter().find(|c| c.name == name).cloned()
}

/// The reason for which a container waits.
fn waits_for(status: &crate::SandboxStatus, name: &str) -> Option<String> {
    container(status, name)?.state?.waiting?.reason
}

fn exit_code(handle: &SandboxHandle, name: &str) -> Option<i32> {
    Some(
        container(&handle.status(), name)?
            .state?
            .terminated?
            .exit_code,
    )
}

fn events(handle: &SandboxHandle) -> Vec<String> {
    let list = handle.events().list().into_iter();
    list.map(|e| format!("{} {} {}", e.severity.as_str(), e.reason, e.message))
        .collect()
}

fn reasons(handle: &SandboxHandle) -> Vec<String> {
    handle
        .events()
        .list()
        .into_iter()
        .map(|e| e.reason)
        .collect()
}

async fn log(handle: &SandboxHandle, container: &str, options: LogOptions) -> String {
    let mut reader = handle.logs(container, options).unwrap();
    let mut text = String::new();
    while let Some(item) = reader.next().await.unwrap() {
        match item {
            LogItem::Line(line) => {
                text.push_str(&String::from_utf8_lossy(&line.text));
                if !line.is_partial {
                    text.push('\n');
                }
            }
            LogItem::Lost { bytes } => text.push_str(&format!("<lost {bytes}>")),
        }
    }
    text
}

fn two(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a"}, {"name": "b"}]})
}

fn one(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a"}]})
}
