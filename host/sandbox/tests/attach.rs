//! Clients of a container's own standard streams.

use bytes::Bytes;

use super::*;
use crate::logs::Stream;
use crate::{AttachRequest, GuestInput, Session};

const ALL: AttachRequest = AttachRequest {
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
};

async fn attach(handle: &SandboxHandle) -> Session {
    handle.attach("a", ALL).await.unwrap()
}

/// Prints as the guest would.
async fn print(world: &World, text: &str) {
    let stdout = world
        .runtime
        .with_config("a", |config| config.stdout.clone());
    stdout.unwrap().write_all(text.as_bytes()).await.unwrap();
}

/// What the guest finds in its standard input now; empty at its end.
fn typed(world: &World) -> std::task::Poll<Bytes> {
    let stdin = world
        .runtime
        .with_config("a", |config| config.stdin.clone());
    match stdin.unwrap() {
        GuestInput::Empty => std::task::Poll::Ready(Bytes::new()),
        GuestInput::Pipe(reader) => reader.try_read(100),
    }
}

fn with_stdin(once: bool) -> Value {
    let mut spec = one("Always");
    spec["containers"][0]["stdin"] = json!(true);
    spec["containers"][0]["stdinOnce"] = json!(once);
    spec
}

#[tokio::test(start_paused = true)]
async fn a_client_sees_what_is_printed_from_now_on_and_the_log_has_all() {
    let world = World::new();
    let handle = world.start(one("Always"));
    running(&handle).await;
    print(&world, "before\n").await;
    let mut session = attach(&handle).await;
    assert!(session.input.is_none(), "the container has no stdin");
    print(&world, "after\n").await;
    let seen = session.output.next().await;
    assert_eq!(seen, Some((Stream::Stdout, Bytes::from_static(b"after\n"))));
    drop(session);
    print(&world, "alone\n").await;
    handle.kill().await;
    ended(&handle).await;
    let all = log(&handle, "a", LogOptions::default()).await;
    assert_eq!(all, "before\nafter\nalone\n");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_container_is_the_end_of_a_session() {
    let world = World::new();
    world.script("a", [Script::ends_after(5, 9)]);
    let handle = world.start(one("Never"));
    running(&handle).await;
    let mut session = attach(&handle).await;
    assert_eq!(session.exit().await.code, 9);
    assert_eq!(session.output.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn standard_input_stays_open_for_the_next_client_unless_it_is_for_one() {
    for once in [false, true] {
        let world = World::new();
        let handle = world.start(with_stdin(once));
        running(&handle).await;
        let session = attach(&handle).await;
        let input = session.input.as_ref().unwrap();
        input.write(Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(
            typed(&world),
            std::task::Poll::Ready(Bytes::from_static(b"hello"))
        );
        drop(session);
        let next = attach(&handle).await;
        if once {
            assert_eq!(typed(&world), std::task::Poll::Ready(Bytes::new()));
            assert!(next.input.is_none());
        } else {
            assert_eq!(typed(&world), std::task::Poll::Pending);
            assert!(next.input.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_with_a_terminal_has_one_for_its_client_too() {
    let world = World::new();
    let mut spec = with_stdin(false);
    spec["containers"][0]["tty"] = json!(true);
    let handle = world.start(spec);
    running(&handle).await;
    let mut session = attach(&handle).await;
    print(&world, "line\n").await;
    let seen = session.output.next().await;
    assert_eq!(
        seen,
        Some((Stream::Stdout, Bytes::from_static(b"line\r\n")))
    );
    let env = world.runtime.with_config("a", |config| config.env.clone());
    assert!(
        env.unwrap()
            .contains(&("TERM".to_owned(), "xterm".to_owned()))
    );
}
