//! The store against tables, and its watchers against a simple model.

mod objects;
mod selectors;
mod watching;

use serde_json::{Value, json};
use wasmpod_manifest::k8s::jiff::Timestamp;

use crate::{Kind, Object, Store};

fn store() -> Store {
    Store::new(|| Timestamp::new(1_795_255_200, 500).unwrap())
}

fn object(kind: Kind, value: Value) -> Object {
    Object::from_json(kind, value).unwrap()
}

fn config_map(namespace: &str, name: &str, text: &str) -> Object {
    let metadata = json!({"namespace": namespace, "name": name});
    object(
        Kind::ConfigMap,
        json!({"metadata": metadata, "data": {"text": text}}),
    )
}

fn pod(name: &str) -> Object {
    object(
        Kind::Pod,
        json!({
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }),
    )
}

/// Changes the text of a config map.
fn set_text(store: &Store, namespace: &str, name: &str, text: &str) -> Object {
    let update = store.update(Kind::ConfigMap, Some(namespace), name, &mut |object| {
        *object = config_map(namespace, name, text);
        Ok(())
    });
    update.unwrap()
}
