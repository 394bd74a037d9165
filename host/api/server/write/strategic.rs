//! Strategic merge patches (`application/strategic-merge-patch+json`).
//!
//! A JSON merge patch (RFC 7386) that knows lists: those of [`lists`] are merged by the key of their elements, all
//! others are replaced. Standard: `strategic-merge-patch.md` of the API machinery, with its directives: `$patch`
//! (`replace`, `delete`, `merge`), `$retainKeys`, `$deleteFromPrimitiveList/LIST`, `$setElementOrder/LIST`. A patch
//! that is not of this form is refused, whole.

use serde_json::{Map, Value};
use wasmpod_store::Kind;

use super::lists::{List, Place, list};

/// Why a patch cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StrategicError {
    #[error("unknown $patch directive {0}: supported are \"replace\", \"delete\" and \"merge\"")]
    Directive(String),
    #[error("map: {element} does not contain declared merge key: {key}")]
    NoKey { element: String, key: &'static str },
    #[error("{directive} must be a list")]
    NoList { directive: String },
    #[error("{directive} is of a list of {wanted} that is merged, which \"{field}\" is not")]
    NotMerged {
        directive: &'static str,
        field: String,
        wanted: &'static str,
    },
    #[error("$retainKeys must name every field of the patch beside it: \"{field}\" is missing")]
    NotRetained { field: String },
}

type Result<T> = std::result::Result<T, StrategicError>;

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Applies a patch to an object of this kind.
pub(super) fn apply(
    kind: Kind,
    object: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    merge(object.clone(), patch, Place::Root(kind))
}

fn merge(
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
    place: Place,
) -> Result<Map<String, Value>> {
    match directive(patch)? {
        Some(Directive::Replace) => {
            let mut whole = patch.clone();
            whole.remove(PATCH);
            // What is taken whole has no directives for parts of it.
            return merge(Map::new(), &whole, place);
        }
        Some(Directive::Delete) => return Ok(Map::new()),
        Some(Directive::Merge) | None => {}
    }
    if let Some(kept) = patch.get(RETAIN) {
        retain(&mut original, patch, kept)?;
    }
    for (key, value) in patch {
        if key == PATCH || key == RETAIN || key.starts_with(ORDER) {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE) {
            delete_primitives(&mut original, field, value, place)?;
            continue;
        }
        match value {
            Value::Null => {
                original.shift_remove(key);
            }
            Value::Object(patch) => {
                let before = match original.get_mut(key).map(Value::take) {
                    Some(Value::Object(before)) => before,
                    _ => Map::new(),
                };
                let merged = merge(before, patch, place.field(key))?;
                let is_deleted = matches!(directive(patch)?, Some(Directive::Delete));
                if is_deleted {
                    original.shift_remove(key);
                } else {
                    original.insert(key.clone(), merged.into());
                }
            }
            Value::Array(patch_items) => {
                let before = match original.get_mut(key).map(Value::take) {
                    Some(Value::Array(before)) => before,
                    _ => Vec::new(),
                };
                let order = order_of(patch, key)?;
                let merged = merge_list(&before, patch_items, order, key, place)?;
                original.insert(key.clone(), merged.into());
            }
            scalar => {
                original.insert(key.clone(), scalar.clone());
            }
        }
    }
    // An order alone, of a list that the patch does not touch otherwise.
    for key in patch.keys().filter_map(|key| key.strip_prefix(ORDER)) {
        let order = order_of(patch, key)?;
        let is_untouched = !matches!(patch.get(key), Some(Value::Array(_) | Value::Null));
        if is_untouched && let Some(Value::Array(before)) = original.get_mut(key) {
            let items = std::mem::take(before);
            *before = merge_list(&items, &[], order, key, place)?;
        }
    }
    Ok(original)
}

enum Directive {
    Replace,
    Delete,
    Merge,
}

fn directive(map: &Map<String, Value>) -> Result<Option<Directive>> {
    match map.get(PATCH) {
        None => Ok(None),
        Some(Value::String(text)) if text == "replace" => Ok(Some(Directive::Replace)),
        Some(Value::String(text)) if text == "delete" => Ok(Some(Directive::Delete)),
        Some(Value::String(text)) if text == "merge" => Ok(Some(Directive::Merge)),
        Some(other) => Err(StrategicError::Directive(other.to_string())),
    }
}

/// The list of a directive.
fn items<'a>(directive: &str, value: &'a Value) -> Result<&'a [Value]> {
    let no_list = || StrategicError::NoList {
        directive: directive.to_owned(),
    };
    value.as_array().map(Vec::as_slice).ok_or_else(no_list)
}

fn order_of<'a>(patch: &'a Map<String, Value>, field: &str) -> Result<Option<&'a [Value]>> {
    let directive = format!("{ORDER}{field}");
    let order = patch.get(&directive);
    order.map(|order| items(&directive, order)).transpose()
}

/// Keeps only the fields that the patch names.
fn retain(
    original: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    kept: &Value,
) -> Result<()> {
    let kept = items(RETAIN, kept)?;
    let is_kept = |field: &str| kept.iter().any(|name| name.as_str() == Some(field));
    let named = patch
        .iter()
        .filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    for (field, _) in named {
        if !is_kept(field) {
            let field = field.clone();
            return Err(StrategicError::NotRetained { field });
        }
    }
    original.retain(|field, _| is_kept(field));
    Ok(())
}

fn delete_primitives(
    original: &mut Map<String, Value>,
    field: &str,
    gone: &Value,
    place: Place,
) -> Result<()> {
    let gone = items(DELETE, gone)?;
    if list(place, field) != List::Primitives {
        return Err(StrategicError::NotMerged {
            directive: "$deleteFromPrimitiveList",
            field: field.to_owned(),
            wanted: "primitives",
        });
    }
    if let Some(Value::Array(values)) = original.get_mut(field) {
        values.retain(|value| !gone.contains(value));
    }
    Ok(())
}

fn merge_list(
    before: &[Value],
    patch: &[Value],
    order: Option<&[Value]>,
    field: &str,
    place: Place,
) -> Result<Vec<Value>> {
    match list(place, field) {
        List::Replaced if order.is_some() => Err(StrategicError::NotMerged {
            directive: "$setElementOrder",
            field: field.to_owned(),
            wanted: "elements",
        }),
        List::Replaced => Ok(patch.to_vec()),
        List::Primitives => {
            let mut merged = before.to_vec();
            for value in patch {
                if !merged.contains(value) {
                    merged.push(value.clone());
                }
            }
            Ok(ordered(
                merged,
                before,
                order.unwrap_or(patch),
                |one, other| one == other,
            ))
        }
        List::Keyed(key, element) => merge_elements(before, patch, order, key, element),
    }
}

/// Merges a list whose elements are known by one of their fields.
fn merge_elements(
    before: &[Value],
    patch: &[Value],
    order: Option<&[Value]>,
    key: &'static str,
    element: Place,
) -> Result<Vec<Value>> {
    let mut merged = before.to_vec();
    let (mut replaces, mut named) = (false, Vec::new());
    for item in patch {
        let Value::Object(map) = item else {
            return Err(no_key(item, key));
        };
        let directive = directive(map)?;
        if matches!(directive, Some(Directive::Replace)) && !map.contains_key(key) {
            // The list becomes what else the patch has.
            replaces = true;
            continue;
        }
        let id = map.get(key).ok_or_else(|| no_key(item, key))?;
        if matches!(directive, Some(Directive::Delete)) {
            merged.retain(|found| found.get(key) != Some(id));
            continue;
        }
        named.push(item.clone());
    }
    if replaces {
        merged.clear();
    }
    for item in &named {
        let (Value::Object(map), id) = (item, item.get(key)) else {
            continue;
        };
        match merged.iter_mut().find(|found| found.get(key) == id) {
            Some(found) => {
                let Value::Object(fields) = found.take() else {
                    continue;
                };
                *found = merge(fields, map, element)?.into();
                // What was replaced has its key still.
                if let (Value::Object(found), Some(id)) = (found, id) {
                    found.entry(key).or_insert_with(|| id.clone());
                }
            }
            None => merged.push(merge(Map::new(), map, element)?.into()),
        }
    }
    Ok(ordered(
        merged,
        before,
        order.unwrap_or(&named),
        |one, other| one.get(key).is_some() && one.get(key) == other.get(key),
    ))
}

fn no_key(element: &Value, key: &'static str) -> StrategicError {
    let element = element.to_string();
    StrategicError::NoKey { element, key }
}

/// Orders a merged list: the elements that `order` names as it has them, the others as they were before, each as near
/// to its old place among them as that allows.
fn ordered(
    merged: Vec<Value>,
    before: &[Value],
    order: &[Value],
    is_same: impl Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let place_in = |list: &[Value], item: &Value| list.iter().position(|one| is_same(one, item));
    let (mut named, mut others): (Vec<_>, Vec<_>) = merged
        .into_iter()
        .partition(|item| place_in(order, item).is_some());
    named.sort_by_key(|item| place_in(order, item));
    others.sort_by_key(|item| place_in(before, item).unwrap_or(usize::MAX));
    let mut all = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_is_first = match (named.peek(), others.peek()) {
            (Some(named), Some(other)) => {
                match (place_in(before, other), place_in(before, named)) {
                    (Some(other), Some(named)) => other < named,
                    _ => false,
                }
            }
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return all,
        };
        all.extend(if other_is_first {
            others.next()
        } else {
            named.next()
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(kind: Kind, object: &Value, patch: &Value) -> Result<Value> {
        let (object, patch) = (object.as_object().unwrap(), patch.as_object().unwrap());
        apply(kind, object, patch).map(Value::Object)
    }

    /// A pod with this spec, patched with this spec.
    fn spec(object: &Value, patch: &Value) -> Value {
        let merged = patched(Kind::Pod, &json!({"spec": object}), &json!({"spec": patch}));
        merged.unwrap()["spec"].clone()
    }

    #[test]
    fn maps_are_merged_and_nulls_remove() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "data": {"x": "y"}});
        let patch = json!({"metadata": {"labels": {"a": null, "c": "3"}, "annotations": {"n": "m", "no": null}}});
        let expected = json!({"metadata": {"labels": {"b": "2", "c": "3"}, "annotations": {"n": "m"}}, "data": {"x": "y"}});
        assert_eq!(patched(Kind::ConfigMap, &object, &patch), Ok(expected));
    }

    #[test]
    fn elements_are_merged_by_their_keys_at_every_depth() {
        let object = json!({"containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
             "ports": [{"containerPort": 80, "name": "http"}], "args": ["p", "q"],
             "volumeMounts": [{"mountPath": "/a", "name": "v"}]},
            {"name": "b", "image": "2"},
        ]});
        let patch = json!({"containers": [{
            "name": "a", "image": "3", "args": ["r"],
            "env": [{"name": "Y", "valueFrom": {"fieldRef": {"fieldPath": "a"}}, "value": null}],
            "ports": [{"containerPort": 81}], "volumeMounts": [{"mountPath": "/a", "readOnly": true}],
        }]});
        let expected = json!({"containers": [
            {"name": "a", "image": "3",
             "env": [{"name": "X", "value": "1"}, {"name": "Y", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}],
             "ports": [{"containerPort": 81}, {"containerPort": 80, "name": "http"}], "args": ["r"],
             "volumeMounts": [{"mountPath": "/a", "name": "v", "readOnly": true}]},
            {"name": "b", "image": "2"},
        ]});
        // What the patch adds comes before what only the server has; serde compares objects without order.
        assert_eq!(spec(&object, &patch), expected);
        let deployment = |spec: &Value| json!({"spec": {"template": {"spec": spec}}});
        assert_eq!(
            patched(Kind::Deployment, &deployment(&object), &deployment(&patch)),
            Ok(deployment(&expected))
        );
        let cron =
            |spec: &Value| json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}});
        assert_eq!(
            patched(Kind::CronJob, &cron(&object), &cron(&patch)),
            Ok(cron(&expected))
        );
    }

    #[test]
    fn lists_without_a_key_are_replaced() {
        let object = json!({"tolerations": [{"key": "a"}], "containers": [{"name": "a", "envFrom": [{"prefix": "x"}], "command": ["a"]}]});
        let patch = json!({"tolerations": [{"key": "b"}], "containers": [{"name": "a", "envFrom": [{"prefix": "y"}], "command": []}]});
        assert_eq!(spec(&object, &patch), patch);
    }

    #[test]
    fn directives_delete_and_replace() {
        let two = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}], "volumes": [{"name": "v", "emptyDir": {}}]});
        let delete =
            json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "c", "image": "3"}]});
        assert_eq!(
            spec(&two, &delete)["containers"],
            json!([{"name": "c", "image": "3"}, {"name": "b", "image": "2"}])
        );
        let replace = json!({"containers": [{"$patch": "replace"}, {"name": "c", "image": "3"}]});
        assert_eq!(
            spec(&two, &replace)["containers"],
            json!([{"name": "c", "image": "3"}])
        );
        let volume = json!({"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "m"}}]});
        assert_eq!(
            spec(&two, &volume)["volumes"],
            json!([{"name": "v", "configMap": {"name": "m"}}])
        );
        let whole = json!({"$patch": "replace", "nodeName": "n"});
        assert_eq!(spec(&two, &whole), json!({"nodeName": "n"}));
        let security = json!({"securityContext": {"runAsUser": 1}});
        assert_eq!(
            spec(&security, &json!({"securityContext": {"$patch": "delete"}})),
            json!({})
        );
    }

    #[test]
    fn lists_of_primitives_are_united() {
        let object = json!({"metadata": {"finalizers": ["a", "b"]}});
        let rows = [
            (json!({"finalizers": ["c"]}), json!(["c", "a", "b"])),
            (json!({"finalizers": ["b"]}), json!(["a", "b"])),
            (
                json!({"$deleteFromPrimitiveList/finalizers": ["a"]}),
                json!(["b"]),
            ),
            (
                json!({"$setElementOrder/finalizers": ["b", "c", "a"], "finalizers": ["c"]}),
                json!(["b", "c", "a"]),
            ),
        ];
        for (patch, expected) in rows {
            let merged = patched(Kind::Pod, &object, &json!({"metadata": patch})).unwrap();
            assert_eq!(merged["metadata"]["finalizers"], expected, "{patch}");
        }
    }

    #[test]
    fn the_order_of_a_list_is_the_clients() {
        let env =
            |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
        let object = json!({"containers": [{"name": "c", "env": env(&["A", "S", "B"])}]});
        let patch = json!({"containers": [{
            "name": "c", "$setElementOrder/env": env(&["B", "N", "A"]), "env": env(&["N"]),
        }]});
        // S is known to the server only.
        assert_eq!(
            spec(&object, &patch)["containers"][0]["env"],
            env(&["S", "B", "N", "A"])
        );
        let order_alone =
            json!({"containers": [{"name": "c", "$setElementOrder/env": env(&["S", "B", "A"])}]});
        assert_eq!(
            spec(&object, &order_alone)["containers"][0]["env"],
            env(&["S", "B", "A"])
        );
    }

    #[test]
    fn a_patch_of_another_form_is_refused() {
        let object = json!({"spec": {"containers": [{"name": "a"}], "tolerations": []}});
        for patch in [
            json!({"spec": {"$patch": "unknown"}}),
            json!({"spec": {"$patch": 1}}),
            json!({"spec": {"containers": [{"image": "x"}]}}),
            json!({"spec": {"containers": ["x"]}}),
            json!({"spec": {"containers": [{"name": "a", "$patch": "no"}]}}),
            json!({"spec": {"$setElementOrder/containers": "a"}}),
            json!({"spec": {"$setElementOrder/tolerations": [], "tolerations": []}}),
            json!({"spec": {"$deleteFromPrimitiveList/containers": ["a"]}}),
            json!({"spec": {"$retainKeys": ["a"], "nodeName": "x"}}),
        ] {
            assert!(patched(Kind::Pod, &object, &patch).is_err(), "{patch}");
        }
    }

    #[test]
    fn other_kinds_have_their_keys() {
        let ports = |ports: &Value| json!({"spec": {"ports": ports}});
        let before = ports(&json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]));
        let patch = ports(&json!([{"port": 81, "targetPort": 8}]));
        let after =
            ports(&json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b", "targetPort": 8}]));
        assert_eq!(patched(Kind::Service, &before, &patch), Ok(after));
        let conditions = |found: &Value| json!({"status": {"conditions": found}});
        let before = conditions(
            &json!([{"type": "A", "status": "False"}, {"type": "B", "status": "False"}]),
        );
        let patch = conditions(&json!([{"type": "A", "status": "True"}]));
        let after =
            conditions(&json!([{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]));
        for kind in [
            Kind::Pod,
            Kind::Deployment,
            Kind::Job,
            Kind::Node,
            Kind::Service,
        ] {
            assert_eq!(
                patched(kind, &before, &patch).as_ref(),
                Ok(&after),
                "{kind}"
            );
        }
    }
}
