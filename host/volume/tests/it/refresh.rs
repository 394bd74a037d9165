//! Objects change while containers run: what their volumes show then.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cluster::{
    Cluster, ClusterPod, config_map, downward, downward_part, field_file, item, map_part,
    projected, secret, secret_part,
};

#[test]
fn a_running_container_sees_new_changed_and_removed_keys() {
    let cluster = Cluster::with("m", &[("kept", "1"), ("changed", "1"), ("gone", "1")]);
    let pod = ClusterPod::new(vec![config_map("v", "m", false, vec![])], &cluster);
    let guest = pod.attach("c", &["v:/v"]);
    assert!(
        !pod.volumes.refresh(&cluster).unwrap(),
        "nothing is new yet"
    );
    cluster.set("m", &[("kept", "1"), ("changed", "2"), ("new", "2")]);
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(guest.read("/v", "kept"), "1");
    assert_eq!(guest.read("/v", "changed"), "2");
    assert_eq!(guest.read("/v", "new"), "2");
    assert!(guest.dir("/v").symlink_metadata("gone").is_err());
    assert!(
        !pod.volumes.refresh(&cluster).unwrap(),
        "it is written once"
    );
    // The same length, so that not the length tells.
    cluster.set("m", &[("kept", "9"), ("changed", "2"), ("new", "2")]);
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(guest.read("/v", "kept"), "9");
}

#[test]
fn all_kinds_of_projections_are_refreshed() {
    let cluster = Cluster::with("m", &[("a", "1")]);
    cluster.set_secret("s", &[("k", "1")]);
    cluster.set_labels("old");
    let labels = || vec![field_file("labels", "metadata.labels", None)];
    let volumes = vec![
        config_map("map", "m", false, vec![item("a", "deep/a")]),
        secret("secret", "s", false),
        downward("info", 0o644, labels()),
        projected(
            "all",
            vec![
                map_part("m", vec![]),
                secret_part("s", false),
                downward_part(labels()),
            ],
        ),
    ];
    let pod = ClusterPod::new(volumes, &cluster);
    let mounts = ["map:/map", "secret:/secret", "info:/info", "all:/all"];
    let guest = pod.attach("c", &mounts);
    cluster.set("m", &[("a", "2")]);
    cluster.set_secret("s", &[("k", "2")]);
    cluster.set_labels("new");
    assert!(pod.volumes.refresh(&cluster).unwrap());
    for (mount, path, text) in [
        ("/map", "deep/a", "2"),
        ("/secret", "k", "2"),
        ("/info", "labels", "new"),
        ("/all", "a", "2"),
        ("/all", "k", "2"),
        ("/all", "labels", "new"),
    ] {
        assert_eq!(guest.read(mount, path), text, "{mount}/{path}");
    }
}

#[test]
fn an_optional_object_comes_and_goes() {
    let cluster = Cluster::default();
    let volumes = vec![
        config_map("map", "m", true, vec![]),
        secret("secret", "s", true),
        projected("all", vec![secret_part("s", true)]),
    ];
    let pod = ClusterPod::new(volumes, &cluster);
    let guest = pod.attach("c", &["map:/map", "secret:/secret", "all:/all"]);
    cluster.set("m", &[("a", "A")]);
    cluster.set_secret("s", &[("k", "K")]);
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(guest.read("/map", "a"), "A");
    assert_eq!(guest.read("/secret", "k"), "K");
    assert_eq!(guest.read("/all", "k"), "K");
    cluster.delete("m");
    cluster.delete("s");
    assert!(pod.volumes.refresh(&cluster).unwrap());
    for (mount, file) in [("/map", "a"), ("/secret", "k"), ("/all", "k")] {
        assert!(!guest.dir(mount).exists(file), "{mount}/{file}");
    }
}

#[test]
fn a_required_object_that_goes_is_told_and_leaves_the_files_while_others_change() {
    let cluster = Cluster::with("m", &[("a", "1")]);
    cluster.set("other", &[("b", "1")]);
    let volumes = vec![
        config_map("v", "m", false, vec![]),
        config_map("w", "other", false, vec![]),
    ];
    let pod = ClusterPod::new(volumes, &cluster);
    let guest = pod.attach("c", &["v:/v", "w:/w"]);
    cluster.delete("m");
    cluster.set("other", &[("b", "2")]);
    let error = pod.volumes.refresh(&cluster).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MountVolume.SetUp failed for volume \"v\" : configmap \"m\" not found"
    );
    assert_eq!(guest.read("/v", "a"), "1");
    assert_eq!(guest.read("/w", "b"), "2");
}

#[test]
fn an_immutable_object_stays_as_the_pod_has_seen_it() {
    let cluster = Cluster::default();
    cluster.set_immutable("m", &[("a", "1")]);
    let pod = ClusterPod::new(vec![config_map("v", "m", false, vec![])], &cluster);
    let guest = pod.attach("c", &["v:/v"]);
    cluster.set("m", &[("a", "2")]);
    assert!(!pod.volumes.refresh(&cluster).unwrap());
    cluster.delete("m");
    assert!(!pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(guest.read("/v", "a"), "1");
}

#[test]
fn what_is_mounted_by_sub_path_is_never_updated() {
    let cluster = Cluster::with("m", &[("a", "1"), ("b", "1")]);
    let items = vec![item("a", "folder/a"), item("b", "b")];
    let pod = ClusterPod::new(vec![config_map("v", "m", false, items)], &cluster);
    let mounts = ["v/folder:/folder", "v/b:/etc/b", "v:/v"];
    let guest = pod.attach("c", &mounts);
    cluster.set("m", &[("a", "2"), ("b", "2")]);
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(guest.read("/folder", "a"), "1");
    assert_eq!(guest.read("/", "etc/b"), "1");
    assert_eq!(guest.read("/v", "folder/a"), "2");
    assert!(!guest.dir("/").exists("subpaths"));
    let fresh = pod.attach("later", &mounts);
    assert_eq!(fresh.read("/folder", "a"), "2");
    assert_eq!(fresh.read("/", "etc/b"), "2");
}

#[cfg(unix)]
#[test]
fn a_volume_has_one_generation_and_links_to_it_whatever_was_left_behind() {
    let cluster = Cluster::with("m", &[("a", "1")]);
    let pod = ClusterPod::new(vec![config_map("v", "m", false, vec![])], &cluster);
    let path = pod.path("configmap", "v");
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["..1", "..data", "a"]);
    // As if the process had been stopped in the middle of an exchange.
    std::fs::create_dir(path.join("..2")).unwrap();
    std::fs::write(path.join("..2/half"), "x").unwrap();
    std::os::unix::fs::symlink("..2", path.join("..data_tmp")).unwrap();
    cluster.set("m", &[("b", "2")]);
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(names(), ["..2", "..data", "b"]);
    assert_eq!(
        std::fs::read_link(path.join("..data")).unwrap().to_str(),
        Some("..2")
    );
    assert!(!path.join("..2/half").exists());
    // And as if it had been stopped before the links were in order.
    std::fs::remove_file(path.join("b")).unwrap();
    assert!(pod.volumes.refresh(&cluster).unwrap());
    assert_eq!(std::fs::read_to_string(path.join("b")).unwrap(), "2");
}

/// One thread exchanges two keys that always have the same value; another reads both through one
/// open directory, as a program does that wants a certificate and the key that belongs to it.
#[cfg(unix)]
#[test]
fn two_keys_read_through_one_open_directory_never_mix() {
    const EXCHANGES: u32 = 500;
    let cluster = Cluster::with("m", &[("crt", "0"), ("key", "0")]);
    let pod = ClusterPod::new(vec![config_map("v", "m", false, vec![])], &cluster);
    let guest = pod.attach("c", &["v:/v"]);
    let is_done = AtomicBool::new(false);
    let (mut pairs, mut vanished, mut newest) = (0_u32, 0_u32, 0_u32);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=EXCHANGES {
                let value = round.to_string();
                cluster.set("m", &[("crt", &value), ("key", &value)]);
                assert!(pod.volumes.refresh(&cluster).unwrap());
            }
            is_done.store(true, Ordering::Release);
        });
        loop {
            let was_done = is_done.load(Ordering::Acquire);
            let both = guest
                .dir("/v")
                .open_dir("..data")
                .and_then(|data| Ok((data.read_to_string("crt")?, data.read_to_string("key")?)));
            match both {
                Ok((crt, key)) => {
                    assert_eq!(crt, key, "never a mix");
                    let value = key.parse().unwrap();
                    assert!(value >= newest, "never back: {value} after {newest}");
                    (newest, pairs) = (value, pairs + 1);
                }
                // The generation was taken away while it was read.
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
                    vanished += 1;
                }
            }
            // A path leads to a whole file, or finds none in the moment of an exchange.
            if let Ok(text) = guest.dir("/v").read_to_string("key") {
                assert!(!text.is_empty());
            }
            if was_done {
                break;
            }
        }
    });
    eprintln!("{pairs} pairs, {vanished} exchanged under the reader");
    assert_eq!(newest, EXCHANGES, "the last one is seen in the end");
    assert!(pairs > 1);
}
