//! Cron jobs.

use serde_json::{Value, json};
use wasmpod_manifest::WorkloadKind;

use super::{World, template};

/// A cron job that is made at 12:00.
fn cron(extra: Value) -> World {
    let mut spec = json!({
        "schedule": "*/10 * * * *",
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": template("busybox:1", "Never")}},
    });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    World::started(WorkloadKind::CronJob, "tick", spec)
}

/// The name of the job of a time of the day.
fn job(minute: i64) -> String {
    let noon: crate::time::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    format!("tick-{}", noon.as_second() / 60 + minute)
}

#[test]
fn a_job_is_made_at_each_time_of_the_schedule() {
    let mut world = cron(json!({}));
    assert_eq!(world.take_log(), Vec::<String>::new());
    assert_eq!(world.wakes_in(), Some(600));
    world.pass(600);
    let name = job(10);
    assert_eq!(world.take_log()[0], format!("+Job {name}"));
    assert_eq!(world.status()["lastScheduleTime"], "2026-11-21T12:10:00Z");
    assert_eq!(world.status()["active"][0]["uid"], "uid-2");
    let made = serde_json::to_value(&world.workloads[&name]).unwrap();
    assert_eq!(made["spec"]["backoffLimit"], 6);
    assert_eq!(made["metadata"]["labels"]["a"], "b");
    assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    let scheduled = "batch.kubernetes.io/cronjob-scheduled-timestamp";
    assert_eq!(
        made["metadata"]["annotations"][scheduled],
        "2026-11-21T12:10:00Z"
    );
    let pod = world.active().remove(0);
    world.succeed(&pod);
    assert!(world.take_log().contains(&format!(
        "SawCompletedJob: Saw completed job: {name}, condition: Complete"
    )));
    assert_eq!(world.status().get("active"), None);
    assert_eq!(world.status()["lastSuccessfulTime"], "2026-11-21T12:10:00Z");
}

#[test]
fn times_that_passed_unseen_are_made_up_for_by_the_last_of_them() {
    let mut world = cron(json!({}));
    world.pass(3600 + 60);
    let log = world.take_log();
    let jobs: Vec<&String> = log.iter().filter(|line| line.starts_with("+Job")).collect();
    assert_eq!(jobs, [&format!("+Job {}", job(60))]);
    world.pass(86_400);
    let log = world.take_log();
    assert!(
        log[0].starts_with("TooManyMissedTimes: too many missed start times: 144."),
        "{log:?}"
    );
}

#[test]
fn a_time_that_is_too_long_ago_has_no_job() {
    let mut world = cron(json!({"startingDeadlineSeconds": 30}));
    world.pass(631);
    assert_eq!(world.take_log(), Vec::<String>::new());
    world.pass(569);
    assert_eq!(world.take_log()[0], format!("+Job {}", job(20)));
}

#[test]
fn jobs_that_meet_run_beside_each_other_or_not_as_the_policy_says() {
    for (policy, wanted) in [
        ("Allow", vec![format!("+Job {}", job(20))]),
        (
            "Forbid",
            vec!["JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid".to_owned()],
        ),
        (
            "Replace",
            vec![format!("-Job {}", job(10)), format!("+Job {}", job(20))],
        ),
    ] {
        let mut world = cron(json!({"concurrencyPolicy": policy}));
        world.pass(600);
        world.take_log();
        world.pass(600);
        let mut log = world.take_log();
        log.retain(|line| !line.starts_with("+pod"));
        assert_eq!(log, wanted, "{policy}");
    }
}

#[test]
fn old_jobs_are_kept_to_the_limits_of_history() {
    let mut world = cron(json!({"successfulJobsHistoryLimit": 1}));
    for _ in 0..3 {
        world.pass(600);
        let pod = world.active().remove(0);
        world.succeed(&pod);
    }
    let jobs: Vec<&String> = world
        .workloads
        .keys()
        .filter(|name| *name != "tick")
        .collect();
    assert_eq!(jobs, [&job(30)]);
}

#[test]
fn a_suspended_cron_job_sleeps_and_a_time_zone_moves_its_times() {
    let mut world = cron(json!({"suspend": true}));
    world.pass(86_400);
    assert_eq!(world.take_log(), Vec::<String>::new());
    assert_eq!(world.wakes_in(), None);
    let world = cron(json!({"schedule": "0 0 * * *", "timeZone": "Asia/Tokyo"}));
    assert_eq!(world.wakes_in(), Some(3 * 3600));
}
