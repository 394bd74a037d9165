//! `wasmpod events`: what happened, the newest last.

use std::io::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use wasmpod::k8s::Event;
use wasmpod_api::Table;
use wasmpod_api::client::Accept;
use wasmpod_api::table::{Column, Row};

use crate::args::looking::{EventsArgs, OutputFormat};
use crate::describe::{View, interval};
use crate::get::output;
use crate::get::table::{Columns, TablePrinter};
use crate::report::{self, Outcome};
use crate::runs::watch::Item;
use crate::runs::{Query, Runs, text};
use crate::selection;

pub(crate) async fn run(args: &EventsArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let resource = selection::find("events")?;
    let mut query = Query::new();
    if let Some(word) = &args.object {
        let (about, name) = selection::parse_one(word, "pods")?;
        let selector = format!(
            "involvedObject.kind={},involvedObject.name={name}",
            about.kind
        );
        query.push(("fieldSelector", selector));
    }
    let namespace = args.namespace.get();
    let columns = Columns {
        namespace: args.namespace.all_namespaces,
        headers: !args.no_headers,
        ..Columns::default()
    };
    let mut printer = TablePrinter::new(columns, resource);
    if !args.watch {
        if runs.all().is_empty() {
            return Err(runs.none());
        }
        let found = runs.list(resource, namespace, &query).await?;
        let events = found.into_iter().map(|found| found.object).collect();
        let events = wanted(args, events);
        if events.is_empty() {
            match namespace {
                Some(namespace) => {
                    report::stderr(format_args!("No events found in {namespace} namespace."))
                }
                None => report::stderr(format_args!("No events found.")),
            }
            return Ok(Outcome::Done);
        }
        print(args, &mut printer, events, true)?;
        return Ok(Outcome::Done);
    }
    let mut changes = runs
        .watch(resource, namespace, &query, Accept::Json)
        .with_new_runs();
    while let Some(item) = changes.next().await? {
        let events = match item {
            Item::List(mut list) => match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            // An event is deleted because it is old.
            Item::Change(kind, _) if kind == "DELETED" => continue,
            Item::Change(_, event) => vec![event],
        };
        print(args, &mut printer, wanted(args, events), false)?;
    }
    Ok(Outcome::Done)
}

/// Those of the types that are wanted, the oldest first.
fn wanted(args: &EventsArgs, mut events: Vec<Value>) -> Vec<Value> {
    events.retain(|event| {
        let kind = text(event, "/type");
        args.types.is_empty() || args.types.iter().any(|one| one.eq_ignore_ascii_case(&kind))
    });
    events.sort_by_key(|event| {
        let times = [
            "/lastTimestamp",
            "/series/lastObservedTime",
            "/eventTime",
            "/firstTimestamp",
        ];
        let mut times = times.iter().map(|pointer| text(event, pointer));
        let time = times.find_map(|time| time.parse::<Timestamp>().ok());
        // Times are in seconds: what happened within one is in the order of the store.
        let version = text(event, "/metadata/resourceVersion").parse::<u64>().ok();
        (time, version)
    });
    events
}

fn print(
    args: &EventsArgs,
    printer: &mut TablePrinter,
    events: Vec<Value>,
    is_whole: bool,
) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match &args.output {
        None | Some(OutputFormat::Wide) => {
            let now = Timestamp::now();
            let table = table(&events, now);
            out.write_all(printer.print(&table, None).as_bytes())?;
        }
        Some(OutputFormat::Name) => {
            for event in &events {
                writeln!(out, "{}", output::title_of(event))?;
            }
        }
        Some(format) if is_whole => {
            out.write_all(output::document(output::list_of(events), format)?.as_bytes())?;
        }
        Some(format) => {
            for event in events {
                out.write_all(output::document(event, format)?.as_bytes())?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// The columns of `kubectl events`.
fn table(events: &[Value], now: Timestamp) -> Table {
    let view = View {
        now,
        zone: TimeZone::UTC,
    };
    let column = |name: &str| Column {
        name: name.to_owned(),
        ..Column::default()
    };
    let rows = events.iter().map(|object| {
        let event: Event = serde_json::from_value(object.clone()).unwrap_or_default();
        let about = &event.involved_object;
        let about = format!(
            "{}/{}",
            about.kind.as_deref().unwrap_or_default(),
            about.name.as_deref().unwrap_or_default()
        );
        let message = event.message.as_deref().unwrap_or_default().trim();
        Row {
            cells: vec![
                interval(&event, &view).into(),
                event.type_.clone().into(),
                event.reason.clone().into(),
                about.into(),
                message.into(),
            ],
            object: json!({"metadata": {"namespace": text(object, "/metadata/namespace")}}),
        }
    });
    Table {
        column_definitions: ["Last Seen", "Type", "Reason", "Object", "Message"]
            .map(column)
            .into(),
        rows: rows.collect(),
        ..Table::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_columns_of_kubectl() {
        let now: Timestamp = "2026-11-21T10:01:00Z".parse().unwrap();
        let events = [json!({
            "metadata": {"name": "web.1", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "web"},
            "type": "Warning", "reason": "BackOff", "message": "back-off\n", "count": 3,
            "firstTimestamp": "2026-11-21T10:00:00Z", "lastTimestamp": "2026-11-21T10:00:55Z",
        })];
        let columns = Columns {
            headers: true,
            namespace: true,
            ..Columns::default()
        };
        let mut printer = TablePrinter::new(columns, selection::find("events").unwrap());
        let expected = "\
NAMESPACE   LAST SEEN          TYPE      REASON    OBJECT    MESSAGE
default     5s (x3 over 60s)   Warning   BackOff   Pod/web   back-off
";
        assert_eq!(printer.print(&table(&events, now), None), expected);
    }
}
