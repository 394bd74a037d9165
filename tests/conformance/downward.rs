//! How volumes of the downward API are looked at, whether they stand alone or in a projected volume.

use std::time::Duration;

use serde_json::{Value, json};

use crate::files::{MOUNT, all_read, has_mode, kept, reader, watcher};
use crate::objects::{pod, set};
use crate::pod::Pod;

/// A volume of the downward API, alone or projected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Downward {
    Alone,
    Projected,
}

impl Downward {
    fn plugin(self) -> &'static str {
        match self {
            Self::Alone => "kubernetes.io~downward-api",
            Self::Projected => "kubernetes.io~projected",
        }
    }

    fn volume(self, item: &Value) -> Value {
        match self {
            Self::Alone => json!({"name": "v", "downwardAPI": {"items": [item]}}),
            Self::Projected => {
                json!({"name": "v", "projected": {"sources": [{"downwardAPI": {"items": [item]}}]}})
            }
        }
    }

    fn volume_with_mode(self, item: &Value, mode: u32) -> Value {
        let mut volume = self.volume(item);
        let kind = match self {
            Self::Alone => "downwardAPI",
            Self::Projected => "projected",
        };
        set(&mut volume[kind], json!({"defaultMode": mode}));
        volume
    }

    /// Plays the pod to its end; gives the file's contents, and the pod for more.
    async fn contents(self, volume: Value, path: &str, container: Value) -> (String, Pod) {
        let file = format!("{MOUNT}/{path}");
        let mut object = kept(reader(&[volume], &[MOUNT], &file));
        set(&mut object["spec"]["containers"][0], container);
        let pod = Pod::start(&object.to_string()).await;
        let log = all_read(&pod).await;
        let contents = log
            .strip_prefix(&format!("content of file \"{file}\": "))
            .and_then(|rest| rest.strip_suffix('\n'));
        (contents.unwrap_or_else(|| panic!("{log}")).to_owned(), pod)
    }

    /// The file has the pod's name.
    pub(crate) async fn shows_the_name(self) {
        let (name, _) = self
            .contents(self.volume(&name_item()), "podname", json!({}))
            .await;
        assert_eq!(name, "p");
    }

    /// The files have the volume's `defaultMode`.
    pub(crate) async fn keeps_the_default_mode(self) {
        let volume = self.volume_with_mode(&name_item(), 0o400);
        let (name, pod) = self.contents(volume, "podname", json!({})).await;
        assert_eq!(name, "p");
        has_mode(&pod, self.plugin(), "podname", 0o400);
    }

    /// An item's mode counts more than the volume's.
    pub(crate) async fn keeps_an_items_mode(self) {
        let mut item = name_item();
        set(&mut item, json!({"mode": 0o400}));
        let (name, pod) = self
            .contents(self.volume(&item), "podname", json!({}))
            .await;
        assert_eq!(name, "p");
        has_mode(&pod, self.plugin(), "podname", 0o400);
    }

    /// A running container sees labels or annotations that are changed.
    async fn shows_updates_of(self, field: &str, old: (&str, &str), new: (&str, &str)) {
        let item = json!({"path": field, "fieldRef": {"fieldPath": format!("metadata.{field}")}});
        let watcher = watcher("c", "v", &format!("{MOUNT}/{field}"));
        let mut object = pod(json!({"volumes": [self.volume(&item)], "containers": [watcher]}));
        object["metadata"][field] = json!({old.0: old.1});
        let mut pod = Pod::start(&object.to_string()).await;
        let line = |(key, value): (&str, &str)| format!("{key}=\"{value}\"\n");
        pod.log_until("c", |log| log.ends_with(&line(old))).await;
        pod.update(|pod| {
            let meta = &mut pod.metadata;
            let map = match field {
                "labels" => &mut meta.labels,
                _ => &mut meta.annotations,
            };
            map.get_or_insert_default()
                .insert(new.0.to_owned(), new.1.to_owned());
        })
        .await;
        pod.log_until("c", |log| log.ends_with(&line(new))).await;
        pod.pause(Duration::from_secs(2)).await;
        assert_eq!(pod.container("c").restart_count, 0);
    }

    /// What a `resourceFieldRef` of the container gives.
    async fn resource(self, resource: &str, resources: Value) -> String {
        let item = json!({
            "path": "resource",
            "resourceFieldRef": {"containerName": "c", "resource": resource},
        });
        let container = json!({"resources": resources});
        self.contents(self.volume(&item), "resource", container)
            .await
            .0
    }

    pub(crate) async fn shows_updated_labels(self) {
        let (before, after) = (("key1", "value1"), ("key3", "value3"));
        self.shows_updates_of("labels", before, after).await;
    }

    pub(crate) async fn shows_updated_annotations(self) {
        let (before, after) = (("builder", "bar"), ("builder", "foo"));
        self.shows_updates_of("annotations", before, after).await;
    }

    /// A limit or request, in whole cores or bytes, rounded up.
    pub(crate) async fn shows(self, resource: &str, expected: &str) {
        assert_eq!(self.resource(resource, resources()).await, expected);
    }

    /// A limit that the container has not is what the node has.
    pub(crate) async fn shows_what_the_node_has(self, resource: &str) {
        let shown = self.resource(resource, json!({})).await;
        assert!(is_positive(&shown), "{shown}");
    }
}

fn name_item() -> Value {
    json!({"path": "podname", "fieldRef": {"fieldPath": "metadata.name"}})
}

/// The resources of upstream's tests of the downward API.
pub(crate) fn resources() -> Value {
    json!({
        "requests": {"cpu": "250m", "memory": "32Mi"},
        "limits": {"cpu": "1250m", "memory": "64Mi"},
    })
}

/// Whether a text is a whole number of something, as what the node has.
pub(crate) fn is_positive(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number > 0)
}
