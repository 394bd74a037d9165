//! `application`: Deployments, Jobs, CronJobs and DaemonSets.

use std::time::Duration;

use serde_json::json;
use wasmpod_store::Kind;

use super::{examples, refusal};
use crate::host::{CAPACITY, Host, condition_of, is_ready, name_of, phase_of, remapped};
use crate::table::rows;

rows! {
    "Examples: application";
    "application/basic-daemonset.yaml" => passes a_daemon_runs_once_on_the_node;
    "application/deployment-sidecar-legacy.yaml" => passes a_second_container_ships_logs;
    "application/deployment-sidecar.yaml" => passes a_sidecar_ships_logs;
    "application/job/cronjob.yaml" => passes an_old_cron_job_is_refused_and_a_new_one_runs;
    "application/job/job-sidecar-legacy.yaml" => passes a_job_with_a_second_container_never_completes;
    "application/job/job-sidecar.yaml" => passes a_job_with_a_sidecar_completes;
    "application/job/job-tmpl.yaml" => passes a_job_from_a_template;
    "application/simple_deployment.yaml" => passes available_five_seconds_after_ready;
}

async fn a_daemon_runs_once_on_the_node() {
    let Some(manifest) = examples(&["application/basic-daemonset.yaml"]) else {
        return;
    };
    let host = Host::of(CAPACITY);
    let (id, log) = (host.folder().join("machine-id"), host.folder().join("log"));
    std::fs::write(&id, "0123456789abcdef\n").unwrap();
    std::fs::create_dir(&log).unwrap();
    let manifest = remapped(
        &remapped(&manifest, "/etc/machine-id", &id),
        "/var/log",
        &log,
    );
    host.apply(&manifest).await;
    let pods = host.ready_pods(1).await;
    assert!(name_of(&pods[0]).starts_with("example-daemonset-"));
    let init = host.pod(&name_of(&pods[0])).container("log-machine-id");
    assert_eq!(init.state.unwrap().terminated.unwrap().exit_code, 0);
    let logged = std::fs::read_to_string(log.join("machine-id.log")).unwrap();
    assert_eq!(logged, "0123456789abcdef\n");
    let set = host.object_until(Kind::DaemonSet, "example-daemonset", "1 ready", |set| {
        set["status"]["numberReady"] == 1
    });
    assert_eq!(set.await["status"]["desiredNumberScheduled"], 1);
}

/// Plays a Deployment one of whose containers writes a line a second, which this one ships.
async fn ships(path: &str, shipper: &str) -> Option<Host> {
    let manifest = examples(&[path])?;
    let host = Host::start(&manifest).await;
    let pods = host.ready_pods(1).await;
    let pod = host.pod(&name_of(&pods[0]));
    let lines = |log: &str| log.lines().filter(|line| *line == "logging").count();
    let before = lines(&pod.log_until(shipper, |log| lines(log) > 0).await);
    pod.pause(Duration::from_secs(10)).await;
    let shipped = lines(&pod.log(shipper).await) - before;
    // Writing and shipping both happen on the second, in either order, at both ends.
    assert!((8..=12).contains(&shipped), "{shipped} lines in 10 s");
    for name in ["myapp", shipper] {
        assert!(pod.container(name).ready, "{name}");
    }
    Some(host)
}

async fn a_second_container_ships_logs() {
    ships(
        "application/deployment-sidecar-legacy.yaml",
        "sidecar-container",
    )
    .await;
}

async fn a_sidecar_ships_logs() {
    let Some(host) = ships("application/deployment-sidecar.yaml", "logshipper").await else {
        return;
    };
    let pod = host.first_pod().await;
    let started: Vec<_> = pod
        .events()
        .into_iter()
        .filter(|event| event.reason == "Started")
        .filter_map(|event| event.container.map(|container| container.to_string()))
        .collect();
    assert_eq!(started, ["logshipper", "myapp"]);
}

async fn an_old_cron_job_is_refused_and_a_new_one_runs() {
    let Some(manifest) = examples(&["application/job/cronjob.yaml"]) else {
        return;
    };
    let said = refusal(&manifest);
    let refused = "no matches for kind \"CronJob\" in version \"batch/v1beta1\"";
    assert!(said.contains(refused), "{said}");

    let host = Host::start(&manifest.replace("batch/v1beta1", "batch/v1")).await;
    let before = host.elapsed();
    let done = |pods: &[_]| {
        pods.iter()
            .filter(|pod| phase_of(pod) == "Succeeded")
            .count()
    };
    let pods = host
        .pods_until("two pods of two minutes", |pods| done(pods) == 2)
        .await;
    let took = host.elapsed() - before;
    assert!((60..=125).contains(&took.as_secs()), "{took:?}");
    for pod in &pods {
        let log = host.pod(&name_of(pod)).log("hello").await;
        let (date, greeting) = log.split_once('\n').unwrap();
        assert!(date.contains("2026"), "{log}");
        assert_eq!(greeting, "Hello from the Kubernetes cluster\n");
    }
}

async fn a_job_with_a_second_container_never_completes() {
    let Some(manifest) = examples(&["application/job/job-sidecar-legacy.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let pod = host.first_pod().await;
    pod.log_until("logshipper", |log| {
        log.lines().any(|line| line == "logging")
    })
    .await;
    pod.pause(Duration::from_secs(600)).await;
    let ended = pod.container("myjob").state.unwrap().terminated.unwrap();
    assert_eq!(ended.exit_code, 0);
    assert!(pod.container("logshipper").ready);
    let job = host.object(Kind::Job, "myjob");
    assert_eq!(job["status"]["active"], 1, "{job:#}");
    assert_ne!(job["status"]["succeeded"], 1, "{job:#}");
    assert_eq!(condition_of(&job, "Complete"), None);
}

async fn a_job_with_a_sidecar_completes() {
    let Some(manifest) = examples(&["application/job/job-sidecar.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let job = host.object_until(Kind::Job, "myjob", "Complete", |job| {
        condition_of(job, "Complete") == Some("True")
    });
    assert_eq!(job.await["status"]["succeeded"], 1);
    let pods = host.pods();
    assert_eq!(pods.len(), 1);
    assert_eq!(phase_of(&pods[0]), "Succeeded");
    let pod = host.pod(&name_of(&pods[0]));
    assert!(
        pod.container("logshipper")
            .state
            .unwrap()
            .terminated
            .is_some()
    );
    assert_eq!(
        pod.container("myjob")
            .state
            .unwrap()
            .terminated
            .unwrap()
            .exit_code,
        0
    );
}

async fn a_job_from_a_template() {
    let Some(manifest) = examples(&["application/job/job-tmpl.yaml"]) else {
        return;
    };
    let said = refusal(&manifest);
    assert!(said.contains("\"process-item-$ITEM\""), "{said}");
    assert!(
        said.contains("a lowercase RFC 1123 subdomain must consist of"),
        "{said}"
    );

    let host = Host::start(&manifest.replace("$ITEM", "apple")).await;
    let job = host.object_until(Kind::Job, "process-item-apple", "Complete", |job| {
        condition_of(job, "Complete") == Some("True")
    });
    assert_eq!(
        job.await["metadata"]["labels"],
        json!({"jobgroup": "jobexample"})
    );
    let took = host.elapsed().as_secs();
    assert!((5..=8).contains(&took), "{took} s");
    assert_eq!(
        host.first_pod().await.log("c").await,
        "Processing item apple\n"
    );
}

async fn available_five_seconds_after_ready() {
    let Some(manifest) = examples(&["application/simple_deployment.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    host.pods_until("a ready pod", |pods| pods.iter().any(is_ready))
        .await;
    let ready = host.elapsed();
    let deployment = host.object_until(
        Kind::Deployment,
        "nginx-deployment",
        "Available",
        |deployment| condition_of(deployment, "Available") == Some("True"),
    );
    assert_eq!(deployment.await["status"]["availableReplicas"], 1);
    let took = (host.elapsed() - ready).as_millis();
    assert!((4900..=6100).contains(&took), "{took} ms");
    assert_eq!(host.pods().len(), 1);
}
