//! Objects, lists and tables as they are written.

use serde::Serialize;
use serde_json::{Value, json};
use wasmpod_manifest::k8s::ObjectMeta;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_store::{Kind, Object};

use crate::Status;
use crate::print;
use crate::server::accept::Form;
use crate::server::error;
use crate::server::query::Query;
use crate::table::{Row, Table};

/// What the rows of a table carry besides their cells (`includeObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    pub(super) fn of(query: &Query) -> Result<Self, Status> {
        match query.text("includeObject") {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::None),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(error::bad_request(format!(
                "unrecognized includeObject value: \"{other}\""
            ))),
        }
    }
}

/// `metadata` of a list.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub(super) continue_: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_item_count: Option<usize>,
}

/// How a request wants its objects, and what is needed to make them so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) form: Form,
    pub(super) include: Include,
    pub(super) now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a, T> {
    kind: String,
    api_version: &'a str,
    metadata: &'a ListMeta,
    items: &'a [T],
}

/// `PartialObjectMetadata`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partial<'a> {
    kind: &'static str,
    api_version: String,
    metadata: &'a ObjectMeta,
}

impl<'a> Partial<'a> {
    fn of(object: &'a Object, version: &str) -> Self {
        Self {
            kind: "PartialObjectMetadata",
            api_version: format!("meta.k8s.io/{version}"),
            metadata: object.metadata(),
        }
    }
}

impl Shape {
    /// One object as JSON text. In a table, `with_columns` says whether the columns are told.
    pub(super) fn object(
        &self,
        object: &Object,
        with_columns: bool,
    ) -> serde_json::Result<Vec<u8>> {
        match self.form {
            Form::Objects => serde_json::to_vec(object),
            Form::Metadata(version) => serde_json::to_vec(&Partial::of(object, version)),
            Form::Table(version) => {
                let metadata = json!({"resourceVersion": object.metadata().resource_version});
                let rows = std::slice::from_ref(object);
                let mut table = self.table(version, object.kind(), metadata, rows)?;
                if !with_columns {
                    table.column_definitions.clear();
                }
                serde_json::to_vec(&table)
            }
        }
    }

    /// A list as JSON text.
    pub(super) fn list(
        &self,
        kind: Kind,
        objects: &[Object],
        metadata: &ListMeta,
    ) -> serde_json::Result<Vec<u8>> {
        match self.form {
            Form::Objects => serde_json::to_vec(&List {
                kind: format!("{}List", kind.name()),
                api_version: kind.api_version(),
                metadata,
                items: objects,
            }),
            Form::Metadata(version) => {
                let items: Vec<_> = objects
                    .iter()
                    .map(|object| Partial::of(object, version))
                    .collect();
                serde_json::to_vec(&List {
                    kind: "PartialObjectMetadataList".to_owned(),
                    api_version: &format!("meta.k8s.io/{version}"),
                    metadata,
                    items: &items,
                })
            }
            Form::Table(version) => {
                let metadata = serde_json::to_value(metadata)?;
                serde_json::to_vec(&self.table(version, kind, metadata, objects)?)
            }
        }
    }

    fn table(
        &self,
        version: &str,
        kind: Kind,
        metadata: Value,
        objects: &[Object],
    ) -> serde_json::Result<Table> {
        let rows = objects.iter().map(|object| {
            Ok(Row {
                cells: print::cells(object, self.now),
                object: match self.include {
                    Include::None => Value::Null,
                    Include::Metadata => serde_json::to_value(Partial::of(object, version))?,
                    Include::Object => serde_json::to_value(object)?,
                },
            })
        });
        Ok(Table {
            kind: "Table".to_owned(),
            api_version: format!("meta.k8s.io/{version}"),
            metadata,
            column_definitions: print::columns(kind),
            rows: rows.collect::<serde_json::Result<_>>()?,
        })
    }

    /// The object of a bookmark: nothing but the version up to which everything was told.
    pub(super) fn bookmark(&self, kind: Kind, version: u64, ends_initial_events: bool) -> Value {
        let mut metadata =
            json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if ends_initial_events && let Value::Object(fields) = &mut metadata {
            fields.insert(
                "annotations".to_owned(),
                json!({"k8s.io/initial-events-end": "true"}),
            );
        }
        let partial = |version: &str| {
            json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": metadata,
            })
        };
        match self.form {
            Form::Objects => {
                json!({"kind": kind.name(), "apiVersion": kind.api_version(), "metadata": metadata})
            }
            Form::Metadata(version) => partial(version),
            Form::Table(meta) => json!({
                "kind": "Table",
                "apiVersion": format!("meta.k8s.io/{meta}"),
                "metadata": {"resourceVersion": version.to_string()},
                "columnDefinitions": [],
                "rows": [{"cells": [], "object": partial(meta)}],
            }),
        }
    }
}
