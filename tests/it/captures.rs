//! `wasmpod net`: sockets as ss(8) lists them, and traffic as Wireshark's dissectors read it.
//!
//! The dissectors are those of `tshark`, which is as necessary here as Wireshark is for a capture: a test without it fails
//! and says so. `tests/run` installs it, or leaves these tests out and says that.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use wasmpod_network::{
    AddressFamily, CaptureOptions, NAMESERVER, Network, PodNetworkConfig, Service, ServiceAddress,
    ServiceName,
};

use crate::support::{Output, Running, Wasmpod, eventually};

/// A web server, and a shell beside it.
const TWO: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: web, image: training/webapp}
  - name: client
    image: debian
    command: [sh, -c, 'until wget -qO- http://localhost:5000/?first; do sleep 0.1; done; echo asked; sleep 1000']
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

/// Wireshark has nothing to say against any packet, except that it warns of every reset.
fn is_sound(file: &Path) {
    let bad = "_ws.malformed || tcp.analysis.flags || (_ws.expert.severity >= 0x00600000 && !(tcp.flags.reset == 1)) || \
               ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
    let bad = tshark(
        file,
        bad,
        &["frame.number", "_ws.expert.message", "tcp.checksum.status"],
    );
    assert_eq!(bad, Vec::<Vec<String>>::new());
    let checked = "(ip.checksum.status == 1 || ipv6) && (tcp.checksum.status == 1 || udp.checksum.status == 1)";
    let number = &["frame.number"];
    assert_eq!(
        tshark(file, checked, number),
        tshark(file, "frame", number),
        "every checksum is there and good"
    );
}

#[test]
fn tshark_reads_requests_between_containers() {
    let pod = two();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pcapng");
    let capture = capture(&pod, &file, &[]);
    for path in ["/?second", "/?third"] {
        let url = format!("http://localhost:5000{path}");
        beside(&pod, &["wget", "-qO-", &url]);
    }
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
    assert_eq!(uris, ["/?second", "/?third"]);
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
        answers.iter().all(|row| row[..2] == ["web", "0x00000002"]),
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
    let said = tshark(&file, "frame", &["frame.number"]).len();
    assert!(
        end.stderr.contains(&format!("{said} packets captured")) && !end.stderr.contains("dropped"),
        "{end:?}"
    );
}

/// The library's own sockets, because the commands of images ask the host's resolver and no server.
#[tokio::test]
async fn tshark_reads_a_question_for_a_name_and_what_follows_from_its_answer() {
    let network = Network::new();
    let [web, client] = ["web", "client"].map(|hostname| {
        let pod = network.create_pod(PodNetworkConfig {
            hostname: hostname.to_owned(),
            namespace: "default".to_owned(),
            ..Default::default()
        });
        let pod = pod.unwrap();
        let container = pod.attach("c");
        (pod, container)
    });
    network.set_service(
        ServiceName {
            namespace: "default".to_owned(),
            name: "web".to_owned(),
        },
        Service {
            address: ServiceAddress::ClusterIp([10, 96, 0, 20].into()),
            affinity: None,
            endpoints: Vec::new(),
            ports: Vec::new(),
        },
    );
    let mut capture = client.0.capture(CaptureOptions::default()).unwrap();

    let name = "web.default.svc.cluster.local";
    let socket = client.1.udp_socket(AddressFamily::Ipv4).unwrap();
    for (id, name) in [(1, name), (2, "nobody.default.svc.cluster.local")] {
        let mut question = simple_dns::Packet::new_query(id);
        question.questions.push(simple_dns::Question::new(
            simple_dns::Name::new_unchecked(name),
            simple_dns::TYPE::A.into(),
            simple_dns::CLASS::IN.into(),
            false,
        ));
        let question = question.build_bytes_vec().unwrap().into();
        let to = (NAMESERVER, 53).into();
        socket.try_send_to(&question, Some(to)).unwrap();
        std::future::poll_fn(|cx| socket.poll_recv_ready(cx)).await;
        socket.try_recv_from(4096).unwrap();
    }
    // Over IPv4 to the other pod, where nobody listens, and then somebody; over IPv6 within the pod.
    let connect = |to: SocketAddr| {
        let socket = client.1.tcp_socket(AddressFamily::of(to.ip())).unwrap();
        socket.connect(to).unwrap();
        socket.try_connect()
    };
    let at_web: SocketAddr = (web.0.pod_ip(), 80).into();
    assert!(connect(at_web).is_err());
    let own: SocketAddr = "[::1]:8080".parse().unwrap();
    for (container, address) in [(&web.1, at_web), (&client.1, own)] {
        let listener = container
            .tcp_socket(AddressFamily::of(address.ip()))
            .unwrap();
        listener.bind(address).unwrap();
        listener.listen().unwrap();
        let near = connect(address).unwrap();
        let far = listener.try_accept().unwrap().stream().unwrap();
        near.try_write(&mut Bytes::from(vec![7; 150_000])).unwrap();
        while far.try_read(usize::MAX).is_ok_and(|part| !part.is_empty()) {}
        far.try_write(&mut Bytes::from_static(b"unread")).unwrap();
        drop((near, far));
    }
    client.0.close();
    let mut bytes = Vec::new();
    while let Some(part) = capture.next().await {
        bytes.extend_from_slice(&part);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.pcapng");
    std::fs::write(&file, bytes).unwrap();

    is_sound(&file);
    let fields = [
        "dns.qry.name",
        "dns.a",
        "dns.flags.rcode",
        "ip.src",
        "frame.packet_flags_direction",
    ];
    let (own, server) = (client.0.pod_ip().to_string(), "10.96.0.10");
    let (out, inward) = ("0x00000002", "0x00000001");
    let (known, unknown) = (name, "nobody.default.svc.cluster.local");
    assert_eq!(
        tshark(&file, "dns", &fields),
        [
            [known, "", "", &own, out],
            [known, "10.96.0.20", "0", server, inward],
            [unknown, "", "", &own, out],
            [unknown, "", "3", server, inward],
        ]
    );
    let resets = tshark(&file, "tcp.flags.reset == 1", &["tcp.stream", "ip.version"]);
    assert_eq!(resets.len(), 3, "{resets:?}");
    let bytes = |version: &str| -> usize {
        let filter = format!("tcp.len > 0 && {version}");
        let lengths = tshark(&file, &filter, &["tcp.len"]).into_iter();
        lengths.map(|row| row[0].parse::<usize>().unwrap()).sum()
    };
    assert_eq!((bytes("ip"), bytes("ipv6")), (150_006, 150_006));
}

#[test]
fn tshark_reads_captures_that_end_with_ctrl_c_with_their_count_or_are_piped() {
    let pod = two();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pcapng");
    let running = capture(&pod, &file, &["--port", "5000", "--snaplen", "96"]);
    beside(&pod, &["wget", "-qO-", "http://localhost:5000/?seen"]);
    eventually("the last packets in the file", || {
        let fins = tshark(&file, "tcp.flags.fin == 1", &["frame.number"]);
        (fins.len() == 2).then_some(())
    });
    let end = running.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains(" packets captured"), "{end:?}");

    let counted = capture(&pod, &file, &["-c", "4"]);
    beside(&pod, &["wget", "-qO-", "http://localhost:5000/?counted"]);
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
        beside(&pod, &["wget", "-qO-", "http://localhost:5000/?piped"]);
        piped.as_mut()?.has_ended().then(|| piped.take()).flatten()
    });
    let end: Output = end.wait();
    assert!(end.stdout.contains("/?piped"), "{end:?}");
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
