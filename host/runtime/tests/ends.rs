//! How containers end.

use std::time::Duration;

use wasmpod_sandbox::{ContainerRuntime as _, ContainerState, Exit, ExitReason, TaskEnd};

use super::fixture::{Pod, in_time, program, wait_until};

#[tokio::test]
async fn a_module_prints_and_returns() {
    let (exit, container) = Pod::new().run_with("cli_hello", |_| {}).await;
    assert_eq!(exit, Exit::with_code(0));
    assert_eq!(container.stdout.text(), "hello\n");
    assert_eq!(container.stderr.text(), "");
}

#[tokio::test]
async fn a_component_prints_and_returns_an_error() {
    let (exit, container) = Pod::new().run_with("cli_hello_component", |_| {}).await;
    assert_eq!(exit, Exit::with_code(1));
    assert_eq!(container.stdout.text(), "hello\n");
}

#[tokio::test]
async fn every_exit_code_of_a_process_is_kept() {
    let pod = Pod::new();
    for code in [0, 1, 3, 125, 126, 127, 130, 255] {
        let arguments = usize::try_from(code).unwrap();
        let add = |args: &mut Vec<String>| args.extend(vec!["x".to_owned(); arguments]);
        let (exit, _) = pod
            .run_with("cli_exit", |config| add(&mut config.args))
            .await;
        assert_eq!(exit, Exit::with_code(code));
    }
}

#[tokio::test]
async fn arguments_environment_and_working_directory_arrive() {
    let (exit, container) = Pod::new()
        .run_with("cli_environment", |config| {
            config.args = vec!["web".into(), "--port".into(), "80".into()];
            config.env = vec![("GREETING".into(), "héllo".into())];
            config.working_dir = "/srv".into();
        })
        .await;
    assert_eq!(exit.code, 0);
    assert_eq!(
        container.stdout.text(),
        "web\0--port\x0080\0GREETING=héllo\0PWD=/srv\0"
    );
}

#[tokio::test]
async fn a_trap_is_134_with_the_functions_on_the_stack() {
    let exit = Pod::new().run("trap_unreachable").await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Trapped));
    let message = exit.message.unwrap();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(
        lines[0],
        "wasm trap: wasm `unreachable` instruction executed"
    );
    assert_eq!(lines.len(), 4, "{message}");
    for (line, function) in lines[1..].iter().zip(["parse_header", "handle", "main"]) {
        let start = format!("  at {function} (trap_unreachable.wasm+0x");
        assert!(
            line.starts_with(&start),
            "{line:?} should start with {start:?}"
        );
    }
}

#[tokio::test]
async fn a_backtrace_shows_the_names_that_the_programmer_wrote() {
    let message = Pod::new().run("trap_mangled_name").await.message.unwrap();
    assert!(
        message.contains("  at web::header::parse (trap_mangled_name.wasm+0x"),
        "{message}"
    );
    assert!(
        message.contains("  at function 1 ("),
        "one without a name has its number: {message}"
    );
}

#[tokio::test]
async fn a_trap_while_the_module_is_instantiated_is_a_trap_too() {
    let exit = Pod::new().run("trap_in_start_function").await;
    assert_eq!(exit.code, 134);
    assert!(
        exit.message
            .unwrap()
            .contains("at init (trap_in_start_function.wasm+0x")
    );
}

#[tokio::test]
async fn endless_recursion_traps_with_a_bounded_backtrace() {
    let exit = Pod::new().run("trap_stack_overflow").await;
    assert_eq!(exit.code, 134);
    let message = exit.message.unwrap();
    assert!(
        message.starts_with("wasm trap: call stack exhausted\n"),
        "{message}"
    );
    assert!(message.ends_with("and more"), "{message}");
    assert!(message.lines().count() < 30);
}

#[tokio::test]
async fn growing_beyond_the_memory_limit_is_oom_killed() {
    let exit = Pod::new().run("memory_grow_without_end").await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
    let message = exit.message.unwrap();
    assert!(message.starts_with("memory limit exceeded: "), "{message}");
    assert!(message.contains("limit is 16777216"), "{message}");
    assert!(
        message.contains("at grow (memory_grow_without_end.wasm+0x"),
        "{message}"
    );
}

#[tokio::test]
async fn declaring_more_than_the_memory_limit_is_oom_killed() {
    let exit = Pod::new().run("memory_declared_64_mib").await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OomKilled));
    let enough =
        |config: &mut wasmpod_sandbox::ContainerConfig| config.memory_limit_bytes = 64 << 20;
    let (exit, _) = Pod::new().run_with("memory_declared_64_mib", enough).await;
    assert_eq!(exit, Exit::with_code(0));
}

#[tokio::test]
async fn a_hundred_megabytes_without_newline_are_printed() {
    let (exit, container) = Pod::new().run_with("cli_print_100_mib", |_| {}).await;
    assert_eq!(exit, Exit::with_code(0));
    let kept = container.stdout.bytes();
    assert_eq!(kept.len(), 1 << 20, "the capture keeps its first MiB");
    assert!(kept.iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn an_endless_loop_is_stopped_and_its_neighbours_run_meanwhile() {
    let pod = Pod::new();
    let spinning = pod.start("cpu_endless_loop", |_| {}).await.unwrap();
    for _ in 0..3 {
        assert_eq!(pod.run("cli_hello").await, Exit::with_code(0));
    }
    assert_eq!(
        pod.runtime.container_status(&spinning.id),
        Some(ContainerState::Running)
    );
    let grace = Duration::from_secs(30);
    in_time(
        "it is stopped",
        pod.runtime.stop_container(&spinning.id, grace),
    )
    .await;
    assert_eq!(pod.exit(&spinning).await, Exit::terminated());
    assert_eq!(Exit::terminated().code, 143);
}

#[tokio::test]
async fn stopping_without_grace_kills() {
    let pod = Pod::new();
    let waiting = pod.start("ipc_receive_one", |_| {}).await.unwrap();
    wait_until("it waits at its queue", || pod.ipc.list().len() == 1).await;
    in_time(
        "it is killed",
        pod.runtime.stop_container(&waiting.id, Duration::ZERO),
    )
    .await;
    assert_eq!(pod.exit(&waiting).await, Exit::killed());
    assert_eq!(
        pod.ipc.list().message_queues[0].open_handles,
        0,
        "its queue was closed before the end was told"
    );
}

#[tokio::test]
async fn a_container_that_never_started_can_be_stopped_and_removed() {
    let pod = Pod::new();
    let (config, ..) = pod.config("a", &program("cli_hello"));
    let id = pod.runtime.create_container(config).await.unwrap();
    assert_eq!(
        pod.runtime.container_status(&id),
        Some(ContainerState::Created)
    );
    in_time(
        "it stops",
        pod.runtime.stop_container(&id, Duration::from_secs(1)),
    )
    .await;
    assert_eq!(
        in_time("it ended", pod.runtime.wait_container(&id)).await,
        Exit::terminated()
    );
    in_time("it is removed", pod.runtime.remove_container(&id)).await;
    assert_eq!(pod.runtime.container_status(&id), None);
    pod.runtime.remove_container(&id).await;
}

#[tokio::test]
async fn the_end_of_the_pod_ends_its_containers() {
    let pod = Pod::new();
    let spinning = pod.start("cpu_endless_loop", |_| {}).await.unwrap();
    in_time("the tasks end", pod.tasks.end()).await;
    let exit = in_time("the end is told", pod.runtime.wait_container(&spinning.id)).await;
    assert_eq!(exit, Exit::killed());
}

#[tokio::test]
async fn a_panic_of_the_host_ends_one_container_only() {
    let pod = Pod::new();
    let neighbour = pod.start("ipc_receive_one", |_| {}).await.unwrap();
    let exit = pod.run("host_panic").await;
    assert_eq!(exit.reason, ExitReason::InternalError);
    assert!(exit.message.unwrap().contains("on purpose"));
    assert_eq!(
        pod.runtime.container_status(&neighbour.id),
        Some(ContainerState::Running)
    );
    assert_eq!(pod.run("cli_hello").await, Exit::with_code(0));
    // A task of the pod that panics would be reported as this.
    let end = pod.tasks.handle().spawn(async {}).unwrap().await;
    assert!(!matches!(end, Err(TaskEnd::Panicked { .. })));
}
