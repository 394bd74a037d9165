//! Objects as they are: YAML, JSON, names. Keys are in alphabetical order and `managedFields` are left out, as with
//! kubectl.

use serde::Serialize as _;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};
use wasmpod_api::resource::RESOURCES;

use crate::args::looking::OutputFormat;
use crate::runs::{name, text};
use crate::selection::title;

/// One object as a document.
pub(crate) fn document(object: Value, format: &OutputFormat) -> anyhow::Result<String> {
    let object = tidy(object);
    match format {
        OutputFormat::Yaml => Ok(yaml(&object)?),
        OutputFormat::Name => Ok(format!("{}\n", title_of(&object))),
        // No line of its own, so that what is printed is what was asked for.
        OutputFormat::JsonPath(template) => Ok(template.fill(&object)),
        OutputFormat::Json | OutputFormat::Wide => {
            let mut bytes = Vec::new();
            let formatter = PrettyFormatter::with_indent(b"    ");
            object.serialize(&mut serde_json::Serializer::with_formatter(
                &mut bytes, formatter,
            ))?;
            bytes.push(b'\n');
            Ok(String::from_utf8(bytes)?)
        }
    }
}

/// Several objects as one.
pub(crate) fn list_of(objects: Vec<Value>) -> Value {
    let items = Value::Array(objects);
    let head = [
        ("apiVersion", json!("v1")),
        ("items", items),
        ("kind", json!("List")),
    ];
    let metadata = ("metadata", json!({"resourceVersion": ""}));
    let fields = head.into_iter().chain([metadata]);
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// `pod/web`
pub(crate) fn title_of(object: &Value) -> String {
    let (kind, version) = (text(object, "/kind"), text(object, "/apiVersion"));
    let known = RESOURCES
        .iter()
        .find(|resource| resource.kind == kind && resource.api_version() == version);
    match known {
        Some(resource) => title(resource, &name(object)),
        None => format!("{}/{}", kind.to_lowercase(), name(object)),
    }
}

fn yaml(object: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        // Long lines stay whole, so that one can search for what is in them.
        min_fold_chars: usize::MAX,
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(object, options)
}

/// The same with sorted keys and without `managedFields`, also in the items of a list.
fn tidy(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = tidy(item.take());
        }
    }
    sorted(object)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            let fields = fields.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": "web", "managedFields": [{}], "labels": {"b": "true", "a": "1"}},
            "spec": {"containers": [{"name": "c", "args": ["one\ntwo\n"]}], "volumes": []},
        })
    }

    #[test]
    fn yaml_looks_as_kubectls() {
        let expected = "\
apiVersion: v1
kind: Pod
metadata:
  labels:
    a: \"1\"
    b: \"true\"
  name: web
spec:
  containers:
  - args:
    - |
      one
      two
    name: c
  volumes: []
";
        assert_eq!(document(pod(), &OutputFormat::Yaml).unwrap(), expected);
    }

    #[test]
    fn yaml_keeps_every_text_what_it_is() {
        let texts = [
            "",
            " ",
            "~",
            "null",
            "true",
            "yes",
            "on",
            "1",
            "1e3",
            "0x1f",
            "1_000",
            ".5",
            ".nan",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{}",
            "[]",
            "a\tb",
            "a\nb",
            "\na",
            "a\n",
            "a\n\n",
            "  a\nb",
            "a\r\nb",
            "\u{1}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "'",
            "\"",
            "\\",
            "é",
            "2026-11-21T10:00:00Z",
            "1:30",
            "=",
            "<<",
            "|",
            ">",
            "a:",
            ":a",
            "?",
            "? a",
            "---",
            "...",
        ];
        let long = "word ".repeat(100);
        for text in texts.into_iter().chain([long.as_str()]) {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"key": text}});
            let document = yaml(&object).unwrap();
            let read = wasmpod::read(&[wasmpod::Source::new("x", document.clone())]);
            let manifests = read.unwrap_or_else(|report| panic!("{text:?}\n{document}\n{report}"));
            let data = manifests.config_maps[0].data.clone().unwrap_or_default();
            assert_eq!(data["key"], text, "{document}");
        }
    }

    #[test]
    fn json_is_indented_by_four() {
        let expected = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n";
        let list = document(list_of(vec![]), &OutputFormat::Json).unwrap();
        assert_eq!(list, expected);
    }

    #[test]
    fn a_name_tells_the_type() {
        let deployment =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        assert_eq!(title_of(&deployment), "deployment.apps/web");
        assert_eq!(title_of(&pod()), "pod/web");
    }
}
