//! Selectors.

use std::collections::BTreeMap;

use serde_json::json;

use super::object;
use crate::Kind;
use crate::selector::{FieldSelector, LabelSelector};

#[test]
fn label_selectors_select_as_kubernetes_documents_them() {
    let labels: BTreeMap<_, _> = [("env", "prod"), ("tier", "web"), ("example.com/x", "")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    for (text, expected) in [
        ("", true),
        ("env=prod", true),
        ("env==prod", true),
        ("env = prod , tier = web", true),
        ("env=dev", false),
        ("env!=dev", true),
        ("gone!=x", true),
        ("env!=prod", false),
        ("env in (prod, qa)", true),
        ("env in (dev,qa)", false),
        ("env notin (dev,qa)", true),
        ("gone notin (a)", true),
        ("env notin (prod)", false),
        ("env", true),
        ("gone", false),
        ("!gone", true),
        ("!env", false),
        ("example.com/x", true),
        ("example.com/x=", true),
        ("env in (prod),!gone,tier!=db", true),
    ] {
        let selector: LabelSelector = text.parse().unwrap();
        assert_eq!(selector.matches(Some(&labels)), expected, "{text}");
    }
    assert!("env!=prod".parse::<LabelSelector>().unwrap().matches(None));
    assert!(!"env".parse::<LabelSelector>().unwrap().matches(None));
}

#[test]
fn what_is_no_label_selector_is_refused() {
    for text in [
        "a=b=c",
        "env in prod",
        "env in (a",
        "=x",
        ",",
        "a b",
        "env like (a)",
        "a,,b",
        "!",
    ] {
        let error = text.parse::<LabelSelector>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("unable to parse \"{text}\"")),
            "{error}"
        );
    }
}

#[test]
fn the_selector_of_a_workload_selects_like_a_text() {
    let selector: wasmpod_manifest::k8s::LabelSelector = serde_json::from_value(json!({
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "env", "operator": "In", "values": ["prod", "qa"]},
            {"key": "tier", "operator": "NotIn", "values": ["db"]},
            {"key": "x", "operator": "Exists"},
            {"key": "y", "operator": "DoesNotExist"},
        ],
    }))
    .unwrap();
    let text = "app=web,env in (prod,qa),tier notin (db),x,!y";
    assert_eq!(LabelSelector::from(&selector), text.parse().unwrap());
}

#[test]
fn field_selectors_look_at_what_the_kind_can_be_selected_by() {
    let pod = object(
        Kind::Pod,
        json!({
            "metadata": {"name": "web", "namespace": "a"},
            "spec": {"nodeName": "n", "containers": []}, "status": {"phase": "Running"},
        }),
    );
    let event = object(
        Kind::Event,
        json!({
            "metadata": {"name": "e", "namespace": "a"}, "type": "Warning",
            "involvedObject": {"kind": "Pod", "name": "web", "uid": "u", "fieldPath": "spec.containers{c}"},
        }),
    );
    for (object, text, expected) in [
        (&pod, "", true),
        (&pod, "metadata.name=web", true),
        (&pod, "metadata.name!=web", false),
        (&pod, "metadata.name==web,status.phase=Running", true),
        (&pod, "status.phase!=Running", false),
        (&pod, "spec.nodeName=", false),
        (&pod, "status.podIP=", true),
        (
            &event,
            "involvedObject.name=web,involvedObject.kind=Pod,involvedObject.uid=u",
            true,
        ),
        (&event, "involvedObject.fieldPath=spec.containers{c}", true),
        (&event, "type=Normal", false),
    ] {
        let selector = FieldSelector::parse(object.kind(), text).unwrap();
        assert_eq!(selector.matches(object), expected, "{text}");
    }
    for (kind, text) in [
        (Kind::Pod, "spec.hostname=x"),
        (Kind::ConfigMap, "status.phase=x"),
        (Kind::Node, "metadata.namespace=x"),
    ] {
        let error = FieldSelector::parse(kind, text).unwrap_err();
        assert!(
            error.to_string().contains("field label not supported"),
            "{error}"
        );
    }
    assert!(FieldSelector::parse(Kind::Pod, "metadata.name").is_err());
}
