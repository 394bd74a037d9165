//! Hooks of a container: `postStart` and `preStop`.
//!
//! One run, as the kubelet's handler runner does it: an exec hook must end with 0, an HTTP hook must be answered (with
//! whatever status), a sleep takes its time. `tcpSocket` is a field that Kubernetes keeps for old manifests only: a
//! hook of it fails when it runs. When hooks run and what a failure does is decided by `lifecycle`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use wasmpod_lifecycle::pod::HookKind;
use wasmpod_manifest::k8s::{Container, ExecAction, HTTPGetAction, LifecycleHandler};

use crate::exec;
use crate::probe::{self, HttpError, HttpGet, KUBERNETES_VERSION, MAX_OUTPUT_BYTES};
use crate::running::RunningContainer;

/// How long a hook without a deadline may wait for an answer over HTTP: in effect for ever, since it ends with its
/// container.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One run of a hook.
pub(crate) struct HookRun {
    pub(crate) container: Arc<RunningContainer>,
    pub(crate) hook: HookKind,
    /// When it is given up.
    pub(crate) deadline: Option<Instant>,
}

impl HookRun {
    /// Runs it; an error is what the kubelet would log.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let deadline = self
            .deadline
            .unwrap_or_else(|| Instant::now() + NO_DEADLINE);
        tokio::select! {
            biased;
            result = self.handle(deadline) => result,
            () = self.container.ended() => Err(self.failed("container has ended")),
            () = sleep_until(deadline), if self.deadline.is_some() => {
                Err(self.failed("not completed in grace period"))
            }
        }
    }

    async fn handle(&self, deadline: Instant) -> Result<(), String> {
        let (spec, handler) = self
            .handler()
            .ok_or_else(|| "Cannot run handler: there is none".to_owned())?;
        if let Some(action) = &handler.exec {
            self.exec(spec, action).await
        } else if let Some(action) = &handler.http_get {
            self.http_get(spec, action, deadline).await
        } else if let Some(action) = &handler.sleep {
            // Negative times are refused by the manifest's rules.
            sleep(Duration::from_secs(action.seconds.try_into().unwrap_or(0))).await;
            Ok(())
        } else {
            Err("Cannot run handler: invalid handler".to_owned())
        }
    }

    fn handler(&self) -> Option<(&Container, &LifecycleHandler)> {
        let spec = self.container.spec()?;
        let lifecycle = spec.lifecycle.as_ref()?;
        let handler = match self.hook {
            HookKind::PostStart => lifecycle.post_start.as_ref(),
            HookKind::PreStop => lifecycle.pre_stop.as_ref(),
        };
        Some((spec, handler?))
    }

    async fn exec(&self, spec: &Container, action: &ExecAction) -> Result<(), String> {
        let command = action.command.clone().unwrap_or_default();
        let words = command.join(" ");
        let ran = exec::capture(&self.container, command, MAX_OUTPUT_BYTES).await;
        let (error, output) = match ran {
            Ok(captured) if captured.exit.code == 0 => return Ok(()),
            Ok(captured) => {
                let code = captured.exit.code;
                (
                    format!("command '{words}' exited with {code}: "),
                    captured.output,
                )
            }
            Err(error) => (error.to_string(), String::new()),
        };
        let (container, pod) = (&spec.name, self.pod());
        Err(format!(
            "Exec lifecycle hook ([{words}]) for Container {container:?} in Pod {pod:?} failed - error: {error}, message: {output:?}"
        ))
    }

    async fn http_get(
        &self,
        spec: &Container,
        action: &HTTPGetAction,
        deadline: Instant,
    ) -> Result<(), String> {
        let answered = match probe::port(spec, &action.port) {
            Ok(port) => {
                let get = HttpGet {
                    dialer: &self.container.dialer(),
                    action,
                    port,
                    user_agent: &format!("kube-lifecycle/{KUBERNETES_VERSION}"),
                    deadline,
                };
                match get.send().await {
                    Err(HttpError::Plain(why)) => self.fall_back(get, &why).await,
                    answered => answered,
                }
                .map_err(HttpError::into_message)
            }
            Err(error) => Err(error),
        };
        let (container, pod) = (&spec.name, self.pod());
        let path = action.path.as_deref().unwrap_or_default();
        answered.map(drop).map_err(|error| {
            format!(
                "HTTP lifecycle hook ({path}) for Container {container:?} in Pod {pod:?} failed - error: {error}"
            )
        })
    }

    /// Asks again without TLS, as the kubelet does for hooks of old manifests, and says so.
    async fn fall_back(&self, get: HttpGet<'_>, why: &str) -> Result<probe::Response, HttpError> {
        let action = HTTPGetAction {
            scheme: Some("HTTP".to_owned()),
            ..get.action.clone()
        };
        let answer = HttpGet {
            action: &action,
            ..get
        }
        .send()
        .await
        .map_err(|_| HttpError::Failed(why.to_owned()))?;
        let message =
            format!("request to HTTPS lifecycle hook got HTTP response, retried with HTTP: {why}");
        self.container.warn("LifecycleHTTPFallback", message);
        Ok(answer)
    }

    /// A failure that is none of the handler's.
    fn failed(&self, why: &str) -> String {
        let hook = match self.hook {
            HookKind::PostStart => "PostStart",
            HookKind::PreStop => "PreStop",
        };
        format!("{hook} hook {why}")
    }

    /// `NAME_NAMESPACE(UID)`
    fn pod(&self) -> String {
        let pod = &self.container.identity;
        format!("{}_{}({})", pod.name, pod.namespace, pod.uid)
    }
}
