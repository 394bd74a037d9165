//! Guests made of calls and what they must return.
//!
//! The signatures are read from the reference in docs/ipc.md, so that it cannot say anything else than what is there.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use wasmpod_image::Program;
use wasmpod_sandbox::{ContainerConfig, Exit};

use crate::tests::fixture::{Container, Pod};

/// Pages of a guest's memory.
pub(super) const PAGES: u32 = 8;

/// Where results go, unless a test needs several.
pub(super) const OUT: u32 = 1024;

/// An import and the types of its parameters.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) name: String,
    pub(super) is_long: Vec<bool>,
}

/// All imports, as docs/ipc.md has them.
pub(super) fn imports() -> Vec<Import> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/ipc.md");
    let text = std::fs::read_to_string(path).unwrap();
    let prefixes = [
        "mq_", "sem_", "shm_", "futex_", "msg_", "semset_", "shmseg_",
    ];
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().strip_suffix('`')?;
        let parameters = cells.next()?.trim().strip_prefix('`')?.strip_suffix('`')?;
        let is_import = prefixes.iter().any(|prefix| name.starts_with(prefix));
        is_import.then(|| Import {
            name: name.to_owned(),
            is_long: parameters
                .split(',')
                .map(|one| one.ends_with(": i64"))
                .collect(),
        })
    });
    rows.collect()
}

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// This number.
    Number(i64),
    /// The 32 bits at this address.
    At(u32),
}

impl<T: Into<i64>> From<T> for Arg {
    fn from(number: T) -> Self {
        Self::Number(number.into())
    }
}

/// What is read from the memory at this address when the call is made.
pub(super) const fn at(address: u32) -> Arg {
    Arg::At(address)
}

/// The text of a module that imports everything, without its end.
pub(super) fn head(imports: &[Import]) -> String {
    let mut text = "(module\n".to_owned();
    for import in imports {
        let types: Vec<_> = import
            .is_long
            .iter()
            .map(|long| if *long { "i64" } else { "i32" })
            .collect();
        let (name, types) = (&import.name, types.join(" "));
        writeln!(
            text,
            r#"(import "wasmpod_ipc" "{name}" (func ${name} (param {types}) (result i32)))"#
        )
        .unwrap();
    }
    text.push_str(
        r#"(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
        "#,
    );
    writeln!(text, r#"(memory (export "memory") {PAGES} 16)"#).unwrap();
    text
}

/// A guest that makes calls one after the other, and exits with the number of the first that was wrong, or with 0.
pub(super) struct Script {
    imports: Vec<Import>,
    data: String,
    body: String,
    checks: u32,
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            imports: imports(),
            data: String::new(),
            body: String::new(),
            checks: 0,
        }
    }

    /// Puts bytes into the memory before the guest starts.
    pub(super) fn data(mut self, address: u32, bytes: &[u8]) -> Self {
        let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(self.data, r#"(data (i32.const {address}) "{bytes}")"#).unwrap();
        self
    }

    fn check(mut self, got: &str, want: i64, what: &str) -> Self {
        self.checks += 1;
        let number = self.checks;
        writeln!(
            self.body,
            ";; {number}: {what}\n(if (i64.ne {got} (i64.const {want})) (then (call $proc_exit (i32.const {number}))))"
        )
        .unwrap();
        self
    }

    /// Makes a call, which must return `errno`.
    pub(super) fn call<const N: usize>(self, name: &str, arguments: [Arg; N], errno: i32) -> Self {
        let import = self.imports.iter().find(|import| import.name == name);
        let import = import.unwrap_or_else(|| panic!("docs/ipc.md has no import {name}"));
        assert_eq!(import.is_long.len(), N, "parameters of {name}");
        let arguments: Vec<_> = import
            .is_long
            .iter()
            .zip(arguments)
            .map(|(is_long, argument)| match (is_long, argument) {
                (true, Arg::Number(number)) => format!("(i64.const {number})"),
                (false, Arg::Number(number)) => format!("(i32.const {number})"),
                (true, Arg::At(address)) => format!("(i64.load (i32.const {address}))"),
                (false, Arg::At(address)) => format!("(i32.load (i32.const {address}))"),
            })
            .collect();
        let call = format!("(i64.extend_i32_s (call ${name} {}))", arguments.join(" "));
        self.check(&call, errno.into(), name)
    }

    /// The 32 bits at an address must be these.
    pub(super) fn word(self, address: u32, want: u32) -> Self {
        let got = format!("(i64.load32_u (i32.const {address}))");
        self.check(&got, want.into(), "a word")
    }

    /// The 64 bits at an address must be these.
    pub(super) fn long(self, address: u32, want: i64) -> Self {
        let got = format!("(i64.load (i32.const {address}))");
        self.check(&got, want, "64 bits")
    }

    /// The byte at an address must be this.
    pub(super) fn byte(self, address: u32, want: u8) -> Self {
        let got = format!("(i64.load8_u (i32.const {address}))");
        self.check(&got, want.into(), "a byte")
    }

    /// Writes 32 bits.
    pub(super) fn store(mut self, address: u32, word: u32) -> Self {
        let word = word.cast_signed();
        writeln!(
            self.body,
            "(i32.store (i32.const {address}) (i32.const {word}))"
        )
        .unwrap();
        self
    }

    pub(super) fn program(&self) -> Arc<Program> {
        let head = head(&self.imports);
        let (data, body) = (&self.data, &self.body);
        let text = format!("{head}{data}\n(func (export \"_start\")\n{body}))");
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Arc::new(Program::new("script.wasm", wasm))
    }

    /// Starts it in a container of `pod`.
    pub(super) async fn start(
        &self,
        pod: &Pod,
        name: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> Container {
        pod.start_program(&self.program(), name, change)
            .await
            .unwrap()
    }

    /// Runs it in `pod`; all checks must hold.
    pub(super) async fn holds_in(&self, pod: &Pod) {
        let container = self.start(pod, "script", |_| {}).await;
        let exit = pod.exit(&container).await;
        let number = format!(";; {}:", exit.code);
        let at = self.body.lines().find(|line| line.starts_with(&number));
        assert_eq!(exit, Exit::with_code(0), "{at:?}\n{}", self.body);
    }

    /// Runs it in a new pod.
    pub(super) async fn holds(&self) {
        self.holds_in(&Pod::new()).await;
    }
}
