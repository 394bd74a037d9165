//! What workloads make, replace and count.

use wasmpod_sandbox::fake::Script;
use wasmpod_store::Kind;

use super::{World, pod, workload};
use crate::DeleteOptions;

#[tokio::test(start_paused = true)]
async fn a_deployment_replaces_a_pod_that_is_deleted() {
    let world = World::new();
    let started = world
        .start(&workload("Deployment", "web", "replicas: 3"))
        .await
        .unwrap();
    assert_eq!((started.pods.len(), started.workloads.len()), (3, 1));
    world.until("3 ready", |world| world.ready() == 3).await;
    assert_eq!(world.names(Kind::ReplicaSet).len(), 1);
    let first = started.pods[0].name().to_owned();
    assert!(first.starts_with("web-"), "{first}");

    world.delete(Kind::Pod, &first, &DeleteOptions::default());
    world
        .until("another pod", |world| {
            world.ready() == 3 && !world.names(Kind::Pod).contains(&first)
        })
        .await;
    world
        .until("status", |world| {
            world.get(Kind::Deployment, "web")["status"]["readyReplicas"] == 3
        })
        .await;
    assert!(!world.agent.is_done());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_too_often_has_failed_and_is_done() {
    let world = World::new();
    world.runtime.script("c", [Script::ends_after(1, 3)]);
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  backoffLimit: 2\n  template:\n    \
               spec:\n      restartPolicy: Never\n      containers:\n      - {name: c, image: ./app.wasm}\n";
    world.start(job).await.unwrap();
    assert!(!world.agent.is_done());
    world.agent.done().await;
    let status = world.get(Kind::Job, "j")["status"].clone();
    let conditions = status["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|c| c["type"] == "Failed" && c["reason"] == "BackoffLimitExceeded"),
        "{status:#}"
    );
    assert_eq!(
        (status["failed"].as_i64(), world.names(Kind::Pod).len()),
        (Some(3), 3)
    );
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_stateful_set_come_one_after_another() {
    let world = World::new();
    world
        .start(&workload(
            "StatefulSet",
            "db",
            "replicas: 3\n  serviceName: db",
        ))
        .await
        .unwrap();
    world.until("3 ready", |world| world.ready() == 3).await;
    assert_eq!(world.names(Kind::Pod), ["db-0", "db-1", "db-2"]);
    let creates = world
        .runtime
        .calls()
        .into_iter()
        .filter(|call| call.contains("create"));
    assert_eq!(creates.count(), 3);
    // A pod that goes comes again under its name.
    let before = world.get(Kind::Pod, "db-1")["metadata"]["uid"].clone();
    world.delete(Kind::Pod, "db-1", &DeleteOptions::default());
    world
        .until("db-1 again", |world| {
            world.get(Kind::Pod, "db-1")["metadata"]["uid"] != before && world.ready() == 3
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_done_when_its_pods_have_ended() {
    let world = World::new();
    assert!(world.agent.is_done());
    world.runtime.script("c", [Script::ends_after(5, 0)]);
    world
        .start(&pod("p", "restartPolicy: Never", ""))
        .await
        .unwrap();
    assert!(!world.agent.is_done());
    world.agent.done().await;
    assert_eq!(world.get(Kind::Pod, "p")["status"]["phase"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn what_happens_again_is_one_event_with_a_count() {
    let world = World::new();
    world.runtime.script("c", [Script::ends_after(1, 1)]);
    world
        .start(&pod("p", "restartPolicy: Always", ""))
        .await
        .unwrap();
    world
        .until("started again", |world| {
            world
                .events("p")
                .iter()
                .any(|event| event.starts_with("Started 3 "))
        })
        .await;
    let event = world
        .agent
        .store()
        .list(Kind::Event, None)
        .0
        .into_iter()
        .find_map(|object| {
            let value = serde_json::to_value(object).unwrap();
            (value["reason"] == "Started").then_some(value)
        });
    let event = event.unwrap();
    assert_eq!(event["involvedObject"]["fieldPath"], "spec.containers{c}");
    assert_eq!(event["source"]["component"], "kubelet");
    assert_ne!(event["firstTimestamp"], event["lastTimestamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_has_the_ready_pods_as_endpoints() {
    let world = World::new();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n  ports: [{port: \
                   80, targetPort: 8080}]\n---\n";
    let manifests = format!("{service}{}{}", pod("a", "", ""), pod("b", "", ""));
    world.start(&manifests).await.unwrap();
    let addresses = |world: &World| {
        let endpoints = world.get(Kind::Endpoints, "web");
        endpoints["subsets"][0]["addresses"]
            .as_array()
            .map_or(0, Vec::len)
    };
    world
        .until("two endpoints", |world| addresses(world) == 2)
        .await;
    let slices = world.names(Kind::EndpointSlice);
    assert_eq!(slices.len(), 1);
    let slice = world.get(Kind::EndpointSlice, &slices[0]);
    assert_eq!(
        slice["metadata"]["labels"]["kubernetes.io/service-name"],
        "web"
    );
    assert_eq!(slice["endpoints"].as_array().unwrap().len(), 2);
    assert_eq!(slice["ports"][0]["port"], 8080);

    world.delete(Kind::Pod, "a", &DeleteOptions::default());
    world
        .until("one endpoint", |world| addresses(world) == 1)
        .await;
    world.delete(Kind::Service, "web", &DeleteOptions::default());
    world
        .until("none", |world| {
            world.names(Kind::EndpointSlice).is_empty() && world.names(Kind::Endpoints).is_empty()
        })
        .await;
}
