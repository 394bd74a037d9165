//! Watchers: they see every write, once, in order; or they are told that they missed some.

use std::sync::Arc;

use proptest::prelude::*;
use wasmpod_manifest::k8s::Container;

use super::{config_map, pod, set_text, store};
use crate::{HISTORY_LENGTH, Kind, Object, Store, StoreError, Watch, WatchEvent};

#[derive(Clone, Copy, Debug)]
enum Op {
    Create,
    Update(u8),
    Delete,
    /// A write of another kind, which nobody here watches.
    Other,
}

fn ops() -> impl Strategy<Value = Vec<(Op, u8, u8)>> {
    let op = prop_oneof![
        3 => Just(Op::Create),
        3 => (0..3_u8).prop_map(Op::Update),
        2 => Just(Op::Delete),
        1 => Just(Op::Other),
    ];
    prop::collection::vec((op, 0..2_u8, 0..3_u8), 0..80)
}

/// What a watcher is to see: type, namespace, name, version.
type Seen = (&'static str, String, String, u64);

/// Does it, and says what watchers must see of it.
fn run(store: &Store, op: Op, namespace: &str, name: &str) -> Option<Seen> {
    let before = store.get(Kind::ConfigMap, Some(namespace), name);
    let (type_name, object) = match op {
        Op::Create => (
            "ADDED",
            store.create(config_map(namespace, name, "new")).ok()?,
        ),
        Op::Update(text) => {
            let before = before?;
            let after = set_text(store, namespace, name, &text.to_string());
            if after.resource_version() == before.resource_version() {
                return None;
            }
            ("MODIFIED", after)
        }
        Op::Delete => {
            let removed = store.delete(Kind::ConfigMap, Some(namespace), name).ok()?;
            ("DELETED", removed)
        }
        Op::Other => {
            if store.delete(Kind::Pod, None, name).is_err() {
                store.create(pod(name)).unwrap();
            }
            return None;
        }
    };
    let version = object.resource_version();
    Some((type_name, namespace.to_owned(), name.to_owned(), version))
}

fn read(watch: &mut Watch) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(event) = watch.try_next().unwrap() {
        let object = event.object();
        let namespace = object.namespace().unwrap().to_owned();
        let name = object.name().to_owned();
        seen.push((
            event.type_name(),
            namespace,
            name,
            object.resource_version(),
        ));
    }
    seen
}

proptest! {
    #[test]
    fn watchers_see_exactly_the_writes_after_the_version_from_which_they_watch(
        ops in ops(), start in 0..80_usize, pause in 1..20_usize,
    ) {
        let store = store();
        let mut early = store.watch(Kind::ConfigMap, None, 0).unwrap();
        let (mut expected, mut seen, mut late) = (Vec::new(), Vec::new(), None);
        for (index, (op, namespace, name)) in ops.into_iter().enumerate() {
            if index == start {
                let since = store.list(Kind::ConfigMap, Some("n1")).1;
                late = Some((since, store.watch(Kind::ConfigMap, Some("n1"), since).unwrap()));
            }
            expected.extend(run(&store, op, &format!("n{namespace}"), &format!("x{name}")));
            if index % pause == 0 {
                seen.extend(read(&mut early));
            }
        }
        seen.extend(read(&mut early));
        prop_assert_eq!(&seen, &expected);
        prop_assert_eq!(early.resource_version(), store.resource_version());
        if let Some((since, mut watch)) = late {
            let of_namespace = expected.into_iter().filter(|seen| seen.1 == "n1" && seen.3 > since);
            prop_assert_eq!(read(&mut watch), of_namespace.collect::<Vec<_>>());
        }
    }
}

fn write(store: &Store, count: usize) {
    for number in 0..count {
        set_text(
            store,
            "a",
            "x",
            &format!("{number} at {}", store.resource_version()),
        );
    }
}

#[test]
fn a_watcher_that_falls_behind_is_told_so() {
    let store = store();
    store.create(config_map("a", "x", "")).unwrap();
    let since = store.resource_version();
    let mut watch = store.watch(Kind::ConfigMap, None, since).unwrap();
    write(&store, HISTORY_LENGTH);
    assert!(matches!(
        watch.try_next(),
        Ok(Some(WatchEvent::Modified(_)))
    ));
    write(&store, 2);
    let error = watch.try_next().unwrap_err();
    assert!(matches!(error, StoreError::Expired { .. }), "{error}");
    assert_eq!(error.reason(), "Expired");
    // And nobody can begin there any more; the list says where.
    assert_eq!(
        store
            .watch(Kind::ConfigMap, None, since)
            .unwrap_err()
            .reason(),
        "Expired"
    );
    let (_, now) = store.list(Kind::ConfigMap, None);
    assert!(store.watch(Kind::ConfigMap, None, now).is_ok());
}

#[test]
fn fewer_changes_of_large_pods_are_kept() {
    let store = store();
    let mut large = pod("large");
    if let Object::Pod(pod) = &mut large {
        let containers = &mut Arc::make_mut(pod).spec.get_or_insert_default().containers;
        containers.resize_with(100, Container::default);
    }
    store.create(large).unwrap();
    let watch = store.watch(Kind::Pod, None, store.resource_version());
    let mut watch = watch.unwrap();
    let change = |store: &Store| {
        let number = store.resource_version().to_string();
        store
            .update(Kind::Pod, None, "large", &mut |pod| {
                let labels = [("number".to_owned(), number.clone())];
                pod.metadata_mut().labels = Some(labels.into());
                Ok(())
            })
            .unwrap();
    };
    for _ in 0..20 {
        change(&store);
    }
    assert!(matches!(
        watch.try_next(),
        Ok(Some(WatchEvent::Modified(_)))
    ));
    for _ in 0..3 {
        change(&store);
    }
    assert_eq!(watch.try_next().unwrap_err().reason(), "Expired");
}

#[test]
fn a_watcher_of_a_quiet_kind_does_not_expire_while_others_are_written() {
    let store = store();
    store.create(config_map("a", "x", "")).unwrap();
    let mut pods = store.watch(Kind::Pod, None, 0).unwrap();
    write(&store, HISTORY_LENGTH + 10);
    assert_eq!(pods.try_next(), Ok(None));
    assert_eq!(pods.resource_version(), store.resource_version());
    store.create(pod("p")).unwrap();
    assert!(matches!(pods.try_next(), Ok(Some(WatchEvent::Added(_)))));
}

#[tokio::test]
async fn a_waiting_watcher_is_woken_by_the_write() {
    let store = store();
    let mut watch = store.watch(Kind::Pod, None, 0).unwrap();
    let mut version = store.changes();
    let writer = store.clone();
    let (event, created) = tokio::join!(watch.next(), async move {
        tokio::task::yield_now().await;
        writer.create(pod("p")).unwrap()
    });
    assert_eq!(event, Ok(WatchEvent::Added(created)));
    assert_eq!(*version.borrow_and_update(), 1);
}
