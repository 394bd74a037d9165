//! The state of a shell: variables, options, descriptors, where it is. A subshell is a clone of it.

use crate::io::Fd;
use crate::signals::Process;
use crate::syntax::ast::Node;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How deep functions, `eval`, `.` and substitutions may call each other (bash's FUNCNEST has no default; the guest's
/// stack is 1 MiB, and a level needs some KiB of it).
pub const MAX_CALLS: usize = 60;

/// The value of a variable.
#[derive(Clone, Debug)]
pub enum Value {
    /// Declared by `export name` or `local name`, but without a value.
    Unset,
    /// One text.
    Scalar(String),
    /// An indexed array; missing elements are not in it.
    Array(BTreeMap<usize, String>),
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// What it holds.
    pub value: Value,
    /// Utilities see it.
    pub exported: bool,
    /// It cannot change any more.
    pub readonly: bool,
}

/// The options of `set`.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// `-e`.
    pub errexit: bool,
    /// `-u`.
    pub nounset: bool,
    /// `-x`.
    pub xtrace: bool,
    /// `-f`.
    pub noglob: bool,
    /// `-C`.
    pub noclobber: bool,
    /// `-a`.
    pub allexport: bool,
    /// `-n`.
    pub noexec: bool,
    /// `-o pipefail`.
    pub pipefail: bool,
}

/// A background job: how signals reach it (its number is `$!`), and its exit status once it has ended.
#[derive(Clone)]
pub struct Job {
    /// Its process.
    pub process: Rc<Process>,
    /// Its exit status.
    pub result: Rc<Cell<Option<i32>>>,
}

impl Job {
    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.result.get().is_none()
    }
}

/// A shell.
#[derive(Clone)]
pub struct Shell {
    /// Variables by name.
    pub variables: HashMap<String, Variable>,
    /// Functions by name.
    pub functions: HashMap<String, Rc<Node>>,
    /// `$1`, `$2`, …
    pub positional: Vec<String>,
    /// `$0`.
    pub name: String,
    /// Open descriptors.
    pub fds: BTreeMap<u32, Fd>,
    /// Where relative paths start: WASI knows no current directory that could change.
    pub cwd: PathBuf,
    /// `set` options.
    pub options: Options,
    /// `$?`.
    pub status: i32,
    /// Commands by signal name (`EXIT`, `TERM`, …).
    pub traps: HashMap<String, String>,
    /// Where signals reach this shell.
    pub process: Rc<Process>,
    /// `$$`: that of the shell of which this is a subshell.
    pub shell_process: Rc<Process>,
    /// The next program that it calls takes its place: the last thing that it does.
    pub is_replaced: bool,
    /// Jobs that this shell started.
    pub jobs: Vec<Job>,
    /// The next job's number; shared with subshells, so that it is unique in the container.
    pub next_pid: Rc<Cell<u32>>,
    /// For `$RANDOM`.
    pub random: Rc<Cell<u32>>,
    /// Above 0 where `set -e` does not apply: in conditions.
    pub condition_depth: usize,
    /// How many functions, `eval`, `.` and substitutions are being executed.
    pub call_depth: usize,
    /// How many loops are being executed in this function.
    pub loop_depth: usize,
    /// What `local` hides, one frame for each function.
    pub locals: Vec<Vec<(String, Option<Variable>)>>,
    /// Line of the current command.
    pub line: usize,
    /// `getopts`: where in the argument it is.
    pub getopts_at: usize,
    /// Status of the last `$(…)` in the current command: what a command of assignments only exits with.
    pub captured: Option<i32>,
}

impl Shell {
    /// The shell of a new container: environment from the host, three open streams.
    pub fn new(cwd: PathBuf, environment: impl Iterator<Item = (String, String)>) -> Self {
        let mut shell = Self {
            variables: HashMap::new(),
            functions: HashMap::new(),
            positional: Vec::new(),
            name: "sh".into(),
            fds: BTreeMap::from([
                (0, Fd::Stdin(Rc::default())),
                (1, Fd::Stdout),
                (2, Fd::Stderr),
            ]),
            cwd,
            options: Options::default(),
            status: 0,
            traps: HashMap::new(),
            shell_process: Process::program(),
            process: Process::program(),
            is_replaced: true,
            jobs: Vec::new(),
            next_pid: Rc::new(Cell::new(Process::program().id + 1)),
            random: Rc::new(Cell::new(
                std::time::SystemTime::now()
                    .elapsed()
                    .map_or(1, |t| t.subsec_nanos())
                    | 1,
            )),
            condition_depth: 0,
            call_depth: 0,
            loop_depth: 0,
            locals: Vec::new(),
            line: 1,
            getopts_at: 0,
            captured: None,
        };
        for (name, value) in environment {
            shell.variables.insert(
                name,
                Variable {
                    value: Value::Scalar(value),
                    exported: true,
                    readonly: false,
                },
            );
        }
        let pwd = shell.cwd.to_string_lossy().into_owned();
        for (name, value) in [
            ("PWD", pwd.as_str()),
            ("IFS", " \t\n"),
            ("OPTIND", "1"),
            ("PS4", "+ "),
        ] {
            shell.put(name, value.into());
        }
        shell
    }

    /// A number for one more process.
    pub fn take_pid(&self) -> u32 {
        let pid = self.next_pid.get();
        self.next_pid.set(pid + 1);
        pid
    }

    /// The text of a variable; of an array its first element. `None` when it has none.
    pub fn get(&self, name: &str) -> Option<String> {
        match name {
            "RANDOM" => return Some(self.next_random().to_string()),
            "LINENO" => return Some(self.line.to_string()),
            "SECONDS" => {
                return Some(
                    crate::START
                        .with(std::time::Instant::elapsed)
                        .as_secs()
                        .to_string(),
                );
            }
            _ => {}
        }
        match &self.variables.get(name)?.value {
            Value::Unset => None,
            Value::Scalar(text) => Some(text.clone()),
            Value::Array(elements) => elements.get(&0).cloned(),
        }
    }

    /// A value in 0..=32767.
    fn next_random(&self) -> u32 {
        // Marsaglia's xorshift with 32 bits: good enough for $RANDOM.
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x % 32768
    }

    /// Sets a variable whether it is readonly or not; for the shell's own ones.
    pub fn put(&mut self, name: &str, value: String) {
        let exported = self.options.allexport;
        self.variables
            .entry(name.to_owned())
            .and_modify(|variable| match &mut variable.value {
                Value::Array(elements) => {
                    elements.insert(0, value.clone());
                }
                other => *other = Value::Scalar(value.clone()),
            })
            .or_insert(Variable {
                value: Value::Scalar(value),
                exported,
                readonly: false,
            });
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// The message, when it is readonly.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        self.check_writable(name)?;
        self.put(name, value);
        if self.options.allexport
            && let Some(variable) = self.variables.get_mut(name)
        {
            variable.exported = true;
        }
        Ok(())
    }

    /// # Errors
    /// The message, when the variable is readonly.
    pub fn check_writable(&self, name: &str) -> Result<(), String> {
        match self.variables.get(name) {
            Some(Variable { readonly: true, .. }) => Err(format!("{name}: is read only")),
            _ => Ok(()),
        }
    }

    /// The elements of an array; of a scalar that one.
    pub fn elements(&self, name: &str) -> Vec<(usize, String)> {
        match self.variables.get(name).map(|variable| &variable.value) {
            Some(Value::Array(elements)) => elements
                .iter()
                .map(|(index, text)| (*index, text.clone()))
                .collect(),
            Some(Value::Scalar(text)) => vec![(0, text.clone())],
            Some(Value::Unset) | None => Vec::new(),
        }
    }

    /// What utilities see as their environment, sorted by name.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self
            .variables
            .iter()
            .filter_map(|(name, variable)| match &variable.value {
                Value::Scalar(text) if variable.exported => Some((name.clone(), text.clone())),
                _ => None,
            })
            .collect();
        all.sort();
        all
    }

    /// A path as the host wants it: absolute, `.` and `..` resolved by name.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        normalize(&self.cwd.join(name))
    }

    /// The descriptor, if it is open.
    pub fn fd(&self, number: u32) -> Option<Fd> {
        self.fds.get(&number).cloned()
    }

    /// Writes a diagnostic as shells do: `NAME: LINE: MESSAGE`.
    pub async fn complain(&self, message: &str) {
        if let Some(fd) = self.fd(2) {
            // Nowhere is left to report a broken stderr to.
            let _ = fd
                .write(format!("{}: {}: {message}\n", self.name, self.line).as_bytes())
                .await;
        }
    }
}

/// `.` and `..` resolved by name, which never leaves `/`.
pub fn normalize(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            std::path::Component::Normal(name) => clean.push(name),
            std::path::Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}
