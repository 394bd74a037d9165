//! Whatever happens, in whatever order: no action for a container in the wrong state, never two instances of one
//! container, and a pod that was stopped ends once every action is answered.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, proptest};
use proptest::sample::select;
use proptest::{collection, prop_oneof};
use serde_json::json;
use wasmpod_manifest::k8s::Pod;

use super::at;
use crate::exit::Exit;
use crate::pod::{
    Action, ContainerIndex, ContainerState, Event, HookKind, HostFacts, PodState, ProbeKind,
    ProbeOutcome, StartFailure, StopCause, decide,
};

const CONTAINERS: usize = 4;

fn pod(policy: &str) -> Pod {
    let probe = json!({"periodSeconds": 1, "failureThreshold": 2});
    let all = json!({"startupProbe": probe, "livenessProbe": probe, "readinessProbe": probe,
                     "lifecycle": {"postStart": {"sleep": {}}, "preStop": {"sleep": {}}}});
    let with = |name: &str, own: serde_json::Value| {
        let mut container = all.clone();
        container["name"] = json!(name);
        for (key, value) in own.as_object().unwrap() {
            container[key] = value.clone();
        }
        container
    };
    let rules = json!([{"action": "RestartAllContainers",
                        "exitCodes": {"operator": "In", "values": [88]}}]);
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 5,
                 "initContainers": [{"name": "i"}, with("s", json!({"restartPolicy": "Always"}))],
                 "containers": [with("a", json!({"restartPolicy": "OnFailure",
                                                 "restartPolicyRules": rules})),
                                with("b", json!({}))]},
    }))
    .unwrap()
}

/// Something that may happen, whether it fits or not.
#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    /// So many milliseconds pass.
    Time(u64),
    /// Every action that is due is begun, without an answer.
    Act,
}

fn event() -> impl Strategy<Value = Event> {
    let container = (0..CONTAINERS + 1).prop_map(ContainerIndex);
    let kind = select(ProbeKind::ALL.to_vec());
    let hook = select(vec![HookKind::PostStart, HookKind::PreStop]);
    let code = select(vec![0, 1, 88, 137]);
    let outcome = select(vec![
        ProbeOutcome::Success,
        ProbeOutcome::Failure("f".to_owned()),
        ProbeOutcome::Unknown("u".to_owned()),
    ]);
    let failure = select(vec![
        StartFailure::Start {
            message: "m".to_owned(),
        },
        StartFailure::Image {
            reason: "ErrImagePull",
            message: "m".to_owned(),
        },
        StartFailure::Create {
            reason: "CreateContainerError",
            message: "m".to_owned(),
        },
    ]);
    prop_oneof![
        2 => Just(Event::ResourcesReady { pod_ips: Vec::new() }),
        6 => container.clone().prop_map(|container| Event::Started { container, id: "x".to_owned() }),
        3 => (container.clone(), code)
            .prop_map(|(container, code)| Event::Exited { container, exit: Exit::with_code(code) }),
        1 => (container.clone(), failure)
            .prop_map(|(container, failure)| Event::StartFailed { container, failure }),
        1 => container.clone().prop_map(|container| Event::StartCancelled { container }),
        6 => (container.clone(), 0..3_u32, kind, outcome).prop_map(
            |(container, attempt, probe, outcome)| {
                Event::Probed { container, attempt, probe, outcome }
            }
        ),
        4 => (container, 0..3_u32, hook, any::<bool>()).prop_map(
            |(container, attempt, hook, ok)| Event::HookFinished {
                container,
                attempt,
                hook,
                result: if ok { Ok(()) } else { Err("h".to_owned()) },
            }
        ),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => event().prop_map(Step::Event),
        1 => (0..20_000_u64).prop_map(Step::Time),
        3 => Just(Step::Act),
    ]
}

/// What must hold of an action before it is begun.
fn check(state: &PodState, action: &Action, now: Duration) {
    let record = |index: &ContainerIndex| state.container(*index).unwrap();
    match action {
        Action::Start { container, attempt } => {
            let record = record(container);
            assert!(!record.is_alive(), "two instances: {record:?}");
            assert!(*attempt >= record.attempt, "{record:?}");
            assert_eq!(state.stop_cause(), None);
        }
        Action::CancelStart { container } => assert!(matches!(
            record(container).state,
            ContainerState::Starting { cancelled: false }
        )),
        Action::Probe {
            container, attempt, ..
        } => {
            assert!(record(container).is_running());
            assert_eq!(record(container).attempt, *attempt);
        }
        Action::RunHook {
            container,
            attempt,
            deadline,
            ..
        } => {
            assert!(record(container).has_guest());
            assert_eq!(record(container).attempt, *attempt);
            assert!(deadline.is_none_or(|deadline| deadline > now));
        }
        Action::Stop { container, .. } => assert!(record(container).has_guest()),
        Action::Finish => assert!(state.containers().all(|(_, c)| !c.is_alive())),
        Action::AcquireResources | Action::ExceedDeadline => {}
    }
}

/// Begins all that is due; gives the actions.
fn act(state: &mut PodState, now: Duration) -> Vec<Action> {
    let mut all = Vec::new();
    for _ in 0..100 {
        let decision = decide(state, now);
        assert!(
            decision.wake_at.is_none_or(|at| at > now),
            "wakes in the past"
        );
        if decision.actions.is_empty() || state.has_ended() {
            return all;
        }
        for action in decision.actions {
            check(state, &action, now);
            state.begin(&action, at(now));
            if action == Action::Finish {
                state.handle(Event::Released, at(now));
            }
            all.push(action);
        }
    }
    panic!("decides without end: {all:?}");
}

proptest! {
    #[test]
    fn no_action_is_ever_wrong_and_a_stopped_pod_ends(
        policy in select(vec!["Always", "OnFailure", "Never"]),
        steps in collection::vec(step(), 0..80),
    ) {
        let mut state = PodState::new(&pod(policy), &HostFacts::default(), at(Duration::ZERO));
        let mut now = Duration::ZERO;
        for step in steps {
            match step {
                Step::Event(event) => state.handle(event, at(now)),
                Step::Time(ms) => now += Duration::from_millis(ms),
                Step::Act => drop(act(&mut state, now)),
            }
            drop(state.status());
        }
        // Whatever was begun before is answered now, and whatever is asked for is done.
        state.handle(Event::Stop { cause: StopCause::Requested, grace: None }, at(now));
        state.handle(Event::ResourcesReady { pod_ips: Vec::new() }, at(now));
        for _ in 0..100 {
            let actions = act(&mut state, now);
            if state.has_ended() {
                break;
            }
            for action in actions {
                if let Action::CancelStart { container } = action {
                    state.handle(Event::StartCancelled { container }, at(now));
                }
            }
            let killed = state.containers().filter(|(_, c)| c.is_alive()).map(|(i, _)| i);
            let killed = killed.collect::<Vec<_>>();
            // The guests heed nothing: what is left when all grace is over was killed.
            now += Duration::from_secs(5);
            act(&mut state, now);
            now += Duration::from_secs(5);
            act(&mut state, now);
            for container in killed {
                state.handle(Event::Exited { container, exit: Exit::killed() }, at(now));
            }
        }
        proptest::prop_assert!(state.has_ended(), "{state:?}");
        proptest::prop_assert!(state.phase().is_final());
    }
}
