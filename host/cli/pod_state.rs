//! The one word for the state of a pod or container, as kubectl's STATUS column has it
//! (kubernetes pkg/printers/internalversion, printPod).

use wasmpod::k8s::{ContainerState, ContainerStatus, Pod};

/// The exit code of a program that ended at SIGTERM: 128 + 15. Here that is only ever a stop that was asked for.
const SIGTERM_CODE: i32 = 143;

/// The word for a pod: `Pending`, `ContainerCreating`, `Init:0/1`, `Running`, `Completed`, `Error`,
/// `CrashLoopBackOff`, `Terminating`…
pub(crate) fn pod_word(pod: &Pod) -> String {
    let Some(status) = &pod.status else {
        return "Pending".to_owned();
    };
    let mut word = status
        .reason
        .clone()
        .or_else(|| status.phase.clone())
        .unwrap_or_else(|| "Pending".to_owned());
    let inits = status
        .init_container_statuses
        .as_deref()
        .unwrap_or_default();
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    if let Some((index, init)) = inits
        .iter()
        .enumerate()
        .find(|(_, init)| exit_code(init) != Some(0))
    {
        return match container_reason(init) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{index}/{}", inits.len()),
        };
    }
    let mut has_running = false;
    for container in containers.iter().rev() {
        match container_reason(container) {
            Some(reason) => word = reason,
            None => has_running |= container.ready,
        }
    }
    if word == "Completed" && has_running {
        word = "Running".to_owned();
    }
    if pod.metadata.deletion_timestamp.is_some()
        && !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
    {
        word = "Terminating".to_owned();
    }
    word
}

/// The words for a container, with what a person wants to know next: the exit code, the message.
pub(crate) fn container_words(status: &ContainerStatus) -> String {
    let mut words = match status.state.as_ref() {
        Some(ContainerState {
            running: Some(_), ..
        }) => "Running".to_owned(),
        Some(ContainerState {
            terminated: Some(end),
            ..
        }) => {
            let reason = end.reason.as_deref().unwrap_or("Terminated");
            if end.exit_code == SIGTERM_CODE {
                "Stopped (SIGTERM)".to_owned()
            } else if end.exit_code == 0 {
                reason.to_owned()
            } else {
                format!("{reason} (exit code {})", end.exit_code)
            }
        }
        Some(ContainerState {
            waiting: Some(waiting),
            ..
        }) => waiting
            .reason
            .clone()
            .unwrap_or_else(|| "Waiting".to_owned()),
        _ => "Waiting".to_owned(),
    };
    if status.restart_count > 0 {
        let times = if status.restart_count == 1 {
            "time"
        } else {
            "times"
        };
        words = format!("{words}, restarted {} {times}", status.restart_count);
    }
    words
}

/// The first line of what the state of a container says about itself, e.g. why it cannot be created.
pub(crate) fn container_message(status: &ContainerStatus) -> Option<&str> {
    let state = status.state.as_ref()?;
    let message = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => waiting.message.as_deref(),
        (_, Some(end)) => end.message.as_deref(),
        _ => None,
    };
    message
        .and_then(|message| message.lines().next())
        .filter(|line| !line.is_empty())
}

/// Why a container is not running, in one word; nothing when it runs.
fn container_reason(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        return Some(
            waiting
                .reason
                .clone()
                .unwrap_or_else(|| "Waiting".to_owned()),
        );
    }
    let end = state.terminated.as_ref()?;
    if end.exit_code == SIGTERM_CODE {
        return Some("Stopped".to_owned());
    }
    Some(
        end.reason
            .clone()
            .filter(|reason| !reason.is_empty())
            .unwrap_or(format!("ExitCode:{}", end.exit_code)),
    )
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn word(status: &serde_json::Value) -> String {
        let pod = json!({"metadata": {"name": "web"}, "status": status});
        pod_word(&serde_json::from_value(pod).unwrap())
    }

    fn container(state: &serde_json::Value, ready: bool) -> serde_json::Value {
        json!({"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state})
    }

    #[test]
    fn the_word_is_kubectls() {
        let running = json!({"running": {}});
        let completed = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        let failed = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let creating = json!({"waiting": {"reason": "ContainerCreating"}});
        let cases = [
            (json!({"phase": "Pending"}), "Pending"),
            (
                json!({"phase": "Pending", "containerStatuses": [container(&creating, false)]}),
                "ContainerCreating",
            ),
            (
                json!({"phase": "Running", "containerStatuses": [container(&running, true)]}),
                "Running",
            ),
            (
                json!({"phase": "Running", "containerStatuses": [container(&completed, false), container(&running, true)]}),
                "Running",
            ),
            (
                json!({"phase": "Succeeded", "containerStatuses": [container(&completed, false)]}),
                "Completed",
            ),
            (
                json!({"phase": "Failed", "containerStatuses": [container(&failed, false)]}),
                "Error",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": [container(&running, false)],
                       "containerStatuses": [container(&creating, false)]}),
                "Init:0/1",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": [container(&failed, false)]}),
                "Init:Error",
            ),
            (
                json!({"phase": "Failed", "reason": "DeadlineExceeded"}),
                "DeadlineExceeded",
            ),
        ];
        for (status, expected) in cases {
            assert_eq!(word(&status), expected, "{status}");
        }
    }

    #[test]
    fn a_container_tells_its_exit_code_and_restarts() {
        let mut status = container(
            &json!({"terminated": {"exitCode": 3, "reason": "Error"}}),
            false,
        );
        status["restartCount"] = 2.into();
        let status = serde_json::from_value(status).unwrap();
        assert_eq!(
            container_words(&status),
            "Error (exit code 3), restarted 2 times"
        );
    }
}
