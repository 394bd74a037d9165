//! The rules of a container's hooks and of its stop signal.

use super::probe::http_get;
use super::{Findings, Path};
use crate::k8s::{Lifecycle, LifecycleHandler, PodSpec};

/// The signals that a container may be stopped with, but for the real-time ones.
/// Source: `supportedStopSignalsLinux` of the core validation.
const SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

/// Holds the rules of `lifecycle` at `path`.
pub(super) fn hooks(lifecycle: &Lifecycle, pod: &PodSpec, path: &Path, findings: &mut Findings) {
    let grace = pod.termination_grace_period_seconds.unwrap_or_default();
    for (field, hook) in [
        ("postStart", &lifecycle.post_start),
        ("preStop", &lifecycle.pre_stop),
    ] {
        if let Some(hook) = hook {
            handler(hook, grace, &path.field(field), findings);
        }
    }
    let Some(signal) = lifecycle.stop_signal.as_deref() else {
        return;
    };
    let path = path.field("stopSignal");
    if pod.os.as_ref().is_none_or(|os| os.name.is_empty()) {
        findings.forbidden(
            "hook/stop-signal",
            &path,
            "may not be set for containers with empty `spec.os.name`",
        );
    } else if !is_real_time(signal) {
        findings.one_of("hook/stop-signal", &path, signal, SIGNALS);
    }
}

/// `SIGRTMIN`, `SIGRTMIN+1` … `SIGRTMIN+15`, `SIGRTMAX-14` … `SIGRTMAX`.
fn is_real_time(signal: &str) -> bool {
    let number = |text: &str| text.parse::<u8>().ok().filter(|_| !text.starts_with('+'));
    match signal.split_once(['+', '-']) {
        None => matches!(signal, "SIGRTMIN" | "SIGRTMAX"),
        Some(("SIGRTMIN", rest)) if signal.contains('+') => {
            number(rest).is_some_and(|n| (1..=15).contains(&n))
        }
        Some(("SIGRTMAX", rest)) if signal.contains('-') => {
            number(rest).is_some_and(|n| (1..=14).contains(&n))
        }
        Some(_) => false,
    }
}

fn handler(handler: &LifecycleHandler, grace: i64, path: &Path, findings: &mut Findings) {
    let set = [
        ("exec", handler.exec.is_some()),
        ("httpGet", handler.http_get.is_some()),
        ("sleep", handler.sleep.is_some()),
        ("tcpSocket", handler.tcp_socket.is_some()),
    ];
    let mut found = false;
    for (field, _) in set.iter().filter(|(_, is_set)| *is_set) {
        if found {
            findings.forbidden(
                "hook/handler",
                &path.field(field),
                "may not specify more than 1 handler type",
            );
        }
        found = true;
    }
    if !found {
        findings.required("hook/handler", path, "must specify a handler type");
    }
    if let Some(exec) = &handler.exec
        && exec.command.as_ref().is_none_or(Vec::is_empty)
    {
        findings.required("hook/command", &path.field("exec").field("command"), "");
    }
    if let Some(http) = &handler.http_get {
        http_get(http, &path.field("httpGet"), findings);
    }
    if let Some(sleep) = &handler.sleep
        && !(0..=grace).contains(&sleep.seconds)
    {
        let detail =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        findings.invalid_number(
            "hook/sleep",
            &path.field("sleep").field("seconds"),
            sleep.seconds,
            &detail,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::is_real_time;

    #[test]
    fn real_time_signals_are_counted_from_both_ends() {
        for signal in ["SIGRTMIN", "SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX"] {
            assert!(is_real_time(signal), "{signal}");
        }
        for signal in [
            "SIGRTMIN+16",
            "SIGRTMAX-15",
            "SIGRTMIN-1",
            "SIGRTMAX+1",
            "SIGRTMIN++1",
        ] {
            assert!(!is_real_time(signal), "{signal}");
        }
    }
}
