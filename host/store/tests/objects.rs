//! One object: what the store gives it, and which writes it refuses.

use std::sync::Arc;

use serde_json::json;
use wasmpod_manifest::k8s::Time;
use wasmpod_manifest::k8s::jiff::Timestamp;

use super::{config_map, object, pod, set_text, store};
use crate::{Kind, Object, StoreError, WrongKind};

#[test]
fn a_new_object_gets_what_an_api_server_gives_it() {
    let store = store();
    let created = store.create(pod("web")).unwrap();
    let metadata = created.metadata();
    assert_eq!(metadata.namespace.as_deref(), Some("default"));
    assert_eq!(metadata.resource_version.as_deref(), Some("1"));
    assert_eq!(metadata.generation, Some(1));
    let seconds = Timestamp::new(1_795_255_200, 0).unwrap();
    assert_eq!(metadata.creation_timestamp, Some(Time(seconds)));
    assert_eq!(created.uid().len(), 36);
    assert_eq!(store.get(Kind::Pod, None, "web"), Some(created));
}

#[test]
fn a_name_is_generated_where_only_its_beginning_is_given() {
    let store = store();
    let long = "x".repeat(100);
    for (base, length) in [("web-", 9), (long.as_str(), 63)] {
        let created = store
            .create(object(
                Kind::Pod,
                json!({"metadata": {"generateName": base}}),
            ))
            .unwrap();
        assert_eq!(created.name().len(), length);
        assert!(base.starts_with(&created.name()[..length - 5]));
    }
    let nameless = store.create(object(Kind::Pod, json!({"metadata": {}})));
    assert_eq!(nameless.unwrap_err().reason(), "Invalid");
}

#[test]
fn names_are_unique_in_their_namespace_and_kind_only() {
    let store = store();
    store.create(config_map("a", "x", "1")).unwrap();
    store.create(config_map("b", "x", "2")).unwrap();
    store
        .create(object(
            Kind::Secret,
            json!({"metadata": {"name": "x", "namespace": "a"}}),
        ))
        .unwrap();
    let error = store.create(config_map("a", "x", "3")).unwrap_err();
    assert_eq!(error.to_string(), "configmaps \"x\" already exists");
    let node = object(
        Kind::Node,
        json!({"metadata": {"name": "n", "namespace": "ignored"}}),
    );
    assert_eq!(store.create(node).unwrap().namespace(), None);
    assert!(store.get(Kind::Node, Some("whatever"), "n").is_some());
}

#[test]
fn a_list_is_sorted_and_of_one_namespace_or_of_all() {
    let store = store();
    for (namespace, name) in [("b", "1"), ("a", "2"), ("a", "10")] {
        store.create(config_map(namespace, name, "")).unwrap();
    }
    let names = |namespace| {
        let (objects, version) = store.list(Kind::ConfigMap, namespace);
        assert_eq!(version, 3);
        objects
            .iter()
            .map(|o| o.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["10", "2", "1"]);
    assert_eq!(names(Some("a")), ["10", "2"]);
    assert_eq!(names(Some("c")), Vec::<String>::new());
    assert_eq!(store.count(Kind::ConfigMap), 3);
}

#[test]
fn what_changes_nothing_is_no_write() {
    let store = store();
    let first = store.create(config_map("a", "x", "1")).unwrap();
    let same = set_text(&store, "a", "x", "1");
    assert_eq!(same.resource_version(), first.resource_version());
    assert_eq!(set_text(&store, "a", "x", "2").resource_version(), 2);
    assert_eq!(store.resource_version(), 2);
}

#[test]
fn identity_stays_whatever_a_change_does() {
    let store = store();
    let created = store.create(pod("web")).unwrap();
    let changed = store.update(Kind::Pod, None, "web", &mut |object| {
        let metadata = object.metadata_mut();
        metadata.name = Some("other".to_owned());
        metadata.namespace = Some("other".to_owned());
        metadata.uid = None;
        metadata.creation_timestamp = None;
        metadata.generation = Some(77);
        metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        Ok(())
    });
    let changed = changed.unwrap();
    let mut expected = created.clone();
    let metadata = expected.metadata_mut();
    metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    metadata.resource_version = Some("2".to_owned());
    assert_eq!(changed, expected);
}

#[test]
fn a_write_from_an_old_copy_is_refused() {
    let store = store();
    let mut old = store.create(config_map("a", "x", "1")).unwrap();
    set_text(&store, "a", "x", "2");
    let put = |object: &Object| {
        store.update(Kind::ConfigMap, Some("a"), "x", &mut |stored| {
            *stored = object.clone();
            Ok(())
        })
    };
    let error = put(&old).unwrap_err();
    assert_eq!(error.reason(), "Conflict");
    assert_eq!(
        error.to_string(),
        "Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes \
         to the latest version and try again"
    );
    // Without a version it is meant for whatever is there; but not for another object of the same name.
    old.metadata_mut().resource_version = None;
    assert_eq!(put(&old).unwrap().resource_version(), 3);
    old.metadata_mut().uid = Some("another".to_owned());
    assert_eq!(put(&old).unwrap_err().reason(), "Conflict");
    assert_eq!(put(&pod("x")).unwrap_err().reason(), "Conflict");
}

#[test]
fn generation_counts_what_is_wanted() {
    let store = store();
    store.create(pod("web")).unwrap();
    let generation = |change: &mut dyn FnMut(&mut wasmpod_manifest::k8s::Pod)| {
        let changed = store.update(Kind::Pod, None, "web", &mut |object| {
            if let Object::Pod(pod) = object {
                change(Arc::make_mut(pod));
            }
            Ok(())
        });
        changed.unwrap().metadata().generation.unwrap()
    };
    assert_eq!(
        generation(&mut |pod| pod.metadata.labels = Some([].into())),
        1
    );
    assert_eq!(
        generation(&mut |pod| pod.status = Some(Default::default())),
        1
    );
    let spec = |pod: &mut wasmpod_manifest::k8s::Pod| pod.spec.clone().unwrap();
    assert_eq!(
        generation(&mut |pod| {
            let mut bound = spec(pod);
            bound.node_name = Some("n".to_owned());
            pod.spec = Some(bound);
        }),
        1
    );
    assert_eq!(
        generation(&mut |pod| {
            let mut other = spec(pod);
            other.active_deadline_seconds = Some(9);
            pod.spec = Some(other);
        }),
        2
    );
    let now = Time(Timestamp::UNIX_EPOCH);
    assert_eq!(
        generation(&mut |pod| pod.metadata.deletion_timestamp = Some(now.clone())),
        3
    );
}

#[test]
fn only_the_object_that_is_meant_is_removed() {
    let store = store();
    let created = store.create(config_map("a", "x", "1")).unwrap();
    let wrong = store.delete_if(Kind::ConfigMap, Some("a"), "x", Some("other"));
    assert_eq!(wrong.unwrap_err().reason(), "Conflict");
    let removed = store
        .delete_if(Kind::ConfigMap, Some("a"), "x", Some(created.uid()))
        .unwrap();
    assert_eq!(removed.resource_version(), 2);
    let gone = store.delete(Kind::ConfigMap, Some("a"), "x").unwrap_err();
    assert_eq!(gone.to_string(), "configmaps \"x\" not found");
    let missing = store
        .update(Kind::Deployment, None, "y", &mut |_| Ok(()))
        .unwrap_err();
    assert_eq!(missing.to_string(), "deployments.apps \"y\" not found");
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let store = store();
    let created = store.create(config_map("a", "x", "1")).unwrap();
    let refused = store.update(Kind::ConfigMap, Some("a"), "x", &mut |object| {
        object.metadata_mut().labels = Some([("a".to_owned(), "b".to_owned())].into());
        Err(StoreError::Invalid {
            kind: Kind::ConfigMap,
            name: "x".to_owned(),
            detail: "data: Forbidden: no".to_owned(),
        })
    });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ConfigMap \"x\" is invalid: data: Forbidden: no"
    );
    assert_eq!(store.get(Kind::ConfigMap, Some("a"), "x"), Some(created));
}

#[test]
fn every_kind_is_written_with_its_type_and_read_again() {
    for kind in Kind::ALL {
        let mut value = json!({"metadata": {"name": "x"}});
        for field in ["spec", "involvedObject", "addressType", "endpoints"] {
            let needed = match (kind, field) {
                (Kind::Event, "involvedObject") => json!({}),
                (Kind::EndpointSlice, "addressType") => json!("IPv4"),
                (Kind::EndpointSlice, "endpoints") => json!([]),
                (Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet, "spec") => {
                    json!({"selector": {}, "template": {}, "serviceName": "s"})
                }
                (Kind::ReplicaSet, "spec") => json!({"selector": {}}),
                (Kind::CronJob, "spec") => json!({"schedule": "", "jobTemplate": {}}),
                _ => continue,
            };
            value[field] = needed;
        }
        let object = Object::from_json(*kind, value).unwrap();
        let written = serde_json::to_value(&object).unwrap();
        assert_eq!(written["kind"], kind.name());
        assert_eq!(written["apiVersion"], kind.api_version());
        assert_eq!(Object::from_typed_json(written).unwrap(), object);
    }
    let unknown = Object::from_typed_json(json!({"apiVersion": "v2", "kind": "Pod"}));
    assert!(matches!(unknown, Err(WrongKind::Unknown { .. })));
}

#[test]
fn kinds_are_found_by_every_word_for_them() {
    for (word, kind) in [
        ("po", Some(Kind::Pod)),
        ("Pods", Some(Kind::Pod)),
        ("deploy", Some(Kind::Deployment)),
        ("deployments.apps", Some(Kind::Deployment)),
        ("deployments.batch", None),
        ("pvc", Some(Kind::PersistentVolumeClaim)),
        ("endpoints", Some(Kind::Endpoints)),
        ("cronjob", Some(Kind::CronJob)),
        ("x", None),
    ] {
        assert_eq!(Kind::from_word(word), kind, "{word}");
    }
    for (kind, path) in [
        (
            Kind::EndpointSlice,
            ("discovery.k8s.io", "v1", "endpointslices"),
        ),
        (Kind::Pod, ("", "v1", "pods")),
        (Kind::Job, ("batch", "v1", "jobs")),
    ] {
        assert_eq!((kind.group(), kind.version(), kind.plural()), path);
    }
}

#[test]
fn what_a_change_would_make_is_told_and_not_done() {
    let store = store();
    let before = store.create(config_map("default", "a", "x")).unwrap();
    let told = store.would_update(Kind::ConfigMap, None, "a", &mut |object| {
        object.metadata_mut().labels = Some([("k".to_owned(), "v".to_owned())].into());
        Ok(())
    });
    let told = told.unwrap();
    assert_eq!(told.metadata().labels.as_ref().map(|l| l.len()), Some(1));
    assert_eq!(told.resource_version(), before.resource_version());
    assert_eq!(store.get(Kind::ConfigMap, None, "a"), Some(before.clone()));
    let old = store.would_update(Kind::ConfigMap, None, "a", &mut |object| {
        object.metadata_mut().resource_version = Some("0".to_owned());
        object.metadata_mut().labels = Some([("k".to_owned(), "v".to_owned())].into());
        Ok(())
    });
    assert_eq!(old.unwrap_err().reason(), "Conflict");
    assert_eq!(store.resource_version(), before.resource_version());
}
