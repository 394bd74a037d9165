//! A guest tries to leave its preopens. `outside` holds a secret next to the pod's state; each
//! attack must neither read it nor change it.

#![cfg(unix)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use cap_std::fs::Dir;
use wasmpod_volume::ContainerRoot;

use crate::pod::{Guest, TestPod, container, empty_dir};

const OUTSIDE: &str = "of the host";

/// A pod with one volume, and a directory of the host beside it.
fn scene() -> (TestPod, tempfile::TempDir, PathBuf) {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("file");
    std::fs::write(&path, OUTSIDE).unwrap();
    (TestPod::new(vec![empty_dir("v")]), outside, path)
}

/// Plants a link with any target, as a guest can (`symlink_contents` is the raw system call).
fn plant(dir: &Dir, target: impl AsRef<std::path::Path>, name: &str) {
    dir.symlink_contents(target, name).unwrap();
}

#[test]
fn absolute_paths_and_dot_dot_do_not_lead_out() {
    let (pod, _outside, path) = scene();
    let guest = pod.attach("c", &["v:/v"]);
    for dir in [guest.dir("/"), guest.dir("/v")] {
        for attack in [
            "/etc/passwd",
            "../../../../../../../../etc/passwd",
            "..",
            "tmp/../../x",
        ] {
            assert!(dir.read(attack).is_err(), "{attack}");
            assert!(dir.write(attack, "x").is_err(), "{attack}");
            assert!(
                dir.open_dir(attack).is_err() || attack.starts_with("/etc"),
                "{attack}"
            );
        }
        assert!(dir.read(&path).is_err());
    }
}

#[test]
fn links_that_a_neighbour_planted_do_not_lead_out() {
    let (pod, outside, path) = scene();
    let evil = pod.attach("evil", &["v:/v"]);
    plant(evil.dir("/v"), &path, "absolute");
    plant(evil.dir("/v"), outside.path(), "middle");
    plant(evil.dir("/v"), "../../../..", "up");
    plant(evil.dir("/v"), "..", "parent");
    plant(evil.dir("/v"), "up", "twice");
    plant(evil.dir("/v"), "/proc/self/cwd", "cwd");
    let victim = pod.attach("victim", &["v:/v"]);
    let dir = victim.dir("/v");
    for attack in [
        "absolute",
        "middle/file",
        "up/etc/passwd",
        "twice/etc/passwd",
        "cwd/x",
    ] {
        assert!(dir.read(attack).is_err(), "{attack}");
        assert!(dir.write(attack, "x").is_err(), "{attack}");
        assert!(dir.metadata(attack).is_err(), "{attack}");
    }
    for attack in ["middle/new", "up/new", "parent/new"] {
        assert!(dir.create_dir(attack).is_err(), "{attack}");
        assert!(dir.rename("absolute", dir, attack).is_err(), "{attack}");
        assert!(dir.hard_link("absolute", dir, attack).is_err(), "{attack}");
    }
    assert!(dir.remove_file("middle/file").is_err());
    assert!(dir.remove_dir("parent/v").is_err());
    assert_eq!(std::fs::read_to_string(path).unwrap(), OUTSIDE);
}

#[test]
fn a_sub_path_through_a_planted_link_is_refused() {
    let (pod, outside, path) = scene();
    let evil = pod.attach("evil", &["v:/v"]);
    plant(evil.dir("/v"), outside.path(), "out");
    plant(evil.dir("/v"), &path, "file");
    plant(evil.dir("/v"), "../../..", "up");
    plant(evil.dir("/v"), "nowhere", "dangling");
    for sub_path in [
        "out",
        "out/new",
        "out/file",
        "file",
        "up",
        "up/volumes",
        "dangling/x",
    ] {
        let error = pod.refusal("victim", &[&format!("v/{sub_path}:/x")]);
        assert!(
            error.to_string().contains("failed to prepare subPath"),
            "{error}"
        );
    }
    assert_eq!(
        std::fs::read_dir(outside.path()).unwrap().count(),
        1,
        "nothing was made outside"
    );
}

#[test]
fn a_link_that_stays_inside_the_volume_is_followed() {
    let (pod, ..) = scene();
    let other = pod.attach("other", &["v:/v"]);
    other.dir("/v").create_dir("real").unwrap();
    other.dir("/v").write("real/file", "inside").unwrap();
    plant(other.dir("/v"), "real", "link");
    let guest = pod.attach("c", &["v/link:/folder", "v/link/file:/app/file"]);
    assert_eq!(guest.read("/folder", "file"), "inside");
    assert_eq!(guest.read("/", "app/file"), "inside");
}

#[test]
fn a_mount_point_inside_a_volume_is_not_made_through_a_planted_link() {
    let outside = tempfile::tempdir().unwrap();
    let pod = TestPod::new(vec![empty_dir("v"), empty_dir("w")]);
    let evil = pod.attach("evil", &["v:/v"]);
    plant(evil.dir("/v"), outside.path(), "inner");
    pod.refusal("victim", &["v:/v", "w:/v/inner/deep"]);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_sub_path_stays_the_directory_that_was_checked() {
    // Between attach and the engine's opening, the directory is exchanged for a link.
    let (pod, outside, _) = scene();
    let evil = pod.attach("evil", &["v:/v"]);
    evil.dir("/v").create_dir("sub").unwrap();
    evil.dir("/v").write("sub/mine", "inside").unwrap();
    let root: ContainerRoot = pod.try_attach(&container("victim", &["v/sub:/x"])).unwrap();
    evil.dir("/v")
        .rename("sub", evil.dir("/v"), "moved")
        .unwrap();
    plant(evil.dir("/v"), outside.path(), "sub");
    let victim = Guest::new(&root);
    assert_eq!(victim.read("/x", "mine"), "inside");
    assert!(!victim.dir("/x").exists("file"));
}

/// One thread swaps a directory with a link to the outside; another opens through it, attaches
/// sub-paths through it, and reads. Whatever the timing, nothing of the outside is ever seen.
#[test]
fn no_timing_of_a_swapped_link_leads_out() {
    const ROUNDS: usize = 2_000;
    let (pod, outside, path) = scene();
    let evil = pod.attach("evil", &["v:/v"]);
    let victim = pod.attach("victim", &["v:/v"]);
    evil.dir("/v").create_dir("real").unwrap();
    evil.dir("/v").write("real/file", "inside").unwrap();
    let is_done = AtomicBool::new(false);
    let (mut inside, mut refused, mut swaps) = (0, 0, 0);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let dir = evil.dir("/v");
            let (mut swaps, mut collisions) = (0, 0);
            // Bounded twice: by the other thread, and in itself.
            while !is_done.load(Ordering::Relaxed) && swaps < 10_000_000 {
                dir.rename("real", dir, "swap").unwrap();
                // Attaching makes a missing sub-path, so a directory may have come meanwhile.
                let _ = dir.symlink_contents(outside.path(), "real");
                while dir.rename("swap", dir, "real").is_err() {
                    let _ = dir.remove_file("real");
                    let _ = dir.remove_dir_all("real");
                    collisions += 1;
                    assert!(collisions < 100_000_000, "the directory never came back");
                }
                swaps += 1;
            }
            swaps
        });
        for round in 0..ROUNDS {
            let text = victim.dir("/v").read_to_string("real/file");
            match text {
                Ok(text) => {
                    assert_eq!(text, "inside");
                    inside += 1;
                }
                Err(_) => refused += 1,
            }
            let _ = victim.dir("/v").write("real/written", "by the guest");
            let name = format!("victim{round}");
            for mount in ["v/real:/x", "v/real/file:/f"] {
                let spec = container(&name, &[mount]);
                if let Ok(root) = pod.volumes().attach(&spec, 0, &Default::default()) {
                    let guest = Guest::new(&root);
                    let seen = match guest.paths().get(1) {
                        None => guest.dir("/").read_to_string("f"),
                        Some((path, _)) => guest.dir(path).read_to_string("file"),
                    };
                    assert!(seen.map_or(true, |text| text == "inside"));
                    pod.volumes().detach(&name, 0).unwrap();
                }
            }
        }
        is_done.store(true, Ordering::Relaxed);
        swaps = swapper.join().unwrap();
    });
    eprintln!("{swaps} swaps: read inside {inside} times, refused {refused} times");
    assert!(swaps > 0 && inside > 0, "the race must have been run");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(path).unwrap(), OUTSIDE);
}
