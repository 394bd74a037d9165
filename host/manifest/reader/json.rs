//! JSON that was parsed elsewhere as a tree: what comes over the wire has values, but no places.

use serde_json::Value;

use super::scalar::{Meaning, Scalar};
use super::tree::{Entry, Node, NodeKind, Place};

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let scalar = |text: String, meaning| NodeKind::Scalar(Scalar { text, meaning });
        let kind = match value {
            Value::Null => scalar("null".to_owned(), Meaning::Null),
            Value::Bool(value) => scalar(value.to_string(), Meaning::Bool(*value)),
            Value::Number(number) => {
                let whole = number.as_i64().map(i128::from);
                let whole = whole.or_else(|| number.as_u64().map(i128::from));
                let meaning = match whole {
                    Some(whole) => Meaning::Int(whole),
                    None => Meaning::Float(number.as_f64().unwrap_or(f64::NAN)),
                };
                scalar(number.to_string(), meaning)
            }
            Value::String(text) => NodeKind::Scalar(Scalar::string(text.clone())),
            Value::Array(items) => NodeKind::Sequence(items.iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let entries = fields.iter().map(|(key, value)| Entry {
                    key: key.clone(),
                    key_place: Place::default(),
                    value: Self::from(value),
                });
                NodeKind::Mapping(entries.collect())
            }
        };
        Self {
            kind,
            place: Place::default(),
        }
    }
}
