//! What a guest cannot reach, and what a full disk does.

use std::fs;

use crate::support::{Wasmpod, example};

/// Two containers on one volume: the first plants links, the second follows them.
fn planted(links: &str, follow: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{name: escape}}
spec:
  restartPolicy: Never
  initContainers:
  - name: plant
    image: busybox
    command: [sh, -c, '{links}']
    volumeMounts: [{{name: data, mountPath: /data}}]
  containers:
  - name: follow
    image: busybox
    command: [sh, -c, '{follow}']
    volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
"
    )
}

#[test]
fn links_planted_in_a_volume_lead_nowhere_outside() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "the host keeps this").unwrap();
    let secret = secret.to_str().unwrap();
    let up = "../".repeat(20);
    let links = format!(
        "ln -s {secret} /data/absolute; ln -s {up}{secret} /data/up; ln -s / /data/root; exit 0"
    );
    let follow = format!(
        "for f in /data/absolute /data/up /data/root{secret} {secret} /data/{up}{secret}; do \
         if cat $f; then echo LEAKED $f; fi; echo overwritten > $f; done; exit 0"
    );
    let end = Wasmpod::up_text(&planted(&links, &follow), &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        !end.stdout.contains("the host keeps this"),
        "{}",
        end.stdout
    );
    assert_eq!(fs::read_to_string(secret).unwrap(), "the host keeps this");
}

#[test]
fn a_host_path_needs_permission() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("page"), "from the host").unwrap();
    let path = outside.path().to_str().unwrap();
    let manifest = format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{name: host}}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [cat, /host/page]
    volumeMounts: [{{name: host, mountPath: /host}}]
  volumes: [{{name: host, hostPath: {{path: {path}}}}}]
"
    );
    let allowed = Wasmpod::up_text(&manifest, &["--allow-host-path", path]).run();
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    assert!(allowed.stdout.contains("from the host"));

    let refused = Wasmpod::up_text(&manifest, &["--timeout", "1s"]).run();
    assert_eq!(refused.code, Some(124), "{refused:?}");
    assert!(
        refused.stderr.contains("FailedMount") && refused.stderr.contains("--allow-host-path"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_module_counts_from_the_folder_of_its_own_manifest() {
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  containers:\n  - {{name: c, image: ./guest.wasm}}\n"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    for (folder, code) in [("a", 0), ("b", 4)] {
        let folder = dir.path().join(folder);
        fs::create_dir(&folder).unwrap();
        let name = format!("exits-{code}");
        fs::write(folder.join("pod.yaml"), pod(&name)).unwrap();
        let wat = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (func (export "_start") (call $exit (i32.const {code}))))"#
        );
        fs::write(folder.join("guest.wasm"), wat::parse_str(wat).unwrap()).unwrap();
    }
    let (a, b) = (dir.path().join("a/pod.yaml"), dir.path().join("b"));
    let end = Wasmpod::new(&["up", a.to_str().unwrap(), b.to_str().unwrap()]).run();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(
        end.stderr.contains("exits-0/c: Completed"),
        "{}",
        end.stderr
    );
    assert!(
        end.stderr.contains("exits-4/c: Error (exit code 4)"),
        "{}",
        end.stderr
    );
}

/// A state directory on a file system of two megabytes, in a mount namespace of its own. What is logged while the disk
/// is full is lost, so the guest tells by its exit code that the write failed.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_the_guest_and_nothing_is_left() {
    let manifest = "\
apiVersion: v1
kind: Pod
metadata: {name: full}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'yes | head -c 8000000 > /data/big && exit 9; rm /data/big && echo again > /data/small && cat /data/small']
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
";
    let script = "mount -t tmpfs -o size=2m none \"$STATE\" || exit 77; exec \"$@\"";
    let end = Wasmpod::up_text(manifest, &[])
        .under(&[
            "unshare",
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .run();
    assert_ne!(
        end.code,
        Some(77),
        "this machine gives no mount namespaces: {}",
        end.stderr
    );
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        end.stdout.lines().any(|line| line.ends_with("| again")),
        "{}",
        end.stdout
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_state_directory_is_one_error_with_a_hint() {
    let script = "mount -t tmpfs -o ro none \"$STATE\" || exit 77; exec \"$@\"";
    let namespace = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
    ];
    let end = Wasmpod::up("mc2-message-queue.yaml", &[])
        .under(&namespace)
        .run();
    assert_ne!(
        end.code,
        Some(77),
        "this machine gives no mount namespaces: {}",
        end.stderr
    );
    assert_eq!((end.code, end.stdout.as_str()), (Some(1), ""), "{end:?}");
    let errors: Vec<_> = end
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{}", end.stderr);
    assert!(
        errors[0].contains("cannot use the state directory")
            && errors[0].contains("Read-only file system")
    );
    assert!(
        end.stderr
            .contains("hint: choose a folder that you may write to with --state-dir")
    );
}

#[test]
fn the_examples_are_a_folder_that_runs() {
    let folder = example("");
    let pods = Wasmpod::new(&[
        "up",
        folder.to_str().unwrap(),
        "--until",
        "ready",
        "--no-logs",
    ])
    .run();
    assert_eq!(pods.code, Some(0), "{pods:?}");
}
