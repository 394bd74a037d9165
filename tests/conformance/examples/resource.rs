//! `pods/qos` and `pods/resource`.

use std::time::{Duration, Instant};

use wasmpod_store::Kind;

use super::examples;
use crate::host::{CAPACITY, Host, phase_of};
use crate::pod::{Pod, condition};
use crate::table::rows;

rows! {
    "Examples: pods, resources";
    "pods/qos/qos-pod-3.yaml" => passes best_effort;
    "pods/qos/qos-pod-5.yaml" => passes guaranteed;
    "pods/resource/cpu-request-limit.yaml" => passes two_busy_threads_get_one_core;
    "pods/resource/memory-request-limit-3.yaml" => passes more_than_the_node_has_stays_pending;
    "pods/resource/memory-request-limit.yaml" => passes memory_below_the_limit_is_granted;
    "pods/resource/pod-level-pid-limit.yaml" => passes a_pid_limit_is_accepted;
}

async fn class_of(path: &str) -> Option<String> {
    let pod = Pod::start(&examples(&[path])?).await;
    pod.is_ready().await.qos_class
}

async fn best_effort() {
    if let Some(class) = class_of("pods/qos/qos-pod-3.yaml").await {
        assert_eq!(class, "BestEffort");
    }
}

async fn guaranteed() {
    if let Some(class) = class_of("pods/qos/qos-pod-5.yaml").await {
        assert_eq!(class, "Guaranteed");
    }
}

async fn two_busy_threads_get_one_core() {
    let Some(manifest) = examples(&["pods/resource/cpu-request-limit.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.until("Running", |status| {
        status.phase.as_deref() == Some("Running")
    })
    .await;
    // What is measured is real: from here on, time is.
    tokio::time::resume();
    let used = || pod.usage().iter().map(|usage| usage.cpu).sum::<Duration>();
    let (before, began) = (used(), Instant::now());
    while began.elapsed() < Duration::from_secs(1) {
        pod.pause(Duration::from_millis(50)).await;
    }
    let (used, took) = (used() - before, began.elapsed());
    assert!(used > Duration::ZERO, "it is busy");
    assert!(
        used < took.mul_f64(1.1),
        "{used:?} of processor time in {took:?}"
    );
    assert_eq!(pod.container("cpu-demo-ctr").restart_count, 0);
}

async fn more_than_the_node_has_stays_pending() {
    let Some(manifest) = examples(&["pods/resource/memory-request-limit-3.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let pods = host.pods();
    assert_eq!(phase_of(&pods[0]), "Pending");
    let status = pods[0].status.clone().unwrap();
    assert_eq!(condition(&status, "PodScheduled"), Some("False"));
    assert!(
        status
            .container_statuses
            .is_none_or(|containers| containers.is_empty())
    );
    let events = host.objects(Kind::Event);
    let told = events.iter().any(|event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["reason"] == "FailedScheduling"
            && message.contains("0/1 nodes are available: 1 Insufficient memory")
    });
    assert!(told, "{events:#?}");
}

async fn memory_below_the_limit_is_granted() {
    let Some(manifest) = examples(&["pods/resource/memory-request-limit.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    pod.pause(Duration::from_secs(10)).await;
    let used = pod.usage()[0].memory_bytes;
    assert!((150_000_000..200 << 20).contains(&used), "{used} bytes");
    assert_eq!(pod.container("memory-demo-ctr").restart_count, 0);
}

async fn a_pid_limit_is_accepted() {
    let Some(manifest) = examples(&["pods/resource/pod-level-pid-limit.yaml"]) else {
        return;
    };
    let host = Host::of(CAPACITY);
    host.apply(&manifest).await;
    let pods = host.ready_pods(1).await;
    let resources = pods[0].spec.as_ref().unwrap().resources.as_ref().unwrap();
    assert_eq!(resources.limits.as_ref().unwrap()["pids"].0, "2048");
}
