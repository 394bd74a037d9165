//! `pods/inject` and the pods beside it that take ConfigMaps as variables and files.

use super::{examples, parsed, refusal};
use crate::pod::Pod;
use crate::table::rows;

rows! {
    "Examples: pods, what is injected";
    "pods/inject/dapi-envars-container.yaml" => passes resources_as_variables;
    "pods/inject/dapi-envars-pod.yaml" => passes fields_as_variables;
    "pods/inject/dapi-volume.yaml" => passes fields_as_files;
    "pods/inject/dependent-envars.yaml" => passes variables_of_variables;
    "pods/inject/envars.yaml" => passes literal_variables;
    "pods/inject/pod-multiple-secret-env-variable.yaml" => passes a_tab_is_refused;
    "pods/inject/secret-envars-pod.yaml" => passes secrets_as_variables;
    "pods/inject/secret.yaml" => passes a_secret_is_decoded;
    "pods/pod-configmap-env-var-valueFrom.yaml" => passes variables_in_a_command;
    "pods/pod-configmap-volume-specific-key.yaml" => passes one_key_as_a_file;
    "pods/pod-multiple-configmap-env-variable.yaml" => passes variables_of_two_maps;
    "pods/pod-single-configmap-env-variable.yaml" => passes a_variable_of_a_key_with_a_dot;
}

/// Starts the pod of these examples and waits for so many bytes of its container's log.
async fn begins(paths: &[&str], container: &str, expected: &str) -> Option<Pod> {
    let pod = Pod::start(&examples(paths)?).await;
    let ip = pod.is_ready().await.pod_ip.unwrap();
    let expected = expected.replace("POD_IP", &ip);
    let log = pod
        .log_until(container, |log| log.len() >= expected.len())
        .await;
    assert_eq!(log, expected);
    Some(pod)
}

/// What the container `test-container` of these examples prints until the pod has succeeded.
async fn printed(paths: &[&str]) -> Option<String> {
    let pod = Pod::start(&examples(paths)?).await;
    pod.ends("Succeeded").await;
    Some(pod.log("test-container").await)
}

async fn resources_as_variables() {
    let path = "pods/inject/dapi-envars-container.yaml";
    // 125m and 250m are rounded up.
    begins(&[path], "test-container", "\n1\n1\n33554432\n67108864\n").await;
}

async fn fields_as_variables() {
    let path = "pods/inject/dapi-envars-pod.yaml";
    let expected = "\nnode\ndapi-envars-fieldref\ndefault\nPOD_IP\ndefault\n";
    begins(&[path], "test-container", expected).await;
}

async fn fields_as_files() {
    let path = "pods/inject/dapi-volume.yaml";
    let labels = "cluster=\"test-cluster1\"\nrack=\"rack-22\"\nzone=\"us-est-coast\"";
    let annotations = "build=\"two\"\nbuilder=\"john-doe\"";
    let Some(manifest) = examples(&[path]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    let log = pod
        .log_until("client-container", |log| log.contains("john-doe"))
        .await;
    assert!(log.contains(labels), "{log}");
    assert!(log.contains(annotations), "{log}");
    let files = pod
        .exec("client-container", &["cat", "/etc/podinfo/labels"])
        .await;
    assert_eq!(files.stdout.trim_end(), labels);
}

async fn variables_of_variables() {
    let expected = "\nUNCHANGED_REFERENCE=$(PROTOCOL)://172.17.0.1:80\nSERVICE_ADDRESS=https://172.17.0.1:80\n\
        ESCAPED_REFERENCE=https://172.17.0.1:80\n";
    let path = "pods/inject/dependent-envars.yaml";
    begins(&[path], "dependent-envars-demo", expected).await;
}

async fn literal_variables() {
    let Some(manifest) = examples(&["pods/inject/envars.yaml"]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let name = "envar-demo-container";
    let printed = pod.exec(name, &["printenv"]).await.stdout;
    let has = |line: &str| printed.lines().any(|printed| printed == line);
    assert!(has("DEMO_GREETING=Hello from the environment"), "{printed}");
    assert!(has("DEMO_FAREWELL=Such a sweet sorrow"), "{printed}");
    let answer = pod.get(name, "http://127.0.0.1:8080/").await;
    assert_eq!(
        answer,
        "Hello, world!\nVersion: 2.0.0\nHostname: envar-demo\n"
    );
}

async fn a_tab_is_refused() {
    let Some(manifest) = examples(&["pods/inject/pod-multiple-secret-env-variable.yaml"]) else {
        return;
    };
    let said = refusal(&manifest);
    assert!(said.contains("tab"), "{said}");
    let tab = manifest
        .lines()
        .position(|line| line.starts_with('\t'))
        .unwrap()
        + 1;
    assert!(said.contains(&format!("example.yaml:{tab}:1")), "{said}");
}

async fn secrets_as_variables() {
    let Some(manifest) = examples(&[
        "pods/inject/secret-envars-pod.yaml",
        "pods/inject/secret.yaml",
    ]) else {
        return;
    };
    let pod = Pod::start(&manifest).await;
    pod.is_ready().await;
    let command = ["printenv", "SECRET_USERNAME", "SECRET_PASSWORD"];
    let printed = pod.exec("envars-test-container", &command).await;
    assert_eq!(printed.stdout, "my-app\n39528$vdg7Jb\n");
}

async fn a_secret_is_decoded() {
    let Some(manifest) = examples(&["pods/inject/secret.yaml"]) else {
        return;
    };
    let secret = parsed(&manifest).secrets.remove(0);
    let data = secret.data.unwrap();
    assert_eq!(data["username"].0, b"my-app");
    assert_eq!(data["password"].0, b"39528$vdg7Jb");
}

async fn variables_in_a_command() {
    let paths = [
        "pods/pod-configmap-env-var-valueFrom.yaml",
        "configmap/configmap-multikeys.yaml",
    ];
    let Some(log) = printed(&paths).await else {
        return;
    };
    assert_eq!(log, "very charm\n");
}

async fn one_key_as_a_file() {
    let paths = [
        "pods/pod-configmap-volume-specific-key.yaml",
        "configmap/configmap-multikeys.yaml",
    ];
    let Some(log) = printed(&paths).await else {
        return;
    };
    assert_eq!(log, "very");
}

async fn variables_of_two_maps() {
    let paths = [
        "pods/pod-multiple-configmap-env-variable.yaml",
        "configmap/configmaps.yaml",
    ];
    let Some(log) = printed(&paths).await else {
        return;
    };
    let has = |line: &str| log.lines().any(|printed| printed == line);
    assert!(
        has("SPECIAL_LEVEL_KEY=very") && has("LOG_LEVEL=INFO"),
        "{log}"
    );
}

async fn a_variable_of_a_key_with_a_dot() {
    let paths = [
        "pods/pod-single-configmap-env-variable.yaml",
        "configmap/configmaps.yaml",
    ];
    let Some(log) = printed(&paths).await else {
        return;
    };
    assert!(
        log.lines().any(|line| line == "SPECIAL_LEVEL_KEY=very"),
        "{log}"
    );
}
