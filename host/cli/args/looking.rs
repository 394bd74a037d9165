//! The verbs that look into running pods, with kubectl's flags and defaults.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::jsonpath::Template;

/// The namespace when none is said.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

#[derive(Debug, Args)]
pub(crate) struct NamespaceArg {
    /// The namespace
    #[arg(short, long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    pub(crate) namespace: String,
}

#[derive(Debug, Args)]
pub(crate) struct NamespaceArgs {
    #[command(flatten)]
    pub(crate) one: NamespaceArg,
    /// Look in all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
}

impl NamespaceArgs {
    /// The namespace; nothing for all of them.
    pub(crate) fn get(&self) -> Option<&str> {
        (!self.all_namespaces).then_some(self.one.namespace.as_str())
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct SelectorArgs {
    /// Only objects with these labels, e.g. app=web,tier!=cache
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Only objects with these fields, e.g. status.phase=Running
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) field_selector: Option<String>,
}

impl SelectorArgs {
    /// The query that says so to a server.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let label = self.selector.iter().map(|text| ("labelSelector", text));
        let field = self
            .field_selector
            .iter()
            .map(|text| ("fieldSelector", text));
        label
            .chain(field)
            .map(|(key, text)| (key, text.clone()))
            .collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// What to list: TYPE[,TYPE] [NAME…], or TYPE/NAME…, e.g. pods, svc, deploy/web, all
    #[arg(value_name = "TYPE[/NAME]", required = true)]
    pub(crate) resources: Vec<String>,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    #[command(flatten)]
    pub(crate) selectors: SelectorArgs,
    /// After listing, go on with every change
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Show changes only
    #[arg(long)]
    pub(crate) watch_only: bool,
    /// Say of each change whether something was ADDED, MODIFIED or DELETED
    #[arg(long)]
    pub(crate) output_watch_events: bool,
    /// How to write it: wide, yaml, json, name, jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<OutputFormat>,
    /// Show all labels in the last column
    #[arg(long)]
    pub(crate) show_labels: bool,
    /// Show these labels in columns of their own
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    pub(crate) label_columns: Vec<String>,
    /// Show the type before each name
    #[arg(long)]
    pub(crate) show_kind: bool,
    /// Leave out the line of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
    /// Objects that are not there are no error
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
}

/// How objects are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OutputFormat {
    Wide,
    Yaml,
    Json,
    Name,
    JsonPath(Template),
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(template) = text.strip_prefix("jsonpath=") {
            return Ok(Self::JsonPath(template.parse()?));
        }
        match text {
            "wide" => Ok(Self::Wide),
            "yaml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            "name" => Ok(Self::Name),
            _ => Err("one of wide, yaml, json, name, jsonpath=TEMPLATE".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// What to describe: TYPE [NAME or its beginning…], or TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]", required = true)]
    pub(crate) resources: Vec<String>,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Whether to show the events
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) show_events: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods, e.g. deploy/web
    #[arg(value_name = "POD", required_unless_present = "selector")]
    pub(crate) pod: Option<String>,
    /// The container
    #[arg(value_name = "CONTAINER", conflicts_with = "container")]
    pub(crate) container_name: Option<String>,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArg,
    /// The container; without it the pod's first
    #[arg(short, long, value_name = "CONTAINER")]
    pub(crate) container: Option<String>,
    /// All containers of the pod
    #[arg(long)]
    pub(crate) all_containers: bool,
    /// All pods of what TYPE/NAME names
    #[arg(long)]
    pub(crate) all_pods: bool,
    /// Go on with new lines as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The log of the container's last run, if it has restarted
    #[arg(short, long)]
    pub(crate) previous: bool,
    /// Only lines not older than this, e.g. 5s, 2m or 3h
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration, conflicts_with = "since_time")]
    pub(crate) since: Option<Duration>,
    /// Only lines of this time or after it (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since_time: Option<Timestamp>,
    /// Only the last lines; all with -1. With a selector 10 unless said
    #[arg(long, value_name = "LINES", allow_negative_numbers = true)]
    pub(crate) tail: Option<i64>,
    /// Put its time before each line
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// No more bytes than this
    #[arg(long, value_name = "BYTES")]
    pub(crate) limit_bytes: Option<u64>,
    /// Put pod and container before each line
    #[arg(long)]
    pub(crate) prefix: bool,
    /// The pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "pod")]
    pub(crate) selector: Option<String>,
    /// How many logs may be followed at once
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) max_log_requests: usize,
    /// An error of one log does not end the others
    #[arg(long)]
    pub(crate) ignore_errors: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) namespace: NamespaceArg,
    /// The container; without it the pod's first
    #[arg(short, long, value_name = "CONTAINER")]
    pub(crate) container: Option<String>,
    /// Pass standard input to it
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Standard input is a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Print only what the command prints
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods
    #[arg(value_name = "POD")]
    pub(crate) pod: String,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
    /// The command and its arguments, behind --
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods
    #[arg(value_name = "POD")]
    pub(crate) pod: String,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// What to delete: TYPE[,TYPE] NAME…, or TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]", required_unless_present = "filenames")]
    pub(crate) resources: Vec<String>,
    /// The objects of these manifests
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        conflicts_with = "resources"
    )]
    pub(crate) filenames: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    #[command(flatten)]
    pub(crate) selectors: SelectorArgs,
    /// All objects of the types
    #[arg(long)]
    pub(crate) all: bool,
    /// How long they get to end, in seconds; their own grace period unless said. 0 needs --force
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) grace_period: Option<i64>,
    /// End them at once, without waiting for them
    #[arg(long)]
    pub(crate) force: bool,
    /// Give them a second only
    #[arg(long, conflicts_with = "grace_period")]
    pub(crate) now: bool,
    /// Whether to wait until they are gone
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) wait: Option<bool>,
    /// How long to wait until they are gone; 0 is as long as it takes
    #[arg(long, value_name = "DURATION", value_parser = parse_span, default_value = "0")]
    pub(crate) timeout: Span,
    /// What happens to what they own
    #[arg(long, value_name = "POLICY", default_value = "background", num_args = 0..=1, default_missing_value = "background")]
    pub(crate) cascade: Cascade,
    /// Only say what would be deleted, or ask the server whether it could be
    #[arg(long, value_name = "WHO", default_value = "none")]
    pub(crate) dry_run: DryRun,
    /// Objects that are not there are no error
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
    /// How to say it
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name"])]
    pub(crate) output: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cascade {
    Background,
    Foreground,
    Orphan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    None,
    Client,
    Server,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Whose condition: TYPE NAME…, or TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]", required = true)]
    pub(crate) resources: Vec<String>,
    /// What to wait for: delete, create, condition=NAME[=VALUE], or jsonpath={.PATH}[=VALUE]
    #[arg(long = "for", value_name = "CONDITION")]
    pub(crate) condition: crate::wait::Condition,
    /// How long to wait; 0 is to look once, less is a week
    #[arg(long, value_name = "DURATION", value_parser = parse_span, default_value = "30s", allow_hyphen_values = true)]
    pub(crate) timeout: Span,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    #[command(flatten)]
    pub(crate) selectors: SelectorArgs,
    /// All objects of the types
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    /// Only events of this object: TYPE/NAME
    #[arg(long = "for", value_name = "TYPE/NAME")]
    pub(crate) object: Option<String>,
    /// Only events of these types: Normal, Warning
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// After listing, go on with new ones
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// How to write it: wide, yaml, json, name, jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<OutputFormat>,
    /// Leave out the line of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopCommand {
    /// How much CPU and memory pods use
    #[command(visible_aliases = ["pods", "po"])]
    Pod(TopPodArgs),
    /// How much CPU and memory the machine's wasmpods use
    #[command(visible_aliases = ["nodes", "no"])]
    Node(TopNodeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TopPodArgs {
    /// Only this pod
    #[arg(value_name = "NAME", conflicts_with = "selector")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    /// Only pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// A line for each container
    #[arg(long)]
    pub(crate) containers: bool,
    /// The largest first
    #[arg(long, value_name = "FIELD")]
    pub(crate) sort_by: Option<TopOrder>,
    /// Leave out the line of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TopNodeArgs {
    /// Only this node
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Leave out the line of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IpcCommand {
    /// List message queues, semaphores and shared memory of a pod, as ipcs(1) does
    Ls(IpcLsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IpcLsArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods, e.g. deploy/web
    #[arg(value_name = "POD")]
    pub(crate) pod: String,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArg,
    /// How to write it: wide, with limits and counters, or json
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<IpcOutput>,
    /// Leave out the lines of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IpcOutput {
    Wide,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopOrder {
    Cpu,
    Memory,
}

/// A time to wait, as Go writes durations: it may be nothing, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Negative,
    Time(Duration),
}

pub(crate) fn parse_span(text: &str) -> Result<Span, String> {
    let parse = |text: &str| match text {
        "0" => Some(Duration::ZERO),
        _ => humantime::parse_duration(text).ok(),
    };
    let span = match text.strip_prefix('-') {
        Some(rest) => parse(rest).map(|_| Span::Negative),
        None => parse(text).map(Span::Time),
    };
    span.ok_or_else(|| "not a duration such as 90s, 2m30s or 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        Cli::try_parse_from(std::iter::once("wasmpod").chain(words)).map(|cli| cli.command)
    }

    #[test]
    fn what_people_type_for_kubectl_is_understood() {
        for line in [
            "get po",
            "get pods -A -o wide --show-labels",
            "get po,svc -n kube-system",
            "get pod/web deploy/x -oyaml",
            "get pods -o jsonpath={.items[*].metadata.name}",
            "get pods -l app=web --field-selector status.phase=Running -w --no-headers",
            "describe pod web",
            "logs web",
            "logs -f web -c c --tail=5 --since=5m --timestamps",
            "logs web c --previous",
            "logs deploy/web --all-containers --prefix --limit-bytes 10",
            "logs -l app=web --tail=-1",
            "logs web --since-time=2026-11-21T10:00:00Z",
            "exec -it web -- sh",
            "exec web -c c -- ls -l /",
            "exec web -i -- cat",
            "attach -it web",
            "delete pod web --now",
            "delete pod/web deploy/x --wait=false",
            "delete -f pod.yaml --grace-period=5",
            "delete pods --all --force --grace-period=0",
            "wait pod/web --for=condition=Ready --timeout=60s",
            "wait --for=delete pod/web --timeout=-1s",
            "wait --for=jsonpath={.status.phase}=Running pod web",
            "events --for pod/web --types=Warning,Normal -w",
            "top pod --containers",
            "top po web -n x",
            "top nodes",
        ] {
            let parsed = parse(line);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for line in [
            "get",
            "get pods -o xml",
            "get pods -n a -A",
            "logs",
            "logs web -l app=web",
            "logs web --since 5m --since-time 2026-11-21T10:00:00Z",
            "logs web --since-time yesterday",
            "exec web",
            "exec web ls",
            "delete",
            "delete pod web -f pod.yaml",
            "wait pod/web",
            "wait pod/web --for=later",
            "wait pod/web --for=condition=",
            "top",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_words_behind_two_dashes_are_the_command() {
        let Ok(Command::Exec(args)) = parse("exec -it web -c c -- sh -c date -x") else {
            panic!("no exec");
        };
        assert_eq!(args.command, ["sh", "-c", "date", "-x"]);
        assert!(args.streams.stdin && args.streams.tty);
        assert_eq!(args.streams.namespace.namespace, "default");
    }

    #[test]
    fn spans_are_written_as_in_go() {
        let seconds = |count| Ok(Span::Time(Duration::from_secs(count)));
        assert_eq!(parse_span("0"), seconds(0));
        assert_eq!(parse_span("0s"), seconds(0));
        assert_eq!(parse_span("1m30s"), seconds(90));
        assert_eq!(parse_span("-1s"), Ok(Span::Negative));
        for wrong in ["", "5", "soon", "-"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
