//! `exec -it` under a pseudo-terminal, which `script` (util-linux) makes: what is typed, what Ctrl-C does, and that the
//! terminal is as before when it is over.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Text, Wasmpod};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  containers:
  - {name: c, image: debian, command: [sh, -c, 'sleep 1000']}
";

/// A terminal in which a line of shell runs.
struct Terminal {
    child: std::process::Child,
    keys: std::process::ChildStdin,
    screen: Text,
}

impl Terminal {
    fn run(line: &str) -> Self {
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let screen = Text::collect_bytes(child.stdout.take().unwrap());
        Self {
            child,
            keys,
            screen,
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn exec(state: &std::path::Path) -> String {
    let program = env!("CARGO_BIN_EXE_wasmpod");
    format!(
        "{program} --state-dir {} exec -it shell -- sh",
        state.display()
    )
}

#[test]
fn a_shell_in_a_container_is_used_as_any_other() {
    let pod = Wasmpod::up_text(POD, &[]).start();
    pod.look_until(&["wait", "pod/shell", "--for=condition=Ready"], |end| {
        end.code == Some(0)
    });
    let line = format!(
        "stty rows 33 cols 77; {}; echo code=$?; stty -a",
        exec(&pod.state())
    );
    let mut terminal = Terminal::run(&line);
    terminal.type_keys("echo $((6*7))\r");
    terminal.screen.wait_until_contains("42");
    terminal.type_keys("exit 5\r");
    terminal.screen.wait_until_contains("code=5");
    // The terminal edits lines and echoes again.
    let settings = terminal.screen.wait_for("stty's report", |text| {
        let (_, after) = text.split_once("code=5")?;
        after.contains("echoke").then(|| after.to_owned())
    });
    let settings: Vec<_> = settings.split([' ', '\n', '\r', ';']).collect();
    for setting in ["icanon", "echo", "isig", "opost", "icrnl"] {
        assert!(settings.contains(&setting), "{setting}: {settings:?}");
    }
}

#[test]
fn ctrl_c_ends_what_runs_in_the_container_not_the_terminal() {
    let pod = Wasmpod::up_text(POD, &[]).start();
    pod.look_until(&["wait", "pod/shell", "--for=condition=Ready"], |end| {
        end.code == Some(0)
    });
    let line = format!(
        "{} -c 'echo begin; sleep 1000'; echo code=$?",
        exec(&pod.state())
    );
    let mut terminal = Terminal::run(&line);
    terminal.screen.wait_until_contains("begin");
    terminal.type_keys("\u{3}");
    terminal.screen.wait_until_contains("code=130");
}

#[test]
fn a_terminal_is_given_back_when_we_are_told_to_end() {
    let pod = Wasmpod::up_text(POD, &[]).start();
    pod.look_until(&["wait", "pod/shell", "--for=condition=Ready"], |end| {
        end.code == Some(0)
    });
    // The shell says its pid before it becomes the program.
    let line = format!(
        "sh -c 'echo pid=$$; exec {} -c \"echo begin; sleep 1000\"'; echo code=$?; stty -a",
        exec(&pod.state())
    );
    let terminal = Terminal::run(&line);
    terminal.screen.wait_until_contains("begin");
    let pid = terminal.screen.wait_for("pid", |text| {
        let (_, rest) = text.split_once("pid=")?;
        rest.lines().next().map(|pid| pid.trim().to_owned())
    });
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.unwrap().success());
    terminal.screen.wait_until_contains("code=143");
    terminal.screen.wait_until_contains(" icanon");
}
