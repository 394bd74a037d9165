//! The pods that docs/ipc.md teaches with, and the loads of the benchmarks: all of them run.

use crate::support::{Output, Wasmpod, test_guest};

/// Runs an example to its end, which must be good.
#[track_caller]
fn run(name: &str) -> Output {
    let end = Wasmpod::up(&format!("ipc-{name}.yaml"), &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    end
}

/// What one container said, line by line.
fn said<'a>(end: &'a Output, container: &str) -> Vec<&'a str> {
    let lines = end.stdout.lines();
    lines
        .filter_map(|line| line.split_once(" | "))
        .filter(|(from, _)| from.trim_end().ends_with(&format!("/{container}")))
        .map(|(_, said)| said)
        .collect()
}

#[test]
fn a_worker_does_the_jobs_of_a_message_queue_and_ends_with_the_last() {
    let end = run("message-queue");
    let mut jobs = said(&end, "worker");
    assert_eq!(jobs.pop(), Some("worker: nothing left to do"));
    // A worker that is quick has begun before the urgent job came.
    jobs.sort_unstable();
    assert_eq!(
        jobs,
        [
            "worker: put out the fire (priority 9)",
            "worker: sweep the floor (priority 1)",
            "worker: water the plants (priority 1)",
        ]
    );
}

#[test]
fn a_semaphore_lets_two_of_three_work_at_a_time() {
    let end = run("semaphore");
    let (mut working, mut most) = (0_i32, 0);
    for line in end.stdout.lines() {
        working += i32::from(line.ends_with(" begins")) - i32::from(line.ends_with(" ends"));
        most = most.max(working);
    }
    assert_eq!(end.stdout.matches(" begins").count(), 9);
    assert_eq!((working, most), (0, 2), "{}", end.stdout);
}

#[test]
fn a_display_reads_in_shared_memory_what_a_sensor_wrote() {
    let end = run("shared-memory");
    let expected = ["display: the last is 998001, the sum 332833500"];
    assert_eq!(said(&end, "display"), expected);
}

#[test]
fn two_players_move_in_turns() {
    let end = run("mutex");
    let moves = |player: &str, from: u32| -> Vec<String> {
        let moves = (from..=12).step_by(2);
        moves
            .map(|number| format!("{player}: move {number}"))
            .collect()
    };
    assert_eq!(said(&end, "first"), moves("first", 1));
    assert_eq!(said(&end, "second"), moves("second", 2));
}

#[test]
fn letters_of_one_queue_reach_their_readers() {
    let end = run("system-v-message-queue");
    for reader in ["anna", "bert"] {
        let letters = [1, 2, 3].map(|number| format!("{reader}: got letter {number}"));
        assert_eq!(said(&end, reader), letters);
    }
}

#[test]
fn a_key_comes_back_from_a_guest_that_left_with_it() {
    let end = run("system-v-semaphore");
    let expected = ["host: waits for the key", "host: has it back"];
    assert_eq!(said(&end, "host"), expected);
}

#[test]
fn three_containers_count_in_one_place() {
    let end = run("system-v-shared-memory");
    assert!(end.stdout.contains("we are at 3000"), "{}", end.stdout);
    assert_eq!(end.stdout.matches("the last one").count(), 1);
}

/// Few rounds of each load, so that a benchmark that is not run does not rot.
#[test]
fn the_loads_of_the_benchmarks_run_as_modules_and_as_components() {
    let loads: [(&str, Option<&str>, &str); 7] = [
        ("mq-receive", Some("mq-send"), "/q, '64', '2000', '10'"),
        (
            "mq-receive-many",
            Some("mq-send-many"),
            "/q, '64', '5000', '1024'",
        ),
        ("mq-ping", Some("mq-pong"), "/q, '64', '200', '10'"),
        ("msg-receive", Some("msg-send"), "'77', '64', '2000', '10'"),
        ("msg-ping", Some("msg-pong"), "'77', '64', '200', '10'"),
        ("sem-ping", Some("sem-pong"), "/s, '0', '200'"),
        ("sem-alone", None, "/s, '0', '2000'"),
    ];
    for (guest, alone) in [
        (
            "bench-guests-core",
            ["shm-copied", "shm-mapped", "shm-random"].as_slice(),
        ),
        ("bench-guests", ["shm-copied"].as_slice()),
    ] {
        let module = test_guest(guest);
        let memory = alone.iter().map(|role| match *role {
            "shm-random" => (*role, None, "/m, '64', '2000'"),
            role => (role, None, "/m, '4096', '2000'"),
        });
        for (measures, serves, args) in loads.into_iter().chain(memory) {
            let container = |role: &str| {
                format!(
                    "  - {{name: {role}, image: {}, args: [{role}, {args}]}}\n",
                    module.display()
                )
            };
            let containers: String = [Some(measures), serves]
                .into_iter()
                .flatten()
                .map(container)
                .collect();
            let manifest = format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: load}}\nspec:\n  restartPolicy: Never\n  containers:\n{containers}"
            );
            let end = Wasmpod::up_text(&manifest, &[]).run();
            assert_eq!(end.code, Some(0), "{guest} {measures}: {end:?}");
            let figures = said(&end, measures).concat();
            assert!(
                figures.contains(&format!("\"role\":\"{measures}\"")),
                "{end:?}"
            );
        }
    }
}

#[test]
fn readers_that_wait_each_at_a_queue_are_woken_one_by_one() {
    const READERS: usize = 20;
    let module = test_guest("bench-guests-core");
    let image = module.display();
    let readers: String = (0..READERS)
        .map(|reader| {
            format!("  - {{name: r{reader}, image: {image}, args: [mq-wait, /wake-{reader}, '8', '1', '1']}}\n")
        })
        .collect();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: wake}}\nspec:\n  restartPolicy: Never\n  containers:\n{readers}  \
         - {{name: waker, image: {image}, args: [mq-wake, /wake, '8', '100', '{READERS}']}}\n"
    );
    let end = Wasmpod::up_text(&manifest, &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        said(&end, "waker").concat().contains("\"count\":100,"),
        "{end:?}"
    );
}
