//! A short answer from a component of `wasi:http` through its published port, beside `wasmtime serve` with the same
//! component: once with an instance for each request, once with instances that answer a thousand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::json;

use super::web::requests_per_second;
use crate::bench::{Bench, WASMTIME, WRK, root};
use crate::pods;
use crate::process::Process;
use crate::row::{Bar, Row, Unit};
use crate::samples::{in_turns, repeat};
use crate::up::Up;

const ROUNDS: usize = 3;

/// Requests that one instance answers.
const REUSE: [u32; 2] = [1, 1000];

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let wrk = WRK.find().map_err(anyhow::Error::msg)?;
    let wasmtime = WASMTIME.find();
    let component = component(bench)?;
    let mut rows = Vec::new();
    for reuse in REUSE {
        let what = format!(
            "wrk, 64 keep-alive connections, a wasi:http component, published port, {}; twin: `wasmtime serve`",
            if reuse == 1 {
                "an instance for each request".to_owned()
            } else {
                format!("an instance for {reuse} requests")
            }
        );
        let row = |samples| Row::new(what, Unit::PerSecond, samples).bar(Bar::RatioAtLeast(2.0));
        let (up, url) = start_ours(bench, reuse)?;
        let ours = || requests_per_second(&wrk, &url);
        rows.push(match &wasmtime {
            Ok(program) => {
                let (twin, url) = start_twin(program, &component, reuse)?;
                let measured = in_turns(ROUNDS, ours, || requests_per_second(&wrk, &url));
                drop(twin);
                let (ours, twin) = measured?;
                row(ours).twin(twin)
            }
            Err(how) => row(repeat(ROUNDS, ours)?).without_twin(how.clone()),
        });
        up.stop()?;
    }
    Ok(rows)
}

/// The built-in image's component as a file.
fn component(bench: &Bench) -> anyhow::Result<PathBuf> {
    let packed = fs::read(root().join("host/image/builtin/http-component.wasm.zst"))?;
    let file = bench.fresh_path(".wasm");
    fs::write(&file, zstd::decode_all(packed.as_slice())?)?;
    Ok(file)
}

fn start_ours(bench: &Bench, reuse: u32) -> anyhow::Result<(Up, String)> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web",
            "annotations": {"wasmpod.dev/http": format!("max-instance-reuse-count={reuse}")},
        },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "web", "image": "wasmpod/http-component",
                "ports": [{"containerPort": 8080}],
            }],
        },
    });
    let up = Up::start(
        bench,
        &pods::list(&[pod]),
        &["--publish", "0:web:8080", "--no-logs"],
    )?;
    let address = up.published("web:8080")?;
    up.all_running(1)?;
    Ok((up, format!("http://{address}/")))
}

fn start_twin(program: &Path, component: &Path, reuse: u32) -> anyhow::Result<(Process, String)> {
    let mut command = Command::new(program);
    command
        .args(["serve", "-Scli", "--addr", "127.0.0.1:0"])
        .arg(format!("--max-instance-reuse-count={reuse}"))
        .arg(component);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    let stderr = process.stderr()?;
    let url = stderr.find("where `wasmtime serve` serves", |_, line| {
        let start = line.find("http://")?;
        line.get(start..).map(|url| url.trim().to_owned())
    });
    let url = url.context("`wasmtime serve` does not start")?;
    Ok((process, url))
}
