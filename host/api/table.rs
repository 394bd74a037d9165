//! `meta.k8s.io/v1` Table: a list as the server prints it, so that every client shows the same columns.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A list of objects with the cells that a person wants to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Table {
    /// `Table`
    pub kind: String,
    /// `meta.k8s.io/v1`, or the same with `v1beta1`.
    pub api_version: String,
    /// `resourceVersion` of the list, and `continue` when there is more.
    pub metadata: Value,
    /// The columns, in order. A watch has them in its first event only.
    pub column_definitions: Vec<Column>,
    /// The objects.
    pub rows: Vec<Row>,
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Column {
    /// Its head.
    pub name: String,
    /// `string`, `integer` or `date`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `name` for the column of names.
    pub format: String,
    /// What is in it.
    pub description: String,
    /// 0 for a column that is always shown, 1 for one of `-o wide`.
    pub priority: u8,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Row {
    /// A cell for each column: text or a number.
    pub cells: Vec<Value>,
    /// `PartialObjectMetadata` of the object, all of it with `includeObject=Object`, nothing with `None`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub object: Value,
}
