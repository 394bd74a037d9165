//! `wasmpod get`: objects as a table, or as they are.
//!
//! The columns come from the server, as for kubectl; [`table`] lines them up, [`output`] writes whole objects,
//! [`watch`] goes on with changes.

pub(crate) mod output;
pub(crate) mod table;
mod watch;

use std::io::Write as _;

use anyhow::bail;
use serde_json::Value;
use wasmpod_api::client::ClientError;
use wasmpod_api::{Resource, Table};

use crate::args::looking::{GetArgs, OutputFormat};
use crate::report::{self, Outcome};
use crate::runs::{Found, Runs};
use crate::selection::{self, Wanted};
use table::{Columns, TablePrinter};

pub(crate) async fn run(args: &GetArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let wanted = selection::parse(&args.resources)?;
    let has_names = wanted.iter().any(|wanted| !wanted.names.is_empty());
    if has_names && args.namespace.all_namespaces {
        bail!("a resource cannot be retrieved by name across all namespaces");
    }
    if has_names && !args.selectors.query().is_empty() {
        bail!("name cannot be provided when a selector is specified");
    }
    if args.watch || args.watch_only {
        return watch::run(args, &wanted, &runs).await;
    }
    if runs.all().is_empty() {
        return Err(runs.none());
    }
    match &args.output {
        None | Some(OutputFormat::Wide) => tables(args, &wanted, &runs).await,
        Some(format) => objects(args, &wanted, &runs, format).await,
    }
}

/// The columns that the flags ask for.
fn columns(args: &GetArgs, with_kind: bool) -> Columns {
    Columns {
        wide: args.output == Some(OutputFormat::Wide),
        namespace: args.namespace.all_namespaces,
        kind: args.show_kind || with_kind,
        labels: args.show_labels,
        label_columns: args.label_columns.clone(),
        headers: !args.no_headers,
        event: false,
    }
}

async fn tables(args: &GetArgs, wanted: &[Wanted], runs: &Runs) -> anyhow::Result<Outcome> {
    let mut found: Vec<(&Resource, Table)> = Vec::new();
    let mut problems = Problems::new(args.ignore_not_found);
    for wanted in wanted {
        let resource = wanted.resource;
        let mut table: Option<Table> = None;
        if wanted.names.is_empty() {
            let (namespace, query) = (args.namespace.get(), args.selectors.query());
            table = Some(runs.table(resource, namespace, &query).await?);
        }
        for name in &wanted.names {
            let one = runs.get_table(resource, &args.namespace.one.namespace, name);
            match (problems.sort(one.await)?, &mut table) {
                (None, _) => {}
                (Some(one), None) => table = Some(one),
                (Some(one), Some(table)) => table.rows.extend(one.rows),
            }
        }
        found.extend(
            table
                .filter(|table| !table.rows.is_empty())
                .map(|table| (resource, table)),
        );
    }
    if found.is_empty() && problems.is_empty() {
        nothing_found(args, wanted);
    }
    let mut out = anstream::stdout().lock();
    for (index, (resource, table)) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let mut printer = TablePrinter::new(columns(args, wanted.len() > 1), resource);
        out.write_all(printer.print(table, None).as_bytes())?;
    }
    drop(out);
    Ok(problems.report())
}

async fn objects(
    args: &GetArgs,
    wanted: &[Wanted],
    runs: &Runs,
    format: &OutputFormat,
) -> anyhow::Result<Outcome> {
    let mut found: Vec<Found> = Vec::new();
    let mut problems = Problems::new(args.ignore_not_found);
    for wanted in wanted {
        if wanted.names.is_empty() {
            let (namespace, query) = (args.namespace.get(), args.selectors.query());
            found.extend(runs.list(wanted.resource, namespace, &query).await?);
        }
        for name in &wanted.names {
            let one = runs.get(wanted.resource, &args.namespace.one.namespace, name);
            found.extend(problems.sort(one.await)?);
        }
    }
    let is_one = wanted
        .iter()
        .map(|wanted| wanted.names.len())
        .sum::<usize>()
        == 1;
    let objects: Vec<Value> = found.into_iter().map(|found| found.object).collect();
    let mut out = anstream::stdout().lock();
    if *format == OutputFormat::Name {
        for object in &objects {
            writeln!(out, "{}", output::title_of(object))?;
        }
    } else if !is_one || objects.is_empty() && problems.is_empty() {
        out.write_all(output::document(output::list_of(objects), format)?.as_bytes())?;
    } else {
        for object in objects {
            out.write_all(output::document(object, format)?.as_bytes())?;
        }
    }
    drop(out);
    Ok(problems.report())
}

/// Says that there is nothing, where kubectl says it.
fn nothing_found(args: &GetArgs, wanted: &[Wanted]) {
    if args.ignore_not_found {
        return;
    }
    let is_namespaced = wanted.iter().all(|wanted| wanted.resource.namespaced);
    match args.namespace.get().filter(|_| is_namespaced) {
        Some(namespace) => {
            report::stderr(format_args!("No resources found in {namespace} namespace."))
        }
        None => report::stderr(format_args!("No resources found")),
    }
}

/// What was not found: it is said after what was, each on its line.
pub(crate) struct Problems {
    ignore: bool,
    errors: Vec<anyhow::Error>,
}

impl Problems {
    pub(crate) fn new(ignore: bool) -> Self {
        Self {
            ignore,
            errors: Vec::new(),
        }
    }

    /// Keeps the error that something is not there; others end the command.
    pub(crate) fn sort<T>(&mut self, result: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        let error = match result {
            Ok(found) => return Ok(Some(found)),
            Err(error) => error,
        };
        let is_not_found = error
            .downcast_ref::<ClientError>()
            .is_some_and(ClientError::is_not_found);
        if !is_not_found {
            return Err(error);
        }
        if !self.ignore {
            self.errors.push(error);
        }
        Ok(None)
    }

    /// Takes over those of others.
    pub(crate) fn extend(&mut self, others: Self) {
        self.errors.extend(others.errors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Says them all.
    pub(crate) fn report(self) -> Outcome {
        let mut outcome = Outcome::Done;
        for error in &self.errors {
            outcome = report::failure(error);
        }
        outcome
    }
}
