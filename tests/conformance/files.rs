//! How volumes are looked at, whatever shows them: the same test serves a ConfigMap, a Secret, and both projected.
//!
//! What a guest reads is told by upstream's `mounttest`, run in the pod. WASI shows no modes, so they are scored where
//! they are: at the files on the host.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::objects::{config_map, data, manifest, pod, secret, set};
use crate::pod::{Pod, agnhost, container};

/// Where the volume of a test is mounted.
pub(crate) const MOUNT: &str = "/etc/test-volume";

/// What a volume of keys is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    ConfigMap,
    Secret,
    ProjectedConfigMap,
    ProjectedSecret,
}

impl Keys {
    /// The object that has the keys.
    pub(crate) fn object(self, name: &str, data: Value) -> Value {
        match self {
            Self::ConfigMap | Self::ProjectedConfigMap => config_map(name, data),
            Self::Secret | Self::ProjectedSecret => secret(name, data),
        }
    }

    /// A volume of the object's keys; `fields` are `items` and `optional`.
    pub(crate) fn volume(self, name: &str, object: &str, fields: Value) -> Value {
        let mut source = match self {
            Self::Secret => json!({"secretName": object}),
            _ => json!({"name": object}),
        };
        set(&mut source, fields);
        match self {
            Self::ConfigMap => json!({"name": name, "configMap": source}),
            Self::Secret => json!({"name": name, "secret": source}),
            Self::ProjectedConfigMap => {
                json!({"name": name, "projected": {"sources": [{"configMap": source}]}})
            }
            Self::ProjectedSecret => {
                json!({"name": name, "projected": {"sources": [{"secret": source}]}})
            }
        }
    }

    /// The same with a `defaultMode`.
    fn volume_with_mode(self, name: &str, object: &str, fields: Value, mode: u32) -> Value {
        let mut volume = self.volume(name, object, fields);
        let kind = match self {
            Self::ConfigMap => "configMap",
            Self::Secret => "secret",
            Self::ProjectedConfigMap | Self::ProjectedSecret => "projected",
        };
        set(&mut volume[kind], json!({"defaultMode": mode}));
        volume
    }

    /// The kubelet's name for the directory of such volumes.
    fn plugin(self) -> &'static str {
        match self {
            Self::ConfigMap => "kubernetes.io~configmap",
            Self::Secret => "kubernetes.io~secret",
            Self::ProjectedConfigMap | Self::ProjectedSecret => "kubernetes.io~projected",
        }
    }

    /// A key is a file with its value, of mode 0644.
    pub(crate) async fn shows_keys(self) {
        self.shows(
            self.volume("v", "o", json!({})),
            json!({}),
            "data-1",
            "value-1",
            0o644,
        )
        .await;
    }

    /// The files have the volume's `defaultMode`.
    pub(crate) async fn keeps_the_default_mode(self, mode: u32) {
        let volume = self.volume_with_mode("v", "o", json!({}), mode);
        self.shows(volume, json!({}), "data-1", "value-1", mode)
            .await;
    }

    /// A pod of another user than root reads the file: everybody may.
    pub(crate) async fn shows_keys_to_others_than_root(self) {
        let spec = json!({"securityContext": {"runAsUser": 1000}});
        self.shows(
            self.volume("v", "o", json!({})),
            spec,
            "data-1",
            "value-1",
            0o644,
        )
        .await;
    }

    /// An item's path has the key's value.
    pub(crate) async fn maps_keys(self) {
        let volume = self.volume("v", "o", mapping(None));
        self.shows(volume, json!({}), "path/to/data-2", "value-2", 0o644)
            .await;
    }

    /// An item's mode counts more than the volume's.
    pub(crate) async fn maps_keys_with_their_mode(self) {
        let volume = self.volume("v", "o", mapping(Some(0o400)));
        self.shows(volume, json!({}), "path/to/data-2", "value-2", 0o400)
            .await;
    }

    /// A pod of another user than root reads the item's file.
    pub(crate) async fn maps_keys_for_others_than_root(self) {
        let spec = json!({"securityContext": {"runAsUser": 1000}});
        let volume = self.volume("v", "o", mapping(None));
        self.shows(volume, spec, "path/to/data-2", "value-2", 0o644)
            .await;
    }

    async fn shows(self, volume: Value, spec: Value, path: &str, value: &str, mode: u32) {
        let mut object = kept(reader(&[volume], &[MOUNT], &format!("{MOUNT}/{path}")));
        set(&mut object["spec"], spec);
        let pod = Pod::start(&manifest(&[self.object("o", data()), object])).await;
        let expected = format!("content of file \"{MOUNT}/{path}\": {value}\n");
        assert_eq!(all_read(&pod).await, expected);
        has_mode(&pod, self.plugin(), path, mode);
    }

    /// One object may be in several volumes of one pod.
    pub(crate) async fn shows_one_object_in_two_volumes(self) {
        let volumes = [
            self.volume("v", "o", json!({})),
            self.volume("w", "o", json!({})),
        ];
        let mut pod = reader(&volumes, &[MOUNT, "/etc/other"], &format!("{MOUNT}/data-1"));
        let args = pod["spec"]["containers"][0]["args"].as_array_mut().unwrap();
        args.push(json!("--file_content=/etc/other/data-1"));
        let pod = Pod::start(&manifest(&[self.object("o", data()), pod])).await;
        pod.ends("Succeeded").await;
        let expected = format!(
            "content of file \"{MOUNT}/data-1\": value-1\ncontent of file \"/etc/other/data-1\": value-1\n"
        );
        assert_eq!(pod.log("c").await, expected);
    }

    /// A running container sees a value that is changed.
    pub(crate) async fn shows_updates(self) {
        let watcher = watcher("c", "v", &format!("{MOUNT}/data-1"));
        let volumes = [self.volume("v", "o", json!({}))];
        let pod = pod(json!({"volumes": volumes, "containers": [watcher]}));
        let pod = Pod::start(&manifest(&[self.object("o", data()), pod])).await;
        pod.log_until("c", |log| log.contains("value-1")).await;
        let changed = self.object("o", json!({"data-1": "value-2"}));
        pod.apply(&changed.to_string()).await;
        pod.log_until("c", |log| log.ends_with("value-2\n")).await;
        let listed = pod.exec("c", &["ls", MOUNT]).await;
        assert_eq!(
            listed.stdout, "data-1\n",
            "keys that are gone are not shown"
        );
        assert_eq!(pod.container("c").restart_count, 0);
    }

    /// Optional objects may come, change and go.
    pub(crate) async fn shows_optional_objects_as_they_come_and_go(self) {
        let optional = |name: &str| self.volume(name, name, json!({"optional": true}));
        let file = |key: &str| format!("{MOUNT}/{key}");
        let pod = pod(json!({
            "volumes": [optional("deleted"), optional("updated"), optional("created")],
            "containers": [
                watcher("deleted", "deleted", &file("data-1")),
                watcher("updated", "updated", &file("data-3")),
                watcher("created", "created", &file("data-1")),
            ],
        }));
        let start = [
            self.object("deleted", json!({"data-1": "value-1"})),
            self.object("updated", json!({"data-1": "value-1"})),
            pod,
        ];
        let pod = Pod::start(&manifest(&start)).await;
        let missing = |log: &str| {
            log.lines()
                .last()
                .is_some_and(|line| line.starts_with("error reading file"))
        };
        pod.log_until("deleted", |log| log.ends_with("value-1\n"))
            .await;
        pod.log_until("updated", missing).await;
        pod.log_until("created", missing).await;
        pod.remove("deleted").await;
        let objects = [
            self.object("updated", json!({"data-3": "value-3"})),
            self.object("created", data()),
        ];
        pod.apply(&manifest(&objects)).await;
        pod.log_until("created", |log| log.ends_with("value-1\n"))
            .await;
        pod.log_until("updated", |log| log.ends_with("value-3\n"))
            .await;
        pod.log_until("deleted", missing).await;
    }
}

/// The items of upstream's tests: one key at another path.
fn mapping(mode: Option<u32>) -> Value {
    let mut item = json!({"key": "data-2", "path": "path/to/data-2"});
    if let Some(mode) = mode {
        set(&mut item, json!({"mode": mode}));
    }
    json!({"items": [item]})
}

/// A pod whose container `c` tells what is in a file, with these volumes mounted at these paths.
pub(crate) fn reader(volumes: &[Value], mounts: &[&str], file: &str) -> Value {
    let mounts: Vec<_> = volumes
        .iter()
        .zip(mounts)
        .map(|(volume, path)| json!({"name": volume["name"], "mountPath": path}))
        .collect();
    pod(json!({"volumes": volumes, "containers": [{
        "name": "c", "image": agnhost(), "args": ["mounttest", format!("--file_content={file}")],
        "volumeMounts": mounts,
    }]}))
}

/// The same pod with a container that pauses, so that its volumes stay when `c` has ended.
pub(crate) fn kept(mut pod: Value) -> Value {
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers.push(json!({"name": "pause", "image": agnhost()}));
    pod
}

/// What container `c` has told when it has ended well.
pub(crate) async fn all_read(pod: &Pod) -> String {
    let exit = |status: &_| container(status, "c").state?.terminated;
    let status = pod
        .until("c has ended", |status| exit(status).is_some())
        .await;
    let log = pod.log("c").await;
    assert_eq!(exit(&status).map(|exit| exit.exit_code), Some(0), "{log}");
    log
}

/// A container that tells every second what is in a file, or that there is none, with a volume mounted at [`MOUNT`].
pub(crate) fn watcher(name: &str, volume: &str, file: &str) -> Value {
    json!({
        "name": name, "image": agnhost(),
        "args": ["mounttest", "--retry_time=3600", format!("--file_content_in_loop={file}")],
        "volumeMounts": [{"name": volume, "mountPath": MOUNT}],
    })
}

/// Where a volume of the pod is on the host, any link resolved.
pub(crate) fn on_host(pod: &Pod, plugin: &str, volume: &str) -> PathBuf {
    let path = pod.host_dir().join("volumes").join(plugin).join(volume);
    std::fs::canonicalize(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Waits for nothing: the pod has this file in its volume `v`, of this mode.
pub(crate) fn has_mode(pod: &Pod, plugin: &str, path: &str, mode: u32) {
    let file = on_host(pod, plugin, "v").join(path);
    let found = std::fs::metadata(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{file:?}");
    }
    // Elsewhere files have no modes.
    #[cfg(not(unix))]
    let _ = (found, mode);
}
