//! Jobs.

use serde_json::{Value, json};
use wasmpod_manifest::{Workload, WorkloadKind};

use super::super::pods;
use super::{World, template};

fn job(extra: Value) -> World {
    let mut spec = json!({"template": template("busybox:1", "Never")});
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    World::started(WorkloadKind::Job, "work", spec)
}

fn first(world: &World) -> String {
    world.active().into_iter().next().expect("an active pod")
}

/// The active pod of an index.
fn at(world: &World, index: i32) -> String {
    let name = world.active().into_iter().find(|name| {
        let label = "batch.kubernetes.io/job-completion-index";
        pods::label(&world.pods[name], label) == Some(&index.to_string())
    });
    name.unwrap_or_else(|| panic!("no active pod of index {index}"))
}

#[test]
fn a_job_runs_one_pod_to_its_end_and_is_complete() {
    let mut world = job(json!({}));
    let name = first(&world);
    let pod = &world.pods[&name];
    for label in ["batch.kubernetes.io/job-name", "job-name"] {
        assert_eq!(pods::label(pod, label), Some("work"));
    }
    for label in ["batch.kubernetes.io/controller-uid", "controller-uid"] {
        assert_eq!(pods::label(pod, label), Some("uid-1"));
    }
    assert_eq!(world.status()["active"], 1);
    assert_eq!(world.status()["startTime"], "2026-11-21T12:00:00Z");
    world.take_log();
    world.succeed(&name);
    assert_eq!(world.take_log(), ["Completed: Job completed"]);
    assert_eq!(
        world.condition("SuccessCriteriaMet").unwrap(),
        "True CompletionsReached"
    );
    assert_eq!(
        world.condition("Complete").unwrap(),
        "True CompletionsReached"
    );
    let status = world.status();
    assert_eq!(status["succeeded"], 1);
    assert_eq!(status.get("active"), None);
    assert_eq!(status["completionTime"], "2026-11-21T12:00:00Z");
    // The pod stays, counted.
    assert_eq!(world.pods[&name].metadata.finalizers, Some(Vec::new()));
}

#[test]
fn a_job_has_no_more_pods_than_its_parallelism_and_what_is_left_to_do() {
    let mut world = job(json!({"completions": 5, "parallelism": 3}));
    let mut most = Vec::new();
    while let Some(name) = world.active().into_iter().next() {
        most.push(world.active().len());
        world.succeed(&name);
    }
    assert_eq!(most, [3, 3, 3, 2, 1]);
    assert_eq!(world.status()["succeeded"], 5);
}

#[test]
fn without_completions_the_first_success_ends_the_job_when_the_others_have_ended() {
    let mut world = job(json!({"parallelism": 2}));
    let names = world.active();
    assert_eq!(names.len(), 2);
    world.succeed(&names[0]);
    assert_eq!(world.active(), [names[1].clone()]);
    assert_eq!(world.condition("Complete"), None);
    world.fail(&names[1], 1);
    assert_eq!(
        world.condition("Complete").unwrap(),
        "True CompletionsReached"
    );
}

#[test]
fn a_failed_pod_is_followed_by_another_after_a_wait_that_doubles() {
    let mut world = job(json!({"backoffLimit": 4}));
    for wait in [10, 20, 40, 80] {
        let name = first(&world);
        world.fail(&name, 1);
        assert_eq!(world.active(), Vec::<String>::new());
        assert_eq!(world.wakes_in(), Some(wait));
        world.pass(wait - 1);
        assert_eq!(world.active(), Vec::<String>::new());
        world.pass(1);
    }
    world.take_log();
    let name = first(&world);
    world.fail(&name, 1);
    assert_eq!(
        world.take_log(),
        ["BackoffLimitExceeded: Job has reached the specified backoff limit"]
    );
    assert_eq!(
        world.condition("FailureTarget").unwrap(),
        "True BackoffLimitExceeded"
    );
    assert_eq!(
        world.condition("Failed").unwrap(),
        "True BackoffLimitExceeded"
    );
    assert_eq!(world.status()["failed"], 5);
}

#[test]
fn a_success_ends_the_row_of_failures() {
    let mut world = job(json!({"completions": 2, "parallelism": 2}));
    let names = world.active();
    world.fail(&names[0], 1);
    assert_eq!(world.wakes_in(), Some(10));
    world.pass(1);
    world.succeed(&names[1]);
    assert_eq!(world.active().len(), 1);
}

#[test]
fn with_on_failure_the_restarts_of_containers_count() {
    let mut world = job(json!({"backoffLimit": 2, "template": template("busybox:1", "OnFailure")}));
    let name = first(&world);
    for (restarts, failed) in [(1, false), (2, true)] {
        world.set(&name, "Running", true, None);
        let status = world.pods.get_mut(&name).unwrap().status.as_mut().unwrap();
        status.container_statuses.as_mut().unwrap()[0].restart_count = restarts;
        world.settle();
        assert_eq!(world.condition("Failed").is_some(), failed);
    }
    assert_eq!(world.active(), Vec::<String>::new());
}

#[test]
fn a_job_that_takes_too_long_ends_its_pods_and_then_itself() {
    let mut world = job(json!({"activeDeadlineSeconds": 100, "parallelism": 2, "completions": 2}));
    world.all_ready();
    assert_eq!(world.wakes_in(), Some(100));
    world.slow_deletes = true;
    let names = world.active();
    world.take_log();
    world.pass(100);
    assert_eq!(
        world.take_log(),
        [format!("-pod {}", names[0]), format!("-pod {}", names[1])]
    );
    assert_eq!(
        world.condition("FailureTarget").unwrap(),
        "True DeadlineExceeded"
    );
    assert_eq!(world.condition("Failed"), None);
    assert_eq!(world.status()["terminating"], 2);
    assert_eq!(world.status()["failed"], 2);
    for name in names {
        world.gone(&name);
    }
    world.settle();
    assert_eq!(world.condition("Failed").unwrap(), "True DeadlineExceeded");
    assert_eq!(
        world.take_log(),
        ["DeadlineExceeded: Job was active longer than specified deadline"]
    );
}

#[test]
fn a_deleted_pod_has_failed_and_is_replaced_at_once_or_when_it_is_gone() {
    for (policy, at_once) in [("TerminatingOrFailed", true), ("Failed", false)] {
        let mut world = job(json!({"podReplacementPolicy": policy}));
        let name = first(&world);
        world.slow_deletes = true;
        world.delete_pod(&name);
        world.settle();
        world.pass(10);
        assert_eq!(world.active().len(), usize::from(at_once), "{policy}");
        world.gone(&name);
        world.settle();
        world.pass(10);
        assert_eq!(world.active().len(), 1, "{policy}");
        assert_eq!(world.status()["failed"], 1, "{policy}");
    }
}

#[test]
fn indexed_pods_have_their_index_and_the_status_names_those_that_are_done() {
    let mut world = job(json!({"completionMode": "Indexed", "completions": 5, "parallelism": 5}));
    let name = at(&world, 3);
    let pod = &world.pods[&name];
    assert!(name.starts_with("work-3-"));
    let spec = serde_json::to_value(pod.spec.as_ref().unwrap()).unwrap();
    assert_eq!(spec["hostname"], "work-3");
    assert_eq!(
        spec["containers"][0]["env"][0]["name"],
        "JOB_COMPLETION_INDEX"
    );
    assert_eq!(
        pods::annotation(pod, "batch.kubernetes.io/job-completion-index"),
        Some("3")
    );
    for index in [0, 3, 1, 4] {
        let name = at(&world, index);
        world.succeed(&name);
    }
    assert_eq!(world.status()["completedIndexes"], "0,1,3,4");
    // A failed index is tried again.
    let name = at(&world, 2);
    world.fail(&name, 1);
    world.pass(10);
    let name = at(&world, 2);
    world.succeed(&name);
    assert_eq!(world.status()["completedIndexes"], "0-4");
    assert_eq!(
        world.condition("Complete").unwrap(),
        "True CompletionsReached"
    );
}

#[test]
fn each_index_has_its_own_limit_and_the_job_fails_when_all_are_through() {
    let mut world = job(json!({
        "completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 1,
    }));
    for index in [1, 3] {
        let name = at(&world, index);
        world.succeed(&name);
    }
    for index in [0, 2] {
        let name = at(&world, index);
        world.fail(&name, 1);
    }
    assert_eq!(world.wakes_in(), Some(10));
    world.pass(10);
    let count = "batch.kubernetes.io/job-index-failure-count";
    assert_eq!(
        pods::annotation(&world.pods[&at(&world, 0)], count),
        Some("1")
    );
    for index in [0, 2] {
        let name = at(&world, index);
        world.fail(&name, 1);
    }
    let status = world.status();
    assert_eq!(status["completedIndexes"], "1,3");
    assert_eq!(status["failedIndexes"], "0,2");
    assert_eq!(
        (&status["succeeded"], &status["failed"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(world.condition("Failed").unwrap(), "True FailedIndexes");
}

#[test]
fn more_failed_indexes_than_allowed_end_the_job_early() {
    let mut world = job(json!({
        "completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 0, "maxFailedIndexes": 1,
    }));
    for index in [0, 1] {
        let name = at(&world, index);
        world.fail(&name, 1);
    }
    assert_eq!(
        world.condition("Failed").unwrap(),
        "True MaxFailedIndexesExceeded"
    );
    assert_eq!(world.active(), Vec::<String>::new());
}

#[test]
fn a_success_policy_ends_the_other_pods() {
    let mut world = job(json!({
        "completionMode": "Indexed", "completions": 4, "parallelism": 4,
        "successPolicy": {"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 1}]},
    }));
    let name = at(&world, 1);
    world.succeed(&name);
    assert_eq!(world.condition("SuccessCriteriaMet"), None);
    let name = at(&world, 2);
    world.succeed(&name);
    assert_eq!(
        world.condition("SuccessCriteriaMet").unwrap(),
        "True SuccessPolicy"
    );
    assert_eq!(world.condition("Complete").unwrap(), "True SuccessPolicy");
    assert_eq!(world.active(), Vec::<String>::new());
    assert_eq!(world.status()["succeeded"], 2);
}

#[test]
fn a_failure_policy_fails_the_job_ignores_or_fails_the_index() {
    let rules = json!({"rules": [
        {"action": "FailJob", "onExitCodes": {"containerName": "a", "operator": "In", "values": [42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]});
    let mut world = job(json!({"podFailurePolicy": rules, "backoffLimit": 0}));
    let name = first(&world);
    world.set(&name, "Failed", false, Some(1));
    let status = world.pods.get_mut(&name).unwrap().status.as_mut().unwrap();
    status.conditions.as_mut().unwrap()[0].type_ = "DisruptionTarget".to_owned();
    status.conditions.as_mut().unwrap()[0].status = "True".to_owned();
    world.settle();
    assert_eq!(world.status().get("failed"), None);
    world.pass(10);
    let name = first(&world);
    world.take_log();
    world.fail(&name, 42);
    assert_eq!(
        world.take_log(),
        [format!(
            "PodFailurePolicy: Container a for pod default/{name} failed with exit code 42 matching FailJob rule at index 0"
        )]
    );
    assert_eq!(world.condition("Failed").unwrap(), "True PodFailurePolicy");

    let rules = json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]});
    let mut world = job(json!({
        "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 5, "podFailurePolicy": rules,
    }));
    let name = at(&world, 1);
    world.fail(&name, 42);
    assert_eq!(world.status()["failedIndexes"], "1");
}

#[test]
fn a_suspended_job_has_no_pods_and_its_clock_starts_when_it_resumes() {
    let mut world = job(json!({"suspend": true, "activeDeadlineSeconds": 100}));
    assert_eq!(world.active(), Vec::<String>::new());
    assert_eq!(world.condition("Suspended").unwrap(), "True JobSuspended");
    let suspend = |world: &mut World, value: bool| {
        let Some(Workload::Job(job)) = world.workloads.get_mut("work") else {
            panic!("the job is gone");
        };
        job.spec.as_mut().unwrap().suspend = Some(value);
        world.settle();
    };
    world.pass(1000);
    suspend(&mut world, false);
    assert_eq!(world.condition("Suspended").unwrap(), "False JobResumed");
    assert_eq!(world.wakes_in(), Some(100));
    let name = first(&world);
    suspend(&mut world, true);
    // Neither active nor failed: it never counted.
    assert_eq!(world.active(), Vec::<String>::new());
    assert_eq!(world.status().get("failed"), None);
    assert!(!world.pods.contains_key(&name));
    assert_eq!(
        world
            .take_log()
            .iter()
            .filter(|line| line.ends_with("Job suspended"))
            .count(),
        2
    );
}

#[test]
fn an_ended_job_is_deleted_when_its_time_to_live_is_over() {
    let mut world = job(json!({"ttlSecondsAfterFinished": 100}));
    let name = first(&world);
    world.succeed(&name);
    assert_eq!(world.wakes_in(), Some(100));
    world.take_log();
    world.pass(100);
    assert_eq!(world.take_log(), ["-Job work"]);
    assert!(world.workloads.is_empty());
}

#[test]
fn a_job_gets_the_selector_of_its_pods_with_its_uid() {
    let world = job(json!({}));
    let job = serde_json::to_value(&world.workloads["work"]).unwrap();
    let uid = "batch.kubernetes.io/controller-uid";
    assert_eq!(job["spec"]["selector"]["matchLabels"][uid], "uid-1");
    assert_eq!(
        job["spec"]["template"]["metadata"]["labels"]["job-name"],
        "work"
    );
}
