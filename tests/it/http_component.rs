//! HTTP components in a pod, reached through a published port: the whole program with real threads.

use crate::support::{Wasmpod, eventually, http_get};

#[test]
fn two_http_components_answer_the_host_their_neighbour_and_commands() {
    let host = Wasmpod::up("http-component.yaml", &["--publish", "0:http:8080"]).start();
    let address = host.published("http:8080");
    let hello = eventually("the front answers", || {
        http_get(address, "/").filter(|answer| answer.status == 200)
    });
    assert_eq!(hello.body, "hello\n");

    // The annotation is about instances, so that one of them counts on; its neighbour is asked by name.
    let counts = |path: &str| {
        (0..20)
            .map(|_| {
                http_get(address, path)
                    .unwrap()
                    .body
                    .trim()
                    .parse()
                    .unwrap()
            })
            .max()
    };
    let count: Option<u32> = counts("/count");
    assert!(count > Some(1), "{count:?}");
    let fetched = http_get(address, "/fetch/http://localhost:8081/request").unwrap();
    assert_eq!(fetched.status, 200);
    let relayed = fetched
        .body
        .contains("Method::Get /request localhost:8081\n");
    assert!(relayed, "{:?}", fetched.body);

    // A failure is that of one request, and in the log.
    assert_eq!(http_get(address, "/trap").unwrap().status, 500);
    host.stdout
        .wait_until_contains("GET /trap: 500: wasm trap: ");
    assert_eq!(http_get(address, "/").unwrap().status, 200);

    // The toolbox is beside it, and the component itself as a command.
    let files = [
        "exec",
        "http",
        "-c",
        "front",
        "--",
        "wget",
        "-qO-",
        "http://localhost:8081/",
    ];
    assert_eq!(host.look(&files).stdout, "hello\n");
    let command = [
        "exec",
        "http",
        "-c",
        "back",
        "--",
        "http-component",
        "http://http:8080/",
    ];
    assert_eq!(host.look(&command).stdout, "hello\n");

    let end = host.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        end.stderr.contains("Completed") || !end.stderr.contains("Error"),
        "{end:?}"
    );
}

#[test]
fn an_http_component_is_shown_for_what_it_is() {
    let shown = Wasmpod::new(&["inspect", "image", "wasmpod/http-component"]).run();
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        shown.stdout.contains("Runs here: yes, as an HTTP server\n"),
        "{shown:?}"
    );
    assert!(
        shown.stdout.contains("offered  wasi:http/types@0.2"),
        "{shown:?}"
    );
}
