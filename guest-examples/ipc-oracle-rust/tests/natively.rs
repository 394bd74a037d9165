//! The checks on the kernel's own objects: what the library promises holds there too.

use std::process::{Command, Stdio};

#[test]
fn two_processes_do_what_the_library_promises() {
    let run = std::process::id().to_string();
    let start = |role: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipc-oracle-rust"));
        command.args([role, &run]).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    for process in ["first", "second"].map(start) {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !said.contains("FAIL"), "{said}");
        assert!(said.ends_with("PASS all is done\n"), "{said}");
    }
}
