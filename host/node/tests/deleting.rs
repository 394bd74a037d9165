//! Deletion: graceful, forced, with what is owned.

use std::time::Duration;

use wasmpod_sandbox::fake::Script;
use wasmpod_store::{Kind, Object};

use super::{World, pod, workload};
use crate::{DeleteOptions, Propagation};

/// A container that heeds no SIGTERM.
fn stubborn() -> Script {
    Script {
        on_stop: None,
        ..Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_removed_when_its_grace_period_is_over() {
    let world = World::new();
    world.runtime.script("c", [stubborn()]);
    world
        .start(&pod("p", "terminationGracePeriodSeconds: 7", ""))
        .await
        .unwrap();
    world.phase("p", "Running").await;
    let begin = tokio::time::Instant::now();
    let marked = world.delete(Kind::Pod, "p", &DeleteOptions::default());
    let metadata = marked.metadata();
    assert_eq!(metadata.deletion_grace_period_seconds, Some(7));
    assert_eq!(metadata.generation, Some(2));
    assert_eq!(world.get(Kind::Pod, "p")["status"]["phase"], "Running");
    world
        .until("removed", |world| world.get(Kind::Pod, "p").is_null())
        .await;
    assert_eq!(begin.elapsed().as_secs(), 7);
    assert!(world.agent.running("default", "p").is_none());
    world.agent.shutdown().await.unwrap();
    assert_eq!(std::fs::read_dir(world.state("run")).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_deletion_can_only_shorten_the_time_and_zero_is_at_once() {
    let world = World::new();
    world.runtime.script("c", [stubborn()]);
    world.start(&pod("p", "", "")).await.unwrap();
    world.phase("p", "Running").await;
    let begin = tokio::time::Instant::now();
    let with = |seconds| DeleteOptions {
        grace: Some(Duration::from_secs(seconds)),
        ..DeleteOptions::default()
    };
    for (seconds, kept) in [(20, 20), (40, 20), (5, 5)] {
        let marked = world.delete(Kind::Pod, "p", &with(seconds));
        assert_eq!(marked.metadata().deletion_grace_period_seconds, Some(kept));
        world.agent.settled().await;
    }
    world
        .until("removed", |world| world.get(Kind::Pod, "p").is_null())
        .await;
    assert_eq!(begin.elapsed().as_secs(), 5);

    world.start(&pod("q", "", "")).await.unwrap();
    world.phase("q", "Running").await;
    world.delete(Kind::Pod, "q", &with(0));
    assert!(world.get(Kind::Pod, "q").is_null());
    world.agent.shutdown().await.unwrap();
    assert_eq!(world.runtime.containers(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_same_name_is_not_deleted() {
    let world = World::new();
    world.start(&pod("p", "", "")).await.unwrap();
    let options = DeleteOptions {
        uid: Some("another".to_owned()),
        ..DeleteOptions::default()
    };
    let error = world
        .agent
        .delete(Kind::Pod, Some("default"), "p", &options)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Precondition failed: UID in precondition: another"),
        "{error}"
    );
    assert!(!world.get(Kind::Pod, "p").is_null());
}

#[tokio::test(start_paused = true)]
async fn what_an_owner_has_made_goes_after_it_before_it_or_stays() {
    for propagation in [
        Propagation::Background,
        Propagation::Foreground,
        Propagation::Orphan,
    ] {
        let world = World::new();
        world
            .start(&workload("Deployment", "web", "replicas: 2"))
            .await
            .unwrap();
        world.until("2 ready", |world| world.ready() == 2).await;
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        let deleted = world.delete(Kind::Deployment, "web", &options);
        let waits = propagation == Propagation::Foreground;
        assert_eq!(deleted.metadata().deletion_timestamp.is_some(), waits);
        assert_eq!(world.get(Kind::Deployment, "web").is_null(), !waits);
        if propagation == Propagation::Orphan {
            world.agent.settled().await;
            let (sets, _) = world.agent.store().list(Kind::ReplicaSet, None);
            assert!(sets.iter().all(|set: &Object| set.controller().is_none()));
            assert_eq!((sets.len(), world.ready()), (1, 2));
            continue;
        }
        world
            .until("all gone", |world| {
                [Kind::Deployment, Kind::ReplicaSet, Kind::Pod]
                    .iter()
                    .all(|kind| world.names(*kind).is_empty())
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_when_it_is_empty() {
    let world = World::new();
    let namespaced = pod("p", "", "").replace("{name: p,", "{name: p, namespace: team,");
    world.start(&namespaced).await.unwrap();
    world.until("ready", |world| world.ready() == 1).await;
    world.delete(Kind::Namespace, "team", &DeleteOptions::default());
    assert_eq!(
        world.get(Kind::Namespace, "team")["status"]["phase"],
        "Terminating"
    );
    world
        .until("gone", |world| world.get(Kind::Namespace, "team").is_null())
        .await;
    assert!(world.names(Kind::Pod).is_empty());
    assert!(world.names(Kind::Namespace).contains(&"default".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_replaces_nothing_and_leaves_nothing() {
    let world = World::new();
    world
        .start(&workload("Deployment", "web", "replicas: 3"))
        .await
        .unwrap();
    world.until("3 ready", |world| world.ready() == 3).await;
    world.agent.shutdown().await.unwrap();
    assert_eq!(world.names(Kind::Pod).len(), 3);
    assert_eq!(world.runtime.containers(), 0);
    assert_eq!(std::fs::read_dir(world.state("run")).unwrap().count(), 0);
}
