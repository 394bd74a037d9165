//! The pod of examples/mc1-shared-volume.yaml, from the start of the program until a browser would see its page: on a
//! machine that has never run it, and on one that has.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::bench::{Bench, root};
use crate::process::PATIENCE;
use crate::row::{Bar, Row, Unit};
use crate::samples::{Samples, milliseconds};
use crate::up::Up;

const FIRST_ROUNDS: usize = 3;
const LATER_ROUNDS: usize = 10;

/// The pause between two looks at the page: an error of measuring.
const LOOK: Duration = Duration::from_micros(500);

pub(crate) fn rows(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let (mut first, mut later) = (Samples::default(), Samples::default());
    let mut code = bench.fresh_path("-code");
    for _ in 0..FIRST_ROUNDS {
        code = bench.fresh_path("-code");
        first.push(until_page(bench, &code)?);
    }
    // By now the code store must hold what the second start wants; better code may come in the background.
    settle(&code)?;
    for _ in 0..LATER_ROUNDS {
        later.push(until_page(bench, &code)?);
    }
    let what = |when| format!("`wasmpod up` of mc1 until its page is served, {when}");
    Ok(vec![
        Row::new(what("nothing cached"), Unit::Milliseconds, first).bar(Bar::AtMost(5000.0)),
        Row::new(what("the second time"), Unit::Milliseconds, later).bar(Bar::AtMost(150.0)),
    ])
}

fn until_page(bench: &Bench, code: &Path) -> anyhow::Result<f64> {
    let manifest = root().join("examples/mc1-shared-volume.yaml");
    let up = Up::run(
        bench
            .up_file(&manifest, code)
            .args(["--publish", "0:mc1:80", "--no-logs"]),
    )?;
    let address = up.published("mc1:80")?;
    let limit = Instant::now() + PATIENCE;
    while !has_page(address) {
        ensure!(Instant::now() < limit, "no page within {PATIENCE:?}");
        thread::sleep(LOOK);
    }
    let elapsed = milliseconds(up.start.elapsed());
    up.stop()?;
    Ok(elapsed)
}

/// Is a page with content served?
fn has_page(address: SocketAddr) -> bool {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    head.starts_with("HTTP/1.1 200 ") && !body.is_empty()
}

/// Waits until nothing is written to the code store any more.
fn settle(code: &Path) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(code).with_context(|| format!("no code store in {}", code.display()))?;
    ensure!(
        entries.count() > 0,
        "the code store is empty after the first start"
    );
    Ok(())
}
