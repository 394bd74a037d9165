//! ConfigMaps and Secrets that change while pods show them.

use wasmpod_manifest::k8s::{Pod, Volume};
use wasmpod_store::{Kind, ObjectRef};

use super::Reconciler;

impl Reconciler {
    /// Has the pods whose volumes show an object take its contents. (The kubelet does so within a minute; here it is at
    /// once.)
    pub(super) fn contents(&mut self, object: &ObjectRef) {
        if self.get(object).is_some() && self.collect_garbage(object) {
            return;
        }
        for known in self.shared.known.all() {
            let pod = known.wanted();
            let Some(running) = known.occupies() else {
                continue;
            };
            if pod.metadata.namespace == object.namespace && shows(&pod, object) {
                let sandbox = running.sandbox.clone();
                self.jobs.spawn(async move { sandbox.refresh().await });
            }
        }
    }
}

/// Does a volume of the pod show this ConfigMap or Secret?
fn shows(pod: &Pod, object: &ObjectRef) -> bool {
    let mut volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes.any(|volume| volume_shows(volume, object))
}

fn volume_shows(volume: &Volume, object: &ObjectRef) -> bool {
    let name = Some(object.name.as_str());
    let sources = volume
        .projected
        .iter()
        .flat_map(|projected| projected.sources.iter().flatten());
    let mut sources = sources;
    match object.kind {
        Kind::ConfigMap => {
            volume
                .config_map
                .as_ref()
                .is_some_and(|found| Some(found.name.as_str()) == name)
                || sources.any(|source| {
                    source
                        .config_map
                        .as_ref()
                        .is_some_and(|found| Some(found.name.as_str()) == name)
                })
        }
        Kind::Secret => {
            volume
                .secret
                .as_ref()
                .is_some_and(|found| found.secret_name.as_deref() == name)
                || sources.any(|source| {
                    source
                        .secret
                        .as_ref()
                        .is_some_and(|found| Some(found.name.as_str()) == name)
                })
        }
        _ => false,
    }
}
