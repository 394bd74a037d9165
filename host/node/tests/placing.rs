//! Whether and when a pod has a place; what changes in it later.

use std::sync::Arc;

use wasmpod_store::{Kind, Object};

use super::{World, pod};
use crate::DeleteOptions;

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_place_waits_until_another_one_goes() {
    let world = World::new();
    let wants = |cpu: &str| format!("resources: {{requests: {{cpu: {cpu}}}}}");
    world
        .start(&pod("first", "", &wants("800m")))
        .await
        .unwrap();
    world
        .start(&pod("second", "", &wants("300m")))
        .await
        .unwrap();
    let message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption \
                   victims found for incoming pod.";
    assert_eq!(
        world.not_scheduled("second"),
        format!("Unschedulable {message}")
    );
    assert_eq!(
        world.events("second"),
        [format!("FailedScheduling 1 {message}")]
    );
    assert_eq!(world.get(Kind::Pod, "second")["status"]["phase"], "Pending");
    world.phase("first", "Running").await;
    world.delete(Kind::Pod, "first", &DeleteOptions::default());
    world.phase("second", "Running").await;
    assert_eq!(world.not_scheduled("second"), "");
    assert_eq!(world.get(Kind::Pod, "second")["spec"]["nodeName"], "node");
}

#[tokio::test(start_paused = true)]
async fn a_host_port_is_one_pods() {
    let world = World::new();
    // Two pods of one template are refused when they come together in manifests; of a workload, the second one waits.
    let deployment = super::workload("Deployment", "web", "replicas: 2").replace(
        "image: ./app.wasm}",
        "image: ./app.wasm, ports: [{containerPort: 80, hostPort: 18099}]}",
    );
    world.start(&deployment).await.unwrap();
    world
        .until("one waits", |world| {
            let waiting = world.names(Kind::Pod).into_iter();
            let mut waiting =
                waiting.filter(|name| world.not_scheduled(name).contains("didn't have free ports"));
            waiting.next().is_some()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_gated_pod_starts_when_its_gates_are_gone() {
    let world = World::new();
    world
        .start(&pod("p", "schedulingGates: [{name: example.com/wait}]", ""))
        .await
        .unwrap();
    assert!(world.not_scheduled("p").starts_with("SchedulingGated "));
    let removed = world.agent.update(Kind::Pod, None, "p", &mut |object| {
        if let Object::Pod(pod) = object
            && let Some(spec) = &mut Arc::make_mut(pod).spec
        {
            spec.scheduling_gates = None;
        }
        Ok(())
    });
    removed.unwrap();
    world.phase("p", "Running").await;
}

#[tokio::test(start_paused = true)]
async fn what_may_not_change_is_refused() {
    let world = World::new();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\nimmutable: true\ndata: {a: b}\n---\n";
    world
        .start(&format!("{map}{}", pod("p", "", "")))
        .await
        .unwrap();
    let refused = world
        .agent
        .update(Kind::ConfigMap, None, "m", &mut |object| {
            if let Object::ConfigMap(map) = object {
                Arc::make_mut(map).data = None;
            }
            Ok(())
        });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ConfigMap \"m\" is invalid: data: Forbidden: field is immutable when `immutable` is set"
    );
    let refused = world.agent.update(Kind::Pod, None, "p", &mut |object| {
        if let Object::Pod(pod) = object
            && let Some(spec) = &mut Arc::make_mut(pod).spec
        {
            spec.hostname = Some("other".to_owned());
        }
        Ok(())
    });
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("pod updates may not change fields other than"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_pod_is_not_started_twice() {
    let world = World::new();
    world.start(&pod("p", "", "")).await.unwrap();
    let error = world.start(&pod("p", "", "")).await.unwrap_err();
    assert_eq!(error.to_string(), "pod \"default/p\" runs already");
}
