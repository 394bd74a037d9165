//! The pods that `logs`, `exec` and `attach` are about: a pod by its name, or the pods behind `deploy/web`, `job/x`,
//! `svc/web`; and the containers of a pod.

use anyhow::{Context as _, bail};
use serde_json::Value;
use wasmpod::k8s::LabelSelector;
use wasmpod_api::Resource;

use crate::report;
use crate::runs::{Found, Runs, name, text};
use crate::selection;

/// The annotation that names a pod's main container, as kubectl reads it.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pods that a word names, the most telling first: running before others, then the oldest.
pub(crate) async fn pods(runs: &Runs, namespace: &str, word: &str) -> anyhow::Result<Vec<Found>> {
    let (resource, own) = selection::parse_one(word, "pods")?;
    let object = runs.get(resource, namespace, &own).await?;
    if resource.kind == "Pod" {
        return Ok(vec![object]);
    }
    let selector = label_selector(resource, &object.object)
        .with_context(|| format!("a {} selects no pods", resource.singular))?;
    let query = vec![("labelSelector", selector)];
    let pods = selection::find("pods")?;
    let mut found = runs.list(pods, Some(namespace), &query).await?;
    found.sort_by_key(|found| {
        (
            text(&found.object, "/status/phase") != "Running",
            text(&found.object, "/metadata/creationTimestamp"),
        )
    });
    if found.is_empty() {
        bail!("{} has no pods", selection::title(resource, &own));
    }
    Ok(found)
}

/// The first of the pods that a word names; says which when there are several.
pub(crate) async fn pod(runs: &Runs, namespace: &str, word: &str) -> anyhow::Result<Found> {
    let mut found = pods(runs, namespace, word).await?;
    let first = found.swap_remove(0);
    if !found.is_empty() {
        let (count, own) = (found.len() + 1, name(&first.object));
        report::stderr(format_args!("Found {count} pods, using pod/{own}"));
    }
    Ok(first)
}

/// The query that finds the pods of an object.
fn label_selector(resource: &Resource, object: &Value) -> Option<String> {
    let equal = |pointer: &str| {
        let map = object.pointer(pointer).and_then(Value::as_object)?;
        let pairs: Vec<_> = map
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join(","))
    };
    if matches!(resource.kind, "Service" | "ReplicationController") {
        return equal("/spec/selector");
    }
    let selector = object.pointer("/spec/selector").cloned()?;
    let selector: LabelSelector = serde_json::from_value(selector).ok()?;
    let mut parts: Vec<String> = equal("/spec/selector/matchLabels").into_iter().collect();
    for wanted in selector.match_expressions.iter().flatten() {
        let values = wanted.values.as_deref().unwrap_or_default().join(",");
        parts.push(match wanted.operator.as_str() {
            "In" => format!("{} in ({values})", wanted.key),
            "NotIn" => format!("{} notin ({values})", wanted.key),
            "DoesNotExist" => format!("!{}", wanted.key),
            _ => wanted.key.clone(),
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// The containers of a pod: init containers, then the others, in the manifest's order.
pub(crate) fn containers(pod: &Value) -> Vec<String> {
    let names = |pointer: &str| {
        let list = pod.pointer(pointer).and_then(Value::as_array);
        let list = list.map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .map(|one| text(one, "/name"))
            .collect::<Vec<_>>()
    };
    let mut all = names("/spec/initContainers");
    all.extend(names("/spec/containers"));
    all
}

/// The container that is meant when none is said: what the annotation says, else the first that is no init container.
/// Says so when there are several.
pub(crate) fn default_container(pod: &Value, quiet: bool) -> anyhow::Result<String> {
    let annotations = pod.pointer("/metadata/annotations");
    let annotated = annotations.and_then(|map| map.get(DEFAULT_CONTAINER)?.as_str());
    let all = containers(pod);
    if let Some(annotated) = annotated {
        if all.iter().any(|one| one == annotated) {
            return Ok(annotated.to_owned());
        }
        report::warning(format_args!(
            "the annotation {DEFAULT_CONTAINER} names \"{annotated}\", which the pod has not"
        ));
    }
    let inits = pod
        .pointer("/spec/initContainers")
        .and_then(Value::as_array);
    let inits = inits.map_or(0, Vec::len);
    let (init, main) = all.split_at_checked(inits).unwrap_or((&[], &all));
    let first = main.first().context("the pod has no containers")?;
    if all.len() > 1 && !quiet {
        let mains = main.iter().cloned();
        let inits = init.iter().map(|name| format!("{name} (init)"));
        let all: Vec<_> = mains.chain(inits).collect();
        report::stderr(format_args!(
            "Defaulted container \"{first}\" out of: {}",
            all.join(", ")
        ));
    }
    Ok(first.clone())
}

/// The container that was said, if the pod has it.
pub(crate) fn said_container(pod: &Value, wanted: &str) -> anyhow::Result<String> {
    if containers(pod).iter().any(|one| one == wanted) {
        return Ok(wanted.to_owned());
    }
    bail!("container {wanted} is not valid for pod {}", name(pod))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(annotations: &Value) -> Value {
        json!({
            "metadata": {"name": "web", "annotations": annotations},
            "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}]},
        })
    }

    #[test]
    fn the_first_container_is_meant_unless_the_pod_says_another() {
        let default = |annotations| default_container(&pod(&annotations), true).unwrap();
        assert_eq!(default(Value::Null), "a");
        assert_eq!(default(json!({DEFAULT_CONTAINER: "b"})), "b");
        assert_eq!(default(json!({DEFAULT_CONTAINER: "x"})), "a");
    }

    #[test]
    fn a_container_that_is_not_there_is_an_error() {
        assert_eq!(said_container(&pod(&Value::Null), "i").unwrap(), "i");
        let error = said_container(&pod(&Value::Null), "x").unwrap_err();
        assert_eq!(error.to_string(), "container x is not valid for pod web");
    }

    #[test]
    fn pods_are_found_by_the_selectors_of_their_owners() {
        let deployment = json!({"spec": {"selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "x", "operator": "DoesNotExist"}],
        }}});
        let selector = |word, object| label_selector(Resource::find(word).unwrap(), object);
        assert_eq!(
            selector("deploy", &deployment).as_deref(),
            Some("app=web,tier in (a,b),!x")
        );
        let service = json!({"spec": {"selector": {"app": "web"}}});
        assert_eq!(selector("svc", &service).as_deref(), Some("app=web"));
        assert_eq!(selector("cm", &json!({})), None);
    }
}
