//! One try of a probe, and the HTTP calls of hooks: what the kubelet's prober does.
//!
//! * `dial`: how the host reaches a container: over the virtual network, never over a host socket
//! * `url`: where an HTTP call goes, redirects included
//! * `http`: `httpGet`
//! * `tls`: what comes between for `scheme: HTTPS`
//! * `grpc`: `grpc`, the health protocol version 1
//! * `text`: Go's ways to write a time or a text, since the messages are the kubelet's
//!
//! When a probe is tried, how often, and what follows is decided by `lifecycle`. Every try makes a connection of its
//! own, as the kubelet's do.
//!
//! Standards: the kubelet's `pkg/probe` (results and messages), RFC 9112 through `hyper`, RFC 9113 through `h2`,
//! `grpc/health/v1/health.proto`.

mod dial;
mod grpc;
mod http;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod url;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wasmpod_lifecycle::pod::{ProbeKind, ProbeOutcome};
use wasmpod_manifest::k8s::{Container, IntOrString, Probe};

use crate::exec::{self, Captured};
use crate::running::RunningContainer;

pub(crate) use dial::Dialer;
pub(crate) use http::{HttpError, HttpGet, Response};

/// How the probes and hooks of this program name themselves: the Kubernetes version whose behaviour they have.
pub(crate) const KUBERNETES_VERSION: &str = "1.37";

/// The most of an answer's body or a command's output that is looked at, in bytes; the kubelet's `maxRespBodyLength`
/// and `maxReadLength`. What follows is not read.
pub(crate) const MAX_OUTPUT_BYTES: usize = 10 * 1024;

/// How often one try is repeated when the probe itself could not be made; the kubelet's `maxProbeRetries`.
const MAX_RETRIES: usize = 3;

/// What one try came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The container answered as it should.
    Success,
    /// It did, with something to be remarked; counts as a success.
    Warning(String),
    /// It did not.
    Failure(String),
    /// There was no try.
    Unknown(String),
}

/// A container that is probed.
pub(crate) struct Prober {
    /// The instance.
    pub(crate) container: Arc<RunningContainer>,
    /// Which of its probes.
    pub(crate) kind: ProbeKind,
    /// How long one try may take.
    pub(crate) timeout: Duration,
}

impl Prober {
    /// Tries once.
    pub(crate) async fn probe(&self) -> ProbeOutcome {
        let mut tried = self.try_once().await;
        for _ in 1..MAX_RETRIES {
            if !matches!(tried, Tried::Unknown(_)) {
                break;
            }
            tried = self.try_once().await;
        }
        match tried {
            Tried::Success => ProbeOutcome::Success,
            Tried::Warning(message) => {
                let kind = match self.kind {
                    ProbeKind::Startup => "Startup",
                    ProbeKind::Liveness => "Liveness",
                    ProbeKind::Readiness => "Readiness",
                };
                let message = format!("{kind} probe warning: {message}");
                self.container.warn("ProbeWarning", message);
                ProbeOutcome::Success
            }
            Tried::Failure(message) => ProbeOutcome::Failure(message),
            Tried::Unknown(message) => ProbeOutcome::Unknown(message),
        }
    }

    async fn try_once(&self) -> Tried {
        let Some(spec) = self.container.spec() else {
            return Tried::Unknown("the container is not in its pod".to_owned());
        };
        let handler = match self.kind {
            ProbeKind::Startup => spec.startup_probe.as_ref(),
            ProbeKind::Liveness => spec.liveness_probe.as_ref(),
            ProbeKind::Readiness => spec.readiness_probe.as_ref(),
        };
        match handler {
            Some(handler) => self.try_handler(spec, handler).await,
            None => Tried::Unknown("the container has no such probe".to_owned()),
        }
    }

    /// The larger exchanges are on the heap, so that the task of a probe that only connects is small to make and to move.
    async fn try_handler(&self, spec: &Container, handler: &Probe) -> Tried {
        let deadline = Instant::now() + self.timeout;
        if let Some(action) = &handler.exec {
            let command = action.command.clone().unwrap_or_default();
            return Box::pin(run(&self.container, command, self.timeout)).await;
        }
        let dialer = self.container.dialer();
        if let Some(action) = &handler.http_get {
            return match port(spec, &action.port) {
                Ok(port) => {
                    let user_agent = format!("kube-probe/{KUBERNETES_VERSION}");
                    let get = HttpGet {
                        dialer: &dialer,
                        action,
                        port,
                        user_agent: &user_agent,
                        deadline,
                    };
                    judge(Box::pin(get.send()).await)
                }
                Err(message) => Tried::Unknown(message),
            };
        }
        if let Some(action) = &handler.tcp_socket {
            return match port(spec, &action.port) {
                Ok(port) => connect(&dialer, action.host.as_deref(), port, deadline).await,
                Err(message) => Tried::Unknown(message),
            };
        }
        if let Some(action) = &handler.grpc {
            let service = action.service.as_deref().unwrap_or_default();
            return match u16::try_from(action.port) {
                Ok(port) => Box::pin(grpc::check(&dialer, port, service, self.timeout)).await,
                Err(_) => Tried::Unknown(format!("invalid port number: {}", action.port)),
            };
        }
        Tried::Unknown(format!("missing probe handler for {}", spec.name))
    }
}

/// What the kubelet makes of an HTTP answer.
fn judge(answer: Result<Response, HttpError>) -> Tried {
    match answer {
        Ok(response) => match response.status {
            200..=299 => Tried::Success,
            300..=399 => {
                let body = String::from_utf8_lossy(&response.body);
                Tried::Warning(format!("Probe terminated redirects, Response body: {body}"))
            }
            status => Tried::Failure(format!("HTTP probe failed with statuscode: {status}")),
        },
        Err(HttpError::Failed(message) | HttpError::Plain(message)) => Tried::Failure(message),
        Err(HttpError::Body(message)) => Tried::Unknown(message),
    }
}

/// A connection that can be made is enough.
async fn connect(dialer: &Dialer, host: Option<&str>, port: u16, deadline: Instant) -> Tried {
    let host = dialer.host(host);
    match timeout_at(deadline, dialer.dial(&host, port)).await {
        Ok(Ok(stream)) => {
            drop(stream);
            Tried::Success
        }
        Ok(Err(error)) => Tried::Failure(error.to_string()),
        Err(_) => Tried::Failure(dial::timed_out(&host, port)),
    }
}

/// A command that ends with 0 is enough.
async fn run(container: &Arc<RunningContainer>, command: Vec<String>, timeout: Duration) -> Tried {
    let shown = command.join(" ");
    let running = exec::capture(container, command, MAX_OUTPUT_BYTES);
    match tokio::time::timeout(timeout, running).await {
        Ok(Ok(Captured { exit, .. })) if exit.code == 0 => Tried::Success,
        Ok(Ok(Captured { output, .. })) => Tried::Failure(output),
        Ok(Err(error)) => Tried::Unknown(error.to_string()),
        Err(_) => {
            let after = text::duration(timeout);
            Tried::Failure(format!(
                "command timed out: {shown:?} timed out after {after}"
            ))
        }
    }
}

/// The number of a port that a probe or hook names.
///
/// # Errors
/// The container has no port of this name, or it is no port number. The words are the kubelet's.
pub(crate) fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let named = ports.find(|port| port.name.as_deref() == Some(name));
            match named {
                Some(port) => port.container_port,
                None => name
                    .parse()
                    .map_err(|_| format!("couldn't find port: {name:?} for container"))?,
            }
        }
    };
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("invalid port number: {number}"))
}
