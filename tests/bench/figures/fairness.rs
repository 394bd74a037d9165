//! What one container takes from the others: an endless loop beside nine that echo, all in one pod and so on one
//! thread; and pods that do nothing at all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use crate::bench::Bench;
use crate::host::cpu_time;
use crate::pods;
use crate::process::PATIENCE;
use crate::row::{Bar, Row, Unit};
use crate::samples::{Samples, milliseconds};
use crate::up::Up;

const ECHOES: u16 = 9;
const FIRST_PORT: u16 = 7001;
const ROUND_TRIPS: usize = 500;
/// The pause between two messages to one container: a client that asks now and then.
const PAUSE: Duration = Duration::from_millis(1);

const IDLE_PODS: usize = 10;
/// After the start, until it has calmed down.
const CALM: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn beside_a_loop(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let endless = pods::container("loop", &bench.alone_component, &["spin"]);
    let alone = round_trips(bench, None)?;
    let beside = round_trips(bench, Some((endless, Place::SamePod)))?;
    let what = |percent| {
        format!(
            "nine containers echo 64 bytes over published ports beside one in an endless loop: p{percent}; twin: without the loop"
        )
    };
    let row = |percent| {
        let [ours, twin] =
            [&beside, &alone].map(|samples| Samples::from_iter([samples.percentile(percent)]));
        Row::new(what(percent), Unit::Milliseconds, ours).twin(twin)
    };
    Ok(vec![row(50), row(99).bar(Bar::AtMost(10.0))])
}

/// Where a container is that disturbs the echoing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    SamePod,
    OtherPod,
}

/// Milliseconds of each round trip, all echoing containers together, beside a container that disturbs them.
pub(super) fn round_trips(
    bench: &Bench,
    disturber: Option<(Value, Place)>,
) -> anyhow::Result<Samples> {
    let ports = FIRST_PORT..FIRST_PORT + ECHOES;
    let echo = |port| {
        pods::container(
            &format!("echo-{port}"),
            &bench.component,
            &["tcp-echo", &format!("0.0.0.0:{port}")],
        )
    };
    let mut containers: Vec<Value> = ports.clone().map(echo).collect();
    let mut all_pods = Vec::new();
    let mut running = containers.len();
    if let Some((disturber, place)) = disturber {
        match place {
            Place::SamePod => {
                running += 1;
                containers.insert(0, disturber);
            }
            // Its start may be told before the ports of the others are, and is not waited for.
            Place::OtherPod => all_pods.push(pods::pod("disturber", &[disturber])),
        }
    }
    all_pods.push(pods::pod("fair", &containers));
    let publish: Vec<_> = ports
        .clone()
        .map(|port| format!("--publish=0:fair:{port}"))
        .collect();
    let args: Vec<_> = publish
        .iter()
        .map(String::as_str)
        .chain(["--no-logs"])
        .collect();
    let up = Up::start(bench, &pods::list(&all_pods), &args)?;
    let addresses: Vec<SocketAddr> = ports
        .map(|port| up.published(&format!("fair:{port}")))
        .collect::<anyhow::Result<_>>()?;
    up.all_running(running)?;
    let clients: Vec<_> = addresses
        .into_iter()
        .map(|address| thread::spawn(move || ask(address)))
        .collect();
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for client in clients {
        let (round_trips, stream) = client.join().ok().context("a client panicked")??;
        all.extend(round_trips);
        // A server ends with its client, and the pods with their last server.
        open.push(stream);
    }
    up.stop()?;
    Ok(all.into_iter().collect())
}

fn ask(address: SocketAddr) -> anyhow::Result<(Vec<f64>, TcpStream)> {
    let mut stream = connect(address)?;
    let mut answer = [0; 64];
    let mut round_trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        stream.write_all(&[0x5a; 64])?;
        stream.read_exact(&mut answer)?;
        round_trips.push(milliseconds(start.elapsed()));
        thread::sleep(PAUSE);
    }
    Ok((round_trips, stream))
}

/// A connection that is known to be answered: a published port takes connections before its container listens, and
/// closes them again.
fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let first = || -> std::io::Result<TcpStream> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"?")?;
            stream.read_exact(&mut [0])?;
            Ok(stream)
        };
        match first() {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > limit => return Err(error).context("nobody echoes"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

pub(crate) fn idle(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let manifest = pods::idle(IDLE_PODS, IDLE_PODS, &bench.alone_component);
    let up = Up::start(bench, &manifest, &["--no-logs"])?;
    up.all_running(IDLE_PODS)?;
    thread::sleep(CALM);
    let (start, before) = (Instant::now(), cpu_time(up.id())?);
    thread::sleep(WATCHED);
    let used = cpu_time(up.id())?.saturating_sub(before);
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    up.stop()?;
    let what = "ten pods of one idle component each: processor time, of one core";
    Ok(vec![
        Row::new(what, Unit::Percent, Samples::from_iter([share])).bar(Bar::AtMost(1.0)),
    ])
}
