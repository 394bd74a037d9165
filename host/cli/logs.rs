//! `wasmpod logs`: what containers have printed, and print.

use std::io::Write as _;

use anyhow::bail;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wasmpod_api::client::{ByteStream, Client, ClientError};

use crate::args::looking::LogsArgs;
use crate::report::{self, Outcome};
use crate::runs::{Found, Query, Runs, name, target_of, text};
use crate::{selection, targets};

/// How many lines are shown of each log of a selector's pods unless said, as kubectl has it.
const TAIL_OF_SELECTED: i64 = 10;

/// How many pieces of logs wait to be written; beyond it the connections wait.
const WAITING: usize = 64;

/// The longest line that is put together before it is written, in bytes, when several logs share the output.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// One log to read.
struct Log {
    client: Client,
    target: String,
    /// What stands before each line; empty when nothing does.
    prefix: String,
    /// Are lines kept whole, because they have a prefix or company? Else bytes go through as they come.
    by_line: bool,
}

pub(crate) async fn run(args: &LogsArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let pods = pods(args, &runs).await?;
    if pods.is_empty() {
        let namespace = &args.namespace.namespace;
        report::stderr(format_args!("No resources found in {namespace} namespace."));
        return Ok(Outcome::Done);
    }
    let mut logs = Vec::new();
    for pod in &pods {
        logs.extend(logs_of(args, pod)?);
    }
    if args.follow && logs.len() > args.max_log_requests {
        bail!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {}, use \
             --max-log-requests to increase the limit",
            logs.len(),
            args.max_log_requests
        );
    }
    if args.follow && logs.len() > 1 {
        together(logs, args.ignore_errors).await
    } else {
        one_after_another(logs, args.ignore_errors).await
    }
}

async fn pods(args: &LogsArgs, runs: &Runs) -> anyhow::Result<Vec<Found>> {
    let namespace = &args.namespace.namespace;
    match (&args.pod, &args.selector) {
        (Some(word), _) if args.all_pods => targets::pods(runs, namespace, word).await,
        (Some(word), _) => Ok(vec![targets::pod(runs, namespace, word).await?]),
        (None, selector) => {
            let query = selector.iter().map(|text| ("labelSelector", text.clone()));
            let pods = selection::find("pods")?;
            runs.list(pods, Some(namespace), &query.collect()).await
        }
    }
}

/// The logs of a pod that are wanted.
fn logs_of(args: &LogsArgs, pod: &Found) -> anyhow::Result<Vec<Log>> {
    let said = args.container.as_ref().or(args.container_name.as_ref());
    let containers = match said {
        Some(said) => vec![targets::said_container(&pod.object, said)?],
        None if args.all_containers => targets::containers(&pod.object),
        None => vec![targets::default_container(&pod.object, false)?],
    };
    let (own, namespace) = (name(&pod.object), text(&pod.object, "/metadata/namespace"));
    let path = selection::find("pods")?.path(Some(&namespace), Some(&own));
    let logs = containers.into_iter().map(|container| {
        let prefix = if args.prefix {
            format!("[pod/{own}/{container}] ")
        } else {
            String::new()
        };
        Log {
            client: pod.run.client.clone(),
            target: target_of(&format!("{path}/log"), &query(args, container)),
            by_line: args.prefix,
            prefix,
        }
    });
    Ok(logs.collect())
}

fn query(args: &LogsArgs, container: String) -> Query {
    let mut query = vec![("container", container)];
    for (key, is_on) in [
        ("follow", args.follow),
        ("previous", args.previous),
        ("timestamps", args.timestamps),
    ] {
        if is_on {
            query.push((key, "true".to_owned()));
        }
    }
    if let Some(since) = args.since {
        // Whole seconds are what the API has: rather a line too many.
        let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        query.push(("sinceSeconds", seconds.to_string()));
    }
    if let Some(time) = args.since_time {
        query.push(("sinceTime", time.to_string()));
    }
    let usual = args.selector.as_ref().map_or(-1, |_| TAIL_OF_SELECTED);
    let tail = args.tail.unwrap_or(usual);
    if tail >= 0 {
        query.push(("tailLines", tail.to_string()));
    }
    if let Some(limit) = args.limit_bytes {
        query.push(("limitBytes", limit.to_string()));
    }
    query
}

async fn one_after_another(logs: Vec<Log>, ignore_errors: bool) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    for log in logs {
        let (sender, mut pieces) = mpsc::channel(WAITING);
        let mut writer = Writer::default();
        let reading = read(log, sender);
        tokio::pin!(reading);
        let result = loop {
            tokio::select! {
                biased;
                Some(piece) = pieces.recv() => writer.write(&piece)?,
                result = &mut reading => break result,
            }
        };
        while let Ok(piece) = pieces.try_recv() {
            writer.write(&piece)?;
        }
        match result {
            Err(error) if ignore_errors => outcome = report::failure(&error.into()),
            result => result?,
        }
    }
    // What could not be read was said, and was not to matter.
    Ok(if ignore_errors {
        Outcome::Done
    } else {
        outcome
    })
}

async fn together(logs: Vec<Log>, ignore_errors: bool) -> anyhow::Result<Outcome> {
    let (sender, mut pieces) = mpsc::channel(WAITING);
    let mut readers = JoinSet::new();
    for mut log in logs {
        log.by_line = true;
        readers.spawn(read(log, sender.clone()));
    }
    drop(sender);
    let mut writer = Writer { whole_lines: true };
    loop {
        tokio::select! {
            biased;
            piece = pieces.recv() => match piece {
                Some(piece) => writer.write(&piece)?,
                None => break,
            },
            Some(ended) = readers.join_next() => match ended? {
                Err(error) if ignore_errors => {
                    report::failure(&error.into());
                }
                result => result?,
            },
        }
    }
    while let Some(ended) = readers.join_next().await {
        match ended? {
            Err(error) if ignore_errors => {
                report::failure(&error.into());
            }
            result => result?,
        }
    }
    Ok(Outcome::Done)
}

/// Reads a log to its end: pieces as they come, or whole lines when they have a prefix or company.
async fn read(log: Log, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), ClientError> {
    let mut stream: ByteStream = log.client.bytes(&log.target).await?;
    let mut line = Vec::new();
    while let Some(bytes) = stream.next().await? {
        if !log.by_line {
            if pieces.send(bytes.to_vec()).await.is_err() {
                return Ok(());
            }
            continue;
        }
        let mut ready = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.is_empty() {
                line.extend_from_slice(log.prefix.as_bytes());
            }
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                ready.append(&mut line);
            } else if line.len() > MAX_LINE_BYTES {
                line.push(b'\n');
                ready.append(&mut line);
            }
        }
        if !ready.is_empty() && pieces.send(ready).await.is_err() {
            return Ok(());
        }
    }
    if !line.is_empty() {
        drop(pieces.send(line).await);
    }
    Ok(())
}

/// Standard output, line by line.
#[derive(Default)]
struct Writer {
    whole_lines: bool,
}

impl Writer {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        // As it is: a program's own colours are for the terminal that it runs for.
        let mut out = std::io::stdout().lock();
        out.write_all(piece)?;
        if self.whole_lines && !piece.ends_with(b"\n") {
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}
