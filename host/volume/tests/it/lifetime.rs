//! Fresh roots, nothing left behind, one clear error when the host refuses; and what a root costs.

use std::path::Path;
use std::time::Instant;

use wasmpod_manifest::k8s::PodSpec;
use wasmpod_volume::{PodVolumes, VolumeError, VolumePolicy};

use crate::pod::{Guest, Objects, TestPod, config_map, container, empty_dir, root_files, secret};

fn names_in(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_restart_gets_a_fresh_root_and_the_same_volumes() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    let spec = container("c", &["v:/v"]);
    let first = Guest::new(&pod.volumes().attach(&spec, 0, &root_files()).unwrap());
    first.dir("/").write("tmp/gone", "x").unwrap();
    first.dir("/v").write("kept", "x").unwrap();
    let second = Guest::new(&pod.volumes().attach(&spec, 1, &root_files()).unwrap());
    assert!(!second.dir("/").exists("tmp/gone"));
    assert!(second.dir("/v").exists("kept"));
    pod.volumes().detach("c", 0).unwrap();
    pod.volumes().detach("c", 0).unwrap();
    assert!(pod.temp.path().join("containers/c/1/rootfs").is_dir());
    pod.volumes().detach("c", 1).unwrap();
    assert_eq!(names_in(&pod.temp.path().join("containers")), 0);
}

#[test]
fn release_leaves_nothing_behind() {
    let mut pod = TestPod::new(vec![empty_dir("v"), config_map("conf"), secret("keys")]);
    let guest = pod.attach("c", &["v:/v", "conf/other:/etc/other"]);
    guest.dir("/v").create_dir_all("deep/er").unwrap();
    guest.dir("/v").write("deep/er/file", "x").unwrap();
    drop(guest);
    pod.release().unwrap();
    assert_eq!(names_in(pod.temp.path()), 0);
}

#[test]
fn an_acquire_that_fails_half_way_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir().unwrap();
    let policy = VolumePolicy {
        memory_dir: Some(memory.path().to_owned()),
        ..VolumePolicy::default()
    };
    let mut missing = config_map("missing");
    missing.config_map.as_mut().unwrap().name = "absent".to_owned();
    let volumes = Some(vec![empty_dir("v"), secret("keys"), missing]);
    let spec = PodSpec {
        volumes,
        ..PodSpec::default()
    };
    let error = PodVolumes::acquire(temp.path(), &spec, &Objects, &policy).unwrap_err();
    assert!(matches!(error, VolumeError::NotFound { .. }), "{error}");
    assert_eq!((names_in(temp.path()), names_in(memory.path())), (0, 0));
}

#[test]
fn dropping_without_release_removes_everything_too() {
    let mut pod = TestPod::new(vec![empty_dir("v")]);
    pod.attach("c", &["v:/v"]);
    drop(pod.volumes.take());
    assert_eq!(names_in(pod.temp.path()), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_state_directory_that_cannot_be_written_is_one_clear_error() {
    // Not even root makes directories in sysfs.
    let state = Path::new("/sys/kernel");
    let result = PodVolumes::acquire(
        state,
        &PodSpec::default(),
        &Objects,
        &VolumePolicy::default(),
    );
    let error = result.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot create directory \"/sys/kernel/volumes\"")
    );
    assert!(error.hint().unwrap().contains("--state-dir"), "{error}");
}

/// Prints the figure; the bar (1,000 containers within a second) is a benchmark's to hold, so this
/// asserts only that a thousand roots can be had at once with two descriptors each dropped.
#[test]
fn a_thousand_roots_are_made_without_running_out_of_descriptors() {
    let pod = TestPod::new(vec![empty_dir("v"), config_map("conf")]);
    let files = root_files();
    let start = Instant::now();
    for number in 0..1_000 {
        let spec = container(
            &format!("c{number}"),
            &["v:/v", "conf/nginx.conf:/etc/nginx/nginx.conf"],
        );
        let root = pod.volumes().attach(&spec, 0, &files).unwrap();
        assert_eq!(root.preopens.len(), 2);
    }
    eprintln!("1,000 roots: {:?}", start.elapsed());
    let start = Instant::now();
    drop(pod);
    eprintln!("and their removal: {:?}", start.elapsed());
}
