//! Tables of the server, lined up as kubectl does it: each column as wide as its widest cell so far and three spaces,
//! six at least, the last one as it is (cli-runtime pkg/printers/tableprinter.go).

use serde_json::Value;
use wasmpod_api::{Resource, Table};

use crate::runs::text;
use crate::selection::title;
use crate::tabs::{TABLE_MIN_WIDTH, TABLE_PADDING};

/// Which columns are shown besides those that always are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// Those of `-o wide`.
    pub(crate) wide: bool,
    /// The namespace, first.
    pub(crate) namespace: bool,
    /// The type before the name.
    pub(crate) kind: bool,
    /// All labels, last.
    pub(crate) labels: bool,
    /// One for each of these labels.
    pub(crate) label_columns: Vec<String>,
    /// The line of headers.
    pub(crate) headers: bool,
    /// What happened, before all.
    pub(crate) event: bool,
}

/// Prints tables of one type, one after another with the same columns.
#[derive(Debug)]
pub(crate) struct TablePrinter {
    columns: Columns,
    resource: &'static Resource,
    /// The columns of the server; a watch says them once.
    shown: Vec<usize>,
    heads: Vec<String>,
    has_headers: bool,
    widths: Vec<usize>,
}

impl TablePrinter {
    pub(crate) fn new(columns: Columns, resource: &'static Resource) -> Self {
        Self {
            has_headers: !columns.headers,
            columns,
            resource,
            shown: Vec::new(),
            heads: Vec::new(),
            widths: Vec::new(),
        }
    }

    /// The lines of a table; `event` is what happened to its objects.
    pub(crate) fn print(&mut self, table: &Table, event: Option<&str>) -> String {
        if !table.column_definitions.is_empty() {
            self.take_columns(table);
        }
        let mut lines = Vec::new();
        if !self.has_headers && !table.rows.is_empty() {
            self.has_headers = true;
            lines.push(self.headers());
        }
        for row in &table.rows {
            lines.push(self.cells(&row.cells, &row.object, event));
        }
        self.line_up(&lines)
    }

    fn take_columns(&mut self, table: &Table) {
        let columns = table.column_definitions.iter().enumerate();
        let shown = columns.filter(|(_, column)| self.columns.wide || column.priority == 0);
        (self.shown, self.heads) = shown
            .map(|(index, column)| (index, column.name.to_uppercase()))
            .unzip();
    }

    fn headers(&self) -> Vec<String> {
        let event = self.columns.event.then(|| "EVENT".to_owned());
        let namespace = self.has_namespace().then(|| "NAMESPACE".to_owned());
        let labels = self.columns.label_columns.iter().map(|label| {
            let (_, last) = label.rsplit_once('/').unwrap_or(("", label));
            last.to_uppercase()
        });
        event
            .into_iter()
            .chain(namespace)
            .chain(self.heads.iter().cloned())
            .chain(labels)
            .chain(self.columns.labels.then(|| "LABELS".to_owned()))
            .collect()
    }

    fn cells(&self, cells: &[Value], object: &Value, event: Option<&str>) -> Vec<String> {
        let mut line: Vec<String> = Vec::new();
        if self.columns.event {
            line.push(event.unwrap_or("ADDED").to_owned());
        }
        if self.has_namespace() {
            line.push(text(object, "/metadata/namespace"));
        }
        for (place, index) in self.shown.iter().enumerate() {
            let cell = cells.get(*index).map(cell_text).unwrap_or_default();
            line.push(if place == 0 && self.columns.kind {
                title(self.resource, &cell)
            } else {
                cell
            });
        }
        let labels = object
            .pointer("/metadata/labels")
            .and_then(Value::as_object);
        for label in &self.columns.label_columns {
            let value = labels.and_then(|labels| labels.get(label));
            line.push(value.and_then(Value::as_str).unwrap_or_default().to_owned());
        }
        if self.columns.labels {
            let mut pairs: Vec<String> = labels
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect();
            pairs.sort();
            line.push(if pairs.is_empty() {
                "<none>".to_owned()
            } else {
                pairs.join(",")
            });
        }
        line
    }

    fn has_namespace(&self) -> bool {
        self.columns.namespace && self.resource.namespaced
    }

    /// Columns grow with what comes, and keep their width.
    fn line_up(&mut self, lines: &[Vec<String>]) -> String {
        for line in lines {
            for (index, cell) in line.iter().enumerate() {
                let width = (cell.chars().count() + TABLE_PADDING).max(TABLE_MIN_WIDTH);
                match self.widths.get_mut(index) {
                    Some(widest) => *widest = width.max(*widest),
                    None => self.widths.push(width),
                }
            }
        }
        let mut text = String::new();
        for line in lines {
            for (index, (cell, width)) in line.iter().zip(&self.widths).enumerate() {
                text.push_str(cell);
                if index + 1 < line.len() {
                    let missing = width.saturating_sub(cell.chars().count());
                    text.extend(std::iter::repeat_n(' ', missing));
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A cell on one line, without what a terminal would act on: its text may come from a guest.
fn cell_text(cell: &Value) -> String {
    let whole = match cell {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let line = match whole.split_once(['\n', '\r', '\u{c}']) {
        Some((first, _)) => format!("{first}..."),
        None => whole,
    };
    line.chars().map(harmless).collect()
}

/// A control character as its symbol.
fn harmless(character: char) -> char {
    if character.is_control() {
        '\u{fffd}'
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods() -> Table {
        let column = |name: &str, priority: u8| json!({"name": name, "type": "string", "priority": priority});
        let row = |name: &str, ready: &str, labels: Value| {
            json!({"cells": [name, ready, 0, "10.1.0.1"],
                   "object": {"metadata": {"name": name, "namespace": "default", "labels": labels}}})
        };
        serde_json::from_value(json!({
            "columnDefinitions": [column("Name", 0), column("Ready", 0), column("Restarts", 0), column("IP", 1)],
            "rows": [row("web", "1/1", json!({"tier": "x", "app": "web"})), row("a-long-name", "0/2", Value::Null)],
        }))
        .unwrap()
    }

    fn shown(columns: Columns) -> String {
        let resource = Resource::find("pods").unwrap();
        TablePrinter::new(columns, resource).print(&pods(), None)
    }

    #[test]
    fn columns_line_up_and_the_last_is_as_it_is() {
        let columns = Columns {
            headers: true,
            ..Columns::default()
        };
        let expected = "\
NAME          READY   RESTARTS
web           1/1     0
a-long-name   0/2     0
";
        assert_eq!(shown(columns), expected);
    }

    #[test]
    fn wide_namespace_kind_and_labels_add_columns() {
        let columns = Columns {
            wide: true,
            namespace: true,
            kind: true,
            labels: true,
            label_columns: vec!["k8s.io/app".to_owned(), "app".to_owned()],
            headers: true,
            event: true,
        };
        let expected = "\
EVENT   NAMESPACE   NAME              READY   RESTARTS   IP         APP   APP   LABELS
ADDED   default     pod/web           1/1     0          10.1.0.1         web   app=web,tier=x
ADDED   default     pod/a-long-name   0/2     0          10.1.0.1               <none>
";
        assert_eq!(shown(columns), expected);
    }

    #[test]
    fn a_watch_keeps_its_columns() {
        let resource = Resource::find("pods").unwrap();
        let columns = Columns {
            headers: true,
            ..Columns::default()
        };
        let mut printer = TablePrinter::new(columns, resource);
        printer.print(&pods(), None);
        let mut next = pods();
        next.column_definitions.clear();
        next.rows.truncate(1);
        assert_eq!(printer.print(&next, None), "web           1/1     0\n");
    }

    #[test]
    fn a_cell_is_one_harmless_line() {
        assert_eq!(cell_text(&json!("one\ntwo")), "one...");
        assert_eq!(cell_text(&json!("\u{1b}[31mred")), "\u{fffd}[31mred");
        assert_eq!(cell_text(&json!(3)), "3");
        assert_eq!(cell_text(&Value::Null), "");
    }
}
