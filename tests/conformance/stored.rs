//! Objects in the store of a [`Node`], in any namespace: changed, and looked at.

use serde_json::{Value, json};
use tokio::time::timeout;
use wasmpod_node::{DeleteOptions, NodeError};
use wasmpod_sandbox::{LogItem, LogOptions};
use wasmpod_store::{Kind, Object};

use crate::node::Node;
use crate::pod::PATIENCE;

/// A node with these objects.
pub(crate) async fn node(objects: &[Value]) -> Node {
    let node = Node::start();
    for object in objects {
        node.apply(object).await;
    }
    node
}

/// An object of the default namespace.
pub(crate) fn get(node: &Node, kind: Kind, name: &str) -> Value {
    let object = node.agent().store().get(kind, Some("default"), name);
    serde_json::to_value(object.unwrap()).unwrap()
}

/// Changes an object of the default namespace, as a client does that writes it back.
pub(crate) fn update(
    node: &Node,
    kind: Kind,
    name: &str,
    change: impl Fn(&mut Value),
) -> Result<Object, NodeError> {
    node.agent()
        .update(kind, Some("default"), name, &mut |object| {
            let mut value = serde_json::to_value(&*object).unwrap();
            change(&mut value);
            *object = Object::from_json(kind, value).unwrap();
            Ok(())
        })
}

/// What container `c` of a pod has told when the pod has succeeded.
pub(crate) async fn log_of_success(node: &Node, namespace: &str, name: &str) -> String {
    let mut changes = node.agent().store().changes();
    let has_succeeded = || {
        let object = node.agent().store().get(Kind::Pod, Some(namespace), name);
        let object = serde_json::to_value(object.unwrap()).unwrap();
        object["status"]["phase"] == "Succeeded"
    };
    let waiting = timeout(PATIENCE, changes.wait_for(|_| has_succeeded())).await;
    waiting
        .unwrap_or_else(|_| panic!("{namespace}/{name} never succeeds"))
        .unwrap();
    let pod = node.agent().running(namespace, name).unwrap();
    let mut reader = pod.sandbox().logs("c", LogOptions::default()).unwrap();
    let mut text = String::new();
    while let Some(item) = reader.next().await.unwrap() {
        if let LogItem::Line(line) = item {
            text.push_str(&String::from_utf8_lossy(&line.text));
            text.push('\n');
        }
    }
    text
}

/// A ConfigMap or Secret with some data can be changed until it is set immutable: then only its metadata can, and it
/// can be deleted.
pub(crate) async fn is_immutable_once_it_says_so(object: Value) {
    let node = node(&[object]).await;
    let kind = match node.agent().store().get(Kind::Secret, Some("default"), "o") {
        Some(_) => Kind::Secret,
        None => Kind::ConfigMap,
    };
    // Values of a Secret are Base64, which a ConfigMap does not mind.
    update(&node, kind, "o", |o| {
        o["data"]["data-4"] = json!("dmFsdWUtNA==")
    })
    .unwrap();
    update(&node, kind, "o", |o| o["immutable"] = json!(true)).unwrap();
    let is_refused = |field: &str, change: &dyn Fn(&mut Value)| {
        let error = anyhow::Error::from(update(&node, kind, "o", change).unwrap_err());
        let rule = format!("{field}: Forbidden: field is immutable when `immutable` is set");
        let text = format!("{error:#}");
        assert!(text.contains(&rule), "{text}");
    };
    is_refused("data", &|o| o["data"]["data-5"] = json!("dmFsdWUtNQ=="));
    is_refused("immutable", &|o| o["immutable"] = Value::Null);
    is_refused("immutable", &|o| o["immutable"] = json!(false));
    update(&node, kind, "o", |o| {
        o["metadata"]["labels"] = json!({"a": "b"})
    })
    .unwrap();
    let found = get(&node, kind, "o");
    assert_eq!(found["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(found["data"]["data-4"], json!("dmFsdWUtNA=="));
    assert_eq!(found["data"].get("data-5"), None);
    let deleted = node
        .agent()
        .delete(kind, Some("default"), "o", &DeleteOptions::default());
    deleted.unwrap();
    assert!(
        node.agent()
            .store()
            .get(kind, Some("default"), "o")
            .is_none()
    );
}
