//! Volumes that begin empty: upstream's `test/e2e/common/storage/empty_dir.go` and `test/e2e/storage/empty_dir_wrapper.go`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::files::{MOUNT, all_read, has_mode, kept, on_host, reader};
use crate::objects::{config_map, manifest, pod, secret, set};
use crate::pod::{Pod, agnhost};
use crate::stored::{log_of_success, node};
use crate::table::rows;

rows! {
    "1.15 emptyDir";
    "EmptyDir, Shared volumes between containers" => passes shared_between_containers;
    "EmptyDir, medium default, volume mode default (0777 dir)" => passes default_medium;
    "EmptyDir, medium memory, volume mode default" => passes memory_medium;
    "EmptyDir, medium default, root, 0644" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium default, root, 0666" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium default, root, 0777" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium default, non-root, 0644" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium default, non-root, 0666" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium default, non-root, 0777" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, root, 0644" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, root, 0666" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, root, 0777" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, non-root, 0644" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, non-root, 0666" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir, medium memory, non-root, 0777" => not_applicable "WASI gives a guest no way to set or see a file's mode, and guests have no users";
    "EmptyDir Wrapper Volume, Secret and ConfigMap volumes, no conflict" => passes no_conflict;
    "EmptyDir Wrapper Volume, ConfigMap volumes, no race (50 configmaps x 5 pods)" => passes no_race;
}

const PLUGIN: &str = "kubernetes.io~empty-dir";

async fn shared_between_containers() {
    let mounts = json!([{"name": "v", "mountPath": "/usr/share/volumeshare"}]);
    let pod = Pod::start(&pod(json!({
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [
            {"name": "main", "image": "busybox", "command": ["sh", "-c", "exec sleep 100000"], "volumeMounts": mounts},
            {"name": "sub", "image": "busybox", "volumeMounts": mounts, "command": [
                "sh", "-c",
                "echo Hello from the busy-box sub-container > /usr/share/volumeshare/shareddata.html; exec sleep 100000",
            ]},
        ],
    })).to_string()).await;
    pod.is_ready().await;
    // Ready is all that is waited for: the file may take a moment more.
    let wait = "until test -s /usr/share/volumeshare/shareddata.html; do sleep 1; done; cat /usr/share/volumeshare/shareddata.html";
    let read = pod.exec("main", &["sh", "-c", wait]).await;
    assert_eq!(
        read.stdout, "Hello from the busy-box sub-container\n",
        "{read:?}"
    );
}

/// The volume is a directory for everybody, and a guest writes to it.
async fn is_for_everybody(medium: Value) -> Pod {
    let file = format!("{MOUNT}/test-file");
    let mut object = kept(reader(
        &[json!({"name": "v", "emptyDir": medium})],
        &[MOUNT],
        &file,
    ));
    let args = object["spec"]["containers"][0]["args"]
        .as_array_mut()
        .unwrap();
    args.insert(1, json!(format!("--new_file={file}")));
    let pod = Pod::start(&object.to_string()).await;
    let expected = format!("content of file \"{file}\": mount-tester new file\n\n");
    assert_eq!(all_read(&pod).await, expected);
    has_mode(&pod, PLUGIN, "", 0o777);
    pod
}

async fn default_medium() {
    is_for_everybody(json!({})).await;
}

async fn memory_medium() {
    let pod = is_for_everybody(json!({"medium": "Memory"})).await;
    // Other systems have no file system in memory for everybody; there the volume is on disk.
    if cfg!(target_os = "linux") {
        assert!(on_host(&pod, PLUGIN, "v").starts_with("/dev/shm"));
    }
}

async fn no_conflict() {
    let object = pod(json!({
        "volumes": [
            {"name": "secret-volume", "secret": {"secretName": "o"}},
            {"name": "configmap-volume", "configMap": {"name": "o"}},
        ],
        "containers": [{
            "name": "c", "image": agnhost(), "args": [
                "mounttest",
                "--file_content=/etc/secret-volume/data-1",
                "--file_content=/etc/configmap-volume/data-1",
            ],
            "volumeMounts": [
                {"name": "secret-volume", "mountPath": "/etc/secret-volume", "readOnly": true},
                {"name": "configmap-volume", "mountPath": "/etc/configmap-volume"},
            ],
        }],
    }));
    let objects = [
        secret("o", json!({"data-1": "secret"})),
        config_map("o", json!({"data-1": "map"})),
        object,
    ];
    let pod = Pod::start(&manifest(&objects)).await;
    pod.ends("Succeeded").await;
    let expected = "content of file \"/etc/secret-volume/data-1\": secret\n\
                    content of file \"/etc/configmap-volume/data-1\": map\n";
    assert_eq!(pod.log("c").await, expected);
}

/// How many ConfigMaps each pod mounts, and how many such pods there are: upstream's numbers.
const CONFIG_MAPS: usize = 50;
const PODS: usize = 5;

async fn no_race() {
    let names: Vec<_> = (0..CONFIG_MAPS)
        .map(|number| format!("racey-configmap-{number}"))
        .collect();
    let mut objects: Vec<_> = names
        .iter()
        .map(|name| config_map(name, json!({"data-1": name})))
        .collect();
    let volumes: Vec<_> = names
        .iter()
        .map(|name| json!({"name": name, "configMap": {"name": name}}))
        .collect();
    let mounts: Vec<_> = names
        .iter()
        .map(|name| json!({"name": name, "mountPath": format!("/etc/config-{name}")}))
        .collect();
    for number in 0..PODS {
        let mut object = pod(json!({"volumes": volumes, "containers": [{
            "name": "c", "image": "busybox", "command": ["sh", "-c", "cat /etc/config-*/data-1"],
            "volumeMounts": mounts,
        }]}));
        set(
            &mut object["metadata"],
            json!({"name": format!("p{number}")}),
        );
        objects.push(object);
    }
    let node = node(&objects).await;
    for number in 0..PODS {
        let name = format!("p{number}");
        let log = log_of_success(&node, "default", &name).await;
        let found: BTreeSet<_> = log
            .split("racey-")
            .filter(|part| !part.is_empty())
            .collect();
        assert_eq!(found.len(), CONFIG_MAPS, "{name}: {log}");
    }
}
