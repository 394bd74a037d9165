//! Stateful sets: numbered pods that keep their names, host names and claims.
//!
//! With `OrderedReady` each pod waits until the one before it is ready, and the last one goes first; with `Parallel`
//! nobody waits. A pod that ended is deleted and made anew. Standard: upstream's `pkg/controller/statefulset`. No
//! earlier templates are kept: a pod below `partition` that has to be made anew gets the present one.

use std::collections::BTreeMap;

use wasmpod_manifest::Workload;
use wasmpod_manifest::k8s::{
    ObjectMeta, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, StatefulSet,
    StatefulSetStatus, Volume,
};

use super::daemon_set::REVISION_LABEL;
use super::hash::template_hash;
use super::{Step, WorkloadDecision, WorkloadView, create, pods};
use crate::time::Timestamp;

/// Source: apps/v1 `StatefulSetPodNameLabel`.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// Source: apps/v1 `PodIndexLabel`.
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// What is known in one round.
struct Round<'a> {
    set: &'a StatefulSet,
    workload: &'a Workload,
    now: Timestamp,
    name: &'a str,
    revision: String,
    start: i32,
    end: i32,
    ordered: bool,
    min_ready: i32,
}

pub(super) fn decide(set: &StatefulSet, view: &WorkloadView<'_>) -> WorkloadDecision {
    let mut decision = WorkloadDecision::nothing(view.workload);
    let spec = &set.spec;
    let start = spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0);
    let round = Round {
        set,
        workload: view.workload,
        now: view.now,
        name: view.workload.name(),
        revision: format!(
            "{}-{}",
            view.workload.name(),
            template_hash(&spec.template, 0)
        ),
        start,
        end: start.saturating_add(spec.replicas.unwrap_or(1).max(0)),
        ordered: spec.pod_management_policy.as_deref() != Some("Parallel"),
        min_ready: spec.min_ready_seconds.unwrap_or_default(),
    };
    let mut wanted: BTreeMap<i32, &Pod> = BTreeMap::new();
    let mut condemned: BTreeMap<i32, &Pod> = BTreeMap::new();
    for pod in view.pods.iter().map(AsRef::as_ref) {
        let Some(ordinal) = round.ordinal(pod) else {
            continue;
        };
        let list = if (round.start..round.end).contains(&ordinal) {
            &mut wanted
        } else {
            &mut condemned
        };
        list.insert(ordinal, pod);
    }
    let all = || wanted.values().chain(condemned.values()).copied();
    decision.wake(pods::next_available(all(), round.min_ready, view.now));
    if set.metadata.deletion_timestamp.is_none() {
        round.run(&wanted, &condemned, &mut decision);
    }
    decision.status = Workload::StatefulSet(Box::new(round.with_status(all())));
    decision
}

impl Round<'_> {
    /// The number in a pod's name.
    fn ordinal(&self, pod: &Pod) -> Option<i32> {
        let rest = pods::name(pod).strip_prefix(self.name)?.strip_prefix('-')?;
        rest.parse().ok()
    }

    fn run(
        &self,
        wanted: &BTreeMap<i32, &Pod>,
        condemned: &BTreeMap<i32, &Pod>,
        decision: &mut WorkloadDecision,
    ) {
        for ordinal in self.start..self.end {
            let Some(pod) = wanted.get(&ordinal) else {
                self.create(ordinal, decision);
                if self.ordered {
                    return;
                }
                continue;
            };
            if pods::has_ended(pod) {
                if !pods::is_terminating(pod) {
                    self.recreate(pod, decision);
                }
                if self.ordered {
                    return;
                }
            } else if self.ordered && !self.is_settled(pod) {
                return;
            }
        }
        // The highest numbers go first, each when all others are well.
        for pod in condemned.values().rev() {
            if pods::is_terminating(pod) {
                if self.ordered {
                    return;
                }
                continue;
            }
            self.delete(pod, decision);
            self.release_claims(pod, decision);
            if self.ordered {
                return;
            }
        }
        self.update(wanted, decision);
    }

    /// Running, available, and to stay.
    fn is_settled(&self, pod: &Pod) -> bool {
        !pods::is_terminating(pod)
            && pods::phase(pod) == "Running"
            && pods::is_available(pod, self.min_ready, self.now)
    }

    fn recreate(&self, pod: &Pod, decision: &mut WorkloadDecision) {
        let (reason, word) = match pods::phase(pod) {
            "Succeeded" => ("RecreatingTerminatedPod", "terminated"),
            _ => ("RecreatingFailedPod", "failed"),
        };
        let namespace = self.set.metadata.namespace.as_deref().unwrap_or_default();
        decision.warning(
            reason,
            format!(
                "StatefulSet {namespace}/{} is recreating {word} Pod {}",
                self.name,
                pods::name(pod)
            ),
        );
        self.delete(pod, decision);
    }

    fn delete(&self, pod: &Pod, decision: &mut WorkloadDecision) {
        let name = pods::name(pod).to_owned();
        let message = format!("delete Pod {name} in StatefulSet {} successful", self.name);
        decision.steps.push(Step::DeletePod { name });
        decision.event("SuccessfulDelete", message);
    }

    /// `whenScaled: Delete`.
    fn release_claims(&self, pod: &Pod, decision: &mut WorkloadDecision) {
        let retention = self
            .set
            .spec
            .persistent_volume_claim_retention_policy
            .as_ref();
        if retention.and_then(|r| r.when_scaled.as_deref()) != Some("Delete") {
            return;
        }
        for template in self.set.spec.volume_claim_templates.iter().flatten() {
            let name = claim_name(template, pods::name(pod));
            decision.steps.push(Step::DeleteClaim { name });
        }
    }

    fn create(&self, ordinal: i32, decision: &mut WorkloadDecision) {
        let spec = &self.set.spec;
        let name = format!("{}-{ordinal}", self.name);
        let mut pod = create::pod(self.workload, &spec.template, name.clone());
        pod.metadata.generate_name = Some(format!("{}-", self.name));
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert(POD_NAME_LABEL.to_owned(), name.clone());
        labels.insert(POD_INDEX_LABEL.to_owned(), ordinal.to_string());
        labels.insert(REVISION_LABEL.to_owned(), self.revision.clone());
        let pod_spec = pod.spec.get_or_insert_default();
        pod_spec.hostname = Some(name.clone());
        if let Some(service) = spec.service_name.as_ref().filter(|name| !name.is_empty()) {
            pod_spec.subdomain = Some(service.clone());
        }
        for template in spec.volume_claim_templates.iter().flatten() {
            let claim = self.claim(template, &name);
            let volume = template.metadata.name.clone().unwrap_or_default();
            let claim_name = claim.metadata.name.clone().unwrap_or_default();
            // A volume of the template with the name of a claim gives way to it.
            let volumes = pod_spec.volumes.get_or_insert_default();
            volumes.retain(|existing| existing.name != volume);
            volumes.push(Volume {
                name: volume,
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: claim_name.clone(),
                    read_only: None,
                }),
                ..Volume::default()
            });
            decision.steps.push(Step::CreateClaim(Box::new(claim)));
            decision.event(
                "SuccessfulCreate",
                format!(
                    "create Claim {claim_name} Pod {name} in StatefulSet {} success",
                    self.name
                ),
            );
        }
        decision.steps.push(Step::CreatePod(Box::new(pod)));
        decision.event(
            "SuccessfulCreate",
            format!("create Pod {name} in StatefulSet {} successful", self.name),
        );
    }

    fn claim(&self, template: &PersistentVolumeClaim, pod: &str) -> PersistentVolumeClaim {
        let from = &template.metadata;
        let mut labels = from.labels.clone().unwrap_or_default();
        labels.extend(
            self.set
                .spec
                .selector
                .match_labels
                .clone()
                .into_iter()
                .flatten(),
        );
        let retention = self
            .set
            .spec
            .persistent_volume_claim_retention_policy
            .as_ref();
        let goes_with_set = retention.and_then(|r| r.when_deleted.as_deref()) == Some("Delete");
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(claim_name(template, pod)),
                namespace: self.set.metadata.namespace.clone(),
                labels: Some(labels).filter(|labels| !labels.is_empty()),
                annotations: from.annotations.clone(),
                owner_references: goes_with_set
                    .then(|| vec![create::owner_reference(self.workload)]),
                ..ObjectMeta::default()
            },
            spec: template.spec.clone(),
            status: None,
        }
    }

    /// Replaces the pods of an earlier template, the highest number first, one after another.
    fn update(&self, wanted: &BTreeMap<i32, &Pod>, decision: &mut WorkloadDecision) {
        let strategy = self.set.spec.update_strategy.as_ref();
        if strategy.is_some_and(|s| s.type_.as_deref() == Some("OnDelete")) {
            return;
        }
        let partition = strategy
            .and_then(|strategy| strategy.rolling_update.as_ref()?.partition)
            .unwrap_or_default();
        let first = self.start.max(partition);
        for (_, pod) in wanted.range(first..).rev() {
            if !self.is_current(pod) && !pods::is_terminating(pod) {
                self.delete(pod, decision);
                return;
            }
            if !self.is_settled(pod) {
                return;
            }
        }
    }

    fn is_current(&self, pod: &Pod) -> bool {
        pods::label(pod, REVISION_LABEL) == Some(&self.revision)
    }

    fn with_status<'p>(&self, pods: impl Iterator<Item = &'p Pod>) -> StatefulSet {
        let mut set = self.set.clone();
        let before = set.status.take().unwrap_or_default();
        let pods: Vec<&Pod> = pods.collect();
        let number = |filter: &dyn Fn(&Pod) -> bool| {
            pods::count(pods.iter().filter(|pod| filter(pod)).count())
        };
        let updated = number(&|pod| self.is_current(pod) && !pods::is_terminating(pod));
        let replicas = pods::count(pods.len());
        let all_updated = updated == replicas;
        let current = before
            .current_revision
            .filter(|_| !all_updated)
            .unwrap_or_else(|| self.revision.clone());
        let at_current = number(&|pod| {
            pods::label(pod, REVISION_LABEL) == Some(&current) && !pods::is_terminating(pod)
        });
        set.status = Some(StatefulSetStatus {
            replicas,
            ready_replicas: Some(number(&|pod| {
                pods::phase(pod) == "Running" && pods::is_ready(pod)
            })),
            available_replicas: Some(number(&|pod| {
                pods::is_available(pod, self.min_ready, self.now)
            })),
            current_replicas: Some(at_current),
            updated_replicas: Some(updated),
            current_revision: Some(current),
            update_revision: Some(self.revision.clone()),
            observed_generation: set.metadata.generation,
            collision_count: before.collision_count.or(Some(0)),
            conditions: before.conditions,
        });
        set
    }
}

/// `www` and `web-0` give `www-web-0`.
fn claim_name(template: &PersistentVolumeClaim, pod: &str) -> String {
    let template = template.metadata.name.as_deref().unwrap_or_default();
    format!("{template}-{pod}")
}
