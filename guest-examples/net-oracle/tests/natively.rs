//! The checks on the kernel's own sockets: what they call Linux is what Linux shows.
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::process::{Command, Stdio};

fn oracle(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_net-oracle"));
    command.args(args).stdout(Stdio::piped());
    command
}

#[test]
fn one_process_sees_what_the_checks_say() {
    let output = oracle(&["alone"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !said.contains("FAIL"), "{said}");
    let cases = said.lines().filter(|line| line.starts_with("PASS")).count();
    assert!(
        cases >= 60 && said.ends_with(&format!("DONE {cases}\n")),
        "{said}"
    );
}

#[test]
fn two_processes_see_what_the_checks_say() {
    // Taken and given back: the server takes it again at once, and nobody else is told of it.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let processes =
        ["server", "client"].map(|role| oracle(&[role, &port.to_string()]).spawn().unwrap());
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !said.contains("FAIL"), "{said}");
        assert!(said.ends_with("DONE 6\n"), "{said}");
    }
}
