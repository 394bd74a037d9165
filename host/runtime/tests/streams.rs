//! Standard input and output, terminals.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmpod_image::Program;
use wasmpod_sandbox::logs::Stream;
use wasmpod_sandbox::stdio::{ClientStreams, ExecRequest, PIPE_BYTES, exec_streams, input};
use wasmpod_sandbox::{
    ContainerConfig, ContainerRuntime as _, Exit, GuestInput, MemoryShare, OutputReader, Signal,
};

use super::fixture::{Container, Pod, in_time, program};

/// WASI 0.1's EPIPE.
const EPIPE: i32 = 64;

fn request(tty: bool) -> ExecRequest {
    ExecRequest {
        command: Vec::new(),
        stdin: true,
        stdout: true,
        stderr: true,
        tty,
    }
}

/// Starts a guest on the streams of a client.
async fn start(
    pod: &Pod,
    program: &Arc<Program>,
    tty: bool,
    args: &[&str],
) -> (Container, ClientStreams) {
    let (guest, client) = exec_streams(&request(tty));
    let change = |config: &mut ContainerConfig| {
        if !args.is_empty() {
            config.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        }
        config.stdin = guest.stdin;
        config.stdout = guest.stdout;
        config.stderr = guest.stderr;
        config.terminal = guest.terminal;
        config.memory = MemoryShare::new(64 << 20);
    };
    let container = pod.start_program(program, "a", change).await.unwrap();
    (container, client)
}

/// The built-in shell: a component.
fn shell() -> Arc<Program> {
    let image = wasmpod_image::resolve("busybox", std::path::Path::new("/")).unwrap();
    Arc::clone(image.program("sh"))
}

/// Reads until the text ends with `end`.
async fn read_until(output: &mut OutputReader, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        match in_time("there is more output", output.next()).await {
            Some((_, bytes)) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            None => panic!("the output ended after {text:?}, before {end:?}"),
        }
    }
    text
}

async fn read_all(output: &mut OutputReader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some((stream, bytes)) = in_time("the output ends", output.next()).await {
        assert_eq!(stream, Stream::Stdout);
        all.extend_from_slice(&bytes);
    }
    all
}

#[tokio::test]
async fn a_guest_without_input_is_at_its_end_at_once() {
    let (exit, container) = Pod::new().run_with("stdio_copy", |_| {}).await;
    assert_eq!(exit, Exit::with_code(0));
    assert_eq!(container.stdout.text(), "");
}

#[tokio::test]
async fn a_module_reads_its_input_to_the_end_while_slow_readers_make_it_wait() {
    let pod = Pod::new();
    let (container, mut client) = start(&pod, &program("stdio_copy"), false, &[]).await;
    let sent: Vec<u8> = (0..=255).cycle().take(10 * PIPE_BYTES + 5).collect();
    let (input, all) = (client.input.take().unwrap(), Bytes::from(sent.clone()));
    let writing = async move { input.write(all).await.unwrap() };
    let (received, ()) = tokio::join!(read_all(&mut client.output), writing);
    assert_eq!(received, sent);
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
}

#[tokio::test]
async fn a_component_reads_its_input_to_the_end() {
    let pod = Pod::new();
    let script = "read line; echo \"got $line\"; cat";
    let (container, mut client) = start(&pod, &shell(), false, &["sh", "-c", script]).await;
    let input = client.input.take().unwrap();
    let text = format!("first\n{}", "more\n".repeat(PIPE_BYTES / 4));
    let expected = format!("got {text}");
    let writing = async move { input.write(Bytes::from(text)).await.unwrap() };
    let (received, ()) = tokio::join!(read_all(&mut client.output), writing);
    assert!(String::from_utf8(received).unwrap() == expected);
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
}

#[tokio::test]
async fn a_guest_whose_reader_is_gone_gets_an_error_and_does_not_hang() {
    let pod = Pod::new();
    let guest = program("stdio_print_without_end");
    let (container, mut client) = start(&pod, &guest, false, &[]).await;
    let first = in_time("it prints", client.output.next()).await.unwrap();
    assert!(first.1.starts_with(b"yes\n"));
    drop(client);
    assert_eq!(pod.exit(&container).await, Exit::with_code(EPIPE));
}

#[tokio::test]
async fn a_killed_guest_lets_go_of_its_reader_and_its_writer() {
    let pod = Pod::new();
    let (container, mut client) = start(&pod, &program("stdio_copy"), false, &[]).await;
    pod.runtime
        .stop_container(&container.id, Duration::ZERO)
        .await;
    pod.runtime.remove_container(&container.id).await;
    assert_eq!(read_all(&mut client.output).await, b"");
    let input = client.input.take().unwrap();
    assert!(input.write(Bytes::from_static(b"x")).await.is_err());
}

#[tokio::test]
async fn a_stop_ends_the_input_of_a_guest_that_handles_termination() {
    let pod = Pod::new();
    let (writer, reader) = input();
    let kept = reader.clone();
    let waiting = pod
        .start("lifecycle_wait", |config| {
            config.stdin = GuestInput::Pipe(reader);
        })
        .await
        .unwrap();
    super::lifecycle::until_handled(&pod, &waiting).await;
    pod.runtime
        .stop_container(&waiting.id, Duration::from_secs(20))
        .await;
    assert!(writer.write(Bytes::from_static(b"x")).await.is_err());
    assert_eq!(kept.try_read(1), std::task::Poll::Ready(Bytes::new()));
}

#[tokio::test]
async fn a_terminal_echoes_and_edits_and_its_interrupt_ends_the_guest() {
    let pod = Pod::new();
    let (container, mut client) = start(&pod, &program("stdio_copy"), true, &[]).await;
    let keyboard = client.input.take().unwrap();
    keyboard
        .write(Bytes::from_static(b"hellp\x7fo\r"))
        .await
        .unwrap();
    let seen = read_until(&mut client.output, "\nhello\r\n").await;
    assert_eq!(seen, "hellp\x08 \x08o\r\nhello\r\n");
    keyboard
        .write(Bytes::from_static(b"half\x03"))
        .await
        .unwrap();
    assert_eq!(read_until(&mut client.output, "\n").await, "half^C\r\n");
    assert_eq!(pod.exit(&container).await, Signal::INT.exit());
}

#[tokio::test]
async fn a_shell_on_a_terminal_knows_that_it_is_one() {
    let pod = Pod::new();
    let script = "test -t 0 && test -t 1 && echo terminal";
    let (container, mut client) = start(&pod, &shell(), true, &["sh", "-c", script]).await;
    assert_eq!(read_all(&mut client.output).await, b"terminal\r\n");
    assert_eq!(pod.exit(&container).await, Exit::with_code(0));
    let (container, mut client) = start(&pod, &shell(), false, &["sh", "-c", script]).await;
    assert_eq!(read_all(&mut client.output).await, b"");
    assert_eq!(pod.exit(&container).await, Exit::with_code(1));
}

#[tokio::test]
async fn an_interactive_shell_prompts_and_survives_mistakes_and_ends_of_file_of_its_commands() {
    let pod = Pod::new();
    let (container, mut client) = start(&pod, &shell(), true, &["sh"]).await;
    let keyboard = client.input.take().unwrap();
    let output = &mut client.output;
    assert_eq!(read_until(output, "# ").await, "# ");
    for (typed, seen) in [
        ("echo hj\x7fi\r", "echo hj\x08 \x08i\r\nhi\r\n# "),
        ("if true\r", "if true\r\n> "),
        ("then echo yes; fi\r", "then echo yes; fi\r\nyes\r\n# "),
        ("cat\rline\r\x04", "cat\r\nline\r\nline\r\n# "),
    ] {
        keyboard
            .write(Bytes::from_static(typed.as_bytes()))
            .await
            .unwrap();
        assert_eq!(
            read_until(output, seen.rsplit('\n').next().unwrap()).await,
            seen
        );
    }
    keyboard.write(Bytes::from_static(b")\r")).await.unwrap();
    let complaint = read_until(output, "# ").await;
    assert!(complaint.contains("sh: "), "{complaint:?}");
    for (typed, seen) in [
        ("sleep 1000\r", "sleep 1000\r\n"),
        ("cat\r", "cat\r\n"),
        ("echo half", "half"),
    ] {
        let typed = Bytes::from_static(typed.as_bytes());
        keyboard.write(typed).await.unwrap();
        read_until(output, seen).await;
        keyboard.write(Bytes::from_static(b"\x03")).await.unwrap();
        read_until(output, "# ").await;
    }
    let asks = Bytes::from_static(b"echo $?\r");
    keyboard.write(asks).await.unwrap();
    assert_eq!(read_until(output, "# ").await, "echo $?\r\n130\r\n# ");
    keyboard
        .write(Bytes::from_static(b"exit 7\r"))
        .await
        .unwrap();
    assert_eq!(pod.exit(&container).await, Exit::with_code(7));
}
