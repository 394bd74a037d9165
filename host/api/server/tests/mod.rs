//! Whole servers: an agent on the scripted runtime, a real socket, and the client of this crate.

#![expect(
    clippy::needless_pass_by_value,
    reason = "literals of JSON read better without a reference"
)]

mod delete;
mod hostile;
mod log;
mod net;
mod read;
mod session;
mod watch;
mod write;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmpod_manifest::k8s::ConfigMap;
use wasmpod_manifest::{Source, read as read_manifests};
use wasmpod_node::{Agent, AgentConfig, Threads};
use wasmpod_sandbox::Clock;
use wasmpod_sandbox::fake::{FakeRuntime, Script};
use wasmpod_store::{Kind, Object};
use wasmpod_volume::VolumePolicy;

use crate::client::{Accept, Client, ClientError, Lines};
use crate::server::{Listener, serve};
use crate::{Address, Status};

/// The smallest file that is a WebAssembly module.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server with an agent and a client.
struct World {
    agent: Arc<Agent>,
    runtime: Arc<FakeRuntime>,
    client: Client,
    address: Address,
    _shutdown: oneshot::Sender<()>,
    server: JoinHandle<()>,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self::on(|dir| Listener::bind(dir).unwrap())
    }

    fn on(listen: impl FnOnce(&std::path::Path) -> Listener) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.wasm"), EMPTY_MODULE).unwrap();
        let runtime = Arc::new(FakeRuntime::new());
        let agent = Agent::new(AgentConfig {
            state_dir: dir.path().join("state"),
            base_dir: dir.path().to_owned(),
            threads: Threads::Callers,
            clock: Clock::host(),
            volume_policy: VolumePolicy::default(),
            publish: Vec::new(),
            node_port_addresses: Vec::new(),
            egress: None,
            ingress: wasmpod_node::IngressConfig::default(),
            runtime: Arc::<FakeRuntime>::clone(&runtime),
            progress: Arc::new(|_| {}),
            node_name: "n".to_owned(),
            capacity: None,
        });
        let agent = agent.unwrap();
        let listener = listen(&agent.run_dir().unwrap());
        let address = listener.address().clone();
        let (shutdown, ended) = oneshot::channel::<()>();
        let served = serve(Arc::clone(&agent), vec![listener], async {
            drop(ended.await)
        });
        let server = tokio::spawn(async { served.await.unwrap() });
        Self {
            agent,
            runtime,
            client: Client::new(address.clone()),
            address,
            _shutdown: shutdown,
            server,
            dir,
        }
    }

    /// Starts the objects of a manifest.
    async fn start(&self, manifest: Value) {
        let source = Source::new(
            self.dir.path().join("m.json").display().to_string(),
            manifest.to_string(),
        );
        let manifests = read_manifests(&[source]).unwrap_or_else(|report| panic!("{report:?}"));
        self.agent.start(manifests).await.unwrap();
    }

    /// Starts a pod with these containers and waits until it is ready.
    async fn pod(&self, name: &str, containers: &[&str]) {
        let containers: Vec<_> = containers
            .iter()
            .map(|name| json!({"name": name, "image": "./app.wasm"}))
            .collect();
        let labels = json!({"app": name});
        self.start(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 1},
        }))
        .await;
        self.until_status(name, "Running").await;
    }

    /// Waits until the STATUS column of a pod shows this.
    async fn until_status(&self, pod: &str, wanted: &str) {
        let target = format!(
            "/api/v1/namespaces/default/pods?watch=true&fieldSelector=metadata.name%3D{pod}"
        );
        let mut lines = self.client.watch(&target, Accept::Table).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let event = next(&mut lines).await;
            let status = event["object"]["rows"][0]["cells"][2].clone();
            if status == wanted {
                return;
            }
            seen.push(status);
            assert!(seen.len() < 100, "{wanted} never came: {seen:?}");
        }
    }

    fn config_map(&self, name: &str, labels: Value) {
        let map = json!({"metadata": {"name": name, "namespace": "default", "labels": labels}});
        let map: ConfigMap = serde_json::from_value(map).unwrap();
        self.agent.store().create(map.into()).unwrap();
    }

    fn label(&self, name: &str, labels: Value) {
        let labels: std::collections::BTreeMap<String, String> =
            serde_json::from_value(labels).unwrap();
        let store = self.agent.store();
        let change = &mut |object: &mut Object| {
            object.metadata_mut().labels = Some(labels.clone());
            Ok(())
        };
        store
            .update(Kind::ConfigMap, Some("default"), name, change)
            .unwrap();
    }

    async fn get(&self, target: &str) -> Value {
        bounded(self.client.get(target, Accept::Json))
            .await
            .unwrap()
    }

    async fn refused(&self, target: &str) -> Status {
        status(bounded(self.client.get(target, Accept::Json)).await)
    }

    async fn connect(&self) -> UnixStream {
        match &self.address {
            Address::Unix(path) => UnixStream::connect(path).await.unwrap(),
            Address::Tcp { .. } => panic!("a port"),
        }
    }

    /// Sends these bytes and gives all that comes back until the server closes.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may close before it has read everything.
        drop(stream.write_all(request).await);
        let mut answer = Vec::new();
        drop(bounded(stream.read_to_end(&mut answer)).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it never came")
}

async fn next(lines: &mut Lines) -> Value {
    bounded(lines.next())
        .await
        .unwrap()
        .expect("the watch has ended")
}

fn status<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Status {
    match answer {
        Err(ClientError::Status(status)) => *status,
        other => panic!("no status: {other:?}"),
    }
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}
