//! Guests that wait: for each other, for what is not there yet, and until they are killed.

use std::time::Duration;

use wasmpod_ipc::OpenFlags;
use wasmpod_ipc::sysv::GetFlags;
use wasmpod_sandbox::{ContainerRuntime as _, Exit};

use super::script::{OUT, Script, at};
use crate::tests::fixture::{Pod, in_time, wait_until};

async fn kill(pod: &Pod, container: &crate::tests::fixture::Container) {
    in_time(
        "it is killed",
        pod.runtime.stop_container(&container.id, Duration::ZERO),
    )
    .await;
    assert_eq!(pod.exit(container).await, Exit::killed());
}

#[tokio::test]
async fn a_killed_container_gives_back_what_it_did_with_undo() {
    let pod = Pod::new();
    let neighbour = pod.ipc.attach("neighbour");
    let id = neighbour.sem_get(9, 1, GetFlags::CREATE).unwrap();
    let set = neighbour.semaphore_set(id).unwrap();
    set.set_value(0, 1).unwrap();
    // Takes the lock, with SEM_UNDO, and waits for more.
    let holder = Script::new()
        .data(0, &[0, 0, 0xff, 0xff, 0, 0x10])
        .call("semset_get", [9.into(), 0.into(), 0.into(), OUT.into()], 0)
        .call(
            "semset_operate",
            [at(OUT), 0.into(), 1.into(), (-1).into()],
            0,
        )
        .call(
            "semset_operate",
            [at(OUT), 0.into(), 1.into(), (-1).into()],
            0,
        );
    let container = holder.start(&pod, "holder", |_| {}).await;
    wait_until("it holds the lock and waits", || {
        set.waiting_for_increase(0) == Ok(1)
    })
    .await;
    assert_eq!(set.value(0), Ok(0));
    kill(&pod, &container).await;
    assert_eq!((set.value(0), set.waiting_for_increase(0)), (Ok(1), Ok(0)));
}

#[tokio::test]
async fn guests_are_killed_in_every_call_that_waits() {
    let two = 65536;
    let open = Script::new;
    let waits = [
        open()
            .data(0, b"/q")
            .call(
                "mq_open",
                [0.into(), 2.into(), 7.into(), 1.into(), 8.into(), OUT.into()],
                0,
            )
            .call("mq_wait", [at(OUT), 0.into(), (-1).into()], 0),
        open()
            .data(0, b"/q")
            .call(
                "mq_open",
                [0.into(), 2.into(), 7.into(), 1.into(), 8.into(), OUT.into()],
                0,
            )
            .call("mq_notify", [at(OUT), 1.into()], 0)
            .call("mq_notify_wait", [at(OUT), (-1).into()], 0),
        open()
            .data(0, b"/s")
            .call(
                "sem_open",
                [0.into(), 2.into(), 4.into(), 0.into(), OUT.into()],
                0,
            )
            .call("sem_wait", [at(OUT), (-1).into()], 0),
        open()
            .call("msg_get", [0.into(), 4.into(), OUT.into()], 0)
            .call(
                "msg_receive",
                [
                    at(OUT),
                    0.into(),
                    8.into(),
                    0.into(),
                    0.into(),
                    2048.into(),
                    (-1).into(),
                ],
                0,
            ),
        open()
            .call("msg_get", [0.into(), 4.into(), OUT.into()], 0)
            .call("msg_set", [at(OUT), 0.into()], 0)
            .call(
                "msg_send",
                [at(OUT), 1.into(), 0.into(), 8.into(), (-1).into()],
                0,
            ),
        open()
            .data(0, b"/m")
            .call("shm_open", [0.into(), 2.into(), 7.into(), OUT.into()], 0)
            .call("shm_truncate", [at(OUT), two.into()], 0)
            .call(
                "shm_map",
                [
                    at(OUT),
                    0.into(),
                    two.into(),
                    two.into(),
                    2.into(),
                    2048.into(),
                ],
                0,
            )
            .call("futex_wait", [two.into(), 0.into(), (-1).into()], 0),
        open()
            .data(0, b"/m")
            .call("shm_open", [0.into(), 2.into(), 7.into(), OUT.into()], 0)
            .call("shm_truncate", [at(OUT), two.into()], 0)
            .call(
                "shm_futex_wait",
                [at(OUT), 0.into(), 0.into(), (-1).into()],
                0,
            ),
    ];
    for script in waits {
        let pod = Pod::new();
        let waiting = || {
            let list = pod.ipc.list();
            let queues = list.message_queues.iter();
            let queues: u32 = queues
                .map(|one| one.waiting_receivers + u32::from(one.notifies.is_some()))
                .sum();
            let semaphores: u32 = list.semaphores.iter().map(|one| one.waiting).sum();
            let shared: u32 = list.shared_memory.iter().map(|one| one.waiting).sum();
            let messages = list.system_v_message_queues.iter();
            let messages: u32 = messages
                .map(|one| one.waiting_receivers + one.waiting_senders)
                .sum();
            queues + semaphores + shared + messages
        };
        let container = script.start(&pod, "waiter", |_| {}).await;
        wait_until("it waits", || waiting() == 1).await;
        kill(&pod, &container).await;
        assert_eq!(waiting(), 0, "nobody of it waits any more");
        let list = pod.ipc.list();
        assert!(list.message_queues.iter().all(|one| one.open_handles == 0));
        assert!(list.shared_memory.iter().all(|one| one.open_handles == 0));
    }
}

fn opener() -> Script {
    Script::new()
        .data(0, b"/late")
        .call(
            "sem_open",
            [0.into(), 5.into(), 0.into(), 0.into(), OUT.into()],
            0,
        )
        .call("sem_wait", [at(OUT), (-1).into()], 0)
}

#[tokio::test]
async fn opening_waits_for_what_a_neighbour_creates_if_the_pod_says_so() {
    let pod = Pod::new();
    let patient = opener();
    let container = patient
        .start(&pod, "patient", |config| {
            config.ipc_wait_for_open = Duration::from_secs(30)
        })
        .await;
    // It is started, and runs as soon as this task waits.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let neighbour = pod.ipc.attach("neighbour");
    neighbour.sem_open("/late", OpenFlags::CREATE, 1).unwrap();
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
}

#[tokio::test]
async fn opening_does_not_wait_unless_the_pod_says_so_and_never_longer() {
    let missing = Script::new()
        .data(0, b"/late")
        .call(
            "sem_open",
            [0.into(), 5.into(), 0.into(), 0.into(), OUT.into()],
            44,
        )
        .call(
            "mq_open",
            [0.into(), 5.into(), 1.into(), 0.into(), 0.into(), OUT.into()],
            44,
        )
        .call("shm_open", [0.into(), 5.into(), 1.into(), OUT.into()], 44)
        .call("msg_get", [5.into(), 0.into(), OUT.into()], 44)
        .call("semset_get", [5.into(), 1.into(), 0.into(), OUT.into()], 44)
        .call("shmseg_get", [5.into(), 1.into(), 0.into(), OUT.into()], 44);
    missing.holds().await;
    let pod = Pod::new();
    let container = missing
        .start(&pod, "patient", |config| {
            config.ipc_wait_for_open = Duration::from_millis(5)
        })
        .await;
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
}
