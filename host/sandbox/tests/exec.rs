//! Commands beside a container.

use super::*;
use crate::{ExecError, ExecRequest, Exit, MAX_EXECS_PER_CONTAINER, Session};

fn request(command: &str) -> ExecRequest {
    ExecRequest {
        command: command.split(' ').map(str::to_owned).collect(),
        stdout: true,
        stderr: true,
        ..ExecRequest::default()
    }
}

fn prints(text: &str, code: i32) -> Script {
    Script {
        prints: text.to_owned(),
        ..Script::ends_after(0, code)
    }
}

fn endless() -> Script {
    Script::default()
}

async fn output(session: &mut Session) -> String {
    let mut all = Vec::new();
    while let Some((_, bytes)) = session.output.next().await {
        all.extend_from_slice(&bytes);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_command_runs_beside_its_container_and_its_end_is_its_own() {
    let world = World::new();
    world
        .runtime
        .script_exec("a", "cat x", prints("hello\n", 3));
    let handle = world.start(one("Always"));
    running(&handle).await;
    let mut session = handle.exec("a", request("cat x")).await.unwrap();
    assert_eq!(session.exit().await.code, 3);
    assert_eq!(output(&mut session).await, "hello\n");
    assert!(handle.status().is_ready());
    assert_eq!(log(&handle, "a", LogOptions::default()).await, "");
    assert_eq!(world.runtime.calls().last().unwrap(), "0 remove a");
    assert_eq!(world.runtime.containers(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_has_what_its_container_has() {
    let world = World::new();
    world.runtime.script_exec("a", "sh", endless());
    let mut spec = one("Always");
    spec["containers"][0]["env"] = json!([{"name": "X", "value": "1"}]);
    spec["containers"][0]["workingDir"] = json!("/srv");
    spec["containers"][0]["resources"] = json!({"limits": {"memory": "32Mi"}});
    let handle = world.start(spec);
    running(&handle).await;
    let tty = ExecRequest {
        tty: true,
        stdin: true,
        ..request("sh")
    };
    let _session = handle.exec("a", tty).await.unwrap();
    let seen = world.runtime.configs("a", |config| {
        let mut env = config.env.clone();
        env.sort();
        (env, config.working_dir.clone(), config.memory.limit_bytes())
    });
    let [container, command] = seen.as_slice() else {
        panic!("two instances: {seen:?}")
    };
    let mut with_term = container.0.clone();
    with_term.push(("TERM".to_owned(), "xterm".to_owned()));
    with_term.sort();
    assert_eq!(command.0, with_term);
    assert_eq!((&command.1, command.2), (&container.1, 32 << 20));
}

#[tokio::test(start_paused = true)]
async fn who_lets_go_of_a_session_ends_its_command() {
    let world = World::new();
    world.runtime.script_exec("a", "sleep", endless());
    let handle = world.start(one("Always"));
    running(&handle).await;
    let session = handle.exec("a", request("sleep")).await.unwrap();
    assert_eq!(world.runtime.containers(), 2);
    drop(session);
    while world.runtime.containers() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(handle.status().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_with_its_container_before_the_next_instance_starts() {
    let world = World::new();
    world.script("a", [Script::ends_after(5, 1), endless()]);
    world.runtime.script_exec("a", "sleep", endless());
    let handle = world.start(one("Always"));
    running(&handle).await;
    let mut session = handle.exec("a", request("sleep")).await.unwrap();
    assert_eq!(session.exit().await, Exit::killed());
    until(&handle, |s| {
        s.is_ready() && container(s, "a").is_some_and(|c| c.restart_count == 1)
    })
    .await;
    let calls = world.runtime.calls();
    let at = |text: &str| calls.iter().position(|call| call.ends_with(text)).unwrap();
    assert!(at("remove a") < at("create a#1"), "{calls:?}");
    assert_eq!(world.runtime.containers(), 1);
    handle.kill().await;
    ended(&handle).await;
    assert!(world.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_with_its_pod() {
    let world = World::new();
    world.runtime.script_exec("a", "sleep", endless());
    let handle = world.start(one("Always"));
    running(&handle).await;
    let mut session = handle.exec("a", request("sleep")).await.unwrap();
    handle.kill().await;
    assert_eq!(session.exit().await, Exit::killed());
    ended(&handle).await;
    assert!(world.is_clean());
    let late = handle.exec("a", request("sleep")).await;
    assert!(
        matches!(late, Err(ExecError::NotRunning { .. })),
        "{late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_run_says_why() {
    let world = World::new();
    world.script("b", [Script::ends_after(1, 7)]);
    world.runtime.script_exec(
        "a",
        "x",
        Script {
            create_error: Some(crate::RuntimeError::CommandNotFound {
                command: "x".to_owned(),
            }),
            ..Script::default()
        },
    );
    let handle = world.start(two("Never"));
    until(&handle, |s| {
        container(s, "b").is_some_and(|c| c.state.unwrap().terminated.is_some())
    })
    .await;
    for (name, command, message) in [
        ("c", "sh", "container c is not valid for pod p"),
        (
            "b",
            "sh",
            "container not found (\"b\"): it is terminated (exit code 7)",
        ),
        ("a", "x", "exec: \"x\": executable file not found in $PATH"),
    ] {
        let error = handle.exec(name, request(command)).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let nothing = handle.exec("a", ExecRequest::default()).await;
    assert_eq!(nothing.unwrap_err(), ExecError::NoCommand);
    assert_eq!(world.runtime.containers(), 1);
}

#[tokio::test(start_paused = true)]
async fn commands_beside_a_container_are_counted_and_their_places_come_back() {
    let world = World::new();
    world.runtime.script_exec("a", "sleep", endless());
    let handle = world.start(one("Always"));
    running(&handle).await;
    let mut sessions = Vec::new();
    for _ in 0..MAX_EXECS_PER_CONTAINER {
        sessions.push(handle.exec("a", request("sleep")).await.unwrap());
    }
    let container = "a".to_owned();
    let refused = handle.exec("a", request("sleep")).await.unwrap_err();
    assert_eq!(refused, ExecError::TooMany { container });
    drop(sessions.pop());
    while world.runtime.containers() > MAX_EXECS_PER_CONTAINER as usize {
        tokio::task::yield_now().await;
    }
    handle.exec("a", request("sleep")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn usage_is_that_of_the_containers_that_run() {
    let world = World::new();
    let usage = crate::Usage {
        cpu: Duration::from_millis(5),
        memory_bytes: 65_536,
    };
    world.script(
        "a",
        [Script {
            usage,
            ..Script::default()
        }],
    );
    world.script("b", [Script::ends_after(0, 0)]);
    let handle = world.start(two("Never"));
    until(&handle, |s| {
        container(s, "b").is_some_and(|c| c.state.unwrap().terminated.is_some())
    })
    .await;
    let used = handle.usage();
    assert_eq!(used.len(), 1);
    assert_eq!(
        (used[0].name.as_str(), used[0].cpu, used[0].memory_bytes),
        ("a", usage.cpu, usage.memory_bytes)
    );
}
