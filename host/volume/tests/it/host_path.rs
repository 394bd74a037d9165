//! hostPath: types, and the wall around what the operator allows.

use std::path::Path;

use wasmpod_volume::{VolumeError, VolumePolicy};

use crate::pod::{Guest, TestPod, container, host_path, with_read_only_root};

fn policy(prefix: &Path) -> VolumePolicy {
    VolumePolicy {
        allow_host_path: vec![prefix.to_owned()],
        ..VolumePolicy::default()
    }
}

fn acquire(path: &Path, type_: &str, prefix: &Path) -> Result<TestPod, VolumeError> {
    TestPod::try_new(vec![host_path("h", path, type_)], &policy(prefix))
}

fn refusal(path: &Path, type_: &str, prefix: &Path) -> VolumeError {
    acquire(path, type_, prefix).err().unwrap()
}

#[test]
fn a_path_outside_the_allowed_prefixes_is_refused_with_the_option() {
    let host = tempfile::tempdir().unwrap();
    let error = TestPod::try_new(
        vec![host_path("h", host.path(), "")],
        &VolumePolicy::default(),
    );
    let error = error.err().unwrap();
    assert!(
        error.hint().unwrap().contains("--allow-host-path"),
        "{error}"
    );
    let allowed = host.path().join("allowed");
    std::fs::create_dir(&allowed).unwrap();
    for path in ["allowed-not", "missing/deep", ""] {
        let error = refusal(&host.path().join(path), "DirectoryOrCreate", &allowed);
        assert!(
            matches!(error, VolumeError::HostPathNotAllowed { .. }),
            "{error}"
        );
    }
    assert!(!host.path().join("missing").exists());
    let error = refusal(&allowed.join("../x"), "", &allowed);
    assert!(
        error.to_string().contains("must not contain '..'"),
        "{error}"
    );
    let error = refusal(Path::new("relative"), "", &allowed);
    assert!(error.to_string().contains("absolute"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_count_for_where_they_lead() {
    let host = tempfile::tempdir().unwrap();
    let allowed = host.path().join("allowed");
    std::fs::create_dir_all(allowed.join("real")).unwrap();
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, allowed.join(name)).unwrap();
    };
    link(Path::new("/etc"), "out");
    link(&allowed.join("real"), "in");
    link(Path::new("/nonexistent/target"), "nowhere");
    let error = refusal(&allowed.join("out"), "", &allowed);
    assert!(
        error.to_string().contains("it leads to \"/etc\""),
        "{error}"
    );
    assert!(matches!(
        refusal(&allowed.join("out/new"), "DirectoryOrCreate", &allowed),
        VolumeError::HostPathNotAllowed { .. }
    ));
    assert!(acquire(&allowed.join("in"), "Directory", &allowed).is_ok());
    assert!(acquire(&allowed.join("nowhere"), "DirectoryOrCreate", &allowed).is_err());
}

#[cfg(unix)]
#[test]
fn a_socket_is_recognised_and_cannot_be_mounted() {
    let host = tempfile::tempdir().unwrap();
    let path = host.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for type_ in ["Socket", ""] {
        let text = refusal(&path, type_, host.path()).to_string();
        assert!(text.contains("is neither a directory nor a file"), "{text}");
    }
}

#[test]
fn each_type_takes_and_makes_what_the_kubelet_does() {
    let host = tempfile::tempdir().unwrap();
    let base = host.path();
    std::fs::write(base.join("file"), "text").unwrap();
    std::fs::create_dir(base.join("dir")).unwrap();
    let ok = [
        "dir:",
        "dir:Directory",
        "dir:DirectoryOrCreate",
        "file:",
        "file:File",
        "file:FileOrCreate",
        "new1:",
        "new2/deep:DirectoryOrCreate",
        "new3:FileOrCreate",
        ":",
    ];
    for case in ok {
        let (name, type_) = case.split_once(':').unwrap();
        let path = if name.is_empty() {
            base.to_owned()
        } else {
            base.join(name)
        };
        let result = acquire(&path, type_, base);
        assert!(result.is_ok(), "{case}: {:?}", result.err());
    }
    assert!(base.join("new2/deep").is_dir() && base.join("new3").is_file());
    let refused = [
        ("file:Directory", "is not a directory"),
        ("dir:File", "is not a file"),
        ("absent:Directory", "is not a directory"),
        ("absent:File", "is not a file"),
        ("dir:Socket", "is not a socket file"),
        ("file:CharDevice", "is not a character device"),
        ("absent:BlockDevice", "is not a block device"),
        ("dir:Folder", "not supported"),
    ];
    for (case, words) in refused {
        let (name, type_) = case.split_once(':').unwrap();
        let error = refusal(&base.join(name), type_, base);
        assert!(error.to_string().contains(words), "{case}: {error}");
    }
    assert!(
        refusal(&base.join("no/parent"), "FileOrCreate", base)
            .to_string()
            .contains("create")
    );
}

#[test]
fn a_single_file_that_is_only_read_is_a_copy() {
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("machine-id");
    std::fs::write(&file, "0123").unwrap();
    let volumes = vec![host_path("id", &file, "File")];
    let pod = TestPod::try_new(volumes, &policy(host.path())).unwrap();
    let guest = pod.attach("c", &["id:/etc/machine-id:ro"]);
    assert_eq!(guest.read("/", "etc/machine-id"), "0123");
    let copy = guest.dir("/").metadata("etc/machine-id").unwrap();
    assert!(copy.permissions().readonly());
    // Whoever may write to everything writes to the copy only.
    drop(guest.dir("/").remove_file("etc/machine-id"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "0123");
    assert!(!std::fs::metadata(&file).unwrap().permissions().readonly());
}

#[test]
fn what_a_guest_writes_stays_on_the_host_after_release() {
    // On one file system with the pod's state, so that the single file can be linked.
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("file"), "text").unwrap();
    let volumes = vec![
        host_path("dir", host.path(), "Directory"),
        host_path("file", &host.path().join("file"), "File"),
    ];
    let mut pod = TestPod::try_new(volumes, &policy(host.path())).unwrap();
    let guest = pod.attach("c", &["dir:/host", "file:/app/file"]);
    guest.dir("/").write("app/file", "changed").unwrap();
    guest.dir("/host").write("new", "x").unwrap();
    let spec = with_read_only_root(container("ro", &["dir:/host:ro"]));
    assert!(
        Guest::new(&pod.try_attach(&spec).unwrap())
            .paths()
            .contains(&("/host", true))
    );
    drop(guest);
    pod.release().unwrap();
    assert_eq!(
        std::fs::read_to_string(host.path().join("file")).unwrap(),
        "changed"
    );
    assert!(host.path().join("new").is_file());
}
