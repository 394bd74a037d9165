//! The rules of probes, which are held although the probes do not act yet: a manifest that is right
//! today has to be right when they do.

use super::{Findings, Path, names};
use crate::k8s::{IntOrString, Probe};

/// Holds the rules of one probe; only a readiness probe may need more than one success.
pub(super) fn probe(probe: &Probe, path: &Path, single_success: bool, findings: &mut Findings) {
    let handlers = [
        probe.exec.is_some(),
        probe.grpc.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
    ];
    match handlers.iter().filter(|set| **set).count() {
        0 => findings.required("probe/handler", path, "must specify a handler type"),
        1 => {}
        _ => findings.forbidden(
            "probe/handler",
            path,
            "may not specify more than 1 handler type",
        ),
    }
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            findings.invalid_number(
                "probe/range",
                &path.field(field),
                value,
                "must be greater than or equal to 0",
            );
        }
    }
    if let Some(value) = probe
        .success_threshold
        .filter(|value| single_success && *value > 1)
    {
        findings.invalid_number(
            "probe/success-threshold",
            &path.field("successThreshold"),
            value,
            "must be 1",
        );
    }
    if let Some(value) = probe
        .termination_grace_period_seconds
        .filter(|value| *value <= 0)
    {
        let path = path.field("terminationGracePeriodSeconds");
        findings.invalid_number("probe/grace-period", &path, value, "must be greater than 0");
    }
    if let Some(http) = &probe.http_get {
        let path = path.field("httpGet");
        port(&http.port, &path.field("port"), findings);
        if let Some(scheme) = http.scheme.as_deref() {
            findings.one_of(
                "probe/scheme",
                &path.field("scheme"),
                scheme,
                &["HTTP", "HTTPS"],
            );
        }
    }
    if let Some(tcp) = &probe.tcp_socket {
        port(&tcp.port, &path.field("tcpSocket").field("port"), findings);
    }
    if let Some(exec) = &probe.exec
        && exec.command.as_ref().is_none_or(Vec::is_empty)
    {
        findings.required("probe/command", &path.field("exec").field("command"), "");
    }
    if let Some(grpc) = &probe.grpc
        && let Some(detail) = names::port_number(grpc.port)
    {
        findings.invalid_number(
            "probe/port",
            &path.field("grpc").field("port"),
            grpc.port,
            detail,
        );
    }
}

/// A port by number or by name.
pub(super) fn port(port: &IntOrString, path: &Path, findings: &mut Findings) {
    match port {
        IntOrString::Int(number) => {
            if let Some(detail) = names::port_number(*number) {
                findings.invalid_number("probe/port", path, *number, detail);
            }
        }
        IntOrString::String(name) => findings.all("probe/port", path, name, names::port_name(name)),
    }
}
