//! A tree to JSON along its shape.
//!
//! Null means "not set", as the API server reads it. Numbers are turned into text where a quantity
//! is wanted (`cpu: 1`), because Kubernetes accepts both there; nowhere else is a type changed.

use k8s_openapi::ByteString;
use serde_json::{Map, Value};

use super::shape::{Shape, Shapes};
use super::suggest::nearest;
use crate::k8s::jiff::Timestamp;
use crate::reader::scalar::{Meaning, Scalar};
use crate::reader::{Node, NodeKind, Seg};
use crate::report::ViolationKind;
use crate::validate::{Finding, Findings, Path};

/// What became of a tree.
pub(crate) struct Converted {
    /// The JSON of all that fits.
    pub(crate) value: Value,
    /// The paths that were left out, because they do not fit.
    pub(crate) broken: Vec<Vec<Seg>>,
}

/// Turns `node` into JSON; unknown fields and wrong types go to `findings`.
pub(crate) fn convert(node: &Node, shape: &Shape, findings: &mut Findings) -> Converted {
    let mut converter = Converter {
        findings,
        broken: Vec::new(),
    };
    let value = converter
        .convert(node, shape, &Path::root())
        .unwrap_or(Value::Null);
    let broken = converter.broken;
    Converted { value, broken }
}

struct Converter<'f> {
    findings: &'f mut Findings,
    broken: Vec<Vec<Seg>>,
}

impl Converter<'_> {
    fn convert(&mut self, node: &Node, shape: &Shape, path: &Path) -> Option<Value> {
        match (shape, &node.kind) {
            (Shape::Any, _) => Some(plain_json(node)),
            (Shape::Object(definition), NodeKind::Mapping(_)) => {
                Some(self.object(node, definition, path))
            }
            (Shape::Map(values), NodeKind::Mapping(entries)) => {
                let mut map = Map::new();
                for entry in entries {
                    if entry.value.is_null() {
                        map.insert(entry.key.clone(), empty(values));
                        continue;
                    }
                    let path = path.key(&entry.key);
                    if let Some(value) = self.convert(&entry.value, values, &path) {
                        map.insert(entry.key.clone(), value);
                    }
                }
                Some(Value::Object(map))
            }
            (Shape::Array(items), NodeKind::Sequence(nodes)) => {
                let mut array = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.iter().enumerate() {
                    let value = self.convert(node, items, &path.index(index));
                    // The place is kept: the paths of later elements must not move.
                    array.push(value.unwrap_or_else(|| empty(items)));
                }
                Some(Value::Array(array))
            }
            (shape, NodeKind::Scalar(scalar)) => match scalar_json(scalar, shape) {
                Ok(value) => Some(value),
                Err(mismatch) => self.mismatch(path, scalar.display(), mismatch),
            },
            (shape, _) => {
                let wanted = Mismatch::new(wanted(shape));
                self.mismatch(path, node.type_name().to_owned(), wanted)
            }
        }
    }

    fn object(&mut self, node: &Node, definition: &str, path: &Path) -> Value {
        let NodeKind::Mapping(entries) = &node.kind else {
            return Value::Null;
        };
        let Some(fields) = Shapes::get().fields(definition) else {
            return plain_json(node);
        };
        let mut map = Map::new();
        for entry in entries {
            let path = path.field(&entry.key);
            let Some(shape) = fields.get(&entry.key) else {
                let finding = Finding::unknown_field(&path);
                let guess = nearest(&entry.key, fields.keys().map(String::as_str));
                self.findings.push(match guess {
                    Some(guess) => {
                        // The field that was meant is not missing as well.
                        self.broken
                            .push(path.parent().field(guess).segments().to_vec());
                        finding.hint(format!("did you mean \"{guess}\"?"))
                    }
                    None => finding,
                });
                continue;
            };
            if !entry.value.is_null()
                && let Some(value) = self.convert(&entry.value, shape, &path)
            {
                map.insert(entry.key.clone(), value);
            }
        }
        Value::Object(map)
    }

    fn mismatch(&mut self, path: &Path, value: String, mismatch: Mismatch) -> Option<Value> {
        let finding = Finding::new("schema/type", ViolationKind::TypeInvalid, path)
            .shown(value)
            .detail(mismatch.detail);
        self.findings.push(match mismatch.hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
        self.broken.push(path.segments().to_vec());
        None
    }
}

/// Why a scalar does not fit.
struct Mismatch {
    detail: String,
    hint: Option<String>,
}

impl Mismatch {
    fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }
}

fn scalar_json(scalar: &Scalar, shape: &Shape) -> Result<Value, Mismatch> {
    let text = &scalar.text;
    match (shape, scalar.meaning) {
        (Shape::String, Meaning::Str) | (Shape::Quantity | Shape::IntOrString, Meaning::Str) => {
            Ok(Value::from(text.as_str()))
        }
        (Shape::Quantity, Meaning::Int(_) | Meaning::Float(_)) => Ok(Value::from(text.as_str())),
        (Shape::String, Meaning::Bool(_) | Meaning::Int(_) | Meaning::Float(_)) => {
            Err(Mismatch::new(wanted(shape)).hint(format!("write \"{text}\" in quotes")))
        }
        (Shape::Bytes, Meaning::Str) => base64_json(text),
        (Shape::Bytes, Meaning::Bool(_) | Meaning::Int(_) | Meaning::Float(_)) => {
            Err(Mismatch::new(wanted(shape)).hint(
                "write it base64-encoded in quotes, or as a string under \"stringData\"".to_owned(),
            ))
        }
        (Shape::DateTime, Meaning::Str) => match text.parse::<Timestamp>() {
            Ok(_) => Ok(Value::from(text.as_str())),
            Err(_) => Err(Mismatch::new(wanted(shape))),
        },
        (Shape::Boolean, Meaning::Bool(value)) => Ok(Value::from(value)),
        (Shape::Boolean, Meaning::Str)
            if matches!(text.as_str(), "true" | "false" | "yes" | "no") =>
        {
            Err(Mismatch::new(wanted(shape)).hint(format!("write {text} without quotes")))
        }
        (Shape::Int32 | Shape::IntOrString, Meaning::Int(value)) => match i32::try_from(value) {
            Ok(value) => Ok(Value::from(value)),
            Err(_) => Err(Mismatch::new("must fit into 32 bits")),
        },
        (Shape::Int64, Meaning::Int(value)) => match i64::try_from(value) {
            Ok(value) => Ok(Value::from(value)),
            Err(_) => Err(Mismatch::new("must fit into 64 bits")),
        },
        (Shape::Int32 | Shape::Int64, Meaning::Str) if text.parse::<i64>().is_ok() => {
            Err(Mismatch::new(wanted(shape)).hint(format!("write {text} without quotes")))
        }
        (Shape::Number, Meaning::Int(_) | Meaning::Float(_)) => Ok(number_json(scalar)),
        (Shape::Any, _) => Ok(number_json(scalar)),
        _ => Err(Mismatch::new(wanted(shape))),
    }
}

fn base64_json(text: &str) -> Result<Value, Mismatch> {
    // Go's decoder skips line breaks, which YAML's block scalars leave in the text.
    let joined: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let value = Value::from(joined.as_str());
    if serde_json::from_value::<ByteString>(value.clone()).is_ok() {
        return Ok(value);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let detail = match text
        .chars()
        .enumerate()
        .find(|(_, c)| !allowed(*c) && !matches!(c, '\n' | '\r'))
    {
        Some((offset, c)) => format!("must be base64: illegal character {c:?} at offset {offset}"),
        None => format!(
            "must be base64: {} characters are no whole number of groups of 4, or the padding is wrong",
            joined.len()
        ),
    };
    Err(Mismatch::new(detail)
        .hint("write plain text under \"stringData\" instead of \"data\"".to_owned()))
}

/// What a shape wants, as the end of a message.
fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::String => "must be a string",
        Shape::Bytes => "must be a base64-encoded string",
        Shape::DateTime => "must be a time like \"2026-01-31T12:00:00Z\"",
        Shape::Boolean => "must be true or false",
        Shape::Int32 | Shape::Int64 => "must be an integer",
        Shape::Number => "must be a number",
        Shape::Quantity => "must be a quantity such as 64Mi or 500m",
        Shape::IntOrString => "must be an integer or a string",
        Shape::Any => "must be a value",
        Shape::Array(_) => "must be a list",
        Shape::Map(_) | Shape::Object(_) => "must be an object",
    }
}

/// What stands for an element that is not set or does not fit.
fn empty(shape: &Shape) -> Value {
    match shape {
        Shape::String | Shape::Bytes | Shape::Quantity | Shape::IntOrString => Value::from(""),
        Shape::DateTime => Value::from("1970-01-01T00:00:00Z"),
        Shape::Boolean => Value::from(false),
        Shape::Int32 | Shape::Int64 | Shape::Number => Value::from(0),
        Shape::Any => Value::Null,
        Shape::Array(_) => Value::Array(Vec::new()),
        Shape::Map(_) | Shape::Object(_) => Value::Object(Map::new()),
    }
}

fn plain_json(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(scalar) => number_json(scalar),
        NodeKind::Sequence(items) => items.iter().map(plain_json).collect(),
        NodeKind::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), plain_json(&entry.value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn number_json(scalar: &Scalar) -> Value {
    match scalar.meaning {
        Meaning::Null => Value::Null,
        Meaning::Bool(value) => Value::from(value),
        Meaning::Int(value) => match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Value::from(value),
            (Err(_), Ok(value)) => Value::from(value),
            (Err(_), Err(_)) => Value::from(scalar.text.as_str()),
        },
        Meaning::Float(value) => Value::from(value),
        Meaning::Str => Value::from(scalar.text.as_str()),
    }
}
