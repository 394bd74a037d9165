//! Objects and pods on the scripted runtime and on virtual time.

mod claims;
mod deleting;
mod ingress;
mod placing;
mod policies;
mod services;
mod workloads;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::{Source, read};
use wasmpod_sandbox::Clock;
use wasmpod_sandbox::fake::FakeRuntime;
use wasmpod_store::{Kind, Object};
use wasmpod_volume::VolumePolicy;

use crate::{
    Agent, AgentConfig, Capacity, DeleteOptions, IngressConfig, NodeError, NodePortAddress,
    Started, Threads,
};

/// The smallest file that is a WebAssembly module.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// An agent in a directory of its own, with one processor and 1000 MB.
struct World {
    dir: TempDir,
    runtime: Arc<FakeRuntime>,
    agent: Arc<Agent>,
}

impl World {
    fn new() -> Self {
        Self::with_ingress(IngressConfig::default())
    }

    fn with_ingress(ingress: IngressConfig) -> Self {
        Self::with(ingress, Vec::new())
    }

    fn with_node_port_addresses(addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        Self::with(IngressConfig::default(), addresses.collect())
    }

    fn with(ingress: IngressConfig, node_port_addresses: Vec<NodePortAddress>) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("app.wasm"), EMPTY_MODULE).unwrap();
        let runtime = Arc::new(FakeRuntime::new());
        let agent = Agent::new(AgentConfig {
            state_dir: dir.path().join("state"),
            base_dir: dir.path().to_owned(),
            threads: Threads::Callers,
            clock: Clock::virtual_from(Timestamp::new(1_795_255_200, 0).unwrap()),
            volume_policy: VolumePolicy::default(),
            publish: Vec::new(),
            node_port_addresses,
            egress: None,
            ingress,
            runtime: Arc::<FakeRuntime>::clone(&runtime),
            progress: Arc::new(|_| {}),
            node_name: "node".to_owned(),
            capacity: Some(Capacity {
                cpu_millicores: 1000,
                memory_bytes: 1_000_000_000,
                pods: 20,
            }),
        });
        Self {
            dir,
            runtime,
            agent: agent.unwrap(),
        }
    }

    async fn start(&self, yaml: &str) -> Result<Started, NodeError> {
        let manifests =
            read(&[Source::new("pod.yaml", yaml)]).map_err(|report| panic!("{report:#?}"));
        self.agent.start(manifests.unwrap()).await
    }

    fn state(&self, path: &str) -> PathBuf {
        self.dir.path().join("state").join(path)
    }

    /// The object as JSON; `null` if there is none.
    fn get(&self, kind: Kind, name: &str) -> Value {
        let found = self.agent.store().get(kind, Some("default"), name);
        found.map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        let (objects, _) = self.agent.store().list(kind, None);
        objects
            .iter()
            .map(|object| object.name().to_owned())
            .collect()
    }

    fn delete(&self, kind: Kind, name: &str, options: &DeleteOptions) -> Object {
        self.agent
            .delete(kind, Some("default"), name, options)
            .unwrap()
    }

    /// `REASON COUNT MESSAGE` of the events of an object.
    fn events(&self, name: &str) -> Vec<String> {
        let (events, _) = self.agent.store().list(Kind::Event, None);
        let of_object = events.iter().filter_map(|object| match object {
            Object::Event(event) if event.involved_object.name.as_deref() == Some(name) => {
                Some(event)
            }
            _ => None,
        });
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        of_object
            .map(|e| {
                format!(
                    "{} {} {}",
                    text(&e.reason),
                    e.count.unwrap_or(0),
                    text(&e.message)
                )
            })
            .collect()
    }

    /// Waits on virtual time; a condition that never comes is a failure after an hour of it.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut changes = self.agent.store().changes();
        let found = async {
            loop {
                changes.borrow_and_update();
                if is_so(self) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(Duration::from_secs(3600), found)
            .await
            .is_err()
        {
            let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Event);
            let all: Vec<_> = kinds
                .flat_map(|kind| self.agent.store().list(*kind, None).0)
                .collect();
            panic!(
                "never came: {what}\n{}",
                serde_json::to_string_pretty(&all).unwrap()
            );
        }
    }

    /// How many pods are ready.
    fn ready(&self) -> usize {
        let (pods, _) = self.agent.store().list(Kind::Pod, None);
        pods.iter().filter(|pod| is_ready(pod)).count()
    }

    async fn phase(&self, pod: &str, phase: &str) {
        self.until(&format!("{pod} {phase}"), |world| {
            world.get(Kind::Pod, pod)["status"]["phase"] == phase
        })
        .await;
    }

    /// The condition `PodScheduled` as `REASON MESSAGE`.
    fn not_scheduled(&self, pod: &str) -> String {
        let pod = self.get(Kind::Pod, pod);
        let conditions = pod["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = conditions
            .iter()
            .find(|c| c["type"] == "PodScheduled" && c["status"] == "False");
        found.map_or_else(String::new, |c| {
            format!(
                "{} {}",
                c["reason"].as_str().unwrap(),
                c["message"].as_str().unwrap()
            )
        })
    }
}

fn is_ready(object: &Object) -> bool {
    let value = serde_json::to_value(object).unwrap();
    let conditions = value["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    conditions
        .iter()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// A pod of one container `c` with these further lines of its spec and of its container.
fn pod(name: &str, spec: &str, container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: web}}}}\nspec:\n  {spec}\n  \
         containers:\n  - name: c\n    image: ./app.wasm\n    {container}\n---\n"
    )
}

/// A workload of an `apps/v1` kind whose pods have one container `c`.
fn workload(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n  selector: {{matchLabels: \
         {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      \
         - {{name: c, image: ./app.wasm}}\n---\n"
    )
}
