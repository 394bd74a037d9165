//! A second terminal: verbs on the pods that another process runs, with what kubectl's users expect to read.

use crate::support::{Output, Running, Wasmpod, example};

/// The four pods' first two in one process, and a web page.
fn two_pods() -> Running {
    let second = example("mc2-message-queue.yaml");
    Wasmpod::up("mc1-shared-volume.yaml", &["-f", second.to_str().unwrap()]).start()
}

const SLEEPER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: sleeper, labels: {app: sleeper, tier: back}}
spec:
  initContainers:
  - {name: first, image: debian, command: [sh, -c, 'echo from first']}
  containers:
  - name: a
    image: debian
    command: [sh, -c, 'for n in 1 2 3; do echo line $n; done; echo ready > /tmp/ready; sleep 1000']
    env: [{name: COLOR, value: red}]
    readinessProbe: {exec: {command: [test, -f, /tmp/ready]}, periodSeconds: 1}
  - {name: b, image: debian, command: [sh, -c, 'sleep 1000']}
";

fn sleeper() -> Running {
    let pod = Wasmpod::up_text(SLEEPER, &[]).start();
    let ready = [
        "wait",
        "pod/sleeper",
        "--for=condition=Ready",
        "--timeout=50s",
    ];
    let end = pod.look_until(&ready, |end| end.code == Some(0));
    assert_eq!(end.stdout, "pod/sleeper condition met\n");
    pod
}

/// The words of each line of a table.
fn words(table: &str) -> Vec<Vec<&str>> {
    let lines = table.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[track_caller]
fn succeeded(end: &Output) {
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn the_transcripts_of_the_first_pods_replay() {
    let state = tempfile::tempdir().unwrap();
    let watch = Wasmpod::new(&["get", "pods", "-w"])
        .state(state.path())
        .start();
    watch.stderr.wait_until_contains("waiting for one");
    let second = example("mc2-message-queue.yaml");
    let pods = Wasmpod::up("mc1-shared-volume.yaml", &["-f", second.to_str().unwrap()])
        .state(state.path())
        .start();

    // Pending, ContainerCreating, Running, Completed with READY 0/2.
    let states = watch.stdout.wait_for("mc2 Completed", |text| {
        let rows = words(text);
        let mc2 = rows.iter().filter(|row| row.first() == Some(&"mc2"));
        let states: Vec<_> = mc2
            .map(|row| (row[1].to_owned(), row[2].to_owned()))
            .collect();
        (states.last()?.1 == "Completed").then_some(states)
    });
    // While one of the two has completed, the pod is NotReady; it may be too short to be seen.
    let seen = states.iter().map(|(_, state)| state.as_str());
    let mut seen: Vec<_> = seen.filter(|state| *state != "NotReady").collect();
    seen.dedup();
    assert_eq!(
        seen,
        ["Pending", "ContainerCreating", "Running", "Completed"],
        "{states:?}"
    );
    assert_eq!(states.last().unwrap().0, "0/2");
    let head = watch.stdout.now().lines().next().unwrap().to_owned();
    assert_eq!(
        words(&head),
        [["NAME", "READY", "STATUS", "RESTARTS", "AGE"]]
    );

    let logs = pods.look(&["logs", "mc2", "-c", "consumer"]);
    succeeded(&logs);
    assert!(logs.stdout.ends_with("Consumed: done\n"), "{}", logs.stdout);
    assert_eq!(logs.stdout.matches("Consumed: ").count(), 501);

    // Both containers see the same page; it grows, so the one that is read first is the beginning of the other.
    let page = |container: &str, path: &str| {
        let cat = ["exec", "mc1", "-c", container, "--", "/bin/cat", path];
        let end = pods.look_until(&cat, |end| !end.stdout.is_empty());
        succeeded(&end);
        end.stdout
    };
    let first = page("1st", "/usr/share/nginx/html/index.html");
    let second = page("2nd", "/html/index.html");
    assert!(second.starts_with(&first), "{first:?} {second:?}");

    assert_eq!(pods.stop().code, Some(0));
    let watched = watch.wait();
    succeeded(&watched);
}

#[test]
fn get_shows_objects_in_every_form() {
    let pods = two_pods();
    let settled = |end: &Output| end.stdout.contains("Completed") && end.stdout.contains("2/2");
    let table = pods.look_until(&["get", "pods"], settled);
    let rows = words(&table.stdout);
    assert_eq!(rows[0], ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
    assert_eq!(rows[1][..4], ["mc1", "2/2", "Running", "0"]);
    assert_eq!(rows[2][..4], ["mc2", "0/2", "Completed", "0"]);
    assert_eq!(rows.len(), 3);

    let names = pods.look(&["get", "po", "-o", "name"]);
    assert_eq!(names.stdout, "pod/mc1\npod/mc2\n");
    let wide = pods.look(&["get", "pod/mc1", "-o", "wide", "--no-headers"]);
    assert!(
        words(&wide.stdout)[0].contains(&"wasmpod"),
        "{}",
        wide.stdout
    );
    let everywhere = pods.look(&["get", "po", "-A"]);
    assert_eq!(words(&everywhere.stdout)[1][..2], ["default", "mc1"]);
    let one = pods.look(&["get", "pod", "mc2", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(json["kind"], "Pod");
    assert_eq!(json["status"]["phase"], "Succeeded");
    let yaml = pods.look(&["get", "pod", "mc2", "-o", "yaml"]);
    assert!(
        yaml.stdout
            .starts_with("apiVersion: v1\nkind: Pod\nmetadata:\n"),
        "{}",
        yaml.stdout
    );
    assert!(
        yaml.stdout.contains("\n  phase: Succeeded\n"),
        "{}",
        yaml.stdout
    );
    let path = pods.look(&["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
    assert_eq!(path.stdout, "mc1 mc2");
    let running = pods.look(&[
        "get",
        "po",
        "--field-selector",
        "status.phase=Running",
        "-o",
        "name",
    ]);
    assert_eq!(running.stdout, "pod/mc1\n");
    let nodes = pods.look(&["get", "nodes", "-o", "name"]);
    assert_eq!(nodes.stdout, "node/wasmpod\n");
}

#[test]
fn what_is_not_there_is_said_in_kubectls_words() {
    let pods = sleeper();
    let missing = pods.look(&["get", "pod", "x"]);
    assert_eq!(
        (missing.code, missing.stderr.as_str()),
        (
            Some(1),
            "Error from server (NotFound): pods \"x\" not found\n"
        )
    );
    let nothing = pods.look(&["get", "deploy"]);
    assert_eq!(
        (
            nothing.code,
            nothing.stdout.as_str(),
            nothing.stderr.as_str()
        ),
        (Some(0), "", "No resources found in default namespace.\n")
    );
    let unknown = pods.look(&["get", "things"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .stderr
            .contains("the server doesn't have a resource type \"things\""),
        "{}",
        unknown.stderr
    );
    let container = pods.look(&["logs", "sleeper", "-c", "x"]);
    assert_eq!(container.code, Some(1));
    assert_eq!(
        container.stderr,
        "error: container x is not valid for pod sleeper\n"
    );
}

#[test]
fn without_a_running_wasmpod_the_way_to_start_one_is_told() {
    let state = tempfile::tempdir().unwrap();
    for args in [
        &["get", "pods"][..],
        &["logs", "web"],
        &["describe", "pod", "web"],
    ] {
        let end = Wasmpod::new(args).state(state.path()).run();
        assert_eq!(end.code, Some(1), "{args:?}");
        assert!(
            end.stderr.starts_with("error: no wasmpod runs pods here"),
            "{}",
            end.stderr
        );
        assert!(
            end.stderr
                .contains("hint: start pods in another terminal with `wasmpod up")
        );
    }
}

#[test]
fn describe_tells_all_of_a_pod() {
    let pods = sleeper();
    let end = pods.look(&["describe", "pod", "sleeper"]);
    succeeded(&end);
    for part in [
        "Name:             sleeper\n",
        "Namespace:        default\n",
        "Node:             wasmpod/",
        "Labels:           app=sleeper\n                  tier=back\n",
        "Status:           Running\n",
        "Init Containers:\n  first:\n",
        "    State:          Terminated\n      Reason:       Completed\n      Exit Code:    0\n",
        "Containers:\n  a:\n",
        "    State:          Running\n",
        "    Readiness:  exec [test -f /tmp/ready]",
        "      COLOR:  red\n",
        "Conditions:\n",
        "QoS Class:",
        "Events:\n  Type",
        "Started",
    ] {
        let (text, part) = (squeezed(&end.stdout), squeezed(part));
        assert!(text.contains(&part), "{part:?} in\n{}", end.stdout);
    }
    // The beginning of a name is enough.
    assert_eq!(
        pods.look(&["describe", "po", "sleep", "--show-events=false"])
            .code,
        Some(0)
    );
}

/// With single spaces: how wide columns are is another test's matter.
fn squeezed(text: &str) -> String {
    let lines = text.lines();
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn logs_are_cut_as_asked() {
    let pods = sleeper();
    let all = pods.look(&["logs", "sleeper"]);
    assert_eq!(all.stdout, "line 1\nline 2\nline 3\n");
    assert_eq!(
        all.stderr,
        "Defaulted container \"a\" out of: a, b, first (init)\n"
    );
    let tail = pods.look(&["logs", "sleeper", "-c", "a", "--tail=1"]);
    assert_eq!(
        (tail.stdout.as_str(), tail.stderr.as_str()),
        ("line 3\n", "")
    );
    let bytes = pods.look(&["logs", "sleeper", "a", "--limit-bytes=8"]);
    assert_eq!(bytes.stdout, "line 1\nl");
    let timed = pods.look(&["logs", "sleeper", "-c", "first", "--timestamps"]);
    let (time, text) = timed.stdout.split_once(' ').unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    assert_eq!(text, "from first\n");
    let every = pods.look(&[
        "logs",
        "sleeper",
        "--all-containers",
        "--prefix",
        "--tail=1",
    ]);
    assert_eq!(
        every.stdout,
        "[pod/sleeper/first] from first\n[pod/sleeper/a] line 3\n"
    );
    let selected = pods.look(&["logs", "-l", "app=sleeper", "-c", "a", "--tail=2"]);
    assert_eq!(selected.stdout, "line 2\nline 3\n");
    let previous = pods.look(&["logs", "sleeper", "-c", "a", "-p"]);
    assert_eq!(previous.code, Some(1), "{previous:?}");
    assert!(
        previous
            .stderr
            .contains("previous terminated container \"a\""),
        "{}",
        previous.stderr
    );
}

#[test]
fn a_followed_log_ends_with_its_container() {
    let waits = "while [ ! -f /tmp/go ]; do sleep 0.1; done; echo last']\n    env";
    let manifest = SLEEPER.replace("sleep 1000']\n    env", waits);
    let pods = Wasmpod::up_text(&manifest, &[]).start();
    pods.look_until(&["logs", "sleeper", "-c", "a"], |end| {
        end.stdout.contains("line 3")
    });
    let follow = Wasmpod::new(&["logs", "-f", "sleeper", "-c", "a"])
        .state(&pods.state())
        .start();
    follow.stdout.wait_until_contains("line 3");
    succeeded(&pods.look(&[
        "exec",
        "sleeper",
        "-c",
        "a",
        "--",
        "sh",
        "-c",
        "echo > /tmp/go",
    ]));
    follow.stdout.wait_until_contains("last");
    // The container runs again, and its first log is over.
    succeeded(&follow.wait());
    let previous = pods.look_until(&["logs", "-p", "sleeper", "-c", "a"], |end| {
        end.code == Some(0)
    });
    assert!(previous.stdout.ends_with("last\n"), "{previous:?}");
}

#[test]
fn exec_carries_streams_and_the_exit_code() {
    let pods = sleeper();
    let exec = |args: &[&str], input: Option<&[u8]>| {
        let exec = Wasmpod::new(&[&["exec", "sleeper", "-c", "a"], args].concat());
        let exec = exec.state(&pods.state());
        match input {
            Some(input) => exec.stdin(input).run(),
            None => exec.run(),
        }
    };
    let both = exec(&["--", "sh", "-c", "echo out; echo err >&2; exit 42"], None);
    assert_eq!(both.code, Some(42));
    assert_eq!(both.stdout, "out\n");
    assert_eq!(both.stderr, "err\ncommand terminated with exit code 42\n");
    let env = exec(&["--", "sh", "-c", "echo $COLOR"], None);
    assert_eq!(env.stdout, "red\n");
    let input = exec(&["-i", "--", "cat"], Some(b"one\ntwo"));
    assert_eq!((input.code, input.stdout.as_str()), (Some(0), "one\ntwo"));
    let large = vec![b'x'; 1 << 20];
    let counted = exec(&["-i", "--", "sh", "-c", "wc -c"], Some(&large));
    assert_eq!(
        counted.stdout.trim(),
        large.len().to_string(),
        "{counted:?}"
    );
    let missing = exec(&["--", "no-such-program"], None);
    assert!(
        missing.code != Some(0) && missing.stderr.contains("no-such-program"),
        "{missing:?}"
    );
}

#[test]
fn delete_ends_a_pod_and_what_ran_it() {
    let pods = sleeper();
    let refused = pods.look(&["delete", "pods"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("no name was specified"),
        "{}",
        refused.stderr
    );
    let dry = pods.look(&["delete", "pod", "sleeper", "--dry-run=client"]);
    assert_eq!(dry.stdout, "pod \"sleeper\" deleted (dry run)\n");
    let deleted = pods.look(&["delete", "pod", "sleeper", "--now"]);
    assert_eq!(
        (deleted.code, deleted.stdout.as_str()),
        (Some(0), "pod \"sleeper\" deleted\n")
    );
    let end = pods.wait();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("sleeper: deleted"), "{}", end.stderr);
}

#[test]
fn wait_gives_up_in_time() {
    let pods = sleeper();
    let end = pods.look(&[
        "wait",
        "pod/sleeper",
        "--for=condition=Lost",
        "--timeout=100ms",
    ]);
    assert_eq!(end.code, Some(1));
    assert_eq!(
        end.stderr,
        "error: timed out waiting for the condition on pods/sleeper\n"
    );
    let phase = pods.look(&[
        "wait",
        "po",
        "sleeper",
        "--for=jsonpath={.status.phase}=Running",
    ]);
    assert_eq!(phase.stdout, "pod/sleeper condition met\n");
    let gone = pods.look(&["wait", "pod/x", "--for=delete"]);
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(0), ""));
}

#[test]
fn events_and_usage_are_shown() {
    let pods = sleeper();
    let events = pods.look(&["events", "--for", "pod/sleeper"]);
    succeeded(&events);
    assert!(events.stdout.starts_with("LAST SEEN"), "{}", events.stdout);
    assert!(events.stdout.contains("Started") && events.stdout.contains("Pod/sleeper"));
    let none = pods.look(&["events", "--types=Warning", "--for", "pod/none"]);
    assert_eq!(none.stderr, "No events found in default namespace.\n");
    let top = pods.look_until(&["top", "pod", "--containers"], |end| {
        end.code == Some(0) && !end.stdout.is_empty()
    });
    let rows = words(&top.stdout);
    assert_eq!(rows[0], ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]);
    assert_eq!(rows[1][..2], ["sleeper", "a"]);
    assert!(
        rows[1][2].ends_with('m') && rows[1][3].ends_with("Mi"),
        "{rows:?}"
    );
}

/// A producer without a consumer: its queue is full after ten messages, and it waits.
const PRODUCER: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: mc2
  annotations: {wasmpod.dev/ipc-limits: 'fs.mqueue.queues_max=3'}
spec:
  securityContext: {sysctls: [{name: kernel.msgmni, value: '5'}]}
  containers:
  - {name: producer, image: allingeek/ch6_ipc, command: [./ipc, -producer]}
";

#[test]
fn ipc_ls_shows_the_objects_of_a_pod() {
    let pod = Wasmpod::up_text(PRODUCER, &[]).start();
    let end = pod.look_until(&["ipc", "ls", "mc2"], |end| {
        let rows = words(&end.stdout);
        end.code == Some(0) && rows.get(2).is_some_and(|row| row.get(4) == Some(&"1"))
    });
    let rows = words(&end.stdout);
    assert_eq!(
        end.stdout.lines().next(),
        Some("------ POSIX Message Queues --------")
    );
    assert_eq!(
        rows[1][..5],
        ["NAME", "MESSAGES", "BYTES", "READERS", "WRITERS"]
    );
    assert_eq!(rows[2][..2], ["/ch6_ipc", "10"], "{rows:?}");
    assert_eq!(rows[2][3..], ["0", "1", "producer", "<none>"], "{rows:?}");
    let json = pod.look(&["ipc", "ls", "pod/mc2", "-o", "json"]);
    succeeded(&json);
    let listing: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(listing["messageQueues"][0]["maxMessages"], 10);
    let none = pod.look(&["ipc", "ls", "none"]);
    assert_eq!(none.code, Some(1), "{none:?}");
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: c, image: debian, command: [sh, -c, 'echo hello; sleep 1000']}
";

#[test]
fn the_pods_of_a_deployment_come_and_go() {
    let pods = Wasmpod::up_text(DEPLOYMENT, &[]).start();
    let names = |end: &Output| -> Vec<String> { end.stdout.lines().map(str::to_owned).collect() };
    let get = ["get", "pods", "-l", "app=web", "-o", "name"];
    pods.look_until(&["get", "deploy", "web"], |end| end.stdout.contains("2/2"));
    let first = names(&pods.look(&get));
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(
        pods.stderr.now().contains("of deployment/web: "),
        "{}",
        pods.stderr.now()
    );
    assert_eq!(
        pods.stderr.now().matches("run on this one machine").count(),
        1
    );

    let logs = pods.look(&["logs", "deploy/web"]);
    assert_eq!(logs.stdout, "hello\n");
    assert!(
        logs.stderr.starts_with("Found 2 pods, using pod/web-"),
        "{}",
        logs.stderr
    );

    succeeded(&pods.look(&["delete", &first[0]]));
    let then = pods.look_until(&get, |end| {
        let now = names(end);
        now.len() == 2 && !now.contains(&first[0])
    });
    let fresh = names(&then)
        .into_iter()
        .find(|name| !first.contains(name))
        .unwrap();
    // The log of the new pod joins those of the others.
    let prefix = format!("{}/c", fresh.trim_start_matches("pod/"));
    pods.stdout.wait_until_contains(&prefix);

    let all = pods.look(&["get", "all"]);
    for title in ["pod/web-", "deployment.apps/web", "replicaset.apps/web-"] {
        assert!(all.stdout.contains(title), "{title}: {}", all.stdout);
    }
    succeeded(&pods.look(&["delete", "deploy", "web"]));
    let end = pods.wait();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn the_pods_of_several_wasmpods_are_listed_together() {
    let one = sleeper();
    let two = Wasmpod::up_text(&SLEEPER.replace("name: sleeper", "name: another"), &[])
        .state(&one.state())
        .start();
    let names = one.look_until(&["get", "pods", "-o", "name"], |end| {
        end.stdout.lines().count() == 2
    });
    assert_eq!(names.stdout, "pod/another\npod/sleeper\n");
    let nodes = one.look(&["get", "nodes", "--no-headers"]);
    assert_eq!(nodes.stdout.lines().count(), 1, "{}", nodes.stdout);
    succeeded(&one.look(&["describe", "pod", "another"]));
    drop(two);
}

const READER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: busybox, command: [sh, -c, 'cat; echo over'], stdin: true, stdinOnce: true}
";

#[test]
fn attach_feeds_a_program_whose_input_ends_with_its_first_client() {
    let pod = Wasmpod::up_text(READER, &[]).start();
    pod.look_until(&["wait", "pod/reader", "--for=condition=Ready"], |end| {
        end.code == Some(0)
    });
    let attached = Wasmpod::new(&["attach", "-i", "reader"])
        .state(&pod.state())
        .stdin(b"fed by attach\n")
        .run();
    succeeded(&attached);
    assert_eq!(attached.stdout, "fed by attach\nover\n", "{attached:?}");
    succeeded(&pod.wait());
}

#[test]
fn a_command_beside_a_server_can_end_it_well() {
    let manifest = "\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {restartPolicy: Never, containers: [{name: c, image: nginx}]}
";
    let pod = Wasmpod::up_text(manifest, &[]).start();
    pod.look_until(&["wait", "pod/web", "--for=condition=Ready"], |end| {
        end.code == Some(0)
    });
    pod.look(&["exec", "web", "--", "nginx", "-s", "quit"]);
    let end = pod.wait();
    succeeded(&end);
}
