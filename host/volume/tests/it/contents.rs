//! What volumes and roots hold when a container starts.

use wasmpod_manifest::k8s::Volume;
use wasmpod_volume::VolumePolicy;

use crate::pod::{TestPod, config_map, container, empty_dir, memory, root_files, secret};

#[test]
fn two_containers_share_an_empty_dir_at_their_own_paths() {
    let pod = TestPod::new(vec![empty_dir("html")]);
    let writer = pod.attach("2nd", &["html:/html"]);
    let server = pod.attach("1st", &["html:/usr/share/nginx/html"]);
    writer.dir("/html").write("index.html", "now").unwrap();
    assert_eq!(server.read("/usr/share/nginx/html", "index.html"), "now");
    assert!(server.dir("/").is_dir("usr/share/nginx/html"));
    assert!(
        !server.dir("/").exists("usr/share/nginx/html/index.html"),
        "the mount hides the image's"
    );
}

#[test]
fn a_root_has_the_managed_files_tmp_and_the_images_files() {
    let pod = TestPod::new(Vec::new());
    let guest = pod.attach("c", &[]);
    assert_eq!(guest.paths(), [("/", false)]);
    assert_eq!(guest.read("/", "etc/hosts"), "127.0.0.1\tlocalhost\n");
    assert_eq!(guest.read("/", "etc/hostname"), "pod\n");
    assert_eq!(guest.read("/", "etc/resolv.conf"), "nameserver 127.0.0.1\n");
    assert_eq!(guest.read("/", "etc/nginx/mime.types"), "types {}");
    assert!(!guest.dir("/").exists("dev"));
    guest.dir("/").write("tmp/file", "x").unwrap();
}

#[test]
fn the_containers_own_working_directory_wins_over_the_images() {
    let pod = TestPod::new(vec![empty_dir("data")]);
    let mut files = root_files();
    files.working_dir = "/srv/app".to_owned();
    let guest = |spec: &_| crate::pod::Guest::new(&pod.volumes().attach(spec, 0, &files).unwrap());
    assert!(guest(&container("image", &[])).dir("/").is_dir("srv/app"));
    let mut own = container("own", &["data:/data"]);
    own.working_dir = Some("/data/work".to_owned());
    let own = guest(&own);
    assert!(own.dir("/data").is_dir("work") && !own.dir("/").exists("srv"));
}

#[test]
fn keys_are_files_behind_links_that_a_guest_can_follow() {
    let pod = TestPod::new(vec![config_map("conf"), secret("keys")]);
    let guest = pod.attach("c", &["conf:/conf", "keys:/keys"]);
    assert_eq!(
        guest.paths(),
        [("/", false), ("/conf", true), ("/keys", true)]
    );
    assert_eq!(guest.read("/conf", "nginx.conf"), "events {}");
    assert_eq!(guest.read("/keys", "key"), "secret");
    #[cfg(unix)]
    {
        let target = guest.dir("/conf").read_link("nginx.conf").unwrap();
        assert_eq!(target.to_str(), Some("..data/nginx.conf"));
    }
}

#[cfg(unix)]
#[test]
fn modes_are_set_on_the_host() {
    use std::os::unix::fs::PermissionsExt;
    let pod = TestPod::new(vec![empty_dir("data"), config_map("conf"), secret("keys")]);
    pod.attach("c", &[]);
    let mode = |path: &str| {
        std::fs::metadata(pod.temp.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(
        mode("volumes"),
        0o700,
        "other users of the host cannot read volumes"
    );
    assert_eq!(mode("volumes/kubernetes.io~empty-dir/data"), 0o777);
    assert_eq!(
        mode("volumes/kubernetes.io~configmap/conf/nginx.conf"),
        0o644
    );
    assert_eq!(mode("volumes/kubernetes.io~secret/keys/key"), 0o400);
    assert_eq!(mode("containers"), 0o700);
    assert_eq!(mode("containers/c/0/rootfs/tmp") & 0o1700, 0o1700);
}

#[test]
fn memory_volumes_and_secrets_lie_on_the_memory_file_system() {
    let shm = tempfile::tempdir().unwrap();
    let policy = VolumePolicy {
        memory_dir: Some(shm.path().to_owned()),
        ..VolumePolicy::default()
    };
    let volumes = vec![memory("fast"), secret("keys"), empty_dir("disk")];
    let mut pod = TestPod::try_new(volumes, &policy).unwrap();
    let guest = pod.attach("c", &["fast:/fast", "keys:/keys", "disk:/disk"]);
    guest.dir("/fast").write("file", "x").unwrap();
    let made = std::fs::read_dir(shm.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(made.join("kubernetes.io~empty-dir/fast/file").is_file());
    assert!(made.join("kubernetes.io~secret/keys").is_dir());
    assert!(!made.join("kubernetes.io~empty-dir/disk").exists());
    drop(guest);
    pod.release().unwrap();
    assert_eq!(std::fs::read_dir(shm.path()).unwrap().count(), 0);
}

#[test]
fn without_a_memory_file_system_memory_volumes_go_to_disk() {
    let policy = VolumePolicy {
        memory_dir: Some("/nonexistent".into()),
        ..VolumePolicy::default()
    };
    let pod = TestPod::try_new(vec![memory("fast")], &policy).unwrap();
    pod.attach("c", &["fast:/fast"])
        .dir("/fast")
        .write("file", "x")
        .unwrap();
    assert!(
        pod.temp
            .path()
            .join("volumes/kubernetes.io~empty-dir/fast/file")
            .is_file()
    );
}

#[test]
fn usage_counts_what_a_guest_wrote() {
    let pod = TestPod::new(vec![empty_dir("data"), config_map("conf")]);
    let guest = pod.attach("c", &["data:/data"]);
    guest.dir("/data").write("file", vec![1; 1 << 20]).unwrap();
    let usage = pod.volumes().usage().unwrap();
    assert_eq!(usage.len(), 1, "only emptyDirs count");
    assert!(
        usage[0].volume == "data" && usage[0].bytes >= 1 << 20,
        "{usage:?}"
    );
}

#[test]
fn unsupported_sources_and_bad_names_are_refused() {
    let refused = |volume| {
        TestPod::try_new(vec![volume], &VolumePolicy::default())
            .err()
            .unwrap()
            .to_string()
    };
    let unsupported = Volume {
        name: "v".to_owned(),
        nfs: Some(Default::default()),
        ..Volume::default()
    };
    assert!(refused(unsupported).contains("volume source `nfs` is not supported"));
    assert!(refused(empty_dir("../x")).contains("cannot be the name of a directory"));
    let twice = vec![empty_dir("v"), empty_dir("v")];
    let error = TestPod::try_new(twice, &VolumePolicy::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("declared twice"));
}
