//! A port for `kubectl`: the file that says where it is, and requests as `kubectl` sends them.

use std::path::Path;

use crate::support::{Wasmpod, eventually, http_get};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec: {containers: [{name: c, image: debian, command: [sleep, '1000']}]}
";

/// The address and the path of the server that a kubeconfig names.
fn server(kubeconfig: &Path) -> Option<(std::net::SocketAddr, String)> {
    let text = std::fs::read_to_string(kubeconfig).ok()?;
    let url = text.split("server: \"http://").nth(1)?.split('"').next()?;
    let (addr, path) = url.split_once('/')?;
    Some((addr.parse().ok()?, format!("/{path}")))
}

#[test]
fn a_kubeconfig_leads_to_the_pods_while_they_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let pod = Wasmpod::up_text(POD, &["--kubeconfig", file.to_str().unwrap()]).start();
    let (addr, path) = eventually("a kubeconfig", || server(&file));
    assert!(addr.ip().is_loopback());
    let pods = format!("{path}/api/v1/namespaces/default/pods");
    eventually("the pod", || {
        let answer = http_get(addr, &pods)?;
        (answer.status == 200 && answer.body.contains("\"sleeper\"")).then_some(())
    });
    let refused = http_get(addr, "/api/v1/namespaces/default/pods").unwrap();
    assert_eq!(refused.status, 401, "{}", refused.body);
    let end = pod.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!file.exists());
}

#[test]
fn a_file_of_somebody_else_is_no_place_for_a_kubeconfig() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, "clusters: []\n").unwrap();
    let end = Wasmpod::up_text(POD, &["--kubeconfig", file.to_str().unwrap()]).run();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(
        end.stderr.contains("cannot write the kubeconfig"),
        "{end:?}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "clusters: []\n");
    let everyone = ["--kubeconfig", "kc", "--api-listen", "0.0.0.0:0"];
    let end = Wasmpod::up_text(POD, &everyone).run();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(
        end.stderr.contains("no address of the loopback interface"),
        "{end:?}"
    );
}
