//! The manifest's `stdin`, `stdinOnce` and `tty` with real guests: what `attach -i` and `attach -it` find.

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wasmpod_sandbox::{AttachRequest, Session};

use crate::pod::{Pod, container, play};
use crate::script::{ended, pod, with};

const INTERACTIVE: AttachRequest = AttachRequest {
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
};

async fn started(command: &[&str], more: Value) -> Pod {
    let container = with(
        json!({"name": "c", "image": "busybox", "command": command}),
        more,
    );
    let spec = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container]});
    let pod = Pod::start(&pod(&spec)).await;
    pod.until("started", |status| container_has_started(status, "c"))
        .await;
    pod
}

fn container_has_started(status: &wasmpod_manifest::k8s::PodStatus, name: &str) -> bool {
    let all = status.container_statuses.iter().flatten();
    let mut state = all
        .filter(|one| one.name == name)
        .filter_map(|one| one.state.as_ref());
    state.any(|state| state.running.is_some() || state.terminated.is_some())
}

async fn type_keys(session: &Session, keys: &'static str) {
    let input = session.input.as_ref().expect("an input");
    input
        .write(Bytes::from_static(keys.as_bytes()))
        .await
        .unwrap();
}

/// What is printed until it ends with `end`.
async fn read_until(session: &mut Session, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let next = tokio::time::timeout(crate::pod::PATIENCE, session.output.next()).await;
        let (_, bytes) = next
            .unwrap_or_else(|_| panic!("it stays so: {text:?}"))
            .unwrap_or_else(|| panic!("it ends so: {text:?}"));
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}

#[test]
fn without_stdin_a_program_is_at_the_end_of_its_input_at_once() {
    play(async {
        let pod = started(&["sh", "-c", "cat; echo over"], json!({})).await;
        let status = pod.ends("Succeeded").await;
        assert_eq!(container(&status, "c").restart_count, 0);
        assert_eq!(pod.log("c").await, "over\n");
    });
}

#[test]
fn an_attached_client_feeds_the_program_and_the_next_one_goes_on() {
    play(async {
        let pod = started(&["cat"], json!({"stdin": true})).await;
        for _ in 0..2 {
            let mut session = pod.attach("c", INTERACTIVE).await;
            type_keys(&session, "hello\n").await;
            assert_eq!(read_until(&mut session, "\n").await, "hello\n");
        }
        pod.pause(Duration::from_secs(60)).await;
        assert!(
            container(&pod.status().pod, "c")
                .state
                .unwrap()
                .running
                .is_some()
        );
        assert_eq!(pod.log("c").await, "hello\nhello\n");
        // A stop ends the input, and SIGTERM the program.
        pod.delete(None).await;
        assert_eq!(ended(&pod.gone().await, "c").exit_code, 143);
    });
}

#[test]
fn stdin_once_ends_the_input_with_its_first_client() {
    play(async {
        let pod = started(
            &["sh", "-c", "cat; echo over"],
            json!({"stdin": true, "stdinOnce": true}),
        )
        .await;
        let mut session = pod.attach("c", INTERACTIVE).await;
        type_keys(&session, "hello\n").await;
        assert_eq!(read_until(&mut session, "\n").await, "hello\n");
        drop(session);
        pod.ends("Succeeded").await;
        assert_eq!(pod.log("c").await, "hello\nover\n");
    });
}

#[test]
fn a_shell_on_a_terminal_prompts_and_ctrl_c_ends_its_command_only() {
    play(async {
        let pod = started(&["sh"], json!({"stdin": true, "tty": true})).await;
        let mut session = pod
            .attach(
                "c",
                AttachRequest {
                    tty: true,
                    ..INTERACTIVE
                },
            )
            .await;
        type_keys(&session, "test -t 0 && echo terminal $TERM\r").await;
        read_until(&mut session, "terminal xterm\r\n# ").await;
        type_keys(&session, "sleep 100000\r").await;
        read_until(&mut session, "100000\r\n").await;
        pod.pause(Duration::from_secs(1)).await;
        let before = pod.elapsed();
        type_keys(&session, "\x03").await;
        let seen = read_until(&mut session, "# ").await;
        assert!(seen.starts_with("^C"), "{seen:?}");
        assert!(pod.elapsed() - before < Duration::from_secs(1));
        type_keys(&session, "echo $?; exit 6\r").await;
        assert_eq!(session.exit().await.code, 6);
        assert_eq!(ended(&pod.gone().await, "c").exit_code, 6);
    });
}

#[test]
fn ctrl_c_ends_a_program_that_is_no_interactive_shell() {
    play(async {
        let pod = started(&["sleep", "100000"], json!({"stdin": true, "tty": true})).await;
        let session = pod
            .attach(
                "c",
                AttachRequest {
                    tty: true,
                    ..INTERACTIVE
                },
            )
            .await;
        type_keys(&session, "\x03").await;
        assert_eq!(ended(&pod.gone().await, "c").exit_code, 130);
    });
}

#[test]
fn a_client_that_does_not_read_neither_slows_the_container_down_nor_keeps_it() {
    play(async {
        let script = "i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo over";
        let pod = started(&["sh", "-c", &format!("sleep 5; {script}")], json!({})).await;
        let mut session = pod.attach("c", INTERACTIVE).await;
        let status = pod.ends("Succeeded").await;
        assert_eq!(ended(&status, "c").exit_code, 0);
        assert!(pod.log("c").await.ends_with("over\n"));
        let mut kept = 0;
        while let Some((_, bytes)) = session.output.next().await {
            kept += bytes.len();
        }
        assert!((32 << 10..=64 << 10).contains(&kept), "{kept}");
        let next = std::future::poll_fn(|cx| Poll::Ready(session.output.poll_next(cx))).await;
        assert_eq!(next, Poll::Ready(None));
    });
}
