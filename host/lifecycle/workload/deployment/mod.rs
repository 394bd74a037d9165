//! Deployments: a replica set for each template, of which the last one is wanted.
//!
//! A new template gets a replica set of its own; `Recreate` waits until the pods of all others are gone,
//! `RollingUpdate` moves the pods over within `maxSurge` and `maxUnavailable`. Standard: upstream's
//! `pkg/controller/deployment`. Not kept: the annotations that kubectl's rollout history shows on the deployment
//! itself; those on its replica sets are.

mod rolling;
mod status;

use std::collections::BTreeMap;

use wasmpod_manifest::k8s::{Deployment, ObjectMeta, PodTemplateSpec, ReplicaSet, ReplicaSetSpec};
use wasmpod_manifest::{Workload, WorkloadKind};

use super::hash::template_hash;
use super::{Step, WorkloadDecision, WorkloadView, create, pods};
use crate::time::Timestamp;

/// The label by which the pods of a replica set are told from those of others. Source: apps/v1
/// `DefaultDeploymentUniqueLabelKey`.
const HASH_LABEL: &str = "pod-template-hash";
/// The number of a replica set among those of its deployment, as an annotation.
const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// What is known in one round.
struct Round<'a> {
    deployment: &'a Deployment,
    replicas: i32,
    /// The replica set of the present template.
    new: Option<&'a ReplicaSet>,
    /// The others, the oldest first.
    old: Vec<&'a ReplicaSet>,
    now: Timestamp,
}

/// What became of the replica set of the present template in this round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Made {
    /// Its name, when it was made in this round.
    created: Option<String>,
    /// Hashes that were the same for another template.
    collisions: Option<i32>,
}

pub(super) fn decide(deployment: &Deployment, view: &WorkloadView<'_>) -> WorkloadDecision {
    let mut decision = WorkloadDecision::nothing(view.workload);
    let mut sets: Vec<&ReplicaSet> = view
        .children
        .iter()
        .filter_map(|child| match &**child {
            Workload::ReplicaSet(set) => Some(&**set),
            _ => None,
        })
        .filter(|set| set.metadata.deletion_timestamp.is_none())
        .collect();
    sets.sort_by_key(|set| {
        let created = set.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created, revision(set), set.metadata.name.clone())
    });
    let is_new = |set: &&ReplicaSet| same_template(set, &deployment.spec.template);
    let round = Round {
        deployment,
        replicas: deployment.spec.replicas.unwrap_or(1).max(0),
        new: sets.iter().copied().find(is_new),
        old: sets.iter().copied().filter(|set| !is_new(set)).collect(),
        now: view.now,
    };
    let mut made = Made::default();
    if deployment.metadata.deletion_timestamp.is_none() {
        round.run(view, &sets, &mut made, &mut decision);
    }
    let deployment = status::with_status(&round, &made, &mut decision);
    decision.status = Workload::Deployment(Box::new(deployment));
    decision
}

impl Round<'_> {
    fn run(
        &self,
        view: &WorkloadView<'_>,
        sets: &[&ReplicaSet],
        made: &mut Made,
        decision: &mut WorkloadDecision,
    ) {
        if self.deployment.spec.paused == Some(true) {
            // Nothing is rolled out, but the number of pods is kept.
            if let Some(set) = self.new.or(self.old.last().copied()) {
                scale(set, self.replicas, decision);
            }
            return;
        }
        if self.recreates() {
            for set in &self.old {
                scale(set, 0, decision);
            }
            if self.old.iter().any(|set| has_pods(set)) {
                return;
            }
            match self.new {
                Some(set) => scale(set, self.replicas, decision),
                None => self.create(view, self.replicas, sets, made, decision),
            }
        } else {
            match self.new {
                None => {
                    let replicas = rolling::new_replicas(self, 0);
                    self.create(view, replicas, sets, made, decision);
                }
                Some(set) => rolling::roll(self, set, decision),
            }
        }
        self.clean_up(decision);
    }

    fn recreates(&self) -> bool {
        let strategy = self.deployment.spec.strategy.as_ref();
        strategy.is_some_and(|strategy| strategy.type_.as_deref() == Some("Recreate"))
    }

    fn create(
        &self,
        view: &WorkloadView<'_>,
        replicas: i32,
        sets: &[&ReplicaSet],
        made: &mut Made,
        decision: &mut WorkloadDecision,
    ) {
        let spec = &self.deployment.spec;
        let status = self.deployment.status.as_ref();
        let collisions = status.and_then(|s| s.collision_count).unwrap_or_default();
        let hash = template_hash(&spec.template, collisions);
        let name = format!("{}-{hash}", view.workload.name());
        if sets
            .iter()
            .any(|set| set.metadata.name.as_deref() == Some(&name))
        {
            // Another template has this hash: the next round salts it.
            made.collisions = Some(collisions.saturating_add(1));
            decision.wake(Some(self.now));
            return;
        }
        let mut template = spec.template.clone();
        let metadata = template.metadata.get_or_insert_default();
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(HASH_LABEL.to_owned(), hash.clone());
        let labels = labels.clone();
        let mut selector = spec.selector.clone();
        let chosen = selector.match_labels.get_or_insert_default();
        chosen.insert(HASH_LABEL.to_owned(), hash);
        let number = sets.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
        let annotations = BTreeMap::from([(REVISION_ANNOTATION.to_owned(), number.to_string())]);
        let set = ReplicaSet {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: self.deployment.metadata.namespace.clone(),
                labels: Some(labels),
                annotations: Some(annotations),
                owner_references: Some(vec![create::owner_reference(view.workload)]),
                ..ObjectMeta::default()
            },
            spec: ReplicaSetSpec {
                replicas: Some(replicas),
                min_ready_seconds: spec.min_ready_seconds,
                selector,
                template: Some(template),
            },
            status: None,
        };
        let workload = Workload::ReplicaSet(Box::new(set));
        decision
            .steps
            .push(Step::CreateWorkload(Box::new(workload)));
        if replicas > 0 {
            decision.event(
                "ScalingReplicaSet",
                format!("Scaled up replica set {name} from 0 to {replicas}"),
            );
        }
        made.created = Some(name);
    }

    /// Deletes the oldest replica sets without pods that are more than the limit of history.
    fn clean_up(&self, decision: &mut WorkloadDecision) {
        let Some(limit) = self.deployment.spec.revision_history_limit else {
            return;
        };
        if !status::is_complete(self) {
            return;
        }
        let surplus = self.old.len().saturating_sub(pods::length(limit));
        let empty = |set: &&&ReplicaSet| wanted(set) == 0 && !has_pods(set);
        for set in self.old.iter().take(surplus).filter(empty) {
            decision.steps.push(Step::DeleteWorkload {
                kind: WorkloadKind::ReplicaSet,
                name: set.metadata.name.clone().unwrap_or_default(),
            });
        }
    }
}

/// Whether a replica set was made for this template.
fn same_template(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let Some(mut own) = set.spec.template.clone() else {
        return false;
    };
    let mut template = template.clone();
    for template in [&mut own, &mut template] {
        let metadata = template.metadata.get_or_insert_default();
        let labels = metadata.labels.get_or_insert_default();
        labels.remove(HASH_LABEL);
    }
    own == template
}

fn revision(set: &ReplicaSet) -> i64 {
    let annotations = set.metadata.annotations.as_ref();
    let number = annotations.and_then(|list| list.get(REVISION_ANNOTATION));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How many pods a replica set is to have.
fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// How many of them are available.
fn available(set: &ReplicaSet) -> i32 {
    let status = set.status.as_ref();
    status
        .and_then(|s| s.available_replicas)
        .unwrap_or_default()
}

/// Whether pods are left, those that are being deleted included.
fn has_pods(set: &ReplicaSet) -> bool {
    set.status
        .as_ref()
        .is_some_and(|s| s.replicas > 0 || s.terminating_replicas.unwrap_or_default() > 0)
}

/// Sets the number of pods of a replica set, and says so.
fn scale(set: &ReplicaSet, replicas: i32, decision: &mut WorkloadDecision) {
    let before = wanted(set);
    if before == replicas {
        return;
    }
    let name = set.metadata.name.clone().unwrap_or_default();
    let way = if replicas > before { "up" } else { "down" };
    decision.steps.push(Step::ScaleWorkload {
        kind: WorkloadKind::ReplicaSet,
        name: name.clone(),
        replicas,
    });
    decision.event(
        "ScalingReplicaSet",
        format!("Scaled {way} replica set {name} from {before} to {replicas}"),
    );
}
