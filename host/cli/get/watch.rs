//! `get --watch`: a list, then a line for every change, until the last wasmpod ends.

use std::io::Write as _;

use anyhow::bail;
use serde_json::Value;
use wasmpod_api::Table;
use wasmpod_api::client::{Accept, ClientError};

use super::output;
use super::table::TablePrinter;
use crate::args::looking::{GetArgs, OutputFormat};
use crate::report::{self, Outcome};
use crate::runs::Runs;
use crate::runs::watch::Item;
use crate::selection::Wanted;

pub(super) async fn run(args: &GetArgs, wanted: &[Wanted], runs: &Runs) -> anyhow::Result<Outcome> {
    let [Wanted { resource, names }] = wanted else {
        bail!("you may only specify a single resource type");
    };
    let mut query = args.selectors.query();
    match names.as_slice() {
        [] => {}
        [name] => query.push(("fieldSelector", format!("metadata.name={name}"))),
        _ => bail!("watch is only supported on individual resources and resource collections"),
    }
    if let [name] = names.as_slice()
        && !runs.all().is_empty()
    {
        // What is not there is an error, not something to wait for.
        runs.get(resource, &args.namespace.one.namespace, name)
            .await?;
    }
    if runs.all().is_empty() {
        report::stderr(format_args!("no wasmpod runs pods here; waiting for one"));
    }
    let is_table = matches!(args.output, None | Some(OutputFormat::Wide));
    let accept = if is_table {
        Accept::Table
    } else {
        Accept::Json
    };
    let namespace = args.namespace.get();
    let mut changes = runs
        .watch(resource, namespace, &query, accept)
        .with_new_runs();
    let mut columns = super::columns(args, false);
    columns.event = args.output_watch_events;
    let mut printer = TablePrinter::new(columns, resource);
    let mut documents = 0_usize;
    while let Some(item) = changes.next().await? {
        let (event, objects) = match item {
            Item::List(_) if args.watch_only => continue,
            Item::List(list) if is_table => ("ADDED".to_owned(), vec![list]),
            Item::List(mut list) => match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => ("ADDED".to_owned(), items),
                _ => continue,
            },
            Item::Change(event, object) => (event, vec![object]),
        };
        // Each line at once: whoever reads a pipe waits for it.
        let mut out = anstream::stdout().lock();
        for object in objects {
            if is_table {
                let table: Table = serde_json::from_value(object).map_err(ClientError::Answer)?;
                out.write_all(printer.print(&table, Some(&event)).as_bytes())?;
                continue;
            }
            let format = args.output.as_ref().unwrap_or(&OutputFormat::Yaml);
            let object = if args.output_watch_events {
                serde_json::json!({"type": event, "object": object})
            } else {
                object
            };
            if *format == OutputFormat::Yaml && documents > 0 {
                out.write_all(b"---\n")?;
            }
            documents += 1;
            out.write_all(output::document(object, format)?.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(Outcome::Done)
}
