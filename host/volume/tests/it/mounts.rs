//! Nested mounts, sub-paths, single files, read-only ones.

use crate::pod::{Guest, TestPod, config_map, container, empty_dir, with_read_only_root};

#[test]
fn a_config_file_mounted_by_sub_path_keeps_its_siblings() {
    let pod = TestPod::new(vec![config_map("conf")]);
    let guest = pod.attach("nginx", &["conf/nginx.conf:/etc/nginx/nginx.conf"]);
    assert_eq!(guest.paths(), [("/", false)]);
    assert_eq!(guest.read("/", "etc/nginx/nginx.conf"), "events {}");
    assert_eq!(guest.read("/", "etc/nginx/mime.types"), "types {}");
    // Whatever the guest does to its copy, the volume stays as it is.
    guest.dir("/").remove_file("etc/nginx/nginx.conf").unwrap();
    guest
        .dir("/")
        .write("etc/nginx/nginx.conf", "mine")
        .unwrap();
    let other = pod.attach("other", &["conf:/conf"]);
    assert_eq!(other.read("/conf", "nginx.conf"), "events {}");
}

#[test]
fn a_mounted_file_replaces_a_managed_one() {
    let pod = TestPod::new(vec![config_map("conf")]);
    let guest = pod.attach("c", &["conf/other:/etc/hosts"]);
    assert_eq!(guest.read("/", "etc/hosts"), "o");
}

#[test]
fn mounts_inside_mounts_are_nested_whatever_their_order() {
    let pod = TestPod::new(vec![
        empty_dir("outer"),
        empty_dir("inner"),
        config_map("conf"),
    ]);
    let guest = pod.attach(
        "c",
        &[
            "inner:/data/a/b",
            "conf:/data/conf",
            "outer:/data",
            "conf:/conf",
        ],
    );
    let paths = guest.paths();
    let position = |path| paths.iter().position(|(found, _)| *found == path).unwrap();
    assert!(position("/data") < position("/data/conf"));
    assert!(position("/data") < position("/data/a/b"));
    assert!(
        guest.dir("/data").is_dir("a/b"),
        "the mount point is made in the outer volume"
    );
    assert!(
        !guest.dir("/").exists("data/a"),
        "and not in the root that it hides"
    );
}

#[test]
fn one_volume_is_mounted_several_times_with_different_rights() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    let guest = pod.attach("c", &["v:/rw", "v:/ro:ro", "v/folder/deep:/sub"]);
    assert_eq!(
        guest.paths(),
        [("/", false), ("/rw", false), ("/ro", true), ("/sub", false)]
    );
    guest.dir("/sub").write("file", "x").unwrap();
    assert_eq!(guest.read("/ro", "folder/deep/file"), "x");
}

#[test]
fn a_read_only_root_keeps_writable_mounts_writable() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    let spec = with_read_only_root(container("c", &["v:/v"]));
    let guest = Guest::new(&pod.try_attach(&spec).unwrap());
    assert_eq!(guest.paths(), [("/", true), ("/v", false)]);
}

#[test]
fn a_single_file_of_an_empty_dir_is_the_same_file_for_everyone() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    let writer = pod.attach("writer", &["v:/v"]);
    writer.dir("/v").write("file", "first").unwrap();
    let reader = pod.attach("reader", &["v/file:/app/file"]);
    assert_eq!(reader.read("/", "app/file"), "first");
    reader.dir("/").write("app/file", "second").unwrap();
    assert_eq!(writer.read("/v", "file"), "second");
}

#[test]
fn a_single_file_whose_rights_cannot_be_kept_is_refused() {
    let pod = TestPod::new(vec![empty_dir("v")]);
    pod.attach("writer", &["v:/v"])
        .dir("/v")
        .write("file", "x")
        .unwrap();
    let error = pod.refusal("ro", &["v/file:/app/file:ro"]);
    assert!(
        error.to_string().contains("`readOnly` cannot be kept"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("mount the folder"));

    let kept = with_read_only_root(container("ro-root", &["v/file:/app/file:ro"]));
    assert_eq!(
        Guest::new(&pod.try_attach(&kept).unwrap()).read("/", "app/file"),
        "x"
    );
    let lost = with_read_only_root(container("rw", &["v/file:/app/file"]));
    let error = pod.try_attach(&lost).unwrap_err();
    assert!(
        error.to_string().contains("readOnlyRootFilesystem"),
        "{error}"
    );
}

#[test]
fn a_file_inside_another_mounted_volume_is_refused() {
    let pod = TestPod::new(vec![empty_dir("v"), config_map("conf")]);
    let error = pod.refusal(
        "c",
        &["v:/etc/nginx", "conf/nginx.conf:/etc/nginx/nginx.conf"],
    );
    assert!(
        error.to_string().contains("inside another volume"),
        "{error}"
    );
    assert_eq!(error.reason(), "CreateContainerError");
}

#[test]
fn impossible_mounts_are_refused_with_their_names() {
    let pod = TestPod::new(vec![empty_dir("v"), config_map("conf")]);
    let cases: [(&[&str], &str); 9] = [
        (
            &["absent:/x"],
            "cannot find volume \"absent\" to mount into container \"c\"",
        ),
        (&["v:/"], "hide the container's root"),
        (&["v:/x", "conf:/x/"], "another volume is mounted there"),
        (&["v:/etc/hosts/sub"], "a file is in the way"),
        (&["v/../x:/x"], "must not contain '..'"),
        (&["v/a/../../x:/x"], "must not contain '..'"),
        (&["v//etc:/x"], "must not be an absolute path"),
        (&["conf/misspelt:/x"], "\"misspelt\""),
        (&["conf/other/below:/x"], "\"other/below\""),
    ];
    for (mounts, words) in cases {
        let error = pod.refusal("c", mounts);
        assert!(error.to_string().contains(words), "{mounts:?}: {error}");
    }
}
