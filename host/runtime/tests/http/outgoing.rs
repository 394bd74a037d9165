//! Requests that guests send, from components that are served and from commands.

use wasmpod_image::Program;
use wasmpod_sandbox::{Exit, MainProcess};

use super::{PORT, alike, declared, guest, serve, start};
use crate::tests::fixture::{in_time, wait_until};

#[tokio::test]
async fn localhost_is_the_neighbour_by_every_name_of_the_pod() {
    let served = serve(|_| {}).await;
    start(&served.pod, "neighbour", |config| {
        config.ports = declared(&[5000])
    })
    .await;
    alike::reaches_its_neighbour(&served).await;
    let answer = served
        .get("/fetch/http://localhost:5000/request/x?q=1")
        .await;
    let line = answer.body.lines().next();
    assert_eq!(line, Some("Method::Get /request/x?q=1 localhost:5000"));
}

#[tokio::test]
async fn a_body_goes_through_two_components() {
    let served = serve(|_| {}).await;
    start(&served.pod, "neighbour", |config| {
        config.ports = declared(&[5000])
    })
    .await;
    alike::hands_a_body_on(&served).await;
}

#[tokio::test]
async fn what_hinders_a_request_is_told_to_the_component() {
    let trap = ("http://localhost:8000/trap", 500, "wasm trap");
    alike::is_told_what_hinders(&serve(|_| {}).await, &[trap]).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_the_time_of_the_options() {
    let served = serve(|_| {}).await;
    let answer = served.get("/fetch/http://localhost:8000/sleep/600000");
    let answer = in_time("two seconds pass", answer).await;
    assert_eq!(answer.status.as_u16(), 504);
    assert!(
        served
            .container
            .stderr
            .text()
            .contains("ConnectionReadTimeout")
    );
}

#[tokio::test]
async fn a_component_that_is_both_is_run_as_a_command_beside_a_container() {
    let served = serve(|_| {}).await;
    for (url, exit, printed) in [
        ("http://localhost:8000/", Exit::with_code(0), "hello\n"),
        (
            "http://localhost:8000/missing",
            Exit::with_code(1),
            "not found\n",
        ),
    ] {
        let (config, ..) = served.pod.config("exec", &guest());
        let role = MainProcess::new(&config.args).beside();
        let command = start(&served.pod, "server", |config| {
            config.role = role;
            config.args.push(url.to_owned());
        });
        let command = command.await;
        assert_eq!(
            served.pod.exit(&command).await,
            exit,
            "{}",
            command.stderr.text()
        );
        assert_eq!(command.stdout.text(), printed);
    }
}

#[tokio::test]
async fn a_component_that_only_handles_requests_is_no_command() {
    let wasm = wat::parse_str(HANDLER_ONLY).unwrap();
    let program = std::sync::Arc::new(Program::new("handler.wasm", wasm));
    let served = serve(|_| {}).await;
    let inspection = served.pod.runtime.inspect(&program).unwrap();
    assert!(inspection.handles_http && !inspection.is_command);
    let role = MainProcess::new(&[]).beside();
    let exec = served
        .pod
        .start_program(&program, "exec", |config| config.role = role);
    let error = exec.await.err().unwrap().to_string();
    assert!(error.contains("cannot be run as a command"), "{error}");
    // As a container it is served.
    let change =
        |config: &mut wasmpod_sandbox::ContainerConfig| config.ports = declared(&[PORT + 1]);
    let container = served.pod.start_program(&program, "handler", change).await;
    let url = format!("/fetch/http://localhost:{}/", PORT + 1);
    assert_eq!(served.get(&url).await.status.as_u16(), 500);
    let log = container.unwrap().stderr;
    wait_until("the log", || {
        log.text().contains("returned without an answer")
    })
    .await;
}

/// A component that takes every request and answers none.
const HANDLER_ONLY: &str = r#"(component
    (import "wasi:http/types@0.2.0" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
    (core module $m (func (export "handle") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func $handle (param "request" (own $request)) (param "response-out" (own $out))
        (canon lift (core func $i "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#;
