//! `wasmpod top`: how much CPU and memory is used, from the metrics API of the running wasmpods.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::Value;
use wasmpod::quantity;

use crate::args::looking::{TopCommand, TopNodeArgs, TopOrder, TopPodArgs};
use crate::report::{self, Outcome};
use crate::runs::{Found, Query, Runs, name, text};
use crate::selection;
use crate::tabs::Tabs;

/// What something uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    millicores: u64,
    bytes: u64,
}

impl Usage {
    /// From the `usage` or `capacity` of an object: a list of resources.
    fn read(resources: &Value) -> Self {
        let read = |resource: &str, parse: fn(&str) -> Option<u64>| {
            let text = resources.get(resource).and_then(Value::as_str);
            text.and_then(parse).unwrap_or(0)
        };
        Self {
            millicores: read("cpu", |text| quantity::parse_millicores(text).ok()),
            bytes: read("memory", |text| quantity::parse_bytes(text).ok()),
        }
    }

    fn add(self, other: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_add(other.millicores),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn cpu(self) -> String {
        format!("{}m", self.millicores)
    }

    fn memory(self) -> String {
        format!("{}Mi", self.bytes / (1024 * 1024))
    }
}

/// One line of pods.
struct PodUsage {
    namespace: String,
    pod: String,
    containers: Vec<(String, Usage)>,
}

impl PodUsage {
    fn total(&self) -> Usage {
        let all = self.containers.iter();
        all.fold(Usage::default(), |sum, (_, usage)| sum.add(*usage))
    }
}

pub(crate) async fn run(command: &TopCommand, runs: Runs) -> anyhow::Result<Outcome> {
    match command {
        TopCommand::Pod(args) => pods(args, &runs).await,
        TopCommand::Node(args) => nodes(args, &runs).await,
    }
}

async fn pods(args: &TopPodArgs, runs: &Runs) -> anyhow::Result<Outcome> {
    let resource = selection::find("pods.metrics.k8s.io")?;
    let found: Vec<Found> = match &args.name {
        Some(name) => {
            let namespace = &args.namespace.one.namespace;
            vec![runs.get(resource, namespace, name).await?]
        }
        None => {
            let selector = args.selector.iter();
            let query: Query = selector
                .map(|text| ("labelSelector", text.clone()))
                .collect();
            runs.list(resource, args.namespace.get(), &query).await?
        }
    };
    if found.is_empty() {
        match args.namespace.get() {
            Some(namespace) => {
                report::stderr(format_args!("No resources found in {namespace} namespace."))
            }
            None => report::stderr(format_args!("No resources found")),
        }
        return Ok(Outcome::Done);
    }
    let mut usages: Vec<PodUsage> = found.iter().map(|found| read(&found.object)).collect();
    match args.sort_by {
        None => usages
            .sort_by(|one, other| (&one.namespace, &one.pod).cmp(&(&other.namespace, &other.pod))),
        Some(TopOrder::Cpu) => usages.sort_by_key(|one| std::cmp::Reverse(one.total().millicores)),
        Some(TopOrder::Memory) => usages.sort_by_key(|one| std::cmp::Reverse(one.total().bytes)),
    }
    let text = pod_lines(&usages, args);
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}

fn read(object: &Value) -> PodUsage {
    let containers = object.get("containers").and_then(Value::as_array);
    let containers = containers.into_iter().flatten().map(|container| {
        let usage = container.get("usage").map(Usage::read);
        (text(container, "/name"), usage.unwrap_or_default())
    });
    PodUsage {
        namespace: text(object, "/metadata/namespace"),
        pod: name(object),
        containers: containers.collect(),
    }
}

fn pod_lines(usages: &[PodUsage], args: &TopPodArgs) -> String {
    let mut out = Tabs::for_table();
    let line = |namespace: &str, names: &str, cpu: &str, memory: &str| {
        let namespace = if args.namespace.all_namespaces {
            format!("{namespace}\t")
        } else {
            String::new()
        };
        format!("{namespace}{names}\t{cpu}\t{memory}")
    };
    if !args.no_headers {
        let names = if args.containers { "POD\tNAME" } else { "NAME" };
        out.line(0, line("NAMESPACE", names, "CPU(cores)", "MEMORY(bytes)"));
    }
    for usage in usages {
        if !args.containers {
            let total = usage.total();
            out.line(
                0,
                line(&usage.namespace, &usage.pod, &total.cpu(), &total.memory()),
            );
            continue;
        }
        for (container, used) in &usage.containers {
            let names = format!("{}\t{container}", usage.pod);
            out.line(
                0,
                line(&usage.namespace, &names, &used.cpu(), &used.memory()),
            );
        }
    }
    out.finish()
}

async fn nodes(args: &TopNodeArgs, runs: &Runs) -> anyhow::Result<Outcome> {
    let metrics = selection::find("nodes.metrics.k8s.io")?;
    let nodes = selection::find("nodes")?;
    // Each wasmpod measures itself, and all of them are on the one machine.
    let mut used: Vec<(String, Usage)> = Vec::new();
    for run in runs.all() {
        let one = Runs::of_one(run);
        for found in one.list(metrics, None, &Query::new()).await? {
            let own = name(&found.object);
            if args.name.as_ref().is_some_and(|wanted| *wanted != own) {
                continue;
            }
            let usage = found
                .object
                .get("usage")
                .map(Usage::read)
                .unwrap_or_default();
            match used.iter_mut().find(|(name, _)| *name == own) {
                Some((_, sum)) => *sum = sum.add(usage),
                None => used.push((own, usage)),
            }
        }
    }
    if let Some(wanted) = args.name.as_ref().filter(|_| used.is_empty()) {
        // The server's words for a node that is not there.
        runs.get(nodes, "", wanted).await?;
    }
    let mut out = Tabs::for_table();
    if !args.no_headers {
        out.line(0, "NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)");
    }
    for (own, usage) in used {
        let node = runs.get(nodes, "", &own).await?;
        let whole = node
            .object
            .pointer("/status/allocatable")
            .map(Usage::read)
            .context("the node does not say what it has")?;
        out.line(
            0,
            format!(
                "{own}\t{}\t{}\t{}\t{}",
                usage.cpu(),
                percent(usage.millicores, whole.millicores),
                usage.memory(),
                percent(usage.bytes, whole.bytes)
            ),
        );
    }
    anstream::stdout()
        .lock()
        .write_all(out.finish().as_bytes())?;
    Ok(Outcome::Done)
}

fn percent(part: u64, whole: u64) -> String {
    match u128::from(part)
        .saturating_mul(100)
        .checked_div(u128::from(whole))
    {
        Some(percent) => format!("{percent}%"),
        None => "<unknown>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::args::{Cli, Command};

    fn shown(line: &str) -> String {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Top(TopCommand::Pod(args)) = cli.command else {
            panic!("no top pod");
        };
        let metrics = json!({
            "metadata": {"name": "web", "namespace": "default"},
            "containers": [
                {"name": "a", "usage": {"cpu": "1200345n", "memory": "3072Ki"}},
                {"name": "b", "usage": {"cpu": "1", "memory": "1Mi"}},
            ],
        });
        pod_lines(&[read(&metrics)], &args)
    }

    #[test]
    fn a_pod_uses_what_its_containers_do() {
        let expected = "NAME   CPU(cores)   MEMORY(bytes)\nweb    1002m        4Mi\n";
        assert_eq!(shown("wasmpod top pod"), expected);
    }

    #[test]
    fn each_container_can_have_a_line() {
        let expected = "\
NAMESPACE   POD   NAME   CPU(cores)   MEMORY(bytes)
default     web   a      2m           3Mi
default     web   b      1000m        1Mi
";
        assert_eq!(shown("wasmpod top pod --containers -A"), expected);
    }

    #[test]
    fn a_part_of_nothing_is_not_known() {
        assert_eq!(percent(1, 4), "25%");
        assert_eq!(percent(1, 0), "<unknown>");
    }
}
