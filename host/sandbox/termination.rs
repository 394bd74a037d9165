//! A container's last words: `terminationMessagePath` and `terminationMessagePolicy`.
//!
//! (`determine-reason-pod-failure`.) The file lies in the container's own root directory and is read after the guest
//! has ended, through a directory handle that nothing leads out of. A path inside a volume mount is not looked at.

use std::sync::Arc;

use wasmpod_manifest::k8s::Container;
use wasmpod_volume::PodVolumes;

use crate::logs::{ContainerLog, last_text};
use crate::port::Exit;

/// Where a container leaves its message when it names no other place; Kubernetes' default.
pub const DEFAULT_MESSAGE_PATH: &str = "/dev/termination-log";
/// The longest message, in bytes; what is longer is cut. Kubernetes' `MaxContainerTerminationMessageLength`.
pub const MAX_MESSAGE_BYTES: usize = 4096;
/// The most of the log that serves as a message, in bytes; Kubernetes' `MaxContainerTerminationMessageLogLength`.
pub const MAX_MESSAGE_LOG_BYTES: usize = 2048;
/// The most lines of the log that serve as a message; Kubernetes' `MaxContainerTerminationMessageLogLines`.
pub const MAX_MESSAGE_LOG_LINES: usize = 80;

/// The file in which this container leaves its message.
pub(crate) fn path(container: &Container) -> &str {
    let own = container
        .termination_message_path
        .as_deref()
        .filter(|path| !path.is_empty());
    own.unwrap_or(DEFAULT_MESSAGE_PATH)
}

/// What the container has to say about its end; `None` if nothing. A file that cannot be read says nothing.
pub(crate) async fn message(
    volumes: &PodVolumes,
    container: &Container,
    attempt: u32,
    log: &Arc<ContainerLog>,
    exit: &Exit,
) -> Option<String> {
    let file = volumes.read_root_file(&container.name, attempt, path(container), MAX_MESSAGE_BYTES);
    let own = file
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    if !own.is_empty() {
        return Some(own);
    }
    let wants_log =
        container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if !wants_log || exit.is_success() {
        return None;
    }
    let text = last_text(log, MAX_MESSAGE_LOG_LINES, MAX_MESSAGE_LOG_BYTES).await;
    text.ok().filter(|text| !text.is_empty())
}

/// Cuts a message at [`MAX_MESSAGE_BYTES`].
pub(crate) fn bounded(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    message
}
