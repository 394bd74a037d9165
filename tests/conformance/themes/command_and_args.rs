//! Which program a container runs: upstream's `test/e2e/common/node/containers.go`.

use crate::pod::{Pod, agnhost};
use crate::table::rows;

rows! {
    "1.3 Command and args";
    "Containers, without command and arguments (image defaults)" => passes without_command_and_arguments;
    "Containers, with arguments" => passes with_arguments;
    "Containers, with command" => passes with_command;
    "Containers, with command and arguments" => passes with_command_and_arguments;
}

/// What the container prints when it is made with these lines of YAML.
async fn printed(image: &str, lines: &str) -> String {
    let pod = Pod::start(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: \"{image}\"{lines}}}]}}}}"
    ))
    .await;
    pod.ends("Succeeded").await;
    pod.log("c").await
}

async fn without_command_and_arguments() {
    // A file's image has its program as its entrypoint: without a mode it is upstream's `pause`, which says nothing.
    let pod = Pod::start(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{{name: c, image: \"{}\"}}]}}}}",
        agnhost()
    ))
    .await;
    pod.is_ready().await;
    assert_eq!(pod.container("c").restart_count, 0);
}

async fn with_arguments() {
    let text = printed(
        &agnhost(),
        ", args: [entrypoint-tester, override, arguments]",
    )
    .await;
    assert!(
        text.trim_end()
            .ends_with("entrypoint-tester override arguments]"),
        "{text}"
    );
}

async fn with_command() {
    assert_eq!(
        printed("busybox", ", command: [echo, override]").await,
        "override\n"
    );
}

async fn with_command_and_arguments() {
    let lines = ", command: [echo, override], args: [\"arguments $(HOSTNAME)\"]";
    assert_eq!(
        printed("busybox", lines).await,
        "override arguments $(HOSTNAME)\n"
    );
}
