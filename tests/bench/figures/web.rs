//! A static page of 1 KB from the `nginx` guest through its published port, beside native nginx with one worker. Both
//! write an access log, as both do by default.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::bench::{Bench, NGINX, WRK};
use crate::pods;
use crate::process::{PATIENCE, Process};
use crate::row::{Bar, Row, Unit};
use crate::samples::{in_turns, repeat};
use crate::up::Up;

const ROUNDS: usize = 3;
const PAGE: &str = "index.html";
const PAGE_BYTES: usize = 1024;
/// Keep-alive connections; wrk has one thread, the server keeps the other core.
const CONNECTIONS: &str = "-c64";
const DURATION: &str = "-d4s";

const LOOK: Duration = Duration::from_millis(5);

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let wrk = WRK.find().map_err(anyhow::Error::msg)?;
    let page = "x".repeat(PAGE_BYTES);
    let (guest, address) = start_guest(bench, &page)?;
    let page_of = |address| format!("http://{address}/{PAGE}");
    let ours = || requests_per_second(&wrk, &page_of(address));
    let row = |samples| {
        let what = "wrk, 64 keep-alive connections, static 1 KB page of the nginx guest, published port; twin: native nginx, one worker";
        Row::new(what, Unit::PerSecond, samples).bar(Bar::RatioAtLeast(0.5))
    };
    let row = match NGINX.find() {
        Ok(program) => {
            let native = Native::start(bench, &program, |dir| {
                fs::write(dir.join("index.html"), &page)?;
                Ok(format!("root {}; index index.html;", dir.display()))
            })?;
            let twin = || requests_per_second(&wrk, &page_of(native.address));
            let (ours, twin) = in_turns(ROUNDS, ours, twin)?;
            row(ours).twin(twin)
        }
        Err(how) => row(repeat(ROUNDS, ours)?).without_twin(how),
    };
    guest.stop()?;
    Ok(vec![row])
}

/// How many requests for `url` are answered in a second.
pub(super) fn requests_per_second(wrk: &Path, url: &str) -> anyhow::Result<f64> {
    let output = Command::new(wrk)
        .args(["-t1", CONNECTIONS, DURATION, url])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(!text.contains("Non-2xx"), "wrk got errors: {text}");
    ensure!(
        !text.contains("Socket errors"),
        "wrk lost connections: {text}"
    );
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.and_then(|number| number.trim().parse().ok())
        .with_context(|| format!("wrk said: {text}"))
}

fn start_guest(bench: &Bench, page: &str) -> anyhow::Result<(Up, SocketAddr)> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}, "data": {"index.html": page},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "nginx", "image": "nginx",
                "volumeMounts": [{"name": "html", "mountPath": "/usr/share/nginx/html"}],
            }],
            "volumes": [{"name": "html", "configMap": {"name": "page"}}],
        },
    });
    let up = Up::start(
        bench,
        &pods::list(&[map, pod]),
        &["--publish", "0:web:80", "--no-logs"],
    )?;
    let address = up.published("web:80")?;
    up.all_running(1)?;
    Ok((up, address))
}

/// Native nginx with one worker. It ends when this is dropped.
pub(super) struct Native {
    _process: Process,
    pub(super) address: SocketAddr,
}

impl Native {
    /// Starts it, and waits until it listens. `location` gives what it does for all paths, and may use the folder.
    pub(super) fn start(
        bench: &Bench,
        program: &Path,
        location: impl FnOnce(&Path) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let dir = bench.fresh_path("-nginx");
        fs::create_dir(&dir)?;
        // Taken and given back: nginx takes it again at once, and nobody else is told of it.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = native_config(&dir, address, &location(&dir)?);
        let file = dir.join("nginx.conf");
        fs::write(&file, config)?;
        let mut command = Command::new(program);
        let command = command.arg("-p").arg(&dir).arg("-c").arg(&file);
        let command = command.arg("-e").arg(dir.join("error.log"));
        let process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let limit = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < limit, "native nginx does not listen");
            thread::sleep(LOOK);
        }
        Ok(Self {
            _process: process,
            address,
        })
    }
}

/// The configuration of the container image, with one worker and without anything that needs root.
fn native_config(dir: &Path, address: SocketAddr, location: &str) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {dir}/pid;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; }}
    access_log {dir}/access.log;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    sendfile on;
    keepalive_timeout 65;
    server {{
        listen {address};
        location / {{ {location} }}
    }}
}}
"
    )
}
