//! A further instance beside a container (`exec`), and what a container takes of the disk.

use wasmpod_manifest::k8s::{EmptyDirVolumeSource, Quantity, Volume};
use wasmpod_volume::{RootFiles, VolumeError};

use crate::pod::{
    Guest, TestPod, config_map, container, empty_dir, memory, root_files, with_read_only_root,
};

#[test]
fn a_further_instance_sees_the_roots_and_mounts_of_its_container() {
    let pod = TestPod::new(vec![empty_dir("v"), config_map("conf")]);
    let mounts = ["v:/v", "v/sub:/sub", "conf:/conf", "conf/other:/etc/other"];
    let spec = container("c", &mounts);
    let first = Guest::new(&pod.volumes().attach(&spec, 3, &root_files()).unwrap());
    first.dir("/").write("tmp/own", "root").unwrap();
    first.dir("/sub").write("file", "sub").unwrap();
    let beside = Guest::new(&pod.volumes().open(&spec, 3).unwrap());
    assert_eq!(beside.paths(), first.paths());
    assert_eq!(beside.read("/", "tmp/own"), "root");
    assert_eq!(beside.read("/", "etc/other"), "o");
    assert_eq!(beside.read("/sub", "file"), "sub");
    assert_eq!(beside.read("/conf", "nginx.conf"), "events {}");
    let refused = pod.volumes().open(&spec, 2).unwrap_err();
    assert!(matches!(
        refused,
        VolumeError::NotAttached { attempt: 2, .. }
    ));
    pod.volumes().detach("c", 3).unwrap();
    let refused = pod.volumes().open(&spec, 3).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "container \"c\" has no root directory of attempt 3"
    );
}

#[test]
fn a_read_only_root_is_read_only_for_a_further_instance_too() {
    let pod = TestPod::new(vec![]);
    let spec = with_read_only_root(container("c", &[]));
    pod.try_attach(&spec).unwrap();
    let beside = pod.volumes().open(&container("c", &[]), 0).unwrap();
    assert_eq!(Guest::new(&beside).paths(), [("/", true)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_further_instance_sees_the_folder_that_was_mounted_even_if_it_was_moved() {
    let outside = tempfile::tempdir().unwrap();
    let pod = TestPod::new(vec![empty_dir("v")]);
    let spec = container("c", &["v:/v", "v/sub:/sub"]);
    let guest = Guest::new(&pod.try_attach(&spec).unwrap());
    guest.dir("/sub").write("mine", "inside").unwrap();
    guest
        .dir("/v")
        .rename("sub", guest.dir("/v"), "moved")
        .unwrap();
    guest
        .dir("/v")
        .symlink_contents(outside.path(), "sub")
        .unwrap();
    let beside = Guest::new(&pod.volumes().open(&spec, 0).unwrap());
    assert_eq!(beside.read("/sub", "mine"), "inside");
}

#[test]
fn the_usage_of_an_empty_dir_comes_with_its_limit() {
    let with_limit = |mut volume: Volume, limit: &str| {
        let source: &mut EmptyDirVolumeSource = volume.empty_dir.as_mut().unwrap();
        source.size_limit = Some(Quantity(limit.to_owned()));
        volume
    };
    let pod = TestPod::new(vec![
        with_limit(empty_dir("small"), "1Mi"),
        with_limit(empty_dir("zero"), "0"),
        with_limit(memory("fast"), "1k"),
        empty_dir("free"),
    ]);
    let guest = pod.attach("c", &["small:/small"]);
    guest.dir("/small").write("big", vec![7; 2 << 20]).unwrap();
    let usage = pod.volumes().usage().unwrap();
    let limits: Vec<_> = usage
        .iter()
        .map(|one| (one.volume.as_str(), one.limit_bytes, one.is_memory))
        .collect();
    assert_eq!(
        limits,
        [
            ("small", Some(1 << 20), false),
            ("zero", None, false),
            ("fast", Some(1000), true),
            ("free", None, false),
        ]
    );
    assert!(usage[0].bytes > 1 << 20, "{usage:?}");
    guest.dir("/small").remove_file("big").unwrap();
    assert!(pod.volumes().usage().unwrap()[0].bytes < 1 << 20);
}

#[test]
fn a_root_takes_what_its_container_wrote_and_not_its_image() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    let mut files: RootFiles = root_files();
    files.image[0].bytes = vec![7; 8 << 20].into();
    let spec = container("c", &["v:/v"]);
    let guest = Guest::new(&pod.volumes().attach(&spec, 0, &files).unwrap());
    let usage = || pod.volumes().root_usage("c", 0).unwrap();
    let before = usage();
    assert!(before < 1 << 20, "{before}");
    guest.dir("/").write("tmp/own", vec![7; 1 << 20]).unwrap();
    guest.dir("/v").write("mount", vec![7; 4 << 20]).unwrap();
    let after = usage();
    assert!((1 << 20..2 << 20).contains(&(after - before)), "{after}");
    pod.volumes().detach("c", 0).unwrap();
    assert_eq!(usage(), 0);
}
