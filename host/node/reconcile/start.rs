//! Starting a pod: its place on the machine, its ports, its sandbox.

use std::path::Path;
use std::sync::Arc;

use wasmpod_lifecycle::PodState;
use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::{
    IpcLimits, LogLimits, PublishRequest, SandboxConfig, SandboxHandle, Severity,
};
use wasmpod_store::{Object, ObjectRef};

use super::Reconciler;
use crate::admission::images::ImagesOf;
use crate::admission::publish::{Publication, publications};
use crate::events::Component;
use crate::follow::follow;
use crate::known::{KnownPod, RunningPod};
use crate::schedule::{Misfit, Requests, fit};
use crate::sources::Namespaced;

/// Where a pod can be.
pub(super) enum Place {
    /// Here, and this is published of it.
    Free(Vec<Publication>),
    /// Where another pod is about to end.
    SoonFree,
}

impl Reconciler {
    /// Does the pod fit beside those that are there, and can it have its ports?
    pub(super) fn find_place(&self, pod: &Arc<Pod>) -> Result<Place, Misfit> {
        let neighbours = self.shared.known.all();
        let neighbours: Vec<_> = neighbours
            .iter()
            .filter(|known| known.occupies().is_some())
            .collect();
        let running = neighbours.iter().filter_map(|known| known.occupies());
        let used = running
            .map(|running| running.requests)
            .fold(Requests::default(), Requests::plus);
        fit(
            Requests::of(pod),
            used,
            neighbours.len(),
            self.shared.machine,
        )?;
        let mut free = Vec::new();
        for wanted in self.publications(pod) {
            let holder = neighbours.iter().find(|known| {
                let running = known.occupies();
                running.is_some_and(|running| {
                    running
                        .publications
                        .iter()
                        .any(|held| held.clashes_with(&wanted))
                })
            });
            match holder {
                None => free.push(wanted),
                // A host port is the pod's own.
                Some(holder) if !wanted.is_shared() => {
                    let holder = format!("{}/{}", holder.namespace(), holder.name());
                    return Err(Misfit::port(wanted.host, &holder));
                }
                // The first of several pods has it all, until it goes.
                Some(holder) if holder.pod().metadata.deletion_timestamp.is_some() => {
                    return Ok(Place::SoonFree);
                }
                Some(_) => {}
            }
        }
        Ok(Place::Free(free))
    }

    fn publications(&self, pod: &Arc<Pod>) -> Vec<Publication> {
        let rules = &self.shared.config.publish;
        let owners = if rules.is_empty() {
            Vec::new()
        } else {
            self.shared.owners(&Object::from(Arc::clone(pod)))
        };
        // A rule for a port that is not there was refused before the pod was created.
        publications(pod, &owners, rules).unwrap_or_default()
    }

    /// Gives the pod its node and starts it there.
    pub(super) fn start(
        &mut self,
        object: &ObjectRef,
        pod: &Arc<Pod>,
        known: &Arc<KnownPod>,
        publications: Vec<Publication>,
    ) {
        let facts = self.shared.host_facts();
        let bound = self.change(object, known.uid(), &mut |stored| {
            let Object::Pod(stored) = stored else { return };
            let stored = Arc::make_mut(stored);
            if let Some(spec) = &mut stored.spec {
                spec.node_name = Some(facts.node_name.clone());
            }
            // The sandbox begins with the same, and may have gone on before anyone has seen it.
            stored.status =
                Some(PodState::new(stored, &facts, self.shared.config.clock.now()).status());
        });
        let Some(Object::Pod(bound)) = bound else {
            return;
        };
        let name = format!(
            "{}/{}",
            object.namespace.as_deref().unwrap_or_default(),
            object.name
        );
        self.tell(pod, Component::Scheduler, Severity::Normal, "Scheduled", {
            let node = &facts.node_name;
            format!("Successfully assigned {name} to {node}")
        });
        known.set_wanted(Arc::clone(&bound));
        let Some(placement) = self.shared.place() else {
            return;
        };
        let config = self.sandbox_config(object, &bound, &publications);
        match SandboxHandle::start(config, placement) {
            Ok(sandbox) => {
                let (status, events) = (sandbox.watch(), sandbox.events().read());
                known.set_running(RunningPod {
                    sandbox,
                    publications: publications.into(),
                    requests: Requests::of(&bound),
                    pod: Arc::clone(&bound),
                    node_ports: Arc::clone(&self.shared.node_ports),
                });
                let (shared, known) = (Arc::clone(&self.shared), Arc::clone(known));
                self.jobs.spawn(follow(shared, known, status, events));
            }
            Err(error) => {
                let mut message = format!("Failed to create pod sandbox: {error}");
                if let Some(source) = std::error::Error::source(&error) {
                    message = format!("{message}: {source}");
                }
                let reason = "FailedCreatePodSandBox";
                self.tell(pod, Component::Kubelet, Severity::Warning, reason, message);
                self.retry(object);
            }
        }
    }

    fn tell(
        &self,
        pod: &Arc<Pod>,
        component: Component,
        severity: Severity,
        reason: &str,
        message: String,
    ) {
        let object = Object::from(Arc::clone(pod));
        self.shared
            .recorder
            .record(&object, component, severity, reason, message);
    }

    fn sandbox_config(
        &self,
        object: &ObjectRef,
        pod: &Arc<Pod>,
        publications: &[Publication],
    ) -> SandboxConfig {
        let shared = &self.shared;
        let config = &shared.config;
        let base = shared.known.base(object);
        let base = base
            .as_deref()
            .unwrap_or_else(|| Path::new(&config.base_dir));
        SandboxConfig {
            pod: Arc::clone(pod),
            host: shared.host_facts(),
            runtime: Arc::clone(&config.runtime),
            images: Arc::new(ImagesOf {
                images: Arc::clone(&shared.images),
                base: base.to_owned(),
            }),
            sources: Arc::new(Namespaced {
                store: shared.store.clone(),
                namespace: object.namespace.clone().unwrap_or_default(),
                allow_host_path: config.volume_policy.allow_host_path.clone(),
            }),
            network: Arc::clone(&shared.network),
            publish: publications
                .iter()
                .map(|wanted| PublishRequest {
                    host: wanted.host,
                    port: wanted.pod_port,
                    protocol: wanted.protocol,
                    proxy: wanted.proxy,
                })
                .collect(),
            volume_policy: config.volume_policy.clone(),
            ipc_limits: IpcLimits::default(),
            pods_dir: shared.folders.pods.clone(),
            logs_dir: shared.folders.logs.clone(),
            log_limits: LogLimits::default(),
            clock: config.clock,
        }
    }
}
