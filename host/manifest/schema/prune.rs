//! Takes away what Kubernetes does not know, for clients that want it so.

use serde_json::Value;

use super::shape::{Shape, Shapes};
use crate::validate::Path;

/// Removes every unknown field and gives the paths of those that had a value.
pub(crate) fn prune(value: &mut Value, shape: &Shape) -> Vec<String> {
    let mut removed = Vec::new();
    walk(value, shape, &Path::root(), &mut removed);
    removed
}

fn walk(value: &mut Value, shape: &Shape, path: &Path, removed: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Array(items), Value::Array(values)) => {
            for (index, value) in values.iter_mut().enumerate() {
                walk(value, items, &path.index(index), removed);
            }
        }
        (Shape::Map(values), Value::Object(entries)) => {
            for (key, value) in entries {
                walk(value, values, &path.key(key), removed);
            }
        }
        (Shape::Object(definition), Value::Object(entries)) => {
            let Some(fields) = Shapes::get().fields(definition) else {
                return;
            };
            entries.retain(|key, _| {
                let is_known = fields.contains_key(key);
                if !is_known {
                    removed.push(path.field(key).to_string());
                }
                is_known
            });
            for (key, value) in entries {
                if let Some(shape) = fields.get(key) {
                    walk(value, shape, &path.field(key), removed);
                }
            }
        }
        _ => {}
    }
}
