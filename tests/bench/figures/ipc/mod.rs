//! IPC between two containers of a pod, beside the same program as two processes on the kernel.

mod memory;
mod queues;
mod semaphores;
mod wake;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::guest::GuestFigures;
use crate::pods;
use crate::process::Process;
use crate::up::Up;

pub(crate) use memory::rows as memory;
pub(crate) use queues::{batches, large, round_trips, rows as queues, system_v};
pub(crate) use semaphores::rows as semaphores;
pub(crate) use wake::rows as wake;

/// Measurements of a row, besides the warm-up.
const ROUNDS: usize = 5;

/// Parameters of a kernel that a pod sets for itself; what is not here is as Linux has it.
const SYSCTLS: [(&str, &str); 3] = [
    // 1,024 messages of 64 bytes, or one of 64 KiB.
    ("kernel.msgmnb", "655360"),
    ("kernel.msgmax", "65536"),
    ("fs.mqueue.queues_max", "1200"),
];

/// Two programs and one object, or one program alone with it.
struct Load<'a> {
    /// The role that prints figures.
    measures: &'a str,
    /// The other one.
    serves: Option<&'a str>,
    size: u32,
    count: u32,
    /// What a queue holds; nothing where there is none.
    capacity: Option<u32>,
}

impl Load<'_> {
    fn args(&self, role: &str, place: &str) -> Vec<String> {
        let numbers = [Some(self.size), Some(self.count), self.capacity];
        let mut args = vec![role.to_owned(), place.to_owned()];
        args.extend(numbers.iter().flatten().map(u32::to_string));
        args
    }

    /// System V's queues have numbers for names.
    fn place(&self, name: &str, number: u32) -> String {
        if self.measures.starts_with("msg-") {
            (0x4200_0000 + number % 0xff_ffff).to_string()
        } else {
            format!("/{name}-{number}")
        }
    }

    fn in_pod(&self, bench: &Bench, module: &Path) -> anyhow::Result<GuestFigures> {
        let place = self.place("bench", 1);
        let container = |role: &str| {
            let args = self.args(role, &place);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            pods::container(role, module, &args)
        };
        let containers: Vec<Value> = [Some(self.measures), self.serves]
            .into_iter()
            .flatten()
            .map(container)
            .collect();
        let up = Up::start(bench, &pod("ipc", &containers).to_string(), &[])?;
        let figures = up.guest_figures(self.measures)?;
        up.end()?;
        Ok(figures)
    }

    fn native(&self, bench: &Bench) -> anyhow::Result<GuestFigures> {
        let program = bench.native()?;
        let place = self.place("wasmpod-bench", std::process::id());
        let mut measures = Command::new(program);
        let args = self.args(self.measures, &place);
        let mut measures = Process::start(measures.args(args).stdout(Stdio::piped()))?;
        let lines = measures.stdout()?;
        let start = |role| Process::start(Command::new(program).args(self.args(role, &place)));
        let serves = self.serves.map(start).transpose()?;
        let figures = lines.find("the native twin's figures", |_, line| {
            GuestFigures::parse(line, self.measures)
        })?;
        for mut process in serves.into_iter().chain([measures]) {
            ensure!(process.wait()?.success(), "the native twin failed");
        }
        Ok(figures)
    }
}

/// A pod with the parameters that the loads need.
fn pod(name: &str, containers: &[Value]) -> Value {
    let mut pod = pods::pod(name, containers);
    let sysctls: Vec<Value> = SYSCTLS
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("securityContext".to_owned(), json!({"sysctls": sysctls}));
    }
    pod
}

/// What the kernel lets an unprivileged program have, or what it lets it have by default.
fn of_kernel(parameter: &str, default: u32) -> u32 {
    let text = fs::read_to_string(Path::new("/proc/sys").join(parameter)).unwrap_or_default();
    text.trim().parse().unwrap_or(default)
}
