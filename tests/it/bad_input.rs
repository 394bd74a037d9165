//! Wrong manifests, wrong images, guests that misbehave: one clear answer each, and nothing else is harmed.

use std::fs;
use std::net::TcpListener;

use crate::support::{Output, Wasmpod, left_in};

/// A pod of one container that runs `image`, with more lines of its container behind.
fn pod(image: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  restartPolicy: Never\n  containers:\n  \
         - name: c\n    image: {image}\n{more}"
    )
}

/// Runs a pod whose one container is this WAT module.
fn run_guest(wat: &str, more: &str) -> Output {
    let up = Wasmpod::up_text(&pod("guest.wasm", more), &[]);
    up.file("guest.wasm", &wat::parse_str(wat).unwrap());
    up.run()
}

#[track_caller]
fn assert_says(end: &Output, code: i32, parts: &[&str]) {
    assert_eq!(end.code, Some(code), "{end:?}");
    for part in parts {
        assert!(end.stderr.contains(part), "no {part:?} in:\n{}", end.stderr);
    }
    assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
}

#[test]
fn wrong_manifests_say_where_and_what_helps() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: web\n",
            &[
                "pod.yaml:4:1",
                "tab used for indentation",
                "hint: YAML indents with spaces",
            ],
        ),
        (
            &pod("nginx", "    comand: [x]\n"),
            &[
                "pod.yaml:9:5",
                "unknown field \"spec.containers[0].comand\"",
                "did you mean \"command\"?",
            ],
        ),
        (
            &pod("nginx", "    ports:\n    - containerPort: 70000\n"),
            &[
                "pod.yaml:10:22",
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            &pod("nginx", "  - {name: c, image: nginx}\n"),
            &[
                "spec.containers[1].name: Duplicate value: \"c\"",
                "first used at",
            ],
        ),
        (
            &pod(
                "nginx",
                "    volumeMounts:\n    - {name: dta, mountPath: /data}\n  volumes:\n  - {name: data, emptyDir: {}}\n",
            ),
            &[
                "spec.containers[0].volumeMounts[0].name: Not found: \"dta\"",
                "did you mean \"data\"?",
            ],
        ),
    ];
    for (manifest, parts) in cases {
        assert_says(&Wasmpod::up_text(manifest, &[]).run(), 1, parts);
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let manifest = pod(
        "nginx",
        "    ports:\n    - containerPort: 70000\n    volumeMounts:\n    - {name: dta, mountPath: /data}\n",
    );
    let end = Wasmpod::up_text(&manifest, &[]).run();
    assert_says(
        &end,
        1,
        &["Pod \"web\" is invalid (2 problems)", "70000", "\"dta\""],
    );
}

#[test]
fn an_image_that_is_no_module_is_named_for_what_it_is() {
    let whole = wat::parse_str("(module (memory 1) (data (i32.const 0) \"hello\"))").unwrap();
    let cases: [(&[u8], &[&str]); 3] = [
        (
            b"\x7fELF\x02\x01\x01\0rest",
            &[
                "not a WebAssembly module: file starts with 7f 45 4c 46 (ELF)",
                "hint: build it for a wasm target",
            ],
        ),
        (
            b"hello, I am text\n",
            &["not a WebAssembly module: the file is text"],
        ),
        (&whole[..whole.len() - 2], &["truncated"]),
    ];
    for (bytes, parts) in cases {
        let up = Wasmpod::up_text(&pod("./web.wasm", ""), &[]);
        up.file("web.wasm", bytes);
        assert_says(&up.run(), 1, parts);
    }
}

#[test]
fn a_linux_image_says_what_can_be_done() {
    let end = Wasmpod::up_text(&pod("redis:7", ""), &[]).run();
    assert_says(
        &end,
        1,
        &[
            "\"redis:7\"",
            "no built-in image of this name",
            "`wasmpod image ls`",
        ],
    );
}

#[test]
fn all_missing_imports_are_in_one_error() {
    let end = run_guest(
        r#"(module
            (import "wasi_snapshot_preview1" "sock_dial" (func (param i32 i32) (result i32)))
            (import "env" "my_host_call" (func))
            (func (export "_start")))"#,
        "",
    );
    assert_says(
        &end,
        1,
        &[
            "needs 2 imports",
            "wasi_snapshot_preview1.sock_dial",
            "env.my_host_call",
        ],
    );
}

#[test]
fn a_port_in_use_is_said_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let end = Wasmpod::up(
        "mc1-shared-volume.yaml",
        &["--publish", &format!("{port}:mc1:80")],
    )
    .run();
    assert_says(
        &end,
        1,
        &[
            "cannot publish pod \"mc1\" port 80",
            &format!("on host 127.0.0.1 port {port}"),
            "in use",
        ],
    );
    assert_eq!(end.stdout, "");
}

#[test]
fn a_read_only_state_directory_is_one_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    // A file in the way is as unusable as a folder without permission, which would not stop root.
    let state = dir.path().join("state");
    fs::write(&state, "").unwrap();
    let end = Wasmpod::up_text(&pod("nginx", ""), &[]).state(&state).run();
    assert_says(
        &end,
        1,
        &["cannot use the state directory", state.to_str().unwrap()],
    );
}

#[test]
fn the_exit_code_of_a_guest_is_shown_and_fails_the_command() {
    let end = run_guest(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "_start") (call $exit (i32.const 3))))"#,
        "",
    );
    assert_says(&end, 1, &["web/c: Error (exit code 3)"]);
}

#[test]
fn a_trap_shows_where_in_the_program_it_happened() {
    let end = run_guest(
        r#"(module $web
            (func $parse_header unreachable)
            (func (export "_start") (call $parse_header)))"#,
        "",
    );
    assert_says(&end, 1, &["web/c: Error (exit code 134)", "wasm trap"]);
    assert!(end.stdout.contains("parse_header"), "{}", end.stdout);
}

#[test]
fn a_guest_that_loops_without_a_host_call_is_stopped_by_the_time_out() {
    let up = Wasmpod::up_text(&pod("guest.wasm", ""), &["--timeout", "500ms"]);
    up.file(
        "guest.wasm",
        &wat::parse_str(r#"(module (func (export "_start") (loop (br 0))))"#).unwrap(),
    );
    assert_says(&up.run(), 124, &["time"]);
}

#[test]
fn a_guest_that_allocates_without_end_is_killed_for_it() {
    let end = run_guest(
        r#"(module
            (memory 1)
            (func (export "_start") (loop (drop (memory.grow (i32.const 16))) (br 0))))"#,
        "    resources: {limits: {memory: 8Mi}}\n",
    );
    assert_says(&end, 1, &["web/c: OOMKilled (exit code 137)"]);
}

#[test]
fn a_hundred_megabytes_without_newline_harm_nobody() {
    let up = Wasmpod::up_text(&pod("guest.wasm", ""), &[]);
    up.file("guest.wasm", &wat::parse_str(PRINTER).unwrap());
    let end = up.run();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    // The log keeps 50 MiB: what was written faster than it was read is lost, and the reader is told how much.
    let printed = end.stdout.bytes().filter(|byte| *byte == b'x').count();
    let told = |line: &str| -> Option<usize> {
        let count = line
            .split_once('[')?
            .1
            .split_once(" bytes of this log are lost")?
            .0;
        count.parse().ok()
    };
    let lost: usize = end.stdout.lines().filter_map(told).sum();
    assert!(
        printed <= 100 << 20 && printed + lost >= 100 << 20,
        "{printed} printed, {lost} lost"
    );
}

#[test]
fn a_second_interrupt_ends_what_waits_for_its_reader() {
    let up = Wasmpod::up_text(&pod("guest.wasm", ""), &[]).unread();
    up.file("guest.wasm", &wat::parse_str(PRINTER).unwrap());
    let state = tempfile::tempdir().unwrap();
    let running = up.state(state.path()).start();
    running.stderr.wait_until_contains("web/c: Completed");
    running.interrupt();
    let end = running.wait_interrupting();
    assert_eq!(end.code, Some(130), "{end:?}");
    assert_eq!(left_in(&state.path().join("run")), Vec::<String>::new());
}

#[test]
fn one_interrupt_while_the_time_is_up_kills_nothing() {
    let hook = "    command: [sleep, '1000']\n    lifecycle: {preStop: {sleep: {seconds: 1}}}\n";
    let running = Wasmpod::up_text(&pod("busybox", hook), &["--timeout=2s"]).start();
    running.stderr.wait_until_contains("the time is up");
    let end = running.stop();
    assert_eq!(end.code, Some(124), "{end:?}");
    assert!(!end.stderr.contains("SIGKILL"), "{end:?}");
}

#[test]
fn a_port_that_a_neighbour_has_is_told_with_its_name() {
    let manifest = pod("nginx", "  - {name: second, image: nginx}\n");
    let running = Wasmpod::up_text(&manifest, &[]).start();
    // Either may be the first to listen.
    running.stderr.wait_until_contains("Error (exit code 1)");
    let (loser, winner) = running.stderr.wait_for("PortInUse", |text| {
        [("c", "second"), ("second", "c")].into_iter().find(|(loser, winner)| {
            text.contains(&format!(
                "PortInUse: container \"{loser}\": bind 0.0.0.0:80: address in use by container \"{winner}\""
            ))
        })
    });
    let end = running.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    let (loses, goes_on) = (
        format!("web/{loser}: Error (exit code 1)"),
        format!("web/{winner}: Completed"),
    );
    assert!(
        end.stderr.contains(&loses) && end.stderr.contains(&goes_on),
        "{}",
        end.stderr
    );
    assert!(
        end.stdout
            .contains("bind() to 0.0.0.0:80 failed (98: Address already in use)"),
        "{}",
        end.stdout
    );
}

/// Prints 1,600 times 64 KiB of `x`.
const PRINTER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start") (local $left i32)
        (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
        (i32.store (i32.const 0) (i32.const 65536))
        (local.set $left (i32.const 104857600))
        (loop $again
            (i32.store (i32.const 4)
                (select (i32.const 65536) (local.get $left) (i32.gt_u (local.get $left) (i32.const 65536))))
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
            (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
            (br_if $again (local.get $left)))))"#;

#[test]
fn nothing_is_left_behind_by_a_pod_that_fails() {
    let state = tempfile::tempdir().unwrap();
    let manifest = pod(
        "debian",
        "    command: [sh, -c, 'echo text > /data/file; exit 7']\n    volumeMounts:\n    - {name: data, mountPath: /data}\n  volumes:\n  - {name: data, emptyDir: {}}\n",
    );
    let end = Wasmpod::up_text(&manifest, &[]).state(state.path()).run();
    assert_says(&end, 1, &["web/c: Error (exit code 7)"]);
    assert_eq!(left_in(&state.path().join("run")), Vec::<String>::new());
}
