//! Phases, starts, back-off and stops of pods without probes and hooks.
//!
//! [`Play`] carries out every action at once and writes down when it did; the tests say what happens in between.

use std::time::Duration;

use serde_json::{Value, json};
use wasmpod_manifest::k8s::{ContainerStatus, Pod, PodStatus};

use super::at;
use crate::exit::Exit;
use crate::pod::{
    Action, ContainerIndex, Event, HostFacts, PodState, StartFailure, StopCause, decide,
};

struct Play {
    state: PodState,
    now: Duration,
    log: Vec<String>,
    wake_at: Option<Duration>,
    auto_start: bool,
}

impl Play {
    fn new(spec: Value) -> Self {
        let mut play = Self::accepted(spec);
        play.decide();
        play.tell(Event::ResourcesReady {
            pod_ips: vec!["10.88.0.2".to_owned()],
        });
        play
    }

    /// A pod whose resources are not there yet, and whose containers start only when told.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads better where it is called"
    )]
    fn accepted(spec: Value) -> Self {
        let pod =
            json!({"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let mut play = Self {
            state: PodState::new(&pod, &HostFacts::default(), at(Duration::ZERO)),
            now: Duration::ZERO,
            log: Vec::new(),
            wake_at: None,
            auto_start: true,
        };
        play.auto_start = !spec_has_manual(&pod);
        play
    }

    fn decide(&mut self) {
        for _ in 0..100 {
            let decision = decide(&self.state, self.now);
            self.wake_at = decision.wake_at;
            if decision.actions.is_empty() {
                return;
            }
            for action in decision.actions {
                self.perform(&action);
            }
            if self.state.has_ended() {
                return;
            }
        }
        panic!("decides without end: {:?}", self.log);
    }

    fn perform(&mut self, action: &Action) {
        // A real clock has gone on since the decision.
        let begun = self.now.saturating_add(Duration::from_micros(1));
        self.state.begin(action, at(begun));
        let name = |c: &ContainerIndex| self.state.container(*c).unwrap().plan.name.clone();
        let seconds = self.now.as_secs();
        let line = match action {
            Action::AcquireResources => return,
            Action::Start { container, attempt } => {
                format!("{seconds} start {}#{attempt}", name(container))
            }
            Action::CancelStart { container } => format!("{seconds} cancel {}", name(container)),
            Action::Stop { container, kill_at } => {
                let grace = kill_at.saturating_sub(self.now);
                format!("{seconds} stop {} {}", name(container), grace.as_secs())
            }
            Action::ExceedDeadline => format!("{seconds} deadline"),
            Action::Finish => format!("{seconds} finish"),
            Action::Probe { .. } | Action::RunHook { .. } => return,
        };
        self.log.push(line);
        match action {
            Action::Start { container, .. } if self.auto_start => {
                let started = Event::Started {
                    container: *container,
                    id: "id".to_owned(),
                };
                self.state.handle(started, at(self.now));
            }
            Action::Finish => self.state.handle(Event::Released, at(self.now)),
            _ => {}
        }
    }

    fn tell(&mut self, event: Event) {
        self.state.handle(event, at(self.now));
        self.decide();
    }

    fn index(&self, name: &str) -> ContainerIndex {
        self.state
            .containers()
            .find(|(_, c)| c.plan.name == name)
            .unwrap()
            .0
    }

    fn exit(&mut self, after_seconds: u64, name: &str, code: i32) {
        self.now += Duration::from_secs(after_seconds);
        let container = self.index(name);
        self.tell(Event::Exited {
            container,
            exit: Exit::with_code(code),
        });
    }

    fn fail(&mut self, name: &str, failure: StartFailure) {
        let container = self.index(name);
        self.tell(Event::StartFailed { container, failure });
    }

    /// Lets time pass until something is due.
    fn wake(&mut self) {
        self.now = self.wake_at.expect("something to wait for");
        self.decide();
    }

    fn stop(&mut self, grace_seconds: Option<u64>) {
        let grace = grace_seconds.map(Duration::from_secs);
        self.tell(Event::Stop {
            cause: StopCause::Requested,
            grace,
        });
    }

    fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn status(&self) -> PodStatus {
        self.state.status()
    }

    fn phase(&self) -> String {
        self.status().phase.unwrap()
    }

    fn container(&self, name: &str) -> ContainerStatus {
        let status = self.status();
        let mut all = status
            .init_container_statuses
            .into_iter()
            .chain(status.container_statuses);
        all.find_map(|list| list.into_iter().find(|c| c.name == name))
            .unwrap()
    }

    /// `waiting Reason`, `running`, or `terminated Reason CODE`.
    fn shown(&self, name: &str) -> String {
        let state = self.container(name).state.unwrap();
        match (state.waiting, state.running, state.terminated) {
            (Some(w), None, None) => format!("waiting {}", w.reason.unwrap()),
            (None, Some(_), None) => "running".to_owned(),
            (None, None, Some(t)) => format!("terminated {} {}", t.reason.unwrap(), t.exit_code),
            other => panic!("{other:?}"),
        }
    }

    /// `True`, or `False Reason`.
    fn condition(&self, kind: &str) -> String {
        let status = self.status();
        let condition = status
            .conditions
            .unwrap()
            .into_iter()
            .find(|c| c.type_ == kind)
            .unwrap();
        [Some(condition.status), condition.reason]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A pod with this annotation-like scheduler name starts nothing by itself.
fn spec_has_manual(pod: &Pod) -> bool {
    pod.spec.as_ref().unwrap().scheduler_name.as_deref() == Some("manual")
}

fn two(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a"}, {"name": "b"}]})
}

#[test]
fn containers_start_in_the_manifests_order_without_waiting_for_readiness() {
    let mut play = Play::new(two("Always"));
    assert_eq!(play.take_log(), ["0 start a#0", "0 start b#0"]);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Ready"), "True");
    assert_eq!(play.wake_at, None, "an idle pod needs no timer");
}

#[test]
fn the_second_start_waits_for_the_first_to_succeed_or_fail() {
    let mut spec = two("Always");
    spec["schedulerName"] = json!("manual");
    let mut play = Play::new(spec);
    assert_eq!(play.take_log(), ["0 start a#0"]);
    assert_eq!(play.shown("a"), "waiting ContainerCreating");
    assert_eq!(play.phase(), "Pending");
    play.fail(
        "a",
        StartFailure::Create {
            reason: "CreateContainerError",
            message: "no".into(),
        },
    );
    assert_eq!(play.take_log(), ["0 start b#0"]);
    assert_eq!(play.shown("a"), "waiting CreateContainerError");
}

#[test]
fn a_crashing_container_is_restarted_with_the_kubelets_back_off() {
    let mut play = Play::new(json!({"containers": [{"name": "a"}]}));
    for _ in 0..4 {
        play.exit(1, "a", 3);
        if play.wake_at.is_some() {
            play.wake();
        }
    }
    assert_eq!(
        play.take_log(),
        [
            "0 start a#0",
            "1 start a#1",
            "12 start a#2",
            "33 start a#3",
            "74 start a#4"
        ]
    );
    assert_eq!(play.container("a").restart_count, 4);
}

#[test]
fn a_container_in_back_off_is_shown_as_crash_loop_with_its_last_state() {
    let mut play = Play::new(json!({"containers": [{"name": "a"}]}));
    play.exit(1, "a", 3);
    assert_eq!(play.shown("a"), "running", "the first restart is immediate");
    play.exit(1, "a", 3);
    assert_eq!(play.shown("a"), "waiting CrashLoopBackOff");
    let shown = play.container("a");
    assert_eq!(shown.restart_count, 1);
    assert_eq!(shown.last_state.unwrap().terminated.unwrap().exit_code, 3);
    let message = shown.state.unwrap().waiting.unwrap().message.unwrap();
    assert_eq!(
        message,
        "back-off 10s restarting failed container=a pod=p_default(u)"
    );
    assert_eq!(play.phase(), "Running");
    assert_eq!(
        play.condition("ContainersReady"),
        "False ContainersNotReady"
    );
}

#[test]
fn phases_by_restart_policy_and_exit_codes() {
    for (policy, first, second, phase, shown) in [
        ("Never", 0, 0, "Succeeded", "terminated Completed 0"),
        ("Never", 0, 7, "Failed", "terminated Completed 0"),
        ("OnFailure", 0, 0, "Succeeded", "terminated Completed 0"),
        ("OnFailure", 7, 0, "Running", "running"),
        ("Always", 0, 0, "Running", "running"),
    ] {
        let mut play = Play::new(two(policy));
        play.exit(1, "a", first);
        play.exit(0, "b", second);
        assert_eq!(play.phase(), phase, "{policy} {first} {second}");
        assert_eq!(play.shown("a"), shown, "{policy} {first} {second}");
        assert_eq!(
            play.state.has_ended(),
            phase != "Running",
            "{policy} {first} {second}"
        );
    }
}

#[test]
fn one_of_two_that_has_ended_leaves_the_pod_running_but_not_ready() {
    let mut play = Play::new(two("Never"));
    play.exit(1, "a", 0);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Ready"), "False ContainersNotReady");
    play.exit(1, "b", 0);
    assert_eq!(play.condition("Ready"), "False PodCompleted");
    assert_eq!(play.condition("Initialized"), "True PodCompleted");
}

fn with_init(policy: &str) -> Value {
    json!({"restartPolicy": policy, "initContainers": [{"name": "i1"}, {"name": "i2"}],
           "containers": [{"name": "a"}]})
}

#[test]
fn init_containers_run_one_after_another_before_the_others() {
    let mut play = Play::new(with_init("Always"));
    assert_eq!(play.take_log(), ["0 start i1#0"]);
    assert_eq!(play.phase(), "Pending");
    assert_eq!(play.shown("a"), "waiting PodInitializing");
    assert_eq!(
        play.condition("Initialized"),
        "False ContainersNotInitialized"
    );
    play.exit(2, "i1", 0);
    assert_eq!(play.take_log(), ["2 start i2#0"]);
    play.exit(2, "i2", 0);
    assert_eq!(play.take_log(), ["4 start a#0"]);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Initialized"), "True");
    assert!(play.container("i1").ready);
}

#[test]
fn a_failing_init_container_is_retried_unless_the_policy_is_never() {
    for policy in ["Always", "OnFailure"] {
        let mut play = Play::new(with_init(policy));
        play.exit(1, "i1", 1);
        play.exit(1, "i1", 1);
        assert_eq!(play.shown("i1"), "waiting CrashLoopBackOff");
        assert_eq!(play.phase(), "Pending");
        play.wake();
        assert_eq!(
            play.take_log(),
            ["0 start i1#0", "1 start i1#1", "12 start i1#2"]
        );
    }
    let mut play = Play::new(with_init("Never"));
    play.exit(1, "i1", 1);
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.take_log(), ["0 start i1#0", "1 finish"]);
    assert_eq!(play.shown("a"), "waiting PodInitializing");
}

#[test]
fn a_sidecar_starts_in_its_place_does_not_hold_the_pod_and_ends_last() {
    let mut play = Play::new(
        json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 5,
        "initContainers": [{"name": "i"}, {"name": "s1", "restartPolicy": "Always"},
                           {"name": "s2", "restartPolicy": "Always"}],
        "containers": [{"name": "a"}]}),
    );
    play.exit(1, "i", 0);
    assert_eq!(
        play.take_log(),
        ["0 start i#0", "1 start s1#0", "1 start s2#0", "1 start a#0"]
    );
    play.exit(1, "s1", 1);
    assert_eq!(
        play.take_log(),
        ["2 start s1#1"],
        "a sidecar is restarted beside the others"
    );
    play.exit(1, "a", 0);
    assert_eq!(
        play.take_log(),
        ["3 stop s2 5"],
        "sidecars end in reverse order"
    );
    play.exit(1, "s2", 143);
    assert_eq!(
        play.take_log(),
        ["4 stop s1 4"],
        "it has what is left of the pod's grace period"
    );
    play.exit(1, "s1", 143);
    assert_eq!(play.take_log(), ["5 finish"]);
    assert_eq!(play.phase(), "Succeeded");
}

#[test]
fn a_stop_asks_all_at_once_and_kills_what_outlives_the_grace_period() {
    let mut play = Play::new(two("Always"));
    play.take_log();
    play.stop(None);
    assert_eq!(play.take_log(), ["0 stop a 30", "0 stop b 30"]);
    play.exit(1, "a", 143);
    assert_eq!(play.take_log(), [""; 0], "no restart while the pod ends");
    play.wake();
    assert_eq!(play.take_log(), ["30 stop b 0"]);
    assert_eq!(play.wake_at, None);
    play.exit(0, "b", 137);
    assert_eq!(play.take_log(), ["30 finish"]);
    assert_eq!(play.phase(), "Failed");
    assert!(play.state.was_stopped_on_request());
}

#[test]
fn a_pod_whose_containers_take_the_stop_well_has_succeeded() {
    let mut play = Play::new(two("Always"));
    play.stop(None);
    play.exit(1, "a", 0);
    play.exit(0, "b", 0);
    assert_eq!(play.phase(), "Succeeded");
}

#[test]
fn a_second_stop_can_only_shorten_the_grace_period() {
    let mut play = Play::new(json!({"containers": [{"name": "a"}]}));
    play.take_log();
    play.stop(Some(10));
    play.stop(Some(60));
    assert_eq!(play.take_log(), ["0 stop a 10"]);
    play.now += Duration::from_secs(2);
    play.stop(Some(3));
    assert_eq!(play.take_log(), ["2 stop a 3"]);
    play.stop(Some(0));
    assert_eq!(play.take_log(), ["2 stop a 0"]);
    play.stop(Some(0));
    assert_eq!(play.take_log(), [""; 0], "killing once is enough");
}

#[test]
fn a_stop_gives_up_a_start_and_forgets_back_offs() {
    let mut spec = two("Always");
    spec["schedulerName"] = json!("manual");
    let mut play = Play::new(spec);
    play.take_log();
    play.stop(None);
    assert_eq!(play.take_log(), ["0 cancel a"]);
    let container = play.index("a");
    play.tell(Event::StartCancelled { container });
    assert_eq!(play.take_log(), ["0 finish"]);
    assert_eq!(play.phase(), "Failed");
}

#[test]
fn a_guest_that_came_up_while_its_start_was_given_up_is_stopped() {
    let mut spec = two("Always");
    spec["schedulerName"] = json!("manual");
    let mut play = Play::new(spec);
    play.stop(None);
    play.take_log();
    let container = play.index("a");
    play.tell(Event::Started {
        container,
        id: "x".to_owned(),
    });
    assert_eq!(play.take_log(), ["0 stop a 30"]);
}

#[test]
fn resources_that_fail_are_tried_again_and_nothing_starts_before() {
    let mut play = Play::accepted(two("Always"));
    play.decide();
    let failure = || Event::ResourcesFailed {
        reason: "FailedMount".into(),
        message: "configmap \"x\" not found".into(),
    };
    play.tell(failure());
    assert_eq!(play.wake_at, Some(Duration::from_millis(500)));
    let waiting = play.container("a").state.unwrap().waiting.unwrap();
    assert_eq!(waiting.reason.unwrap(), "ContainerCreating");
    assert_eq!(waiting.message.unwrap(), "configmap \"x\" not found");
    play.wake();
    play.tell(failure());
    assert_eq!(play.wake_at, Some(Duration::from_millis(1500)));
    play.wake();
    play.tell(Event::ResourcesReady { pod_ips: vec![] });
    assert_eq!(play.take_log(), ["1 start a#0", "1 start b#0"]);
}

#[test]
fn a_stop_while_resources_are_made_waits_for_them() {
    let mut play = Play::accepted(two("Always"));
    play.decide();
    play.stop(None);
    assert_eq!(play.take_log(), [""; 0]);
    play.tell(Event::ResourcesReady { pod_ips: vec![] });
    assert_eq!(play.take_log(), ["0 finish"]);
}

#[test]
fn images_that_cannot_be_pulled_back_off() {
    let mut spec = two("Always");
    spec["schedulerName"] = json!("manual");
    spec["containers"] = json!([{"name": "a", "image": "x"}]);
    let mut play = Play::new(spec);
    let pull = || StartFailure::Image {
        reason: "ErrImagePull",
        message: "not here".into(),
    };
    play.fail("a", pull());
    assert_eq!(play.shown("a"), "waiting ErrImagePull");
    play.wake();
    play.fail("a", pull());
    assert_eq!(play.shown("a"), "waiting ImagePullBackOff");
    let waiting = play.container("a").state.unwrap().waiting.unwrap();
    assert_eq!(
        waiting.message.unwrap(),
        "Back-off pulling image \"x\": ErrImagePull: not here"
    );
    play.wake();
    assert_eq!(
        play.take_log(),
        ["0 start a#0", "10 start a#0", "30 start a#0"]
    );
    assert_eq!(play.container("a").restart_count, 0);
    assert_eq!(play.phase(), "Pending");
}

#[test]
fn other_failures_before_the_start_are_tried_again_every_ten_seconds() {
    for failure in [
        StartFailure::Image {
            reason: "ErrImageNeverPull",
            message: "m".into(),
        },
        StartFailure::Image {
            reason: "InvalidImageName",
            message: "m".into(),
        },
        StartFailure::Create {
            reason: "CreateContainerConfigError",
            message: "m".into(),
        },
        StartFailure::Create {
            reason: "CreateContainerError",
            message: "m".into(),
        },
    ] {
        let mut play = Play::new(json!({"schedulerName": "manual", "containers": [{"name": "a"}]}));
        play.fail("a", failure.clone());
        play.wake();
        play.fail("a", failure);
        play.wake();
        assert_eq!(
            play.take_log(),
            ["0 start a#0", "10 start a#0", "20 start a#0"]
        );
    }
}

#[test]
fn a_container_that_cannot_be_started_counts_as_a_crash() {
    let spec =
        json!({"schedulerName": "manual", "restartPolicy": "Never", "containers": [{"name": "a"}]});
    let mut play = Play::new(spec);
    play.fail(
        "a",
        StartFailure::Start {
            message: "trap in start".into(),
        },
    );
    assert_eq!(play.shown("a"), "terminated StartError 128");
    assert_eq!(play.phase(), "Failed");
}

#[test]
fn a_pod_that_is_active_for_too_long_fails() {
    let mut play = Play::new(json!({"activeDeadlineSeconds": 60, "containers": [{"name": "a"}]}));
    play.take_log();
    play.wake();
    assert_eq!(play.take_log(), ["60 deadline", "60 stop a 30"]);
    play.exit(1, "a", 0);
    let status = play.status();
    assert_eq!(status.phase.unwrap(), "Failed");
    assert_eq!(status.reason.unwrap(), "DeadlineExceeded");
    assert!(!play.state.was_stopped_on_request());
}

#[test]
fn conditions_remember_when_they_changed() {
    let mut play = Play::new(two("Never"));
    let since = |play: &Play, kind: &str| {
        let conditions = play.status().conditions.unwrap();
        conditions
            .iter()
            .find(|c| c.type_ == kind)
            .unwrap()
            .last_transition_time
            .clone()
            .unwrap()
    };
    let (ready, scheduled) = (since(&play, "Ready"), since(&play, "PodScheduled"));
    play.exit(5, "a", 0);
    assert!(since(&play, "Ready") > ready);
    let unready = since(&play, "Ready");
    play.exit(5, "b", 0);
    assert_eq!(
        since(&play, "Ready"),
        unready,
        "it was false before and stays false"
    );
    assert_eq!(since(&play, "PodScheduled"), scheduled);
}

#[test]
fn the_reasons_of_ended_containers() {
    for (exit, expected) in [
        (Exit::with_code(0), "terminated Completed 0"),
        (Exit::with_code(3), "terminated Error 3"),
        (Exit::trapped("unreachable"), "terminated Error 134"),
        (Exit::oom_killed(None), "terminated OOMKilled 137"),
        (Exit::killed(), "terminated Error 137"),
        (Exit::terminated(), "terminated Error 143"),
        (Exit::internal_error("x"), "terminated Error 125"),
    ] {
        let mut play = Play::new(json!({"restartPolicy": "Never", "containers": [{"name": "a"}]}));
        let container = play.index("a");
        play.tell(Event::Exited { container, exit });
        assert_eq!(play.shown("a"), expected);
    }
}
