//! CPU limits and weights: how much guests that compute without end get of their thread.
//!
//! What is compared are shares of used time, which do not depend on how busy the machine is.

use std::time::Duration;

use tokio::time::Instant;
use wasmpod_sandbox::stdio::{input, output};
use wasmpod_sandbox::{CpuShare, Exit, GuestInput, GuestOutput};

use super::fixture::{Pod, in_time, wait_until};

#[tokio::test]
async fn a_limited_guest_gets_its_part_of_a_core_and_shares_it_with_exec() {
    let pod = Pod::new();
    let share = CpuShare::new(Some(100), 100);
    let start = Instant::now();
    for _ in 0..2 {
        let share = share.clone();
        pod.start("cpu_endless_loop", |config| config.cpu = share)
            .await
            .unwrap();
    }
    let enough = Duration::from_millis(200);
    wait_until("they have computed for 200 ms", || share.used() >= enough).await;
    let part = share.used().as_secs_f64() / start.elapsed().as_secs_f64();
    // The first 5 ms are saved up; the last turn may be longer than a tick. Less is what a busy machine gives.
    assert!(part < 0.11, "a tenth of a core, not {part}");
    assert_eq!(
        pod.run("cli_hello").await,
        Exit::with_code(0),
        "neighbours run"
    );
}

#[tokio::test]
async fn guests_that_compute_share_their_thread_as_they_requested() {
    let pod = Pod::new();
    let shares = [1000, 500, 250].map(|request| CpuShare::new(None, request));
    for share in &shares {
        let share = share.clone();
        pod.start("cpu_endless_loop", |config| config.cpu = share)
            .await
            .unwrap();
    }
    let begin = shares.each_ref().map(CpuShare::used);
    let rest = || {
        shares
            .last()
            .is_some_and(|last| last.used() > Duration::from_millis(100))
    };
    wait_until("the last has computed for 100 ms", rest).await;
    let [most, middle, least] =
        std::array::from_fn(|i| (shares[i].used() - begin[i]).as_secs_f64());
    for (ratio, wanted) in [(most / middle, 2.0), (middle / least, 2.0)] {
        assert!(
            (ratio / wanted - 1.0_f64).abs() < 0.15,
            "{ratio} should be {wanted}: {shares:?}"
        );
    }
}

/// A guest that answers and waits in turns is not made to wait for those that compute, however little it requested: a
/// tick of the epoch clock that has passed while it waited says nothing about it.
#[tokio::test]
async fn a_guest_that_waits_often_is_served_between_the_turns_of_one_that_computes() {
    let pod = Pod::new();
    let busy = CpuShare::new(None, 1000);
    let own = busy.clone();
    pod.start("cpu_endless_loop", |config| config.cpu = own)
        .await
        .unwrap();
    wait_until("it computes", || !busy.used().is_zero()).await;
    let program = super::fixture::program("stdio_copy");
    let (writer, reader) = input();
    let (writers, mut output) = output();
    let (stdin, stdout) = (GuestInput::Pipe(reader), GuestOutput::Pipe(writers.stdout));
    pod.start_program(&program, "echo", |config| {
        config.stdin = stdin;
        config.stdout = stdout;
        config.cpu = CpuShare::unlimited();
    })
    .await
    .unwrap();
    // Counted in processor time and not in the clock's, which a busy machine stretches.
    let before = busy.used();
    for _ in 0..100 {
        writer
            .write(bytes::Bytes::from_static(b"ping"))
            .await
            .unwrap();
        let answer = in_time("it answers", output.next()).await.unwrap();
        assert_eq!(answer.1, "ping");
    }
    // By its weight of 2 it would have let the other have 512 milliseconds after each millisecond of its own.
    let meanwhile = busy.used().saturating_sub(before);
    assert!(
        meanwhile < Duration::from_secs(2),
        "the other computed for {meanwhile:?} during 100 answers"
    );
}
