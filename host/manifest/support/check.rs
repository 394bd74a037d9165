//! Compares a manifest with the table: what is rejected, what is ignored.

use super::{Field, Support, Table, container, table};
use crate::reader::{Node, NodeKind};
use crate::report::ViolationKind;
use crate::schema::{Shape, Shapes};
use crate::validate::{Finding, Findings, Path};

/// A field that has no effect.
pub(crate) struct Ignored {
    pub(crate) path: Path,
    /// The row's type and field; the same for all fields that deserve one warning together.
    pub(crate) row: (&'static str, &'static str),
    pub(crate) reason: &'static str,
}

/// Walks `node` along `shape`; refused fields go to `findings`, the others without effect are returned.
pub(crate) fn check(node: &Node, shape: &Shape, findings: &mut Findings) -> Vec<Ignored> {
    let mut ignored = Vec::new();
    walk(node, shape, &Path::root(), findings, &mut ignored);
    ignored
}

fn walk(
    node: &Node,
    shape: &Shape,
    path: &Path,
    findings: &mut Findings,
    ignored: &mut Vec<Ignored>,
) {
    match (shape, &node.kind) {
        (Shape::Array(items), NodeKind::Sequence(nodes)) => {
            for (index, node) in nodes.iter().enumerate() {
                walk(node, items, &path.index(index), findings, ignored);
            }
        }
        (Shape::Object(definition), NodeKind::Mapping(entries)) => {
            let Some(fields) = Shapes::get().fields(definition) else {
                return;
            };
            let Some(table) = table(definition) else {
                return;
            };
            for entry in entries {
                let path = path.field(&entry.key);
                let (Some(shape), Some(row)) = (fields.get(&entry.key), table.field(&entry.key))
                else {
                    continue;
                };
                match row.support {
                    _ if asks_for_nothing(&entry.value, row) => {}
                    Support::Supported if row.note == container::LIMITS => {
                        ignored.extend(unkept_limits(&entry.value, &path, table, row));
                    }
                    Support::Supported => walk(&entry.value, shape, &path, findings, ignored),

                    Support::Ignored { reason } => {
                        ignored.push(Ignored {
                            path,
                            row: (table.definition, row.name),
                            reason,
                        });
                    }
                    Support::Rejected { reason, hint } => {
                        findings.push(rejected(&path, table, reason, hint));
                    }
                }
            }
        }
        _ => {}
    }
}

/// The resource limits that nothing keeps.
fn unkept_limits(node: &Node, path: &Path, table: &Table, row: &Field) -> Option<Ignored> {
    let NodeKind::Mapping(entries) = &node.kind else {
        return None;
    };
    let entry = entries
        .iter()
        .find(|entry| !matches!(entry.key.as_str(), "cpu" | "memory" | "ephemeral-storage"))?;
    Some(Ignored {
        path: path.key(&entry.key),
        row: (table.definition, row.name),
        reason: row.note,
    })
}

fn rejected(path: &Path, table: &Table, reason: &str, hint: &str) -> Finding {
    let advice = if hint.is_empty() {
        "remove the field"
    } else {
        hint
    };
    Finding::new("support/rejected", ViolationKind::Forbidden, path)
        .detail(reason)
        .hint(format!(
            "{advice}; see docs/compatibility.md#{}",
            table.anchor()
        ))
}

/// Whether a value is as good as none: null, an empty list or object, or one of the row's harmless values.
fn asks_for_nothing(node: &Node, row: &Field) -> bool {
    if row.support == Support::Supported {
        return false;
    }
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let shown = scalar.display();
            scalar.is_null()
                || row
                    .harmless
                    .iter()
                    .any(|harmless| *harmless == shown || scalar.as_str() == Some(harmless))
        }
        NodeKind::Sequence(items) => items.is_empty(),
        // An empty object can be a whole request (`emptyDir: {}`), so only a list may be empty.
        NodeKind::Mapping(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Support, tables};
    use super::check;
    use crate::reader::compose;
    use crate::schema::Shape;
    use crate::validate::Findings;

    #[test]
    fn each_field_is_warned_about_or_refused_as_its_row_says() {
        for table in tables() {
            for row in table.fields {
                let text = format!("{}: {{}}", row.name);
                let documents = compose(&text).expect("a mapping of one field");
                let document = documents.first().expect("one document");
                let shape = Shape::Object(table.definition.to_owned());
                let mut findings = Findings::default();
                let ignored = check(document, &shape, &mut findings);
                let found = (ignored.len(), findings.0.len());
                let wanted = match row.support {
                    Support::Supported => (0, 0),
                    Support::Ignored { .. } => (1, 0),
                    Support::Rejected { .. } => (0, 1),
                };
                assert_eq!(found, wanted, "{}.{}", table.definition, row.name);
            }
        }
    }
}
