//! Plays a whole agent: objects, several pods, and the API in front of them, on the same clock as a single pod.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wasmpod_api::client::Client;
use wasmpod_api::server::{Listener, serve};
use wasmpod_manifest::k8s::Pod as PodObject;
use wasmpod_manifest::{Source, read};
use wasmpod_node::{Agent, AgentConfig, Capacity, DeleteOptions, Threads};
use wasmpod_sandbox::{Clock, ExecRequest};
use wasmpod_store::{Kind, Object};
use wasmpod_volume::VolumePolicy;

use crate::pod::{BEGINNING, PATIENCE, condition, engine};

/// An agent that is being played.
pub(crate) struct Node {
    agent: Arc<Agent>,
    server: Option<AbortHandle>,
    _dir: TempDir,
}

impl Node {
    /// An agent without pods.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let agent = Agent::new(AgentConfig {
            state_dir: dir.path().to_owned(),
            base_dir: PathBuf::from("/"),
            threads: Threads::Callers,
            clock: Clock::virtual_from(BEGINNING.parse().unwrap()),
            volume_policy: VolumePolicy::for_this_host(),
            publish: Vec::new(),
            node_port_addresses: Vec::new(),
            egress: None,
            ingress: wasmpod_node::IngressConfig::default(),
            runtime: engine(),
            progress: Arc::new(|_| {}),
            node_name: "node".to_owned(),
            capacity: Some(Capacity {
                cpu_millicores: 4000,
                memory_bytes: 8 << 30,
                pods: 110,
            }),
        });
        Self {
            agent: agent.unwrap(),
            server: None,
            _dir: dir,
        }
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Creates an object, as `kubectl apply` does.
    pub(crate) async fn apply(&self, object: &Value) {
        let text = object.to_string();
        let manifests = read(&[Source::new("test.yaml", text.as_str())]);
        let manifests = manifests.unwrap_or_else(|report| panic!("{report:?}\n{text}"));
        self.agent.start(manifests).await.unwrap();
    }

    /// A pod's object; nothing when it is removed.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<PodObject>> {
        let found = self.agent.store().get(Kind::Pod, Some("default"), name)?;
        Some(Arc::try_from(found).unwrap())
    }

    /// A pod's object.
    pub(crate) fn pod(&self, name: &str) -> Arc<PodObject> {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no pod {name}"))
    }

    /// Waits until a pod's object is as wanted.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&PodObject) -> bool,
    ) -> Arc<PodObject> {
        let mut changes = self.agent.store().changes();
        let found = timeout(PATIENCE, async {
            loop {
                changes.mark_unchanged();
                let pod = self.pod(name);
                if wanted(&pod) {
                    return pod;
                }
                changes.changed().await.unwrap();
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{name} never is as wanted: {what}\n{:#?}", self.pod(name)))
    }

    /// Waits until a pod is ready.
    pub(crate) async fn is_ready(&self, name: &str) -> Arc<PodObject> {
        self.until(name, "Ready", |pod| {
            pod.status
                .as_ref()
                .is_some_and(|status| condition(status, "Ready") == Some("True"))
        })
        .await
    }

    /// Waits until a pod's object is gone.
    pub(crate) async fn is_removed(&self, name: &str) {
        let mut changes = self.agent.store().changes();
        let removed = timeout(PATIENCE, changes.wait_for(|_| self.find(name).is_none()));
        removed
            .await
            .unwrap_or_else(|_| panic!("{name} is never removed: {:#?}", self.find(name)))
            .unwrap();
    }

    /// Changes a pod's object, as a patch does; the error is what the API answers.
    pub(crate) fn update(
        &self,
        name: &str,
        mut change: impl FnMut(&mut PodObject),
    ) -> Result<Arc<PodObject>, String> {
        let changed = self
            .agent
            .update(Kind::Pod, Some("default"), name, &mut |object| {
                if let Object::Pod(pod) = object {
                    change(Arc::make_mut(pod));
                }
                Ok(())
            });
        changed
            .map(|object| Arc::try_from(object).unwrap())
            .map_err(|error| error.to_string())
    }

    /// Deletes a pod; `grace` in seconds, or that of its spec. Does not wait.
    pub(crate) fn delete(&self, name: &str, grace: Option<u64>) {
        let options = DeleteOptions {
            grace: grace.map(Duration::from_secs),
            ..DeleteOptions::default()
        };
        self.agent
            .delete(Kind::Pod, Some("default"), name, &options)
            .unwrap();
    }

    /// What a command in a container prints; it must succeed.
    pub(crate) async fn exec(&self, pod: &str, container: &str, command: &[&str]) -> String {
        let running = self.agent.running("default", pod).unwrap();
        let request = ExecRequest {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            stdin: false,
            stdout: true,
            stderr: true,
            tty: false,
        };
        let mut session = running.sandbox().exec(container, request).await.unwrap();
        let mut printed = Vec::new();
        while let Some((_, bytes)) = session.output.next().await {
            printed.extend_from_slice(&bytes);
        }
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert_eq!(session.exit().await.code, 0, "{printed}");
        printed
    }

    /// A client of its API.
    pub(crate) async fn client(&mut self) -> Client {
        let run = self.agent.run_dir().unwrap();
        let listener = Listener::bind(Path::new(&run)).unwrap();
        let address = listener.address().clone();
        let serving = serve(
            Arc::clone(&self.agent),
            vec![listener],
            std::future::pending(),
        );
        self.server = Some(tokio::spawn(serving).abort_handle());
        Client::connect(address).await.unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}
