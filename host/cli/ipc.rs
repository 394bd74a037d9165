//! `wasmpod ipc ls`: the IPC objects of a pod, as `ipcs(1)` lists those of a machine.

use std::io::Write as _;

use serde_json::Value;
use wasmpod_api::client::Accept;

use crate::args::looking::{IpcCommand, IpcLsArgs, IpcOutput};
use crate::report::{self, Outcome};
use crate::runs::{Runs, name, text};
use crate::tabs::Tabs;
use crate::{selection, targets};

/// A column: its header, where its value is, how it is written, and whether only `-o wide` shows it.
struct Column {
    header: &'static str,
    pointer: &'static str,
    write: fn(&Value) -> String,
    is_wide: bool,
}

const fn column(
    header: &'static str,
    pointer: &'static str,
    write: fn(&Value) -> String,
) -> Column {
    Column {
        header,
        pointer,
        write,
        is_wide: false,
    }
}

const fn wide(header: &'static str, pointer: &'static str, write: fn(&Value) -> String) -> Column {
    Column {
        is_wide: true,
        ..column(header, pointer, write)
    }
}

/// The kinds of objects: a title, where they are, and their columns.
const SECTIONS: [(&str, &str, &[Column]); 6] = [
    (
        "POSIX Message Queues",
        "/messageQueues",
        &[
            column("NAME", "", posix_name),
            column("MESSAGES", "/messages", plain),
            column("BYTES", "/bytes", plain),
            column("READERS", "/waitingReaders", plain),
            column("WRITERS", "/waitingWriters", plain),
            column("LAST-SENDER", "/lastSender", plain),
            column("LAST-RECEIVER", "/lastReceiver", plain),
            wide("MAX-MESSAGES", "/maxMessages", plain),
            wide("MESSAGE-SIZE", "/messageSize", plain),
            wide("OPEN", "/openHandles", plain),
            wide("SENT", "/sentMessages", plain),
            wide("RECEIVED", "/receivedMessages", plain),
            wide("NOTIFIES", "/notifies", plain),
        ],
    ),
    (
        "POSIX Semaphores",
        "/semaphores",
        &[
            column("NAME", "", posix_name),
            column("VALUE", "/value", plain),
            column("WAITING", "/waiting", plain),
            wide("OPEN", "/openHandles", plain),
        ],
    ),
    (
        "POSIX Shared Memory",
        "/sharedMemory",
        &[
            column("NAME", "", posix_name),
            column("BYTES", "/bytes", plain),
            column("WAITING", "/waiting", plain),
            wide("OPEN", "/openHandles", plain),
        ],
    ),
    (
        "System V Message Queues",
        "/systemVMessageQueues",
        &[
            column("KEY", "/key", key),
            column("ID", "/id", plain),
            column("MESSAGES", "/messages", plain),
            column("BYTES", "/bytes", plain),
            column("READERS", "/waitingReaders", plain),
            column("WRITERS", "/waitingWriters", plain),
            column("LAST-SENDER", "/lastSender", plain),
            column("LAST-RECEIVER", "/lastReceiver", plain),
            wide("MAX-BYTES", "/maxBytes", plain),
            wide("CREATOR", "/creator", plain),
            wide("PERMS", "/mode", mode),
        ],
    ),
    (
        "System V Semaphore Sets",
        "/systemVSemaphoreSets",
        &[
            column("KEY", "/key", key),
            column("ID", "/id", plain),
            column("NSEMS", "/semaphores", plain),
            column("WAITING", "/waiting", plain),
            column("LAST-OPERATOR", "/lastOperator", plain),
            wide("CREATOR", "/creator", plain),
            wide("PERMS", "/mode", mode),
            wide("VALUES", "/values", values),
        ],
    ),
    (
        "System V Shared Memory",
        "/systemVSegments",
        &[
            column("KEY", "/key", key),
            column("ID", "/id", plain),
            column("BYTES", "/bytes", plain),
            column("NATTCH", "/attached", plain),
            column("STATUS", "/removed", dest),
            column("LAST-USER", "/lastUser", plain),
            wide("WAITING", "/waiting", plain),
            wide("CREATOR", "/creator", plain),
            wide("PERMS", "/mode", mode),
        ],
    ),
];

/// What stands where there is nothing.
const NONE: &str = "<none>";

/// Values of a set that are shown.
const MAX_VALUES: usize = 16;

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => NONE.to_owned(),
        other => other.to_string(),
    }
}

/// The name of a POSIX object; one that is unlinked has none any more.
fn posix_name(object: &Value) -> String {
    let own = text(object, "/name");
    match object.pointer("/unlinked").and_then(Value::as_bool) {
        Some(true) => format!("{own} (unlinked)"),
        _ => own,
    }
}

/// A key as `ipcs(1)` writes it.
fn key(value: &Value) -> String {
    let key = value.as_i64().and_then(|key| i32::try_from(key).ok());
    key.map_or_else(|| NONE.to_owned(), |key| format!("{key:#010x}"))
}

fn mode(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(|| NONE.to_owned(), |mode| format!("{mode:o}"))
}

fn dest(value: &Value) -> String {
    let is_removed = value.as_bool() == Some(true);
    if is_removed { "dest" } else { "" }.to_owned()
}

fn values(value: &Value) -> String {
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let shown: Vec<_> = all.iter().take(MAX_VALUES).map(plain).collect();
    let more = if all.len() > MAX_VALUES { ",..." } else { "" };
    format!("{}{more}", shown.join(","))
}

pub(crate) async fn run(command: &IpcCommand, runs: Runs) -> anyhow::Result<Outcome> {
    let IpcCommand::Ls(args) = command;
    let pod = targets::pod(&runs, &args.namespace.namespace, &args.pod).await?;
    let pods = selection::find("pods")?;
    let (namespace, own) = (text(&pod.object, "/metadata/namespace"), name(&pod.object));
    let path = format!("{}/ipc", pods.path(Some(&namespace), Some(&own)));
    let listing = pod.run.client.get(&path, Accept::Json).await?;
    let mut out = anstream::stdout().lock();
    if args.output == Some(IpcOutput::Json) {
        writeln!(out, "{}", serde_json::to_string_pretty(&listing)?)?;
        return Ok(Outcome::Done);
    }
    let lines = lines(&listing, args);
    if lines.is_empty() {
        report::stderr(format_args!("No IPC objects in pod \"{own}\"."));
    }
    out.write_all(lines.as_bytes())?;
    Ok(Outcome::Done)
}

/// The sections that have objects.
fn lines(listing: &Value, args: &IpcLsArgs) -> String {
    let mut text = String::new();
    for (title, pointer, columns) in SECTIONS {
        let objects = listing.pointer(pointer).and_then(Value::as_array);
        let objects = objects.map(Vec::as_slice).unwrap_or_default();
        if objects.is_empty() {
            continue;
        }
        let is_wide = args.output == Some(IpcOutput::Wide);
        let columns: Vec<_> = columns
            .iter()
            .filter(|one| is_wide || !one.is_wide)
            .collect();
        let mut out = Tabs::for_table();
        if !args.no_headers {
            let headers: Vec<_> = columns.iter().map(|column| column.header).collect();
            out.line(0, headers.join("\t"));
        }
        for object in objects {
            let cells: Vec<_> = columns
                .iter()
                .map(|column| {
                    let value = object.pointer(column.pointer);
                    value.map_or_else(|| NONE.to_owned(), column.write)
                })
                .collect();
            out.line(0, cells.join("\t"));
        }
        if !args.no_headers {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}------ {title} --------\n"));
        }
        text.push_str(&out.finish());
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::args::{Cli, Command};

    fn shown(line: &str, listing: &Value) -> String {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Ipc(IpcCommand::Ls(args)) = cli.command else {
            panic!("no ipc ls");
        };
        lines(listing, &args)
    }

    fn listing() -> Value {
        json!({
            "messageQueues": [
                {"name": "/work", "unlinked": false, "messages": 2, "bytes": 9, "maxMessages": 10, "messageSize": 8192,
                 "openHandles": 2, "waitingReaders": 0, "waitingWriters": 1, "notifies": null, "sentMessages": 5,
                 "receivedMessages": 3, "lastSender": "producer", "lastReceiver": null},
                {"name": "/old", "unlinked": true, "messages": 0, "bytes": 0, "waitingReaders": 1, "waitingWriters": 0,
                 "lastSender": null, "lastReceiver": null},
            ],
            "semaphores": [],
            "systemVSegments": [
                {"key": -1, "id": 32769, "bytes": 4096, "attached": 1, "removed": true, "lastUser": "a"},
            ],
        })
    }

    #[test]
    fn kinds_with_objects_are_listed() {
        let expected = "\
------ POSIX Message Queues --------
NAME              MESSAGES   BYTES   READERS   WRITERS   LAST-SENDER   LAST-RECEIVER
/work             2          9       0         1         producer      <none>
/old (unlinked)   0          0       1         0         <none>        <none>

------ System V Shared Memory --------
KEY          ID      BYTES   NATTCH   STATUS   LAST-USER
0xffffffff   32769   4096    1        dest     a
";
        assert_eq!(shown("wasmpod ipc ls mc2", &listing()), expected);
    }

    #[test]
    fn wide_shows_sizes_and_counters() {
        let text = shown("wasmpod ipc ls mc2 -o wide --no-headers", &listing());
        let first = text.lines().next().unwrap();
        let words: Vec<_> = first.split_whitespace().collect();
        let expected = [
            "/work", "2", "9", "0", "1", "producer", "<none>", "10", "8192", "2", "5", "3",
            "<none>",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_pod_without_objects_has_no_lines() {
        assert_eq!(
            shown("wasmpod ipc ls mc2", &json!({"messageQueues": []})),
            ""
        );
    }

    #[test]
    fn many_values_are_cut() {
        let all: Vec<_> = (0..20).collect();
        assert_eq!(
            values(&json!(all)),
            "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,..."
        );
    }
}
