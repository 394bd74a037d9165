//! Plays a whole node: the agent, its store and its pods, all on the test's own thread and paused clock. For what one
//! pod alone cannot show: objects that are changed, and namespaces.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use wasmpod_manifest::k8s::{Pod as PodObject, PodStatus};
use wasmpod_manifest::{Source, read};
use wasmpod_node::{Agent, AgentConfig, DeleteOptions, NodeError, Threads};
use wasmpod_sandbox::{Clock, LogItem, LogOptions};
use wasmpod_store::{Kind, Object};
use wasmpod_volume::VolumePolicy;

use crate::objects::manifest;
use crate::pod::{BEGINNING, PATIENCE, engine};

/// A node that is being played.
pub(crate) struct Node {
    agent: Arc<Agent>,
    _dir: TempDir,
}

impl Node {
    /// A node with these objects.
    pub(crate) async fn start(objects: &[Value]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let agent = Agent::new(AgentConfig {
            state_dir: dir.path().to_owned(),
            base_dir: PathBuf::from("/"),
            threads: Threads::Callers,
            clock: Clock::virtual_from(BEGINNING.parse().unwrap()),
            volume_policy: VolumePolicy::for_this_host(),
            publish: Vec::new(),
            runtime: engine(),
            progress: Arc::new(|_| {}),
            node_name: "node".to_owned(),
            capacity: None,
        });
        let node = Self {
            agent: agent.unwrap(),
            _dir: dir,
        };
        node.create(objects).await;
        node
    }

    /// Makes further objects.
    pub(crate) async fn create(&self, objects: &[Value]) {
        let manifests = read(&[Source::new("test.yaml", &manifest(objects))]);
        let manifests = manifests.unwrap_or_else(|report| panic!("{report:?}"));
        self.agent.start(manifests).await.unwrap();
    }

    /// An object of the default namespace, as JSON.
    pub(crate) fn get(&self, kind: Kind, name: &str) -> Value {
        let object = self.agent.store().get(kind, Some("default"), name).unwrap();
        serde_json::to_value(&object).unwrap()
    }

    /// Replaces fields of an object of the default namespace.
    pub(crate) fn update(
        &self,
        kind: Kind,
        name: &str,
        change: impl Fn(&mut Value),
    ) -> Result<Object, NodeError> {
        self.agent
            .update(kind, Some("default"), name, &mut |object| {
                let mut value = serde_json::to_value(&*object).unwrap();
                change(&mut value);
                *object = Object::from_json(kind, value).unwrap();
                Ok(())
            })
    }

    /// Waits until a pod has this phase.
    pub(crate) async fn phase(&self, namespace: &str, name: &str, phase: &str) -> PodStatus {
        let mut changes = self.agent.store().changes();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                let object = self.agent.store().get(Kind::Pod, Some(namespace), name);
                let pod = object.and_then(|object| <Arc<PodObject>>::try_from(object).ok());
                let status = pod.and_then(|pod| pod.status.clone()).unwrap_or_default();
                if status.phase.as_deref() == Some(phase) {
                    return status;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("{namespace}/{name} never is {phase}"))
    }

    /// What a container has printed.
    pub(crate) async fn log(&self, namespace: &str, name: &str, container: &str) -> String {
        let pod = self.agent.running(namespace, name).unwrap();
        let mut reader = pod
            .sandbox()
            .logs(container, LogOptions::default())
            .unwrap();
        let mut text = String::new();
        while let Some(item) = timeout(Duration::from_secs(60), reader.next())
            .await
            .unwrap()
            .unwrap()
        {
            if let LogItem::Line(line) = item {
                text.push_str(&String::from_utf8_lossy(&line.text));
                text.push('\n');
            }
        }
        text
    }

    /// The object `o` can be changed until it is set immutable: then only its metadata can, and it can be deleted.
    pub(crate) async fn is_immutable_once_it_says_so(&self, kind: Kind) {
        // Values of a Secret are Base64, which a ConfigMap does not mind.
        self.update(kind, "o", |o| o["data"]["data-4"] = json!("dmFsdWUtNA=="))
            .unwrap();
        self.update(kind, "o", |o| o["immutable"] = json!(true))
            .unwrap();
        let is_refused = |change: &dyn Fn(&mut Value), field: &str| {
            let error = self.update(kind, "o", change).unwrap_err();
            let text = anyhow::Error::from(error);
            let text = format!("{text:#}");
            assert!(
                text.contains(&format!(
                    "{field}: Forbidden: field is immutable when `immutable` is set"
                )),
                "{text}"
            );
        };
        is_refused(&|o| o["data"]["data-5"] = json!("dmFsdWUtNQ=="), "data");
        is_refused(&|o| o["immutable"] = Value::Null, "immutable");
        is_refused(&|o| o["immutable"] = json!(false), "immutable");
        self.update(kind, "o", |o| o["metadata"]["labels"] = json!({"a": "b"}))
            .unwrap();
        let object = self.get(kind, "o");
        assert_eq!(object["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(object["data"]["data-4"], json!("dmFsdWUtNA=="));
        assert_eq!(object["data"].get("data-5"), None);
        self.agent
            .delete(kind, Some("default"), "o", &DeleteOptions::default())
            .unwrap();
        self.agent.settled().await;
        assert!(self.agent.store().get(kind, Some("default"), "o").is_none());
    }
}
