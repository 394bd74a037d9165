//! Which containers a pod has, in which order they start, and which of them are started again.

use wasmpod_manifest::k8s::{Container, PodSpec, ResourceRequirements};

use crate::exit::Exit;
use crate::probe::Probes;
use crate::restart_rules::{self, RestartRule, RuleAction};

/// `spec.restartPolicy`, or that of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Started again however it ended.
    Always,
    /// Started again unless it ended with 0.
    OnFailure,
    /// Never started again.
    Never,
}

impl RestartPolicy {
    /// Reads Kubernetes' word. The manifest's rules allow no other, and no word means `Always`.
    #[must_use]
    pub fn parse(word: Option<&str>) -> Self {
        match word {
            Some("OnFailure") => Self::OnFailure,
            Some("Never") => Self::Never,
            _ => Self::Always,
        }
    }

    /// Whether a container that ended so is started again.
    #[must_use]
    pub fn restarts(self, exit: &Exit) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !exit.is_success(),
            Self::Never => false,
        }
    }
}

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs to completion before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: the next one starts as soon as this one has started, and it
    /// runs until the main containers have ended.
    Sidecar,
    /// One of `spec.containers`.
    Main,
}

/// What of a container's spec the decisions need.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerPlan {
    /// `name`
    pub name: String,
    /// `image`
    pub image: String,
    /// What it is to its pod.
    pub kind: Kind,
    /// When it is started again. For an init container: after a failure only.
    pub restart: RestartPolicy,
    /// `restartPolicyRules`, which come before `restart`.
    pub rules: Vec<RestartRule>,
    /// Its probes.
    pub probes: Probes,
    /// It has a hook `lifecycle.postStart`.
    pub post_start: bool,
    /// It has a hook `lifecycle.preStop`.
    pub pre_stop: bool,
    /// `lifecycle.stopSignal`
    pub stop_signal: Option<String>,
    /// `resources`
    pub resources: Option<ResourceRequirements>,
}

impl ContainerPlan {
    /// Whether an instance that ended so is followed by another one. `RestartAllContainers` is one of the reasons
    /// for that, and the only one for an init container that has succeeded.
    #[must_use]
    pub fn restarts(&self, exit: &Exit) -> bool {
        match restart_rules::action(&self.rules, exit.code) {
            Some(RuleAction::RestartAllContainers) => true,
            Some(RuleAction::Restart) if self.kind != Kind::Init || !exit.is_success() => true,
            Some(RuleAction::Restart) | None => self.restart.restarts(exit),
        }
    }
}

/// All containers of a pod in the order in which they start: init containers first, each list as written.
#[must_use]
pub fn plan(spec: &PodSpec) -> Vec<ContainerPlan> {
    let pod = RestartPolicy::parse(spec.restart_policy.as_deref());
    let init = spec.init_containers.iter().flatten().map(|container| {
        match container.restart_policy.as_deref() {
            Some("Always") => entry(container, Kind::Sidecar, RestartPolicy::Always),
            own => {
                // An init container that succeeded is done, whatever the pod's policy.
                let restart = match own.map_or(pod, |word| RestartPolicy::parse(Some(word))) {
                    RestartPolicy::Never => RestartPolicy::Never,
                    RestartPolicy::Always | RestartPolicy::OnFailure => RestartPolicy::OnFailure,
                };
                entry(container, Kind::Init, restart)
            }
        }
    });
    let main = spec.containers.iter().map(|container| {
        let own = container.restart_policy.as_deref();
        entry(
            container,
            Kind::Main,
            own.map_or(pod, |word| RestartPolicy::parse(Some(word))),
        )
    });
    init.chain(main).collect()
}

fn entry(container: &Container, kind: Kind, restart: RestartPolicy) -> ContainerPlan {
    let lifecycle = container.lifecycle.as_ref();
    ContainerPlan {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        kind,
        restart,
        rules: RestartRule::of(container),
        probes: Probes::of(container),
        post_start: lifecycle.is_some_and(|l| l.post_start.is_some()),
        pre_stop: lifecycle.is_some_and(|l| l.pre_stop.is_some()),
        stop_signal: lifecycle.and_then(|l| l.stop_signal.clone()),
        resources: container.resources.clone(),
    }
}

/// `spec.terminationGracePeriodSeconds` when the pod names none, in seconds; Kubernetes' default.
pub const DEFAULT_GRACE_PERIOD_SECONDS: u64 = 30;

/// How long a pod's containers may take to end after they were asked to.
#[must_use]
pub fn grace_period(spec: &PodSpec) -> std::time::Duration {
    let seconds = spec
        .termination_grace_period_seconds
        .and_then(|s| u64::try_from(s).ok());
    std::time::Duration::from_secs(seconds.unwrap_or(DEFAULT_GRACE_PERIOD_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_restart_policy_table_of_kubernetes() {
        let (ok, failed) = (Exit::with_code(0), Exit::with_code(1));
        for (word, after_success, after_failure) in [
            (None, true, true),
            (Some("Always"), true, true),
            (Some("OnFailure"), false, true),
            (Some("Never"), false, false),
        ] {
            let policy = RestartPolicy::parse(word);
            assert_eq!(policy.restarts(&ok), after_success, "{word:?}");
            assert_eq!(policy.restarts(&failed), after_failure, "{word:?}");
        }
    }

    #[test]
    fn an_init_container_of_an_always_pod_is_retried_after_a_failure_only() {
        let spec = PodSpec {
            init_containers: Some(vec![Container {
                name: "i".into(),
                ..Container::default()
            }]),
            ..PodSpec::default()
        };
        assert_eq!(
            plan(&spec).first().map(|c| c.restart),
            Some(RestartPolicy::OnFailure)
        );
    }
}
