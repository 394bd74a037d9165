//! What guests see of signals: a stop within its grace period, `kill` from a command beside the container, traps.
//!
//! The guests are programs of every kind: a component and a core module on the library for guests, the shell, nginx.

use std::time::Duration;

use serde_json::{Value, json};
use wasmpod_manifest::k8s::PodStatus;

use crate::pod::{Pod, guest, play};
use crate::script::{ended, pod, shell, with};

/// The guest on the library, in both its forms.
const FORMS: [&str; 2] = ["lifecycle", "lifecycle-core"];

/// How long a container may take to get to where it waits.
const MOMENT: Duration = Duration::from_secs(1);

/// A pod with one container `c`, which had its moment.
async fn started(container: Value) -> Pod {
    let spec = json!({
        "os": {"name": "linux"},
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "containers": [with(container, json!({"name": "c"}))],
    });
    let pod = Pod::start(&pod(&spec)).await;
    pod.is_ready().await;
    pod.pause(MOMENT).await;
    pod
}

fn program(form: &str, args: &[&str]) -> Value {
    json!({"image": guest(form), "args": args})
}

/// Deletes the pod; how long that took, and what was left of it.
async fn deleted(pod: &Pod) -> (Duration, PodStatus) {
    let begun = pod.elapsed();
    pod.delete(None).await;
    let status = pod.gone().await;
    (pod.elapsed() - begun, status)
}

fn code(status: &PodStatus) -> i32 {
    ended(status, "c").exit_code
}

#[test]
fn components_and_core_modules_are_told_of_the_stop_and_finish_within_the_grace_period() {
    play(async {
        for form in FORMS {
            let pod = started(program(form, &["drain", "5", "7"])).await;
            let (took, status) = deleted(&pod).await;
            assert_eq!((took.as_secs(), code(&status)), (5, 7), "{form}");
            let log = pod.log("c").await;
            let asked = r#"asked by Some("SIGTERM"), left Some("#;
            let expected = format!("working\n{asked}\"30 s\")\n{asked}\"25 s\")\n");
            assert_eq!(log, expected, "{form}");
        }
    });
}

#[test]
fn a_stop_signal_is_told_by_its_name() {
    play(async {
        for form in FORMS {
            let lifecycle = json!({"lifecycle": {"stopSignal": "SIGUSR1"}});
            let container = with(program(form, &["poll", "3"]), lifecycle.clone());
            let pod = started(container).await;
            let (took, status) = deleted(&pod).await;
            assert!(took < MOMENT, "{form}: {took:?}");
            assert_eq!(code(&status), 3, "{form}");
            let log = pod.log("c").await;
            assert!(log.contains(r#"asked by Some("SIGUSR1")"#), "{form}: {log}");
            if form == "lifecycle" {
                assert!(log.contains("ready [1], still true"), "{log}");
            }
            // It is a signal like another for who handles signals one by one.
            let heeding = program(form, &["heed", "USR1", "QUIT"]);
            let pod = started(with(heeding, lifecycle)).await;
            let (took, status) = deleted(&pod).await;
            assert_eq!((took.as_secs(), code(&status)), (30, 137), "{form}");
            assert!(pod.log("c").await.contains(r#"Some("SIGUSR1")"#), "{form}");
        }
    });
}

#[test]
fn who_is_told_and_goes_on_is_killed_at_the_end_of_the_grace_period() {
    play(async {
        for form in FORMS {
            let pod = started(program(form, &["linger"])).await;
            let (took, status) = deleted(&pod).await;
            assert_eq!((took.as_secs(), code(&status)), (30, 137), "{form}");
            assert!(pod.log("c").await.contains("SIGTERM"), "{form}");
        }
    });
}

#[test]
fn a_command_beside_a_container_signals_process_1_and_nobody_else() {
    play(async {
        for form in FORMS {
            let pod = started(program(form, &["heed", "HUP", "USR1", "QUIT", "KILL"])).await;
            let own = format!("{form}.wasm");
            for (args, expected) in [
                (["kill", "1", "USR1"].as_slice(), 0),
                (&["kill", "1", "0"], 0),
                (&["kill", "4000", "KILL"], 3),
                (&["kill", "0", "KILL"], 3),
                (&["main"], 0),
            ] {
                let command = [&[own.as_str()], args].concat();
                let ran = pod.exec("c", &command).await;
                assert_eq!(ran.code, expected, "{form} {args:?}: {ran:?}");
                if args == ["main"] {
                    assert!(ran.stdout.contains(r#""heed", "HUP""#), "{ran:?}");
                }
            }
            // The shell is the toolbox of every image.
            let ran = pod
                .exec(
                    "c",
                    &["sh", "-c", "kill -HUP 1; sleep 1; kill -QUIT 1; sleep 5"],
                )
                .await;
            assert_eq!(ran.code, 137, "it ends with its container: {ran:?}");
            let status = pod.gone().await;
            assert_eq!(code(&status), 0, "{form}");
            let log = pod.log("c").await;
            for line in [
                "heeding as process 1\n",
                "KILL: ",
                "\"SIGUSR1\"",
                "\"SIGHUP\"",
            ] {
                assert!(log.contains(line), "{form}: {line} in {log}");
            }
        }
    });
}

#[test]
fn a_signal_that_nobody_handles_has_its_default_action_whoever_sends_it() {
    play(async {
        for (signal, expected) in [("TERM", 143), ("KILL", 137), ("USR1", 138)] {
            let pod = started(shell("c", "sleep 1000")).await;
            let ran = pod.exec("c", &["sh", "-c", "kill -WINCH 1; sleep 1"]).await;
            assert_eq!(ran.code, 0, "it is ignored: {ran:?}");
            pod.exec("c", &["sh", "-c", &format!("kill -{signal} 1; sleep 5")])
                .await;
            assert_eq!(code(&pod.gone().await), expected, "{signal}");
        }
    });
}

#[test]
fn a_shell_runs_its_trap_when_its_container_is_stopped() {
    play(async {
        for (script, expected, seconds, said) in [
            // A command in the foreground ends first.
            (
                "trap 'echo term; exit 3' TERM; sleep 10; echo no",
                3,
                9,
                "term\n",
            ),
            // `wait` is over at once.
            (
                "trap 'echo term $?; exit 4' TERM; sleep 100 & wait; echo no",
                4,
                0,
                "term 143\n",
            ),
            // A trap without exit goes on behind the wait.
            (
                "trap 'echo term' TERM; sleep 100 & wait $!; echo $?",
                0,
                0,
                "term\n143\n",
            ),
            ("trap 'echo bye' EXIT; sleep 100", 143, 0, "bye\n"),
            ("trap '' TERM; sleep 20", 0, 19, ""),
            ("trap '' TERM; sleep 200", 137, 30, ""),
            ("sleep 100", 143, 0, ""),
            (
                "trap 'kill $job; wait $job; echo $?; exit 0' TERM; sleep 100 & job=$!; wait",
                0,
                0,
                "143\n",
            ),
        ] {
            let pod = started(shell("c", script)).await;
            let (took, status) = deleted(&pod).await;
            let got = (code(&status), took.as_secs(), pod.log("c").await);
            assert_eq!(got, (expected, seconds, said.to_owned()), "{script}");
        }
        // Which signal it is, is the container's to say.
        let quit = with(
            shell("c", "trap 'echo quit; exit 5' QUIT; sleep 100 & wait"),
            json!({"lifecycle": {"stopSignal": "SIGQUIT"}}),
        );
        let pod = started(quit).await;
        assert_eq!(code(&deleted(&pod).await.1), 5);
    });
}

#[test]
fn a_script_finds_process_1_by_its_name() {
    play(async {
        let pod = started(json!({"image": "nginx"})).await;
        let script = "pidof nginx; pgrep ngin; killall -0 nginx && echo there; killall -0 apache || echo none; ps | grep -c nginx";
        let ran = pod.exec("c", &["sh", "-c", script]).await;
        assert_eq!(ran.stdout, "1\n1\nthere\nnone\n1\n", "{ran:?}");
        pod.exec("c", &["pkill", "-QUIT", "nginx"]).await;
        assert_eq!(code(&pod.gone().await), 0);
    });
}

#[test]
fn nginx_ends_well_when_it_is_stopped_by_whatever_way() {
    play(async {
        // Its image names SIGQUIT, as the real one does.
        let pod = started(json!({"image": "nginx"})).await;
        let (took, status) = deleted(&pod).await;
        assert_eq!(code(&status), 0, "{}", pod.log("c").await);
        assert!(took < MOMENT, "{took:?}");
        let log = pod.log("c").await;
        assert!(
            log.contains("signal 3 (SIGQUIT) received, shutting down"),
            "{log}"
        );
        for command in [
            ["nginx", "-s", "quit"].as_slice(),
            &["nginx", "-s", "stop"],
            &["sh", "-c", "kill -TERM 1"],
            &["sh", "-c", "kill -QUIT 1"],
            &[
                "sh",
                "-c",
                "kill -INT $(cat /run/nginx.pid /var/run/nginx.pid 2>/dev/null | head -n 1)",
            ],
        ] {
            let pod = started(json!({"image": "nginx"})).await;
            pod.exec("c", command).await;
            assert_eq!(code(&pod.gone().await), 0, "{command:?}");
        }
        let pod = started(json!({"image": "httpd"})).await;
        let (took, status) = deleted(&pod).await;
        assert_eq!(code(&status), 0, "{}", pod.log("c").await);
        assert!(took < MOMENT, "{took:?}");
    });
}

#[test]
fn nginx_reads_its_configuration_again_and_keeps_the_old_one_when_the_new_is_wrong() {
    play(async {
        let pod = started(json!({"image": "nginx"})).await;
        let write = |text: &str| {
            format!("echo '{text}' > /etc/nginx/conf.d/default.conf && nginx -s reload && sleep 1")
        };
        let get = "wget -qO- http://localhost:8080/; wget -qO- http://localhost/ >/dev/null || echo closed";
        let two = write("server { listen 8080; location / { return 200 second; } }");
        let ran = pod.exec("c", &["sh", "-c", &two]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let ran = pod.exec("c", &["sh", "-c", get]).await;
        assert_eq!(
            ran.stdout,
            "secondclosed\n",
            "{ran:?}\n{}",
            pod.log("c").await
        );
        let ran = pod.exec("c", &["sh", "-c", &write("nonsense;")]).await;
        assert_eq!(ran.code, 0, "the shell only tells: {ran:?}");
        let ran = pod.exec("c", &["sh", "-c", get]).await;
        assert_eq!(ran.stdout, "secondclosed\n", "{ran:?}");
        let ran = pod.exec("c", &["nginx", "-s", "reload"]).await;
        assert_eq!(ran.code, 1, "nginx itself looks first: {ran:?}");
        assert!(ran.stderr.contains("unknown directive"), "{ran:?}");
        let log = pod.log("c").await;
        assert!(log.contains("[emerg] 1#1: unknown directive"), "{log}");
    });
}
