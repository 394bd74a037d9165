//! One object that came as JSON: the same steps as a manifest's, without places.

use serde_json::Value;

use super::kind::{Document, kind_of, name_of};
use super::{Manifests, object};
use crate::reader::Node;
use crate::report::{Problem, Report, ViolationKind};
use crate::schema::prune;
use crate::support;
use crate::validate::{Finding, Findings, Path};

/// What becomes of fields that Kubernetes does not know (`fieldValidation` of its API).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are left out, silently.
    Ignore,
    /// They are left out, and named.
    #[default]
    Warn,
    /// The object is refused.
    Refuse,
}

/// An object that was received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The object alone, defaults filled in; its source has no name. The warnings are those of a manifest.
    pub manifests: Manifests,
    /// The unknown fields that were left out: `unknown field "spec.foo"`.
    pub unknown: Vec<String>,
}

/// Reads one object of a kind that manifests can have: decodes, fills in defaults, validates, and says everything that
/// is wrong at once. What is wrong with its form, and not with a value, has a problem without a violation or one of
/// kind [`ViolationKind::TypeInvalid`].
///
/// # Errors
/// A [`Report`] with every problem, without places.
///
/// ```
/// use serde_json::json;
/// use wasmpod_manifest::{UnknownFields, receive};
///
/// let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "dta": {}});
/// let received = receive(map.clone(), UnknownFields::Warn).unwrap();
/// assert_eq!(received.manifests.config_maps.len(), 1);
/// assert_eq!(received.unknown, ["unknown field \"dta\""]);
/// assert!(receive(map, UnknownFields::Refuse).is_err());
/// ```
pub fn receive(mut document: Value, unknown: UnknownFields) -> Result<Received, Report> {
    let mut report = Report::default();
    let name = name_of(&Node::from(&document));
    let mut tell = |finding: Finding| {
        report.push(Problem {
            object: name.clone(),
            location: None,
            excerpt: None,
            message: finding.message(),
            hints: finding.hint.iter().cloned().collect(),
            notes: Vec::new(),
            rule_id: finding.rule_id,
            violation: finding.violation(),
        });
    };
    let mut received = Received::default();
    match kind_of(&Node::from(&document)) {
        Ok(Document::Object(kind)) => {
            if unknown != UnknownFields::Refuse {
                let removed = prune(&mut document, &object::shape(kind));
                if unknown == UnknownFields::Warn {
                    let named = removed.iter();
                    received
                        .unknown
                        .extend(named.map(|path| format!("unknown field \"{path}\"")));
                }
            }
            let node = Node::from(&document);
            let (object, found, ignored) = object::decode(&node, kind);
            found.into_iter().for_each(&mut tell);
            received.manifests.warnings = unplaced(&name, &ignored);
            if let Some(object) = object {
                received.manifests.push(object, "");
            }
        }
        Ok(Document::List) => {
            let path = Path::root().field("kind");
            let mut finding = Findings::default();
            finding.invalid("kind/object", &path, "List", "one object is read at a time");
            finding.0.into_iter().for_each(&mut tell);
        }
        Err(findings) => findings.0.into_iter().for_each(&mut tell),
    }
    if report.is_empty() {
        Ok(received)
    } else {
        Err(report)
    }
}

/// The warnings of fields without effect, each kind of field once.
fn unplaced(
    name: &Option<crate::report::ObjectName>,
    ignored: &[support::Ignored],
) -> Vec<crate::report::Warning> {
    let Some(name) = name else { return Vec::new() };
    let mut warnings: Vec<((&str, &str), crate::report::Warning)> = Vec::new();
    for field in ignored {
        if let Some((_, found)) = warnings.iter_mut().find(|(row, _)| *row == field.row) {
            found.count += 1;
            continue;
        }
        let warning = crate::report::Warning {
            object: name.clone(),
            location: None,
            path: field.path.to_string(),
            reason: field.reason.to_owned(),
            count: 1,
        };
        warnings.push((field.row, warning));
    }
    warnings.into_iter().map(|(_, warning)| warning).collect()
}

impl Report {
    /// Is the form of an object wrong (an unknown field, a value of the wrong type), so that its values mean nothing?
    #[must_use]
    pub fn is_about_form(&self) -> bool {
        self.problems.iter().any(|problem| {
            problem
                .violation
                .as_ref()
                .is_none_or(|violation| violation.kind == ViolationKind::TypeInvalid)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(container: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}})
    }

    #[test]
    fn an_object_is_read_as_a_manifest_is() {
        let value = pod(
            &json!({"name": "c", "image": "nginx", "resources": {"limits": {"cpu": 1.5}}, "tty": null}),
        );
        let received = receive(value.clone(), UnknownFields::Refuse).unwrap();
        let source = super::super::Source::new("p.json", value.to_string());
        let read = super::super::read(&[source]).unwrap();
        assert_eq!(received.manifests.pods, read.pods);
    }

    #[test]
    fn what_is_wrong_is_said_at_once_and_in_the_same_words() {
        let value =
            pod(&json!({"name": "C", "image": "nginx", "ports": [{"containerPort": 70000}]}));
        let report = receive(value, UnknownFields::Refuse).unwrap_err();
        assert!(!report.is_about_form());
        let messages: Vec<_> = report
            .problems
            .iter()
            .map(|problem| &problem.message)
            .collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(
            report.problems.iter().any(|problem| problem
                .message
                .starts_with("spec.containers[0].ports[0].containerPort: Invalid value: 70000")),
            "{messages:?}"
        );
    }

    #[test]
    fn unknown_fields_are_refused_named_or_left_out() {
        let value = || {
            pod(
                &json!({"name": "c", "image": "nginx", "comand": ["x"], "env": [{"name": "a", "vlaue": "b"}]}),
            )
        };
        let report = receive(value(), UnknownFields::Refuse).unwrap_err();
        assert!(report.is_about_form());
        let received = receive(value(), UnknownFields::Warn).unwrap();
        assert_eq!(
            received.unknown,
            [
                "unknown field \"spec.containers[0].comand\"",
                "unknown field \"spec.containers[0].env[0].vlaue\""
            ]
        );
        assert!(
            receive(value(), UnknownFields::Ignore)
                .unwrap()
                .unknown
                .is_empty()
        );
        // A misspelt field that must be there is missing all the same.
        let nameless = pod(&json!({"nme": "c", "image": "nginx"}));
        let report = receive(nameless, UnknownFields::Ignore).unwrap_err();
        assert_eq!(
            report.problems[0].message,
            "spec.containers[0].name: Required value"
        );
    }

    #[test]
    fn a_list_and_an_unknown_kind_are_refused() {
        for value in [
            json!({"apiVersion": "v1", "kind": "List", "items": []}),
            json!({"apiVersion": "v1", "kind": "Unicorn"}),
            json!({"apiVersion": "v9", "kind": "Pod"}),
            json!({}),
            json!([1]),
        ] {
            assert!(
                receive(value.clone(), UnknownFields::Ignore).is_err(),
                "{value}"
            );
        }
    }
}
