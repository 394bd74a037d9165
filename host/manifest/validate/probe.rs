//! The rules of probes, and of the requests that probes and hooks send.

use super::{Findings, Path, names};
use crate::k8s::{HTTPGetAction, IntOrString, Probe};

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Liveness,
    Readiness,
    Startup,
}

impl Kind {
    /// The field of a container.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
            Self::Startup => "startupProbe",
        }
    }
}

/// Holds the rules of one probe.
pub(super) fn probe(probe: &Probe, kind: Kind, path: &Path, findings: &mut Findings) {
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
        findings.not_negative("probe/range", &path.field(field), value);
    }
    if let Some(value) = probe
        .success_threshold
        .filter(|value| kind != Kind::Readiness && *value != 1)
    {
        findings.invalid_number(
            "probe/success-threshold",
            &path.field("successThreshold"),
            value,
            "must be 1",
        );
    }
    if let Some(value) = probe.termination_grace_period_seconds {
        let path = path.field("terminationGracePeriodSeconds");
        if kind == Kind::Readiness {
            let detail = "must not be set for readinessProbes";
            findings.invalid_number("probe/grace-period", &path, value, detail);
        } else if value <= 0 {
            findings.invalid_number("probe/grace-period", &path, value, "must be greater than 0");
        }
    }
    if let Some(http) = &probe.http_get {
        http_get(http, &path.field("httpGet"), findings);
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

/// Holds the rules of a request.
pub(super) fn http_get(http: &HTTPGetAction, path: &Path, findings: &mut Findings) {
    port(&http.port, &path.field("port"), findings);
    for (index, header) in http.http_headers.iter().flatten().enumerate() {
        if !is_token(&header.name) {
            let path = path.field("httpHeaders").index(index).field("name");
            findings.invalid(
                "probe/header",
                &path,
                &header.name,
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
            );
        }
    }
    let scheme_path = path.field("scheme");
    if let Some(scheme) = http.scheme.as_deref() {
        findings.one_of("probe/scheme", &scheme_path, scheme, &["HTTP", "HTTPS"]);
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
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
