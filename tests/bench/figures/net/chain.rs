//! A client on the host, a published port, the nginx guest as a proxy, and the web app guest behind it, beside native nginx
//! as a proxy before another native nginx that answers by itself, each with one worker. The web app of the image is a
//! program in Python, which would be an easier twin.

use std::net::SocketAddr;

use serde_json::json;

use crate::bench::{Bench, NGINX, WRK};
use crate::figures::web::{Native, requests_per_second};
use crate::pods;
use crate::row::{Bar, Row, Unit};
use crate::samples::{in_turns, repeat};
use crate::up::Up;

const ROUNDS: usize = 3;

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let wrk = WRK.find().map_err(anyhow::Error::msg)?;
    let (up, published) = start_guests(bench)?;
    let ours = || requests_per_second(&wrk, &format!("http://{published}/"));
    let row = |samples| {
        let what = "wrk, 64 keep-alive connections, published port, nginx guest as proxy, webapp guest; twin: native nginx before native nginx";
        Row::new(what, Unit::PerSecond, samples).bar(Bar::RatioAtLeast(0.5))
    };
    let row = match NGINX.find() {
        Ok(program) => {
            let app = Native::start(bench, &program, |_| {
                Ok("return 200 'Hello world!';".to_owned())
            })?;
            let proxy = Native::start(bench, &program, |_| {
                Ok(format!("proxy_pass http://{};", app.address))
            })?;
            let (ours, twin) = in_turns(ROUNDS, ours, || {
                requests_per_second(&wrk, &format!("http://{}/", proxy.address))
            })?;
            row(ours).twin(twin)
        }
        Err(how) => row(repeat(ROUNDS, ours)?).without_twin(how),
    };
    up.stop()?;
    Ok(vec![row])
}

/// The pod of examples/mc3-reverse-proxy.yaml.
fn start_guests(bench: &Bench) -> anyhow::Result<(Up, SocketAddr)> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "proxy"},
        "data": {"default.conf": "server { listen 80; location / { proxy_pass http://127.0.0.1:5000; } }"},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "chain"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "webapp", "image": "training/webapp"},
                {
                    "name": "nginx", "image": "nginx",
                    "volumeMounts": [{"name": "conf", "mountPath": "/etc/nginx/conf.d"}],
                },
            ],
            "volumes": [{"name": "conf", "configMap": {"name": "proxy"}}],
        },
    });
    let up = Up::start(
        bench,
        &pods::list(&[map, pod]),
        &["--publish", "0:chain:80", "--no-logs"],
    )?;
    let address = up.published("chain:80")?;
    up.all_running(2)?;
    Ok((up, address))
}
