//! How a container ended, and what Kubernetes calls that.
//!
//! The numbers are those of a shell and of the container runtimes: the guest's own code, or 128 + n for an end by
//! signal n. WebAssembly has no signals, so two of them are borrowed: a trap counts as SIGABRT (134) and running out
//! of memory as the SIGKILL of the kernel's OOM killer (137).

use std::fmt;

/// The code of a container whose program trapped: 128 + SIGABRT (6).
pub const TRAP_EXIT_CODE: i32 = 134;
/// The code of a container that was ended by force: 128 + SIGKILL (9).
pub const KILLED_EXIT_CODE: i32 = 137;
/// The code of a container that took SIGTERM's default action: 128 + SIGTERM (15).
pub const TERMINATED_EXIT_CODE: i32 = 143;
/// The code of a container that the runtime made but could not start, as containerd and the kubelet report it.
pub const START_ERROR_EXIT_CODE: i32 = 128;
/// The code of a container that ended because of a bug of this host; podman's code for a failure of its own.
pub const INTERNAL_ERROR_EXIT_CODE: i32 = 125;

/// The end of one container instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, 0 for success.
    pub code: i32,
    /// Who or what ended it.
    pub reason: ExitReason,
    /// What there is to say about it, e.g. a trap and its WebAssembly backtrace.
    pub message: Option<String>,
}

/// Who or what ended a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The program returned, or exited with 0.
    Completed,
    /// The program exited with another code.
    Error,
    /// The program trapped.
    Trapped,
    /// The program ended because it may not have more memory.
    OomKilled,
    /// It was asked to end, does not handle termination, and so ended at once.
    Terminated,
    /// It was ended by force, at the end of its grace period or without one.
    Killed,
    /// It was made, but its first instruction never ran.
    StartError,
    /// A bug of this host ended it.
    InternalError,
}

impl ExitReason {
    /// The `reason` of a terminated state, in the kubelet's words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::OomKilled => "OOMKilled",
            Self::StartError => "StartError",
            Self::Error | Self::Trapped | Self::Terminated | Self::Killed | Self::InternalError => {
                "Error"
            }
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Exit {
    /// The program ended by itself with this code.
    #[must_use]
    pub fn with_code(code: i32) -> Self {
        let reason = if code == 0 {
            ExitReason::Completed
        } else {
            ExitReason::Error
        };
        Self {
            code,
            reason,
            message: None,
        }
    }

    /// The program trapped; `message` says how and where.
    #[must_use]
    pub fn trapped(message: impl Into<String>) -> Self {
        Self::failed(TRAP_EXIT_CODE, ExitReason::Trapped, Some(message.into()))
    }

    /// The program ended because of its memory limit.
    #[must_use]
    pub fn oom_killed(message: Option<String>) -> Self {
        Self::failed(KILLED_EXIT_CODE, ExitReason::OomKilled, message)
    }

    /// SIGTERM's default action.
    #[must_use]
    pub fn terminated() -> Self {
        Self::failed(TERMINATED_EXIT_CODE, ExitReason::Terminated, None)
    }

    /// SIGKILL.
    #[must_use]
    pub fn killed() -> Self {
        Self::failed(KILLED_EXIT_CODE, ExitReason::Killed, None)
    }

    /// The container was made but could not be started.
    #[must_use]
    pub fn start_error(message: impl Into<String>) -> Self {
        Self::failed(
            START_ERROR_EXIT_CODE,
            ExitReason::StartError,
            Some(message.into()),
        )
    }

    /// A bug of this host ended the container; `detail` goes into its status.
    #[must_use]
    pub fn internal_error(detail: impl fmt::Display) -> Self {
        let message = format!("internal error of the host, please report it: {detail}");
        Self::failed(
            INTERNAL_ERROR_EXIT_CODE,
            ExitReason::InternalError,
            Some(message),
        )
    }

    /// True for exit code 0, however it came about.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == 0
    }

    fn failed(code: i32, reason: ExitReason, message: Option<String>) -> Self {
        Self {
            code,
            reason,
            message,
        }
    }
}
