//! The four pods that everyone starts from, unmodified.

use crate::support::{Wasmpod, eventually, http_get, left_in};

#[test]
fn mc1_serves_from_a_shared_volume_a_page_that_grows() {
    let pod = Wasmpod::up("mc1-shared-volume.yaml", &["--publish", "0:mc1:80"]).start();
    let address = pod.published("mc1:80");
    let lines = || {
        let page = http_get(address, "/").filter(|page| page.status == 200)?;
        Some(page.body.lines().count())
    };
    let first = eventually("a page with a line", || lines().filter(|count| *count > 0));
    eventually("a longer page", || lines().filter(|count| *count > first));

    let state = pod.state();
    let end = pod.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        end.stdout.contains("GET / HTTP/1.1"),
        "nginx logs the request: {}",
        end.stdout
    );
    assert_eq!(left_in(&state.join("run")), Vec::<String>::new());
    assert!(http_get(address, "/").is_none(), "the port is free again");
}

#[test]
fn mc2_hands_every_message_over_and_ends_by_itself() {
    let end = Wasmpod::up("mc2-message-queue.yaml", &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    let said = |container: &str, word: &str| -> Vec<String> {
        let start = format!("mc2/{container}");
        let lines = end.stdout.lines().filter(|line| line.starts_with(&start));
        lines
            .filter_map(|line| Some(line.split_once(&format!("{word}: "))?.1.to_owned()))
            .collect()
    };
    let produced = said("producer", "Produced");
    let consumed = said("consumer", "Consumed");
    assert_eq!(produced.len(), 500);
    assert!(
        produced
            .iter()
            .all(|byte| u8::from_str_radix(byte, 16).is_ok()),
        "{produced:?}"
    );
    let (last, messages) = consumed.split_last().unwrap();
    assert_eq!(messages, produced);
    assert_eq!(last, "done");
    assert!(end.stderr.contains("mc2: Completed"), "{}", end.stderr);
}

#[test]
fn mc2_ends_well_when_the_consumer_comes_first() {
    let manifest = "\
apiVersion: v1
kind: Pod
metadata: {name: turned}
spec:
  restartPolicy: Never
  containers:
  - {name: consumer, image: allingeek/ch6_ipc, command: [./ipc, -consumer]}
  - {name: producer, image: allingeek/ch6_ipc, command: [./ipc, -producer]}
";
    let end = Wasmpod::up_text(manifest, &[]).run();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.stdout.matches("Consumed: ").count(), 501);
}

#[test]
fn mc3_proxies_to_localhost_and_shows_only_the_node_port() {
    let pod = Wasmpod::up("mc3-reverse-proxy.yaml", &["--publish", "0:mc3:80"]).start();
    let address = pod.published("mc3:80");
    let hello = |address| {
        eventually("the web app's answer", || {
            http_get(address, "/").filter(|answer| answer.status == 200)
        })
    };
    assert_eq!(hello(address).body, "Hello world!");
    assert_eq!(
        hello("127.0.0.1:31418".parse().unwrap()).body,
        "Hello world!"
    );
    // Only what is published has a listener on the host: the web app's port is not among them.
    let published: Vec<_> = pod
        .stderr
        .now()
        .lines()
        .filter(|line| line.starts_with("published "))
        .map(str::to_owned)
        .collect();
    assert_eq!(published.len(), 2, "{published:?}");
    assert!(
        published.iter().all(|line| line.ends_with(" -> mc3:80")),
        "{published:?}"
    );
    assert_eq!(pod.stop().code, Some(0));
}

#[test]
fn two_containers_share_a_page_and_the_helper_ends() {
    let pod = Wasmpod::up("two-containers.yaml", &["--publish", "0:two-containers:80"]).start();
    let address = pod.published("two-containers:80");
    let page = eventually("the helper's page", || {
        http_get(address, "/").filter(|page| page.status == 200 && !page.body.is_empty())
    });
    assert_eq!(page.body, "Hello from the debian container\n");
    pod.stderr
        .wait_until_contains("two-containers/debian-container: Completed");
    assert_eq!(pod.stop().code, Some(0));
}
