//! Runs the tables in `tests/cases`: what scripts print, say and exit with.
//!
//! Natively, as the shell's code is the same for every target; only files, streams and exit differ, and they are std's.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use serde::Deserialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// For `-c`; without one `shell_args` are all arguments.
    script: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    shell_args: Vec<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    stdout: String,
    /// A part of stderr.
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    code: i32,
}

/// Runs the program under a name, with a folder of its own as current directory.
fn run(folder: &Path, name: &str, args: &[String], stdin: &str) -> (String, String, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_shell"))
        .arg0(name)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that does not read its stdin may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code(),
    )
}

fn check_table(text: &str) {
    let table: Table = toml::from_str(text).unwrap();
    let mut failures = String::new();
    for case in &table.case {
        let folder = tempfile::tempdir().unwrap();
        let args = match &case.script {
            Some(script) => [
                &["-c".to_owned(), script.clone(), "sh".to_owned()],
                &case.args[..],
            ]
            .concat(),
            None => case.shell_args.clone(),
        };
        let (stdout, stderr, code) = run(folder.path(), "sh", &args, &case.stdin);
        if stdout != case.stdout
            || !stderr.contains(&case.stderr)
            || code != Some(case.code)
            || (case.stderr.is_empty() && stderr.contains("sh: ") && case.code == 0)
        {
            writeln!(
                failures,
                "=== {}\n--- stdout, wanted:\n{}--- got:\n{stdout}--- stderr, wanted a part:\n{}\n--- got:\n{stderr}--- code: wanted {}, got {code:?}",
                case.name, case.stdout, case.stderr, case.code
            )
            .unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_shell_language_behaves_as_its_table_says() {
    check_table(include_str!("cases/language.toml"));
}

#[test]
fn the_utilities_behave_as_their_table_says() {
    check_table(include_str!("cases/utilities.toml"));
}

#[test]
fn the_name_decides_which_utility_runs() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, args: &[&str], stdin: &str| {
        run(
            folder.path(),
            name,
            &args.iter().map(ToString::to_string).collect::<Vec<_>>(),
            stdin,
        )
    };
    assert_eq!(
        run("/bin/echo", &["a", "b"], ""),
        ("a b\n".into(), String::new(), Some(0))
    );
    assert_eq!(
        run("cat", &[], "from stdin"),
        ("from stdin".into(), String::new(), Some(0))
    );
    assert_eq!(run("/usr/bin/test", &["-f", "none"], "").2, Some(1));
    assert_eq!(run("busybox", &["expr", "1", "+", "1"], "").0, "2\n");
    assert_eq!(run("-bash", &["-c", "echo $0"], "").0, "bash\n");
    let (_, stderr, code) = run("nosuch", &[], "");
    assert_eq!(
        (stderr.as_str(), code),
        ("sh: 1: nosuch: not found\n", Some(127))
    );
}
