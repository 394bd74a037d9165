//! Who reaches whom: network policies and egress, with the whole program, real guests and a native server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::Wasmpod;

#[test]
fn a_policy_lets_in_whom_it_names_and_nobody_answers_the_others() {
    let host = Wasmpod::up("network-policy.yaml", &[]).start();
    for line in ["the database answers", "nobody answers"] {
        host.stdout
            .wait_for(line, |text| text.contains(line).then_some(()));
    }
    let listed = host.look(&["get", "netpol", "database"]);
    let cells: Vec<_> = listed
        .stdout
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(
        cells.get(..2),
        Some(&["database", "role=database"][..]),
        "{listed:?}"
    );
    let described = host.look(&["describe", "networkpolicy", "database"]);
    assert!(
        described.stdout.contains("To Port: http/TCP"),
        "{described:?}"
    );
    host.look_until(&["events", "--for", "pod/stranger"], |events| {
        events.stdout.contains("NetworkPolicyDenied")
    });

    let get = |pod: &str| {
        let url = "http://database/";
        host.look(&["exec", pod, "--", "wget", "-qO-", "-T", "2", url])
    };
    assert_eq!(get("frontend").code, Some(0));
    // What is forbidden from now on was allowed until now.
    let gone = host.look(&["delete", "networkpolicy", "database"]);
    assert_eq!(gone.code, Some(0), "{gone:?}");
    let denied = get("frontend");
    assert_ne!(denied.code, Some(0), "{denied:?}");
    // Without the rule that denies all the stranger is as good as any.
    host.look(&["delete", "networkpolicy", "default-deny-ingress"]);
    assert_eq!(get("stranger").code, Some(0));
    let end = host.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
}

const CLIENT: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - name: client
    image: busybox
    command: [sh, -c, 'echo up; while true; do sleep 3600; done']
";

/// A server of HTTP on the loopback of this machine, which answers every request with its text.
fn server(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = Vec::new();
            let mut part = [0; 1024];
            while !heard.ends_with(b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(length) if length > 0 => heard.extend(part.iter().take(length)),
                    _ => break,
                }
            }
            let length = text.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // A client that went away is its own affair.
            drop(stream.write_all(format!("{head}{text}").as_bytes()));
        }
    });
    port
}

#[test]
fn egress_reaches_what_was_allowed_and_an_event_says_what_would_allow_the_rest() {
    let (allowed, other) = (server("from the machine"), server("secret"));
    let rule = format!("127.0.0.1/32:{allowed}");
    let host = Wasmpod::up_text(CLIENT, &["--allow-egress", &rule]).start();
    host.stdout
        .wait_for("the client", |text| text.contains("up").then_some(()));
    let get = |to: &str| {
        let url = format!("http://{to}/");
        host.look(&["exec", "client", "--", "wget", "-qO-", "-T", "5", &url])
    };
    for name in [
        "host.containers.internal",
        "host.docker.internal",
        "10.244.0.1",
    ] {
        let answer = get(&format!("{name}:{allowed}"));
        assert_eq!(answer.stdout, "from the machine", "{name}: {answer:?}");
    }
    for to in [
        format!("host.containers.internal:{other}"),
        format!("127.0.0.1:{allowed}"),
        "192.0.2.1:80".to_owned(),
        "example.com:80".to_owned(),
    ] {
        let begin = Instant::now();
        let refused = get(&to);
        assert_ne!(refused.code, Some(0), "{to}: {refused:?}");
        assert!(!refused.stdout.contains("secret"), "{to}");
        assert!(begin.elapsed() < Duration::from_secs(40), "{to}");
    }
    let events = host.look_until(&["events", "--for", "pod/client"], |events| {
        events.stdout.contains("--allow-egress example.com:PORT")
    });
    for hint in [
        format!("127.0.0.1/32:{other}"),
        "192.0.2.1/32:80".to_owned(),
    ] {
        let hint = format!("--allow-egress {hint}");
        assert!(events.stdout.contains(&hint), "{hint}: {events:?}");
    }

    let end = host.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn a_rule_that_is_none_is_wrong_usage_and_says_why() {
    for (rule, expected) in [
        ("example.com", "has no port"),
        ("localhost:80", "127.0.0.1/32:PORT"),
        ("2001:db8::1:80", "brackets"),
    ] {
        let refused = Wasmpod::up_text(CLIENT, &["--allow-egress", rule]).run();
        assert_eq!(refused.code, Some(2), "{rule}: {refused:?}");
        assert!(refused.stderr.contains(expected), "{rule}: {refused:?}");
    }
}

#[test]
fn without_a_rule_no_pod_reaches_this_machine() {
    let port = server("secret");
    let host = Wasmpod::up_text(CLIENT, &[]).start();
    host.stdout
        .wait_for("the client", |text| text.contains("up").then_some(()));
    let url = format!("http://10.244.0.1:{port}/");
    let refused = host.look(&["exec", "client", "--", "wget", "-qO-", "-T", "5", &url]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(refused.stdout, "");
    assert_eq!(host.stop().code, Some(0));
}
