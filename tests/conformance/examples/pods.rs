//! `pods`: one pod each, beside those of the other modules.

use std::time::Duration;

use wasmpod_store::Kind;

use super::{examples, parsed, refusal};
use crate::host::{CAPACITY, Host, is_ready, phase_of};
use crate::pod::{Pod, agnhost, container};
use crate::script::ended;
use crate::table::rows;

rows! {
    "Examples: pods";
    "pods/config/example-redis-config.yaml" => passes a_value_of_continued_lines;
    "pods/config/redis-pod.yaml" => differs "There is no redis here. With a shell in its place the pod finds its configuration: `redis_finds_its_configuration`.";
    "pods/image-volumes.yaml" => differs "Volumes of images are refused (`an_image_volume_is_refused`): they come with images from registries.";
    "pods/lifecycle-events.yaml" => passes hooks_run_before_and_after;
    "pods/multi-container/ambassador.yaml" => differs "There is no socat here.";
    "pods/multi-container/resources.yaml" => passes a_pod_requests_what_runs_at_once;
    "pods/multi-container/startup-coordination.yaml" => passes a_sidecar_starts_first;
    "pods/pod-with-scheduling-gates.yaml" => passes a_gated_pod_waits;
    "pods/probe/pod-with-http-healthcheck.yaml" => passes a_missing_page_is_a_failure;
    "pods/probe/pod-with-tcp-socket-healthcheck.yaml" => differs "There is no redis here. With another server on its port the pod is as documented: `an_open_port_is_healthy`.";
    "pods/restart-policy/restart-all-containers.yaml" => passes all_containers_run_again;
    "pods/security/security-context-2.yaml" => not_applicable "A guest has no user: WASI knows none, and `id` tells the image's.";
    "pods/security/security-context-3.yaml" => passes no_security_context;
    "pods/security/security-context-6.yaml" => not_applicable "A guest has no user and no groups: WASI knows none, and `id` tells the image's.";
    "pods/simple-pod.yaml" => passes nginx_welcomes;
}

async fn a_value_of_continued_lines() {
    let Some(manifest) = examples(&["pods/config/example-redis-config.yaml"]) else {
        return;
    };
    let map = parsed(&manifest).config_maps.remove(0);
    let expected = "maxmemory 2mb\nmaxmemory-policy allkeys-lru\n";
    assert_eq!(map.data.unwrap()["redis-config"], expected);
}

#[test]
fn redis_finds_its_configuration() {
    crate::pod::play(async {
        let paths = [
            "pods/config/redis-pod.yaml",
            "pods/config/example-redis-config.yaml",
        ];
        let Some(manifest) = examples(&paths) else {
            return;
        };
        let pod =
            Pod::start(&manifest.replace("image: redis:5", "image: busybox\n    command: [cat]"))
                .await;
        let log = pod.log_until("redis", |log| !log.is_empty()).await;
        assert_eq!(log, "maxmemory 2mb\nmaxmemory-policy allkeys-lru\n");
    });
}

#[test]
fn an_image_volume_is_refused() {
    let Some(manifest) = examples(&["pods/image-volumes.yaml"]) else {
        return;
    };
    let said = refusal(&manifest);
    assert!(said.contains("spec.volumes[0].image"), "{said}");
}

async fn hooks_run_before_and_after() {
    let Some(manifest) = examples(&["pods/lifecycle-events.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let name = "lifecycle-demo-container";
    let message = pod.exec(name, &["cat", "/usr/share/message"]).await;
    assert_eq!(message.stdout, "Hello from the postStart handler\n");
    pod.log_until(name, |log| log.contains("start worker processes"))
        .await;
    let before = pod.elapsed();
    pod.delete(None).await;
    let status = pod.gone().await;
    assert!(
        pod.elapsed() - before < Duration::from_secs(10),
        "the hook makes it end, not the grace period"
    );
    let log = pod.log(name).await;
    assert!(log.contains("signal 3 (SIGQUIT) received"), "{log}");
    assert_eq!(ended(&status, name).exit_code, 0);
}

async fn a_pod_requests_what_runs_at_once() {
    let Some(manifest) = examples(&["pods/multi-container/resources.yaml"]) else {
        return;
    };
    // Sidecar and main container together request 350m and 192Mi, more than the init container.
    let room = wasmpod_node::Capacity {
        cpu_millicores: 350,
        memory_bytes: 192 << 20,
        ..CAPACITY
    };
    let host = Host::of(room);
    host.apply(&manifest).await;
    let pods = host.ready_pods(1).await;
    let status = pods[0].status.as_ref().unwrap();
    assert_eq!(status.qos_class.as_deref(), Some("Burstable"));
    let pod = host.first_pod().await;
    assert_eq!(pod.log("setup").await, "setting up\n");
    assert!(pod.container("log-shipper").ready && pod.container("app").ready);
    for (cpu_millicores, memory_bytes) in [
        (349, room.memory_bytes),
        (room.cpu_millicores, (192 << 20) - 1),
    ] {
        let host = Host::of(wasmpod_node::Capacity {
            cpu_millicores,
            memory_bytes,
            ..CAPACITY
        });
        host.apply(&manifest).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(phase_of(&host.pods()[0]), "Pending");
    }
}

async fn a_sidecar_starts_first() {
    let Some(manifest) = examples(&["pods/multi-container/startup-coordination.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let log = pod.log_until("main-app", |log| !log.is_empty()).await;
    assert_eq!(log, "greeting=hello\n");
    assert_eq!(pod.container("config-sidecar").started, Some(true));
    assert_eq!(pod.container("main-app").restart_count, 0);
}

async fn a_gated_pod_waits() {
    let Some(manifest) = examples(&["pods/pod-with-scheduling-gates.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let pod = host.object(Kind::Pod, "test-pod");
    assert_eq!(pod["status"]["phase"], "Pending");
    let condition = &pod["status"]["conditions"][0];
    assert_eq!(condition["type"], "PodScheduled");
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["reason"], "SchedulingGated");
    assert!(pod["status"]["containerStatuses"].is_null(), "{pod:#}");
}

async fn a_missing_page_is_a_failure() {
    let Some(manifest) = examples(&["pods/probe/pod-with-http-healthcheck.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let mut before = pod.elapsed();
    for restarts in 1..=3 {
        pod.until("another restart", |status| {
            container(status, "nginx").restart_count == restarts
        })
        .await;
        // From 30 s on three failures, 10 s apart; then the container ends, and waits for its back-off.
        let took = (pod.elapsed() - before).as_secs();
        assert!(
            (50..=61 + 40).contains(&took),
            "{took} s to restart {restarts}"
        );
        before = pod.elapsed();
    }
    assert!(
        pod.told()
            .contains("HTTP probe failed with statuscode: 404"),
        "{}",
        pod.told()
    );
}

#[test]
fn an_open_port_is_healthy() {
    crate::pod::play(async {
        let Some(manifest) = examples(&["pods/probe/pod-with-tcp-socket-healthcheck.yaml"]) else {
            return;
        };
        let server = format!(
            "image: \"{}\", args: [netexec, --http-port=6379]",
            agnhost()
        );
        let pod = Pod::start(&manifest.replace("image: \"redis\"", &server)).await;
        pod.is_ready().await;
        pod.pause(Duration::from_secs(600)).await;
        assert_eq!(pod.container("redis").restart_count, 0);
        assert!(!pod.told().contains("Unhealthy"), "{}", pod.told());
    });
}

async fn all_containers_run_again() {
    let Some(manifest) = examples(&["pods/restart-policy/restart-all-containers.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let uid = host.ready_pods(1).await[0].metadata.uid.clone();
    let pod = host.first_pod().await;
    let says = |log: &str| log == "Application is running\n";
    pod.log_until("main-application", says).await;
    pod.until("all again", |status| {
        container(status, "main-application").restart_count == 1
    })
    .await;
    let took = pod.elapsed().as_secs();
    assert!((60..=75).contains(&took), "{took} s");
    pod.is_ready().await;
    for name in ["setup-environment", "watcher-sidecar"] {
        assert_eq!(pod.container(name).restart_count, 1, "{name}");
    }
    assert_eq!(
        pod.log("setup-environment").await,
        "Setting up environment\n"
    );
    pod.log_until("main-application", says).await;
    assert_eq!(
        pod.previous_log("main-application").await,
        "Application is running\n"
    );
    let pods = host.pods();
    assert_eq!(pods[0].metadata.uid, uid);
    assert!(is_ready(&pods[0]));
}

async fn no_security_context() {
    let Some(manifest) = examples(&["pods/security/security-context-3.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let answer = pod.get("sec-ctx-3", "http://127.0.0.1:8080/").await;
    assert!(answer.starts_with("Hello, world!\n"), "{answer}");
}

async fn nginx_welcomes() {
    let Some(manifest) = examples(&["pods/simple-pod.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let page = pod.get("nginx", "http://127.0.0.1:80/").await;
    assert!(page.contains("Welcome to nginx!"), "{page}");
}
