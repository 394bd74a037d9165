//! `controllers`: what makes pods.

use wasmpod_store::Kind;

use super::examples;
use crate::host::{Host, name_of};
use crate::table::rows;

rows! {
    "Examples: controllers";
    "controllers/frontend.yaml" => passes a_replica_set_replaces_what_is_deleted;
    "controllers/job-backoff-limit-per-index-example.yaml" => differs "There is no Python here. With the same program in shell the Job runs as documented: `a_job_counts_failures_per_index`.";
    "controllers/job-success-policy.yaml" => differs "There is no Python here. With the same program in shell the Job runs as documented: `a_job_succeeds_by_its_policy`.";
    "controllers/nginx-deployment.yaml" => passes three_servers_behind_a_service;
    "controllers/replication.yaml" => passes a_replication_controller_runs_three;
}

/// Waits for three ready pods `PREFIX-xxxxx` that answer.
async fn three(host: &Host, prefix: &str) -> Vec<String> {
    let names: Vec<_> = host.ready_pods(3).await.iter().map(name_of).collect();
    for name in &names {
        let suffix = name
            .strip_prefix(&format!("{prefix}-"))
            .unwrap_or_else(|| panic!("{name}"));
        assert!(
            suffix.ends_with(|last: char| last.is_ascii_alphanumeric()),
            "{name}"
        );
        let page = host.pod(name).get("nginx", "http://127.0.0.1:80/").await;
        assert!(page.contains("Welcome to nginx!"), "{page}");
    }
    names
}

async fn a_replica_set_replaces_what_is_deleted() {
    let Some(manifest) = examples(&["controllers/frontend.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    let names = three(&host, "frontend").await;
    assert!(
        names
            .iter()
            .all(|name| name.len() == "frontend-xxxxx".len()),
        "{names:?}"
    );
    host.delete(Kind::Pod, &names[0]);
    let pods = host.pods_until("another one in its place", |pods| {
        pods.len() == 3
            && pods.iter().all(crate::host::is_ready)
            && pods.iter().all(|pod| name_of(pod) != names[0])
    });
    assert_eq!(pods.await.len(), 3);
}

/// The index that the program of a Job's pod got, in shell instead of Python.
fn in_shell(manifest: &str, script: &str) -> String {
    let (head, program) = manifest.split_once("image: python\n").unwrap();
    let policy = if program.contains("restartPolicy") {
        "\n      restartPolicy: Never"
    } else {
        ""
    };
    format!("{head}image: busybox\n        command: [sh, -c, '{script}']{policy}\n")
}

#[test]
fn a_job_counts_failures_per_index() {
    crate::pod::play(async {
        let Some(manifest) = examples(&["controllers/job-backoff-limit-per-index-example.yaml"])
        else {
            return;
        };
        let script = "echo Hello world; test $((JOB_COMPLETION_INDEX % 2)) = 1";
        let host = Host::start(&in_shell(&manifest, script)).await;
        let job = host.object_until(
            Kind::Job,
            "job-backoff-limit-per-index-example",
            "Failed",
            |job| crate::host::condition_of(job, "Failed") == Some("True"),
        );
        let status = &job.await["status"];
        assert_eq!(status["completedIndexes"], "1,3,5,7,9", "{status:#}");
        assert_eq!(status["failedIndexes"], "0,2,4,6,8", "{status:#}");
        assert_eq!(status["succeeded"], 5, "{status:#}");
        assert_eq!(status["failed"], 10, "{status:#}");
        for pod in host.pods() {
            assert_eq!(
                host.pod(&name_of(&pod)).log("example").await,
                "Hello world\n"
            );
        }
    });
}

#[test]
fn a_job_succeeds_by_its_policy() {
    crate::pod::play(async {
        let Some(manifest) = examples(&["controllers/job-success-policy.yaml"]) else {
            return;
        };
        // The others are still running when index 2 succeeds: with those that fail at once it is a race with
        // backoffLimit, which the default of 6 may win.
        let script = "test $JOB_COMPLETION_INDEX = 2 && exit 0; sleep 600; exit 1";
        let host = Host::start(&in_shell(&manifest, script)).await;
        let job = host.object_until(Kind::Job, "job-success", "Complete", |job| {
            crate::host::condition_of(job, "Complete") == Some("True")
        });
        let job = job.await;
        assert_eq!(
            crate::host::condition_of(&job, "SuccessCriteriaMet"),
            Some("True"),
            "{job:#}"
        );
        assert_eq!(job["status"]["completedIndexes"], "2", "{job:#}");
        host.object_until(Kind::Job, "job-success", "the rest ended", |job| {
            job["status"]["active"].as_i64().unwrap_or(0) == 0
        })
        .await;
    });
}

async fn three_servers_behind_a_service() {
    let paths = [
        "controllers/nginx-deployment.yaml",
        "service/nginx-service.yaml",
    ];
    let Some(manifest) = examples(&paths) else {
        return;
    };
    let host = Host::start(&manifest).await;
    three(&host, "nginx-deployment").await;
    let endpoints = host.object_until(
        Kind::Endpoints,
        "nginx-service",
        "3 addresses",
        |endpoints| {
            let addresses = endpoints["subsets"][0]["addresses"].as_array();
            addresses.is_some_and(|addresses| addresses.len() == 3)
        },
    );
    assert_eq!(endpoints.await["subsets"][0]["ports"][0]["port"], 80);
    let deployment = host.object_until(
        Kind::Deployment,
        "nginx-deployment",
        "3 ready",
        |deployment| deployment["status"]["readyReplicas"] == 3,
    );
    assert_eq!(deployment.await["status"]["availableReplicas"], 3);
}

async fn a_replication_controller_runs_three() {
    let Some(manifest) = examples(&["controllers/replication.yaml"]) else {
        return;
    };
    let host = Host::start(&manifest).await;
    three(&host, "nginx").await;
    host.object_until(
        Kind::ReplicationController,
        "nginx",
        "3 ready",
        |controller| controller["status"]["readyReplicas"] == 3,
    )
    .await;
}
