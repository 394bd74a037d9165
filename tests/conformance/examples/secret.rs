//! `secret`.

use super::{examples, parsed};
use crate::pod::{Pod, container};
use crate::table::rows;

rows! {
    "Examples: secret";
    "secret/dotfile-secret.yaml" => passes a_key_with_a_dot_is_a_hidden_file;
    "secret/ssh-auth-secret.yaml" => passes a_typed_secret_is_decoded;
}

async fn a_key_with_a_dot_is_a_hidden_file() {
    let Some(manifest) = examples(&["secret/dotfile-secret.yaml"]) else {
        return;
    };
    let name = "dotfile-test-container";
    let pod = Pod::start(&manifest).await;
    pod.until("back-off", |status| {
        let state = container(status, name).state.unwrap();
        let reason = state.waiting.and_then(|waiting| waiting.reason);
        reason.as_deref() == Some("CrashLoopBackOff")
    })
    .await;
    assert_eq!(pod.log(name).await, "total 0\n");

    // `ls` ends at once: what it listed is looked at in a container that stays.
    let stays = manifest
        .replace("\"ls\",", "\"sleep\",")
        .replace("\"-l\",", "")
        .replace("        \"/etc/secret-volume\",", "        \"3600\",");
    let pod = Pod::start(&stays).await;
    pod.is_ready().await;
    let read = pod
        .exec(name, &["cat", "/etc/secret-volume/.secret-file"])
        .await;
    assert_eq!(read.stdout, "value-2\r\n\r\n");
}

async fn a_typed_secret_is_decoded() {
    let Some(manifest) = examples(&["secret/ssh-auth-secret.yaml"]) else {
        return;
    };
    let secret = parsed(&manifest).secrets.remove(0);
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/ssh-auth"));
    assert_eq!(
        secret.data.unwrap()["ssh-privatekey"].0,
        b"Pouring6%Emoticon%Scuba"
    );
}
