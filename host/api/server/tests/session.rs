//! `exec` and `attach` over WebSockets.

use std::future::poll_fn;
use std::task::Poll;

use wasmpod_sandbox::stdio::{GuestInput, GuestOutput, InputReader};

use super::*;
use crate::client::{Session, SessionEvent, StreamOptions, TerminalSize};

const OUTPUT: StreamOptions = StreamOptions { stdin: false, stdout: true, stderr: true, tty: false };
const ALL: StreamOptions = StreamOptions { stdin: true, ..OUTPUT };

impl World {
    async fn exec(&self, command: &str, streams: StreamOptions) -> Session {
        let command: Vec<_> = command.split(' ').map(str::to_owned).collect();
        bounded(self.client.exec("default", "web", None, &command, streams)).await.unwrap()
    }

    /// The guest's ends of what runs beside a container.
    async fn guest(&self, container: &str) -> (GuestInput, GuestOutput) {
        bounded(async {
            loop {
                let mut all = self.runtime.configs(container, |config| (config.stdin.clone(), config.stdout.clone()));
                if all.len() > 1 {
                    return all.pop().unwrap();
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

async fn read(input: &InputReader) -> bytes::Bytes {
    let bytes = poll_fn(|cx| match input.try_read(1024) {
        Poll::Ready(bytes) => Poll::Ready(bytes),
        Poll::Pending => match input.poll_ready(cx) {
            Poll::Ready(()) => input.try_read(1024),
            Poll::Pending => Poll::Pending,
        },
    });
    bounded(bytes).await
}

async fn event(session: &mut Session) -> SessionEvent {
    bounded(session.output.next()).await.unwrap().expect("the session has ended")
}

fn code(event: &SessionEvent) -> Option<i32> {
    match event {
        SessionEvent::End(status) => status.exit_code(),
        other => panic!("no end: {other:?}"),
    }
}

#[tokio::test]
async fn a_command_prints_and_ends_with_its_code() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "cat x", Script { prints: "hello\n".to_owned(), ..Script::ends_after(0, 42) });
    let mut session = world.exec("cat x", OUTPUT).await;
    assert_eq!(event(&mut session).await, SessionEvent::Stdout("hello\n".into()));
    assert_eq!(code(&event(&mut session).await), Some(42));
    assert_eq!(bounded(session.output.next()).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_client_types_reaches_the_command_and_its_end_too() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "cat", Script::default());
    let mut session = world.exec("cat", ALL).await;
    let (GuestInput::Pipe(input), output) = world.guest("a").await else { panic!("no input") };
    session.input.write(b"ping").await.unwrap();
    let bytes = read(&input).await;
    assert_eq!(bytes, "ping");
    output.write_all(&bytes).await.unwrap();
    assert_eq!(event(&mut session).await, SessionEvent::Stdout("ping".into()));
    session.input.close().await.unwrap();
    assert_eq!(read(&input).await, "", "the end of its input");
    // Large amounts pass in order in both directions.
    output.write_all(&vec![b'x'; 50_000]).await.unwrap();
    let mut count = 0;
    while count < 50_000 {
        let SessionEvent::Stdout(bytes) = event(&mut session).await else { panic!("no output") };
        assert!(bytes.iter().all(|byte| *byte == b'x'));
        count += bytes.len();
    }
    assert_eq!(count, 50_000);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_command() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "sleep", Script::default());
    let session = world.exec("sleep", ALL).await;
    world.guest("a").await;
    assert_eq!(world.runtime.containers(), 2);
    drop(session);
    bounded(async {
        while world.runtime.containers() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_terminal_hears_of_its_size() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    world.runtime.script_exec("a", "sh", Script::default());
    let tty = StreamOptions { stdin: true, stdout: true, stderr: false, tty: true };
    let mut session = world.exec("sh", tty).await;
    session.input.resize(TerminalSize { columns: 132, rows: 43 }).await.unwrap();
    bounded(async {
        loop {
            let sizes = world.runtime.configs("a", |config| config.terminal.as_ref().map(|terminal| terminal.size()));
            if sizes.into_iter().flatten().any(|size| (size.columns, size.rows) == (132, 43)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    session.input.write(b"x\n").await.unwrap();
    assert_eq!(event(&mut session).await, SessionEvent::Stdout("x\r\n".into()), "the terminal's echo");
}

#[tokio::test]
async fn who_is_attached_sees_what_the_container_prints() {
    let world = World::new();
    world.pod("web", &["a"]).await;
    let mut session = bounded(world.client.attach("default", "web", None, OUTPUT)).await.unwrap();
    bounded(async {
        loop {
            world.runtime.with_config("a", |config| config.stdout.try_write(b"tick\n")).unwrap().unwrap();
            let seen = tokio::time::timeout(Duration::from_millis(50), session.output.next()).await;
            if let Ok(Ok(Some(SessionEvent::Stdout(bytes)))) = seen {
                assert!(bytes.starts_with(b"tick\n"));
                break;
            }
        }
    })
    .await;
    world.agent.running("default", "web").unwrap().sandbox().kill().await;
    loop {
        match event(&mut session).await {
            SessionEvent::End(status) => break assert!(status.is_success()),
            other => assert!(matches!(other, SessionEvent::Stdout(_))),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_before_the_session() {
    let world = World::new();
    world.pod("web", &["a", "b"]).await;
    let exec = async |pod: &str, container: Option<&str>, streams| {
        let command = ["x".to_owned()];
        status(bounded(world.client.exec("default", pod, container, &command, streams)).await)
    };
    assert_eq!(exec("nope", None, OUTPUT).await.code, 404);
    assert!(exec("web", None, OUTPUT).await.message.contains("choose one of: [a b]"));
    assert_eq!(exec("web", Some("c"), OUTPUT).await.message, "container c is not valid for pod web");
    assert_eq!(exec("web", Some("a"), StreamOptions::default()).await.code, 400);
    let path = "/api/v1/namespaces/default/pods/web/exec?command=x&container=a&stdout=true";
    assert!(world.refused(path).await.message.contains("WebSocket"));
    let spdy = world.raw(format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, close\r\nupgrade: SPDY/3.1\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
    assert!(spdy.starts_with("HTTP/1.1 400") && spdy.contains("SPDY is not spoken here"), "{spdy}");
}
