//! `wasmpod net`: sockets as ss(8) lists them, and traffic as Wireshark's dissectors read it.
//!
//! The dissectors are those of `tshark`, which is as necessary here as Wireshark is for a capture: a test without it fails
//! and says so. `tests/run` installs it, or leaves these tests out and says that.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Output, Running, Wasmpod, eventually};

/// A web server, and a shell beside it. The shell's container has the DNS server of the cluster.
const TWO: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: web, image: google-samples/hello-app, env: [{name: PORT, value: '5000'}]}
  - name: client
    image: debian
    command: [sh, -c, 'until wget -qO- http://localhost:5000/first; do sleep 0.1; done; echo asked; sleep 1000']
";

fn two() -> Running {
    let pod = Wasmpod::up_text(TWO, &[]).start();
    pod.stdout.wait_until_contains("asked");
    pod
}

/// Runs a command beside the client, which must succeed.
fn beside(pod: &Running, command: &[&str]) -> String {
    let end = pod.look(&[&["exec", "two", "-c", "client", "--"], command].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
    end.stdout
}

/// A capture that has begun.
fn capture(pod: &Running, file: &Path, args: &[&str]) -> Running {
    let path = file.to_str().unwrap();
    let words = ["net", "capture", "two", "-w", path];
    let capture = Wasmpod::new(&[&words, args].concat())
        .state(&pod.state())
        .start();
    capture.stderr.wait_until_contains("capturing pod/two");
    capture
}

/// What the dissectors say of a file: the fields of each packet that `filter` lets through. Checksums are checked.
fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(file);
    for preference in [
        "ip.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
    ] {
        command.args(["-o", preference]);
    }
    command.args(["-d", "tcp.port==5000,http", "-Y", filter]);
    command.args(["-T", "fields", "-E", "separator=/t"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.stdin(Stdio::null()).output();
    assert!(
        output.is_ok(),
        "tshark (Debian's package `tshark`) runs: {output:?}"
    );
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(!errors.contains("cut short"), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// Wireshark has nothing to say against any packet.
fn is_sound(file: &Path) {
    let bad = "_ws.malformed || _ws.expert.severity >= 0x00600000 || tcp.analysis.flags || \
               ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
    let bad = tshark(
        file,
        bad,
        &["frame.number", "_ws.expert.message", "tcp.checksum.status"],
    );
    assert_eq!(bad, Vec::<Vec<String>>::new());
    let checked = "ip && (tcp.checksum.status == 1 || udp.checksum.status == 1)";
    let number = &["frame.number"];
    assert_eq!(
        tshark(file, checked, number),
        tshark(file, "frame", number),
        "every checksum is there and good"
    );
}

#[test]
fn tshark_reads_a_request_between_containers_and_a_question_for_a_name() {
    let pod = two();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pcapng");
    let capture = capture(&pod, &file, &[]);
    for path in ["/second", "/third"] {
        let url = format!("http://localhost:5000{path}");
        beside(&pod, &["wget", "-qO-", &url]);
    }
    let question = pod.look(&[
        "exec",
        "two",
        "-c",
        "client",
        "--",
        "nslookup",
        "nobody.default.svc.cluster.local",
    ]);
    assert!(question.stdout.contains("NXDOMAIN"), "{question:?}");
    // The capture ends with the pod, whole.
    let deleted = pod.look(&["delete", "pod", "two"]);
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    let end = capture.wait();
    assert_eq!(end.code, Some(0), "{end:?}");

    is_sound(&file);
    let requests = tshark(
        &file,
        "http.request",
        &["http.request.uri", "tcp.stream", "frame.interface_name"],
    );
    let uris: Vec<_> = requests.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(uris, ["/second", "/third"]);
    assert_ne!(requests[0][1], requests[1][1], "two connections");
    assert!(requests.iter().all(|row| row[2] == "client"));
    let answers = tshark(
        &file,
        "http.response",
        &[
            "frame.interface_name",
            "frame.packet_flags_direction",
            "http.response.code",
        ],
    );
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(
        // Outgoing; the notation is that of the version.
        answers
            .iter()
            .all(|row| row[0] == "web" && ["2", "0x00000002"].contains(&row[1].as_str())),
        "{answers:?}"
    );
    // Each connection is there from its first packet to its last.
    for stream in requests.iter().map(|row| &row[1]) {
        let flags = |filter: &str| {
            let filter = format!("tcp.stream == {stream} && {filter}");
            tshark(&file, &filter, &["frame.number"]).len()
        };
        assert_eq!(flags("tcp.flags.syn == 1"), 2);
        assert_eq!(flags("tcp.flags.fin == 1"), 2);
        assert_eq!(flags("tcp.seq == 0 && tcp.flags.ack == 0"), 1);
    }
    let names = tshark(
        &file,
        "dns",
        &[
            "dns.qry.name",
            "dns.flags.response",
            "ip.addr",
            "frame.interface_name",
        ],
    );
    let name = "nobody.default.svc.cluster.local";
    let of = |response: &str| {
        let rows = names.iter();
        rows.filter(|row| row[0] == name && ["0", "1", "True", "False"].contains(&row[1].as_str()))
            .filter(|row| row[1] == response)
            .count()
    };
    assert!(of("0") >= 1 && of("0") == of("1"), "{names:?}");
    assert!(
        names
            .iter()
            .all(|row| row[2].contains("10.96.0.10") && row[3] == "client"),
        "{names:?}"
    );
    let said = tshark(&file, "frame", &["frame.number"]).len();
    assert!(
        end.stderr.contains(&format!("{said} packets captured")) && !end.stderr.contains("dropped"),
        "{end:?}"
    );
}

#[test]
fn tshark_reads_captures_that_end_with_ctrl_c_with_their_count_or_are_piped() {
    let pod = two();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pcapng");
    let running = capture(&pod, &file, &["--port", "5000", "--snaplen", "96"]);
    beside(&pod, &["wget", "-qO-", "http://localhost:5000/seen"]);
    eventually("the last packets in the file", || {
        let fins = tshark(&file, "tcp.flags.fin == 1", &["frame.number"]);
        (fins.len() == 2).then_some(())
    });
    let end = running.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains(" packets captured"), "{end:?}");

    let counted = capture(&pod, &file, &["-c", "4"]);
    beside(&pod, &["wget", "-qO-", "http://localhost:5000/counted"]);
    let end = counted.wait();
    assert!(end.stderr.contains("4 packets captured"), "{end:?}");
    assert_eq!(tshark(&file, "frame", &["frame.number"]).len(), 4);

    let words = [
        "net",
        "capture",
        "two",
        "-w",
        "-",
        "-c",
        "11",
        "--container",
        "web",
    ];
    let pipe = "echo begun >&2; \"$0\" \"$@\" | tshark -n -d tcp.port==5000,http -r - -T fields -e http.request.uri";
    let piped = Wasmpod::new(&words)
        .state(&pod.state())
        .under(&["sh", "-c", pipe])
        .start();
    // It cannot be seen from outside when it has begun: asked again until it has all.
    let mut piped = Some(piped);
    let end = eventually("the piped capture", || {
        beside(&pod, &["wget", "-qO-", "http://localhost:5000/piped"]);
        piped.as_mut()?.has_ended().then(|| piped.take()).flatten()
    });
    let end: Output = end.wait();
    assert!(end.stdout.contains("/piped"), "{end:?}");
}

#[test]
fn what_cannot_be_captured_is_said_as_kubectl_would() {
    let pod = two();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.pcapng");
    let path = file.to_str().unwrap();
    for (args, message) in [
        (
            &["none", "-w", path][..],
            "Error from server (NotFound): pods \"none\" not found",
        ),
        (
            &["two", "-w", path, "--container", "c"],
            "container c is not valid for pod two",
        ),
        (&["two", "-w", "/nowhere/x"], "cannot write `/nowhere/x`"),
    ] {
        let end = pod.look(&[&["net", "capture"], args].concat());
        assert_eq!(end.code, Some(1), "{args:?}: {end:?}");
        assert!(end.stderr.contains(message), "{end:?}");
    }
    assert!(!file.exists(), "no file for nothing");
    let none = pod.look(&["net", "ls", "none"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("pods \"none\" not found"), "{none:?}");
}

#[test]
fn the_sockets_of_a_pod_are_listed() {
    let pod = two();
    let end = pod.look(&["net", "ls", "pod/two"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let rows: Vec<Vec<&str>> = end
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][..4], ["Netid", "State", "Recv-Q", "Send-Q"]);
    let listener = rows.iter().find(|row| row[1] == "LISTEN").unwrap();
    assert_eq!(listener[0], "tcp");
    assert!(
        listener[4].ends_with(":5000") && listener[5].ends_with(":*"),
        "{rows:?}"
    );
    assert_eq!(listener[6], "web");
    let sums = pod.look(&["net", "ls", "two", "-s"]);
    let client = sums.stdout.lines().find(|line| line.starts_with("client"));
    let words: Vec<_> = client.unwrap().split_whitespace().collect();
    assert_eq!(words[1], "tcp");
    // The connection of the first request is closed, and counts.
    assert!(words[3].parse::<u32>().unwrap() >= 1, "{sums:?}");
    for format in ["json", "yaml"] {
        let end = pod.look(&["net", "ls", "two", "-o", format]);
        assert!(end.stdout.contains("PodNet"), "{end:?}");
    }
}
