//! `wasmpod net capture`: the traffic of a pod as a pcapng file, until Ctrl-C, the pod's end, or enough packets.
//!
//! Words and ends are those of `tcpdump -w`.

use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::blocks::Blocks;
use crate::args::net::NetCaptureArgs;
use crate::report::{self, Outcome};
use crate::runs::{Query, Runs, name, target_of, text};
use crate::up::Interrupts;
use crate::{selection, targets};

pub(crate) async fn run(args: &NetCaptureArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let is_stdout = args.write == Path::new("-");
    if is_stdout && std::io::stdout().is_terminal() {
        bail!(
            "a capture is nothing to read on a terminal: name a file, or pipe it to `tshark -r -`"
        );
    }
    let pod = targets::pod(&runs, &args.namespace.namespace, &args.pod).await?;
    for container in &args.container {
        targets::said_container(&pod.object, container)?;
    }
    let pods = selection::find("pods")?;
    let (namespace, own) = (text(&pod.object, "/metadata/namespace"), name(&pod.object));
    let path = format!("{}/capture", pods.path(Some(&namespace), Some(&own)));
    let mut interrupts = Interrupts::listen()?;
    let mut stream = pod
        .run
        .client
        .bytes(&target_of(&path, &query(args)))
        .await?;
    // Nobody's file is touched before it is known that something will come.
    let mut out: Box<dyn Write> = if is_stdout {
        Box::new(std::io::stdout().lock())
    } else {
        let shown = args.write.display();
        let file = File::create(&args.write).with_context(|| format!("cannot write `{shown}`"))?;
        report::stderr(format_args!(
            "capturing pod/{own} to {shown}; Ctrl-C ends it"
        ));
        Box::new(file)
    };
    let mut blocks = Blocks::default();
    let ended = loop {
        let bytes = tokio::select! {
            () = interrupts.next() => break Ok(()),
            bytes = stream.next() => bytes,
        };
        match bytes {
            Ok(Some(bytes)) => {
                out.write_all(&blocks.take(&bytes)?)?;
                out.flush()?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    report::stderr(format_args!("{} packets captured", blocks.packets()));
    if blocks.dropped() > 0 {
        report::stderr(format_args!(
            "{} packets dropped: they were not written in time",
            blocks.dropped()
        ));
    }
    ended?;
    Ok(Outcome::Done)
}

fn query(args: &NetCaptureArgs) -> Query {
    let containers = args
        .container
        .iter()
        .map(|name| ("container", name.clone()));
    let ports = args.port.iter().map(|port| ("port", port.to_string()));
    let count = args.count.map(|count| ("count", count.to_string()));
    let snaplen = args.snaplen.map(|bytes| ("snapLength", bytes.to_string()));
    containers
        .chain(ports)
        .chain(count)
        .chain(snaplen)
        .collect()
}
