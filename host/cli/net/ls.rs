//! `wasmpod net ls`: the sockets of a pod, as `ss(8)` lists those of a machine, and sums as `ss -s` has them.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use wasmpod_api::client::Accept;

use crate::args::looking::OutputFormat;
use crate::args::net::{NetLsArgs, NetOutput};
use crate::get::output::document;
use crate::report::{self, Outcome};
use crate::runs::{Runs, name, text};
use crate::tabs::Tabs;
use crate::{age, selection, targets, units};

/// What stands where there is nothing.
const NONE: &str = "<none>";

/// Header, how it is written, and whether only `-o wide` shows it. The time is now.
type Column = (&'static str, fn(&Value, Timestamp) -> String, bool);

const COLUMNS: [Column; 14] = [
    ("Netid", |socket, _| text(socket, "/netid"), false),
    ("State", |socket, _| text(socket, "/state"), false),
    (
        "Recv-Q",
        |socket, _| number(socket, "/recvQueue").to_string(),
        false,
    ),
    (
        "Send-Q",
        |socket, _| number(socket, "/sendQueue").to_string(),
        false,
    ),
    ("Local Address:Port", |socket, _| local(socket), false),
    ("Peer Address:Port", |socket, _| peer(socket), false),
    ("Container", |socket, _| text(socket, "/container"), false),
    (
        "Peer-Container",
        |socket, _| or_none(socket, "/peerContainer"),
        true,
    ),
    (
        "Received",
        |socket, _| amount(socket, "/traffic/receivedBytes"),
        true,
    ),
    (
        "Sent",
        |socket, _| amount(socket, "/traffic/sentBytes"),
        true,
    ),
    ("Messages", |socket, _| messages(socket), true),
    ("Drops", |socket, _| drops(socket), true),
    (
        "Accepted",
        |socket, _| or_none(socket, "/listener/acceptedConnections"),
        true,
    ),
    ("Age", |socket, now| age::since(opened(socket), now), true),
];

pub(crate) async fn run(args: &NetLsArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let pod = targets::pod(&runs, &args.namespace.namespace, &args.pod).await?;
    let pods = selection::find("pods")?;
    let (namespace, own) = (text(&pod.object, "/metadata/namespace"), name(&pod.object));
    let path = format!("{}/net", pods.path(Some(&namespace), Some(&own)));
    let mut net = pod.run.client.get(&path, Accept::Json).await?;
    select(&mut net, args);
    let shown = match args.output {
        Some(NetOutput::Json) => document(net, &OutputFormat::Json)?,
        Some(NetOutput::Yaml) => document(net, &OutputFormat::Yaml)?,
        None | Some(NetOutput::Wide) => {
            let lines = if args.summary {
                summary(&net, args)
            } else {
                sockets(&net, args, Timestamp::now())
            };
            if lines.is_empty() {
                report::stderr(format_args!("No sockets in pod \"{own}\"."));
            }
            lines
        }
    };
    anstream::stdout().lock().write_all(shown.as_bytes())?;
    Ok(Outcome::Done)
}

/// Leaves the sockets that are asked for: listeners first, in each protocol.
fn select(net: &mut Value, args: &NetLsArgs) {
    let Some(sockets) = net.pointer_mut("/sockets").and_then(Value::as_array_mut) else {
        return;
    };
    sockets.retain(|socket| {
        let is_udp = text(socket, "/netid") == "udp";
        let (state, has_address) = (text(socket, "/state"), has(socket, "/localAddress"));
        let is_wanted = match (args.tcp, args.udp) {
            (true, false) => !is_udp,
            (false, true) => is_udp,
            (true, true) | (false, false) => true,
        };
        let is_reachable = state == "LISTEN" || (is_udp && state == "UNCONN" && has_address);
        is_wanted
            && if args.listening {
                is_reachable
            } else {
                args.all || is_reachable || state != "UNCONN"
            }
    });
    sockets.sort_by_key(|socket| {
        let is_reachable = ["LISTEN", "UNCONN"].contains(&text(socket, "/state").as_str());
        (text(socket, "/netid"), !is_reachable)
    });
}

fn sockets(net: &Value, args: &NetLsArgs, now: Timestamp) -> String {
    let sockets = list(net, "/sockets");
    if sockets.is_empty() {
        return String::new();
    }
    let is_wide = args.output == Some(NetOutput::Wide);
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter(|(_, _, only_wide)| is_wide || !only_wide)
        .collect();
    let mut out = Tabs::for_table();
    if !args.no_headers {
        let headers: Vec<_> = columns.iter().map(|(header, ..)| *header).collect();
        out.line(0, headers.join("\t"));
    }
    for socket in sockets {
        let cells: Vec<_> = columns
            .iter()
            .map(|(_, write, _)| write(socket, now))
            .collect();
        out.line(0, cells.join("\t"));
    }
    out.finish()
}

/// A line for each container and protocol that had sockets, and one for all.
fn summary(net: &Value, args: &NetLsArgs) -> String {
    const SUMS: [&str; 7] = [
        "/open",
        "/opened",
        "/traffic/receivedBytes",
        "/traffic/sentBytes",
        "/traffic/receivedMessages",
        "/traffic/sentMessages",
        "/traffic/droppedMessages",
    ];
    let mut out = Tabs::for_table();
    if !args.no_headers {
        out.line(
            0,
            "Container\tNetid\tOpen\tOpened\tReceived\tSent\tMessages-In\tMessages-Out\tDrops",
        );
    }
    let all = [
        ("tcp", !args.udp || args.tcp),
        ("udp", !args.tcp || args.udp),
    ];
    let protocols = all.into_iter().filter(|(_, is_wanted)| *is_wanted);
    let mut is_empty = true;
    for (netid, _) in protocols {
        let mut total = [0_u64; SUMS.len()];
        let mut line = |name: &str, sums: [u64; SUMS.len()]| {
            let [
                open,
                opened,
                received,
                sent,
                messages_in,
                messages_out,
                drops,
            ] = sums;
            let (received, sent) = (units::bytes(received), units::bytes(sent));
            out.line(
                0,
                format!(
                    "{name}\t{netid}\t{open}\t{opened}\t{received}\t{sent}\t{messages_in}\t{messages_out}\t{drops}"
                ),
            );
        };
        let mut lines = 0;
        for container in list(net, "/containers") {
            let sums = SUMS.map(|pointer| number(container, &format!("/{netid}{pointer}")));
            if sums.iter().all(|sum| *sum == 0) {
                continue;
            }
            for (total, sum) in total.iter_mut().zip(sums) {
                *total = total.saturating_add(sum);
            }
            line(&text(container, "/name"), sums);
            lines += 1;
        }
        if lines > 0 {
            line("total", total);
            is_empty = false;
        }
    }
    if is_empty {
        String::new()
    } else {
        out.finish()
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn has(object: &Value, pointer: &str) -> bool {
    object
        .pointer(pointer)
        .is_some_and(|value| !value.is_null())
}

fn number(object: &Value, pointer: &str) -> u64 {
    let value = object.pointer(pointer).and_then(Value::as_u64);
    value.unwrap_or(0)
}

fn or_none(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        None | Some(Value::Null) => NONE.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn amount(socket: &Value, pointer: &str) -> String {
    units::bytes(number(socket, pointer))
}

fn messages(socket: &Value) -> String {
    let (received, sent) = ("/traffic/receivedMessages", "/traffic/sentMessages");
    format!("{}/{}", number(socket, received), number(socket, sent))
}

/// Datagrams that were dropped; clients that found a listener's queue full.
fn drops(socket: &Value) -> String {
    let (datagrams, clients) = ("/traffic/droppedMessages", "/listener/overflows");
    number(socket, datagrams)
        .saturating_add(number(socket, clients))
        .to_string()
}

fn opened(socket: &Value) -> Option<Timestamp> {
    text(socket, "/openTime").parse().ok()
}

fn local(socket: &Value) -> String {
    let address = text(socket, "/localAddress");
    if address.is_empty() {
        return "*:*".to_owned();
    }
    address
}

/// The peer; who has none takes everybody.
fn peer(socket: &Value) -> String {
    let (local, peer) = (text(socket, "/localAddress"), text(socket, "/peerAddress"));
    match (peer.is_empty(), local.as_bytes().first()) {
        (false, _) => peer,
        (true, None) => "*:*".to_owned(),
        (true, Some(b'[')) => "[::]:*".to_owned(),
        (true, Some(_)) => "0.0.0.0:*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::args::net::NetCommand;
    use crate::args::{Cli, Command};

    fn shown(line: &str) -> String {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Net(NetCommand::Ls(args)) = cli.command else {
            panic!("no net ls");
        };
        let mut net = net();
        select(&mut net, &args);
        if args.summary {
            summary(&net, &args)
        } else {
            sockets(&net, &args, "2026-11-21T10:00:10Z".parse().unwrap())
        }
    }

    fn net() -> Value {
        let traffic = |received: u64, sent: u64, dropped: u64| {
            json!({"receivedBytes": received, "sentBytes": sent, "receivedMessages": 2,
                   "sentMessages": 1, "droppedMessages": dropped})
        };
        let socket = |netid, state, local: Option<&str>, peer: Option<&str>| {
            json!({"netid": netid, "state": state, "recvQueue": 3, "sendQueue": 0, "localAddress": local,
                   "peerAddress": peer, "container": "web", "peerContainer": peer.map(|_| "app"),
                   "openTime": "2026-11-21T10:00:00Z", "traffic": traffic(2048, 100, 0), "listener": null})
        };
        let mut listener = socket("tcp", "LISTEN", Some("0.0.0.0:80"), None);
        listener["listener"] =
            json!({"waitingClients": 0, "acceptedConnections": 7, "overflows": 1});
        listener["sendQueue"] = json!(128);
        listener["traffic"] = traffic(0, 0, 0);
        let sums =
            |opened: u64| json!({"open": 1, "opened": opened, "traffic": traffic(2048, 100, 4)});
        let none = json!({"open": 0, "opened": 0, "traffic": {}});
        json!({
            "sockets": [
                socket("tcp", "ESTAB", Some("10.244.0.2:80"), Some("10.244.0.3:40000")),
                listener,
                socket("tcp", "UNCONN", None, None),
                socket("udp", "ESTAB", Some("10.244.0.2:4000"), Some("10.96.0.10:53")),
                socket("udp", "UNCONN", Some("[::]:53"), None),
            ],
            "containers": [
                {"name": "web", "tcp": sums(8), "udp": sums(2)},
                {"name": "app", "tcp": sums(3), "udp": none},
            ],
        })
    }

    #[test]
    fn sockets_are_listed_as_ss_lists_them() {
        let expected = "\
Netid   State    Recv-Q   Send-Q   Local Address:Port   Peer Address:Port   Container
tcp     LISTEN   3        128      0.0.0.0:80           0.0.0.0:*           web
tcp     ESTAB    3        0        10.244.0.2:80        10.244.0.3:40000    web
udp     UNCONN   3        0        [::]:53              [::]:*              web
udp     ESTAB    3        0        10.244.0.2:4000      10.96.0.10:53       web
";
        assert_eq!(shown("wasmpod net ls web"), expected);
    }

    #[test]
    fn flags_choose_sockets() {
        let rows = |line: &str| shown(line).lines().count();
        for (flags, expected) in [
            ("-a", 5),
            ("-l", 2),
            ("-t", 2),
            ("-u", 2),
            ("-tu", 4),
            ("-lt", 1),
            ("-lu", 1),
            ("-at", 3),
        ] {
            let line = format!("wasmpod net ls web --no-headers {flags}");
            assert_eq!(rows(&line), expected, "{flags}");
        }
    }

    #[test]
    fn wide_shows_peers_counters_and_ages() {
        let table = shown("wasmpod net ls web -o wide -t");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[1][7..], ["<none>", "0B", "0B", "2/1", "1", "7", "10s"]);
        assert_eq!(
            rows[2][7..],
            ["app", "2.0Ki", "100B", "2/1", "0", "<none>", "10s"]
        );
    }

    #[test]
    fn a_summary_has_sums_for_each_container_and_all() {
        let expected = "\
Container   Netid   Open   Opened   Received   Sent   Messages-In   Messages-Out   Drops
web         tcp     1      8        2.0Ki      100B   2             1              4
app         tcp     1      3        2.0Ki      100B   2             1              4
total       tcp     2      11       4.0Ki      200B   4             2              8
web         udp     1      2        2.0Ki      100B   2             1              4
total       udp     1      2        2.0Ki      100B   2             1              4
";
        assert_eq!(shown("wasmpod net ls web -s"), expected);
        assert_eq!(
            shown("wasmpod net ls web -su --no-headers").lines().count(),
            2
        );
    }
}
