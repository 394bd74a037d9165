//! Termination, as guests see it; the time that they live in.

use std::time::{Duration, Instant};

use wasmpod_manifest::k8s::{Container as Spec, PodSpec};
use wasmpod_sandbox::{
    Clock, ContainerRuntime as _, ContainerState, Exit, MainProcess, Role, Signal,
};
use wasmpod_volume::{PodVolumes, RootFiles, VolumePolicy};

use super::fixture::{Container, Pod, in_time, wait_until};
use super::sharing::NoSources;

/// Waits until a guest that will handle termination does: by then it has begun to wait.
pub(super) async fn until_handled(pod: &Pod, container: &Container) {
    let has_run = || {
        pod.runtime
            .usage(&container.id)
            .is_some_and(|usage| !usage.cpu.is_zero())
    };
    wait_until("the guest has run", has_run).await;
}

#[tokio::test]
async fn a_guest_that_handles_termination_is_told_and_ends_by_itself() {
    let pod = Pod::new();
    let guest = pod.start("lifecycle_wait", |_| {}).await.unwrap();
    until_handled(&pod, &guest).await;
    let grace = Duration::from_secs(100);
    in_time("it ends", pod.runtime.stop_container(&guest.id, grace)).await;
    let exit = pod.exit(&guest).await;
    assert!(
        (90..100).contains(&exit.code),
        "the seconds that are left: {exit:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_handles_termination_and_goes_on_is_killed_after_the_grace_period() {
    let pod = Pod::new();
    let change = |config: &mut wasmpod_sandbox::ContainerConfig| config.args.push("spin".into());
    let guest = pod.start("lifecycle_wait", change).await.unwrap();
    until_handled(&pod, &guest).await;
    // It computes all the time, so time would stand still: the grace period is a moment of the real clock's.
    let stop = pod
        .runtime
        .stop_container(&guest.id, Duration::from_millis(1));
    tokio::pin!(stop);
    while futures_ready(stop.as_mut()).await.is_none() {
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(pod.exit(&guest).await, Exit::killed());
}

/// Polls once.
async fn futures_ready<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn another_instance_of_the_container_can_ask_process_1_to_end() {
    let pod = Pod::new();
    for (guest, code) in [("lifecycle_wait", 255), ("cpu_endless_loop", 143)] {
        let main = MainProcess::new(&[]);
        let role = Role::Main(main.clone());
        let first = pod.start(guest, |config| config.role = role).await.unwrap();
        until_handled(&pod, &first).await;
        let exec = |config: &mut wasmpod_sandbox::ContainerConfig| config.role = main.beside();
        let (exit, _) = pod.run_with("lifecycle_kill", exec).await;
        assert_eq!(exit, Exit::with_code(0), "who asks is not who ends");
        assert_eq!(pod.exit(&first).await.code, code, "{guest}");
    }
}

#[tokio::test]
async fn process_1_can_end_itself_as_kill_does() {
    let exit = Pod::new().run("lifecycle_kill").await;
    assert_eq!(exit, Exit::terminated(), "before the call returns");
}

#[tokio::test]
async fn a_stop_signal_of_its_own_has_its_own_exit_code_or_is_ignored() {
    let pod = Pod::new();
    let with = |name: &'static str| {
        move |config: &mut wasmpod_sandbox::ContainerConfig| {
            config.stop_signal = Signal::parse(name).unwrap();
        }
    };
    let quit = pod
        .start("cpu_endless_loop", with("SIGQUIT"))
        .await
        .unwrap();
    in_time(
        "it ends",
        pod.runtime
            .stop_container(&quit.id, Duration::from_secs(30)),
    )
    .await;
    assert_eq!(pod.exit(&quit).await.code, 131);
    let winch = pod
        .start("cpu_endless_loop", with("SIGWINCH"))
        .await
        .unwrap();
    let stop = pod
        .runtime
        .stop_container(&winch.id, Duration::from_millis(50));
    in_time("it is killed", stop).await;
    assert_eq!(pod.exit(&winch).await, Exit::killed());
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_a_guest_that_sleeps_and_writes_files_take_moments() {
    let dir = tempfile::tempdir().unwrap();
    let volumes = PodVolumes::acquire(
        dir.path(),
        &PodSpec::default(),
        &NoSources,
        &VolumePolicy::default(),
    )
    .unwrap();
    let files = RootFiles {
        hosts: String::new(),
        hostname: "pod".into(),
        resolv_conf: String::new(),
        working_dir: String::new(),
        image: Vec::new(),
    };
    let spec = Spec {
        name: "a".into(),
        ..Spec::default()
    };
    let root = volumes.attach(&spec, 0, &files).unwrap();
    let pod = Pod::new();
    let (real, paused) = (Instant::now(), tokio::time::Instant::now());
    let clock = Clock::virtual_from("2026-01-01T00:00:00Z".parse().unwrap());
    let change = |config: &mut wasmpod_sandbox::ContainerConfig| {
        config.root = root;
        config.clock = clock;
    };
    let guest = pod.start("clock_sleep_ten_minutes", change).await.unwrap();
    let exit = pod.runtime.wait_container(&guest.id).await;
    assert_eq!(exit.code, 110, "ten minutes on both clocks: {exit:?}");
    assert_eq!(paused.elapsed().as_secs(), 600);
    assert!(real.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn what_a_container_uses_is_told_while_it_runs() {
    let pod = Pod::new();
    let guest = pod.start("cpu_endless_loop", |_| {}).await.unwrap();
    let used = || {
        pod.runtime
            .usage(&guest.id)
            .is_some_and(|usage| usage.cpu > Duration::from_millis(20))
    };
    wait_until("it has computed for 20 ms", used).await;
    assert_eq!(
        pod.runtime.container_status(&guest.id),
        Some(ContainerState::Running)
    );
    let waiting = pod.start("lifecycle_wait", |_| {}).await.unwrap();
    until_handled(&pod, &waiting).await;
    let usage = pod.runtime.usage(&waiting.id).unwrap();
    assert_eq!(usage.memory_bytes, 65_536, "one page of linear memory");
    pod.runtime.stop_container(&guest.id, Duration::ZERO).await;
    assert_eq!(pod.runtime.usage(&guest.id), None);
}
