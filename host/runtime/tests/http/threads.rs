//! Answers on several threads: which thread serves a connection, and that limits and ends hold for all of them.
//!
//! The pod's own worker is held up where it matters, so that what is answered meanwhile is answered elsewhere.

use std::future::poll_fn;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use wasmpod_network::{AddressFamily, TcpStream};
use wasmpod_sandbox::{
    ContainerConfig, ContainerRuntime as _, CpuShare, Exit, MemoryShare, Placement, PodTaskSet,
    Workers,
};

use super::{MEMORY_BYTES, PORT, Served, pod, rest, start};
use crate::tests::fixture::{in_time, wait_until};

/// A pod on the first of two workers.
struct OnTwo {
    served: Served,
    memory: MemoryShare,
    placement: Placement,
    // Last, so that nobody holds a worker up that is to end.
    workers: Workers,
}

/// A worker that does nothing until this is dropped.
struct HeldUp(#[expect(dead_code, reason = "its drop ends the wait")] std::sync::mpsc::Sender<()>);

impl OnTwo {
    async fn serve(change: impl FnOnce(&mut ContainerConfig)) -> Self {
        let workers = Workers::start(2).unwrap();
        let placement = workers.place().unwrap();
        let mut pod = pod();
        pod.tasks = PodTaskSet::of_worker(placement.worker());
        let memory = MemoryShare::new(MEMORY_BYTES);
        let share = memory.clone();
        let change = |config: &mut ContainerConfig| {
            config.memory = share;
            change(config);
        };
        let container = start(&pod, "server", change).await;
        let client = pod.network.attach("client");
        let served = Served {
            pod,
            container,
            client,
        };
        Self {
            served,
            memory,
            placement,
            workers,
        }
    }

    fn own(&self) -> &Handle {
        self.placement.worker().handle()
    }

    fn other(&self) -> &Handle {
        self.placement.worker().others().first().unwrap().handle()
    }

    /// A connection that was opened on `event_loop`, which has had an answer.
    async fn connect_on(&self, event_loop: &Handle) -> TcpStream {
        let socket = self.served.client.tcp_socket(AddressFamily::Ipv4).unwrap();
        let connecting = event_loop.spawn(async move {
            socket.connect(([127, 0, 0, 1], PORT).into()).unwrap();
            poll_fn(|cx| socket.poll_connect(cx)).await.unwrap()
        });
        let stream = in_time("a connection", connecting).await.unwrap();
        ask(&stream, "/").await;
        hears(&stream, "hello\n").await;
        stream
    }

    fn cpu(&self) -> Duration {
        let usage = self.served.pod.runtime.usage(&self.served.container.id);
        usage.map_or(Duration::ZERO, |usage| usage.cpu)
    }
}

async fn ask(stream: &TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.into()).await.unwrap();
}

/// Reads until the answer ends so.
async fn hears(stream: &TcpStream, end: &str) {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let piece = in_time("the answer", stream.read(4096)).await.unwrap();
        assert!(!piece.is_empty(), "closed after {all:?}");
        all.extend_from_slice(&piece);
    }
}

/// Holds a worker up; it has begun to wait when this returns.
async fn hold_up(event_loop: &Handle) -> HeldUp {
    let (release, released) = std::sync::mpsc::channel();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    drop(event_loop.spawn(async move {
        begun.send(()).unwrap();
        // An error is the release.
        assert!(released.recv().is_err());
    }));
    has_begun.await.unwrap();
    HeldUp(release)
}

#[tokio::test]
async fn a_connection_is_served_on_the_thread_of_its_client() {
    let on_two = OnTwo::serve(|_| {}).await;
    let (near, far) = (
        on_two.connect_on(on_two.own()).await,
        on_two.connect_on(on_two.other()).await,
    );
    for (held_up, stream) in [(on_two.own(), &far), (on_two.other(), &near)] {
        let held_up = hold_up(held_up).await;
        for _ in 0..3 {
            ask(stream, "/").await;
            hears(stream, "hello\n").await;
        }
        // One that has to wait, too.
        ask(stream, "/sleep/1").await;
        hears(stream, "awake\n").await;
        drop(held_up);
    }
}

#[tokio::test]
async fn connections_make_way_for_a_pod_that_comes_to_live_where_they_are_served() {
    let on_two = OnTwo::serve(|_| {}).await;
    let there = on_two.connect_on(on_two.other()).await;
    let neighbour = on_two.workers.place().unwrap();
    assert_eq!(neighbour.worker().handle().id(), on_two.other().id());
    ask(&there, "/").await;
    let last = rest(&there).await;
    assert!(last.contains("connection: close\r\n"), "{last}");
    let next = on_two.connect_on(on_two.other()).await;
    let held_up = hold_up(on_two.other()).await;
    ask(&next, "/").await;
    hears(&next, "hello\n").await;
    drop((held_up, neighbour));
}

#[tokio::test]
async fn a_container_whose_limit_asks_for_them_is_served_where_pods_live_too() {
    let on_two = OnTwo::serve(|config| config.cpu = CpuShare::new(Some(2000), 0)).await;
    let neighbour = on_two.workers.place().unwrap();
    let stream = on_two.connect_on(on_two.other()).await;
    let held_up = hold_up(on_two.own()).await;
    ask(&stream, "/").await;
    hears(&stream, "hello\n").await;
    drop((held_up, neighbour));
}

#[tokio::test]
async fn a_container_limited_to_one_processor_is_served_on_its_pods_thread() {
    let on_two = OnTwo::serve(|config| config.cpu = CpuShare::new(Some(1000), 0)).await;
    let stream = on_two.connect_on(on_two.other()).await;
    let held_up = hold_up(on_two.other()).await;
    ask(&stream, "/").await;
    hears(&stream, "hello\n").await;
    drop(held_up);
}

#[tokio::test]
async fn a_cpu_limit_holds_for_all_threads_together() {
    let on_two = OnTwo::serve(|config| config.cpu = CpuShare::new(Some(1200), 0)).await;
    let streams = [
        on_two.connect_on(on_two.own()).await,
        on_two.connect_on(on_two.other()).await,
    ];
    let (start, before) = (Instant::now(), on_two.cpu());
    for stream in &streams {
        ask(stream, "/loop").await;
    }
    let enough = before + Duration::from_millis(300);
    wait_until("they have computed", || on_two.cpu() >= enough).await;
    let part = (on_two.cpu() - before).as_secs_f64() / start.elapsed().as_secs_f64();
    // Without the limit it is two, less is what a busy machine gives.
    assert!(part < 1.4, "1.2 of a core, not {part}");
}

#[tokio::test]
async fn nothing_is_left_on_any_thread_when_a_container_is_killed() {
    let on_two = OnTwo::serve(|_| {}).await;
    let mut streams = Vec::new();
    for (event_loop, path) in [
        (on_two.own(), "/sleep/600000"),
        (on_two.other(), "/loop"),
        (on_two.own(), "/loop"),
        (on_two.other(), "/sleep/600000"),
    ] {
        let stream = on_two.connect_on(event_loop).await;
        ask(&stream, path).await;
        streams.push(stream);
    }
    let before = on_two.cpu();
    let computes = || on_two.cpu() >= before + Duration::from_millis(20);
    wait_until("they compute", computes).await;
    let (runtime, container) = (&on_two.served.pod.runtime, &on_two.served.container);
    let killed = runtime.stop_container(&container.id, Duration::ZERO);
    in_time("the server ends", killed).await;
    assert_eq!(on_two.memory.used_bytes(), 0, "every instance is gone");
    assert_eq!(on_two.served.pod.exit(container).await.code, 137);
    for stream in &streams {
        // All that comes is the rest of the first answer.
        assert!(!rest(stream).await.contains("HTTP"));
    }
}

#[tokio::test]
async fn requests_on_all_threads_are_answered_before_a_server_that_is_stopped_ends() {
    let on_two = OnTwo::serve(|_| {}).await;
    let streams = [
        on_two.connect_on(on_two.own()).await,
        on_two.connect_on(on_two.other()).await,
    ];
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for stream in &streams {
        stream.write_all(head.into()).await.unwrap();
        stream.write_all("3\r\none\r\n".into()).await.unwrap();
        hears(stream, "3\r\none\r\n").await;
    }
    let (runtime, container) = (&on_two.served.pod.runtime, &on_two.served.container);
    let stop = runtime.stop_container(&container.id, Duration::from_secs(30));
    let answers = async {
        for stream in &streams {
            let rest = "3\r\ntwo\r\n0\r\n\r\n";
            stream.write_all(rest.into()).await.unwrap();
            hears(stream, rest).await;
        }
    };
    in_time("the server ends", async { tokio::join!(stop, answers) }).await;
    assert_eq!(on_two.served.pod.exit(container).await, Exit::with_code(0));
    assert_eq!(on_two.memory.used_bytes(), 0);
}
