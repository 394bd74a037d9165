//! Pods that reach each other, by addresses, names and Services: the whole program with real threads.

use std::collections::BTreeSet;

use crate::support::{Wasmpod, eventually, http_get};

/// The names that the client of the example has seen answer under `name`.
fn answered(output: &str, name: &str) -> BTreeSet<String> {
    let start = format!("{name}: Hostname: ");
    let lines = output.lines();
    lines
        .filter_map(|line| Some(line.split_once(&start)?.1.trim().to_owned()))
        .collect()
}

#[test]
fn a_client_reaches_three_replicas_by_every_name_and_so_does_the_host() {
    let host = Wasmpod::up("services.yaml", &[]).start();
    for name in ["web", "web-pods:8080", "shop"] {
        host.stdout
            .wait_for(&format!("three pods as {name}"), |text| {
                (answered(text, name).len() == 3).then_some(())
            });
    }
    let replicas = answered(&host.stdout.now(), "web");
    assert!(
        replicas.iter().all(|name| name.starts_with("web-")),
        "{replicas:?}"
    );

    // The NodePort was given out; it leads to all of them as well.
    let line = host.stderr.wait_for("a published port", |text| {
        let line = text.lines().find(|line| line.starts_with("published "))?;
        Some(line.to_owned())
    });
    let address = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut seen = BTreeSet::new();
    eventually("all replicas behind the NodePort", || {
        let body = http_get(address, "/")?.body;
        seen.insert(
            body.lines()
                .last()?
                .trim_start_matches("Hostname: ")
                .to_owned(),
        );
        (seen.len() == 3).then_some(())
    });
    assert_eq!(seen, replicas);

    // No pod has a way out.
    let out = [
        "exec",
        "client",
        "--",
        "wget",
        "-qO-",
        "http://93.184.216.34/",
    ];
    let refused = host.look(&out);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let name = ["exec", "client", "--", "nslookup", "example.com"];
    assert!(host.look(&name).stdout.contains("NXDOMAIN"));

    // A pod that goes is no endpoint any more, and nobody waits for it.
    let gone = replicas.first().unwrap();
    let deleted = host.look(&["delete", "pod", gone]);
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    for _ in 0..30 {
        let body = http_get(address, "/").map(|answer| answer.body);
        let body = body.unwrap_or_default();
        assert!(!body.contains(gone.as_str()), "{body}");
    }
    let end = host.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(http_get(address, "/").is_none(), "the port is free again");
}
