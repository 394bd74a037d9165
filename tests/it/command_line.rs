//! Commands, flags, exit codes, and what goes to which stream.

use crate::support::{Wasmpod, example};

const HELLO: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: hello}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: debian, command: [sh, -c, 'echo out; echo err >&2']}
";

#[test]
fn stdout_has_only_logs_and_stderr_the_states() {
    let end = Wasmpod::up_text(HELLO, &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut lines: Vec<_> = end.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["hello/c | err", "hello/c | out"]);
    for state in ["hello/c: Completed", "hello: Completed"] {
        assert!(end.stderr.contains(state), "{state:?}: {}", end.stderr);
    }
}

#[test]
fn quiet_says_nothing_and_no_logs_shows_none() {
    let end = Wasmpod::up_text(HELLO, &["--quiet", "--no-logs"]).run();
    assert_eq!(
        (end.code, end.stdout.as_str(), end.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn json_logs_are_an_object_a_line() {
    let end = Wasmpod::up_text(HELLO, &["--log-format", "json"]).run();
    let lines: Vec<serde_json::Value> = end
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let streams: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["stream"].as_str().unwrap(),
                line["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        streams.contains(&("stdout", "out")) && streams.contains(&("stderr", "err")),
        "{streams:?}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line["pod"] == "hello" && line["container"] == "c")
    );
}

#[test]
fn a_manifest_may_come_from_standard_input() {
    let end = Wasmpod::new(&["up", "-"]).stdin(HELLO.as_bytes()).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("hello/c | out"));
}

#[test]
fn colour_comes_when_asked_for_even_in_a_pipe() {
    let end = Wasmpod::up_text(HELLO, &["--color", "always"]).run();
    assert!(end.stdout.contains("\u{1b}["), "{:?}", end.stdout);
    let plain = Wasmpod::up_text(HELLO, &[]).run();
    assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'));
}

#[test]
fn until_ready_ends_as_soon_as_the_pod_is() {
    let end = Wasmpod::up("mc1-shared-volume.yaml", &["--until", "ready"]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("mc1: Running"), "{}", end.stderr);
}

#[test]
fn the_time_out_ends_a_pod_that_does_not() {
    let end = Wasmpod::up("mc1-shared-volume.yaml", &["--timeout", "1s"]).run();
    assert_eq!(end.code, Some(124), "{end:?}");
}

#[test]
fn validate_checks_and_counts() {
    let file = example("mc3-reverse-proxy.yaml");
    let end = Wasmpod::new(&["validate", file.to_str().unwrap()]).run();
    assert_eq!(
        (end.code, end.stdout.as_str()),
        (Some(0), "valid: 1 pod, 1 config map, 1 service\n")
    );
    let folder = file.parent().unwrap();
    let end = Wasmpod::new(&["validate", folder.to_str().unwrap()]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn a_missing_file_and_wrong_usage_differ() {
    let end = Wasmpod::new(&["validate", "nowhere.yaml"]).run();
    assert_eq!(end.code, Some(1));
    assert!(
        end.stderr.starts_with("error: cannot read `nowhere.yaml`"),
        "{}",
        end.stderr
    );
    for args in [
        &["up"][..],
        &["up", "--publish", "80", "x.yaml"],
        &["down"],
        &["up", "--timeout", "soon", "x.yaml"],
    ] {
        assert_eq!(Wasmpod::new(args).run().code, Some(2), "{args:?}");
    }
}

#[test]
fn a_rule_for_a_pod_that_is_not_there_is_an_error() {
    let end = Wasmpod::up_text(HELLO, &["--publish", "0:helo:80"]).run();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(
        end.stderr.contains("\"helo\"") && end.stderr.contains("hello"),
        "{}",
        end.stderr
    );
}

#[test]
fn images_are_listed_for_what_they_are() {
    let end = Wasmpod::new(&["image", "ls"]).run();
    assert_eq!(end.code, Some(0));
    for name in [
        "nginx",
        "debian",
        "busybox",
        "alpine",
        "allingeek/ch6_ipc",
        "training/webapp",
    ] {
        assert!(
            end.stdout.lines().any(|line| line.starts_with(name)),
            "{name}: {}",
            end.stdout
        );
    }
    assert!(end.stdout.contains("They are not those images."));
}

#[test]
fn inspect_tells_whether_a_module_runs_here() {
    let runs = Wasmpod::new(&["inspect", "image", "nginx"]).run();
    assert_eq!(runs.code, Some(0), "{runs:?}");
    assert!(
        runs.stdout.contains("component") && runs.stdout.contains("wasi:sockets/tcp"),
        "{}",
        runs.stdout
    );

    let wat = r#"(module (import "env" "f" (func)) (func (export "_start")))"#;
    let inspect = Wasmpod::new(&["inspect", "image", "./x.wasm", "-o", "json"]);
    inspect.file("x.wasm", &wat::parse_str(wat).unwrap());
    let does_not = inspect.run();
    assert_eq!(does_not.code, Some(1));
    let shown: serde_json::Value = serde_json::from_str(&does_not.stdout).unwrap();
    assert_eq!(shown["imports"][0]["offered"], false);
    assert_eq!(shown["kind"], "core module");
}

#[test]
fn completions_are_printed_for_shells() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let end = Wasmpod::new(&["completions", shell]).run();
        assert_eq!(end.code, Some(0));
        assert!(end.stdout.contains("validate"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn lines_stay_whole_when_both_streams_are_one_pipe() {
    let containers: String = (0..8)
        .map(|number| {
            format!(
                "  - {{name: c{number}, image: busybox, command: [sh, -c, 'for i in 1 2 3 4 5 6 7 8 9; do echo said; done']}}\n"
            )
        })
        .collect();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: pipe}}\nspec:\n  restartPolicy: Never\n  containers:\n{containers}"
    );
    let together = ["sh", "-c", "exec \"$0\" \"$@\" 2>&1"];
    let end = Wasmpod::up_text(&manifest, &[]).under(&together).run();
    let is_said = |line: &&str| line.starts_with("pipe/c") && line.ends_with(" | said");
    let told = ["ContainerCreating", "Running", "Completed", "ready"];
    let is_told = |line: &&str| {
        line.starts_with("pipe")
            && line.matches("pipe").count() == 1
            && told.iter().any(|end| line.ends_with(end))
    };
    let (said, others): (Vec<&str>, Vec<&str>) = end.stdout.lines().partition(is_said);
    assert_eq!(said.len(), 8 * 9, "{}", end.stdout);
    let torn: Vec<_> = others.iter().filter(|line| !is_told(line)).collect();
    assert!(torn.is_empty(), "{torn:?}");
}
