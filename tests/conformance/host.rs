//! Plays an agent with its objects: controllers, claims, services and pods with real guests, on virtual time.
//!
//! As in [`crate::pod`], everything shares the test's one thread and its paused clock.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wasmpod_api::client::Client;
use wasmpod_api::server::{Listener, serve};
use wasmpod_manifest::k8s::Pod as PodObject;
use wasmpod_manifest::{Source, read};
use wasmpod_node::{Agent, AgentConfig, Capacity, DeleteOptions, Threads};
use wasmpod_sandbox::Clock;
use wasmpod_store::{Kind, Object};
use wasmpod_volume::VolumePolicy;

use crate::pod::{PATIENCE, Pod, clock, engine};

const NAMESPACE: &str = "default";

/// How many changes of objects a test looks at before it gives up, should they come without end.
const MAX_CHANGES: usize = 2_000;

/// What the pods of a test may request together, whatever machine it runs on.
pub(crate) const CAPACITY: Capacity = Capacity {
    cpu_millicores: 4000,
    memory_bytes: 8 << 30,
    pods: 110,
};

/// An agent that is being played.
pub(crate) struct Host {
    agent: Arc<Agent>,
    clock: Clock,
    server: Option<AbortHandle>,
    dir: TempDir,
}

impl Host {
    /// An agent without pods on a machine of this size, of which hostPath volumes may reach [`Host::folder`].
    pub(crate) fn of(capacity: Capacity) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("host");
        std::fs::create_dir(&folder).unwrap();
        let clock = clock();
        let agent = Agent::new(AgentConfig {
            state_dir: dir.path().join("state"),
            base_dir: dir.path().to_owned(),
            threads: Threads::Callers,
            clock,
            volume_policy: VolumePolicy {
                allow_host_path: vec![folder],
                ..VolumePolicy::for_this_host()
            },
            publish: Vec::new(),
            node_port_addresses: Vec::new(),
            egress: None,
            ingress: wasmpod_node::IngressConfig::default(),
            runtime: engine(),
            progress: Arc::new(|_| {}),
            node_name: "node".to_owned(),
            capacity: Some(capacity),
        });
        Self {
            agent: agent.unwrap(),
            clock,
            server: None,
            dir,
        }
    }

    /// An agent that has been given these manifests.
    pub(crate) async fn start(manifest: &str) -> Self {
        let host = Self::of(CAPACITY);
        host.apply(manifest).await;
        host
    }

    /// The folder that stands for the machine's own files.
    pub(crate) fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("host")
    }

    /// Gives it further manifests; says why it refuses them.
    pub(crate) async fn try_apply(&self, manifest: &str) -> Result<(), String> {
        let manifests =
            read(&[Source::new("test.yaml", manifest)]).map_err(|report| report.render())?;
        match self.agent.start(manifests).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Gives it further manifests.
    pub(crate) async fn apply(&self, manifest: &str) {
        self.try_apply(manifest)
            .await
            .unwrap_or_else(|why| panic!("{why}\n{manifest}"));
    }

    /// The pods, with the status that they have now, by name; in all namespaces.
    pub(crate) fn pods(&self) -> Vec<PodObject> {
        let known = self.agent.known_pods().into_iter();
        known.map(|pod| PodObject::clone(&pod.pod())).collect()
    }

    /// Waits until the pods are as wanted, in all namespaces.
    pub(crate) async fn pods_until(
        &self,
        what: &str,
        wanted: impl Fn(&[PodObject]) -> bool,
    ) -> Vec<PodObject> {
        self.until(what, || Some(self.pods()).filter(|pods| wanted(pods)))
            .await
    }

    /// Waits until there are so many pods and all are ready.
    pub(crate) async fn ready_pods(&self, count: usize) -> Vec<PodObject> {
        self.pods_until(&format!("{count} ready pods"), |pods| {
            pods.len() == count && pods.iter().all(is_ready)
        })
        .await
    }

    /// A pod that was started, in any namespace.
    pub(crate) fn pod(&self, name: &str) -> Pod {
        let mut known = self.agent.known_pods().into_iter();
        let known = known
            .find(|pod| pod.name() == name)
            .expect("a pod of this name");
        let running = known.running().expect("a pod that was started");
        Pod::of_agent(
            running.sandbox().clone(),
            PodObject::clone(&known.pod()),
            self.clock,
        )
    }

    /// The first pod, when there is one that was started.
    pub(crate) async fn first_pod(&self) -> Pod {
        let pods = self.pods_until("a pod that was started", |_| {
            let known = self.agent.known_pods();
            known.first().is_some_and(|pod| pod.running().is_some())
        });
        self.pod(&name_of(&pods.await[0]))
    }

    /// An object as JSON; null when there is none.
    pub(crate) fn object(&self, kind: Kind, name: &str) -> Value {
        let namespace = kind.is_namespaced().then_some(NAMESPACE);
        let object = self.agent.store().get(kind, namespace, name);
        object.map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    /// The objects of a kind as JSON, in all namespaces.
    pub(crate) fn objects(&self, kind: Kind) -> Vec<Value> {
        let (objects, _) = self.agent.store().list(kind, None);
        let objects = objects.into_iter();
        objects
            .map(|object| serde_json::to_value(object).unwrap())
            .collect()
    }

    /// Waits until an object is as wanted.
    pub(crate) async fn object_until(
        &self,
        kind: Kind,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let object = self.until(what, || {
            Some(self.object(kind, name)).filter(|object| wanted(object))
        });
        object.await
    }

    /// Deletes an object as `kubectl delete` does, without waiting.
    pub(crate) fn delete(&self, kind: Kind, name: &str) {
        let deleted = self
            .agent
            .delete(kind, Some(NAMESPACE), name, &DeleteOptions::default());
        deleted.unwrap();
    }

    /// Waits until everything was done that follows at once from the objects as they are now.
    pub(crate) async fn settled(&self) {
        self.agent.settled().await;
    }

    /// A client of its API.
    pub(crate) async fn client(&mut self) -> Client {
        let listener = Listener::bind(&self.agent.run_dir().unwrap()).unwrap();
        let address = listener.address().clone();
        let agent = Arc::clone(&self.agent);
        let serving = serve(agent, vec![listener], std::future::pending());
        self.server = Some(tokio::spawn(serving).abort_handle());
        Client::connect(address).await.unwrap()
    }

    /// Waits for something that depends on the objects.
    async fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let mut changes = self.agent.store().changes();
        let end = self.clock.elapsed() + PATIENCE;
        for _ in 0..MAX_CHANGES {
            changes.borrow_and_update();
            if let Some(found) = found() {
                return found;
            }
            let left = end.saturating_sub(self.clock.elapsed());
            if !matches!(timeout(left, changes.changed()).await, Ok(Ok(()))) {
                break;
            }
        }
        panic!("it never is as wanted: {what}\n{}", self.told());
    }

    /// The workloads, pods and events so far, as text, for messages.
    fn told(&self) -> String {
        let mut text = String::new();
        for kind in Kind::ALL
            .iter()
            .filter(|kind| kind.is_workload() || **kind == Kind::Pod)
        {
            for object in self.objects(*kind) {
                text += &format!(
                    "{kind:?} {} {:#}\n",
                    object["metadata"]["name"], object["status"]
                );
            }
        }
        let (events, _) = self.agent.store().list(Kind::Event, None);
        for event in events {
            if let Object::Event(event) = event {
                let (reason, message) = (event.reason.as_deref(), event.message.as_deref());
                let name = event.involved_object.name.as_deref();
                text += &format!(
                    "{} {}: {}\n",
                    name.unwrap_or("-"),
                    reason.unwrap_or("-"),
                    message.unwrap_or("-")
                );
            }
        }
        text
    }

    /// Virtual time since the beginning.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.clock.elapsed()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// `metadata.name` of a pod.
pub(crate) fn name_of(pod: &PodObject) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

/// `status.phase` of a pod.
pub(crate) fn phase_of(pod: &PodObject) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// Is its `Ready` condition true?
pub(crate) fn is_ready(pod: &PodObject) -> bool {
    let status = pod.status.as_ref();
    status.is_some_and(|status| crate::pod::condition(status, "Ready") == Some("True"))
}

/// The status of a condition of any object as JSON.
pub(crate) fn condition_of<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    found["status"].as_str()
}

/// A host path of a manifest with another one in its place.
pub(crate) fn remapped(manifest: &str, from: &str, to: &Path) -> String {
    // Only `path:`, not the `mountPath:` in the container.
    let mut text = manifest.to_owned();
    for quote in ["\"", ""] {
        let old = format!(" path: {quote}{from}{quote}");
        text = text.replace(&old, &format!(" path: {quote}{}{quote}", to.display()));
    }
    assert_ne!(text, manifest, "no host path {from}");
    text
}
