//! Controllers on virtual time.
//!
//! [`World`] does the steps as a node would, one workload and what it owns, until nothing is left to do; the tests say
//! how the pods fare in between.

#![expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]

mod batch;
mod cron;
mod deployment;
mod replicas;
mod stateful;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wasmpod_manifest::k8s::{ObjectMeta, Pod, Time};
use wasmpod_manifest::{Workload, WorkloadKind};

use super::{Step, WorkloadView, decide, pods, prepare};
use crate::time::Timestamp;

/// How many rounds a change may take; more is a controller that never rests.
const MOST_ROUNDS: usize = 50;

struct World {
    workloads: BTreeMap<String, Workload>,
    root: String,
    pods: BTreeMap<String, Pod>,
    claims: Vec<String>,
    now: Timestamp,
    names: u32,
    uids: u32,
    /// Steps and events, in their order.
    log: Vec<String>,
    wake_at: Option<Timestamp>,
    /// Deleted pods stay until the test ends them.
    slow_deletes: bool,
}

impl World {
    fn new(kind: WorkloadKind, name: &str, spec: Value) -> Self {
        let metadata = json!({"name": name, "namespace": "default"});
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata, "spec": spec});
        let mut workload = match kind {
            WorkloadKind::Deployment => {
                Workload::Deployment(serde_json::from_value(object).unwrap())
            }
            WorkloadKind::ReplicaSet => {
                Workload::ReplicaSet(serde_json::from_value(object).unwrap())
            }
            WorkloadKind::ReplicationController => {
                Workload::ReplicationController(serde_json::from_value(object).unwrap())
            }
            WorkloadKind::DaemonSet => Workload::DaemonSet(serde_json::from_value(object).unwrap()),
            WorkloadKind::StatefulSet => {
                Workload::StatefulSet(serde_json::from_value(object).unwrap())
            }
            WorkloadKind::Job => Workload::Job(serde_json::from_value(object).unwrap()),
            WorkloadKind::CronJob => Workload::CronJob(serde_json::from_value(object).unwrap()),
        };
        workload.set_defaults();
        let mut world = Self {
            workloads: BTreeMap::new(),
            root: name.to_owned(),
            pods: BTreeMap::new(),
            claims: Vec::new(),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            names: 0,
            uids: 0,
            log: Vec::new(),
            wake_at: None,
            slow_deletes: false,
        };
        world.add(workload);
        world
    }

    fn started(kind: WorkloadKind, name: &str, spec: Value) -> Self {
        let mut world = Self::new(kind, name, spec);
        world.settle();
        world
    }

    fn stamp(&mut self, metadata: &mut ObjectMeta) {
        self.uids += 1;
        metadata.uid = Some(format!("uid-{}", self.uids));
        metadata.creation_timestamp = Some(Time(self.now));
        metadata.generation = Some(1);
    }

    fn add(&mut self, mut workload: Workload) {
        self.stamp(workload.metadata_mut());
        prepare(&mut workload);
        let clash = self.workloads.insert(workload.name().to_owned(), workload);
        assert_eq!(clash, None, "two workloads of one name");
    }

    /// Decides for every workload until nobody has anything to do.
    fn settle(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let before = (self.workloads.clone(), self.pods.clone());
            self.wake_at = None;
            let names: Vec<String> = self.workloads.keys().cloned().collect();
            for name in names {
                self.round(&name);
            }
            if before == (self.workloads.clone(), self.pods.clone()) {
                return;
            }
        }
        panic!("decides without end: {:#?}", self.log);
    }

    fn round(&mut self, name: &str) {
        let Some(workload) = self.workloads.get(name).cloned() else {
            return;
        };
        let uid = workload.metadata().uid.clone().unwrap();
        let owned = |metadata: &ObjectMeta| {
            let owners = metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| owner.uid == uid)
        };
        let pods: Vec<Arc<Pod>> = self
            .pods
            .values()
            .filter(|p| owned(&p.metadata))
            .cloned()
            .map(Arc::new)
            .collect();
        let children: Vec<Arc<Workload>> = self
            .workloads
            .values()
            .filter(|w| owned(w.metadata()))
            .cloned()
            .map(Arc::new)
            .collect();
        let mut number = self.names;
        let mut next_name = || {
            number += 1;
            format!("{number:05}")
        };
        let decision = decide(WorkloadView {
            workload: &workload,
            pods: &pods,
            children: &children,
            now: self.now,
            names: &mut next_name,
        });
        self.names = number;
        assert_eq!(decision.status.metadata(), workload.metadata());
        self.workloads.insert(name.to_owned(), decision.status);
        if let Some(time) = decision.wake_at {
            assert!(time >= self.now, "asks to be woken in the past");
            self.wake_at = Some(self.wake_at.map_or(time, |set| set.min(time)));
        }
        for step in decision.steps {
            self.perform(step);
        }
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::CreatePod(mut pod) => {
                self.stamp(&mut pod.metadata);
                let name = pods::name(&pod).to_owned();
                self.log.push(format!("+pod {name}"));
                assert_eq!(self.pods.insert(name, *pod), None, "two pods of one name");
            }
            Step::DeletePod { name } => self.delete_pod(&name),
            Step::RemoveFinalizer { pod, finalizer } => {
                let found = self.pods.get_mut(&pod).unwrap();
                let finalizers = found.metadata.finalizers.as_mut().unwrap();
                let before = finalizers.len();
                finalizers.retain(|one| one != finalizer);
                assert_eq!(finalizers.len(), before - 1, "the finalizer was gone");
                self.sweep();
            }
            Step::CreateClaim(claim) => {
                let name = claim.metadata.name.unwrap();
                if !self.claims.contains(&name) {
                    self.claims.push(name);
                }
            }
            Step::DeleteClaim { name } => self.claims.retain(|claim| *claim != name),
            Step::CreateWorkload(workload) => {
                self.log
                    .push(format!("+{} {}", workload.kind(), workload.name()));
                self.add(*workload);
            }
            Step::ScaleWorkload { name, replicas, .. } => {
                let Some(Workload::ReplicaSet(set)) = self.workloads.get_mut(&name) else {
                    panic!("no replica set {name}");
                };
                set.spec.replicas = Some(replicas);
            }
            Step::DeleteWorkload { kind, name } => {
                self.log.push(format!("-{kind} {name}"));
                let gone = self.workloads.remove(&name).unwrap();
                let uid = gone.metadata().uid.clone().unwrap();
                self.pods.retain(|_, pod| {
                    let mut owners = pod.metadata.owner_references.iter().flatten();
                    !owners.any(|owner| owner.uid == uid)
                });
            }
            Step::Event {
                reason, message, ..
            } => {
                if !matches!(reason, "SuccessfulCreate" | "SuccessfulDelete") {
                    self.log.push(format!("{reason}: {message}"));
                }
            }
        }
    }

    fn delete_pod(&mut self, name: &str) {
        self.log.push(format!("-pod {name}"));
        let now = self.now;
        let pod = self.pods.get_mut(name).unwrap();
        pod.metadata.deletion_timestamp = Some(Time(now));
        if !self.slow_deletes {
            self.gone(name);
        }
    }

    /// A pod that is being deleted has ended.
    fn gone(&mut self, name: &str) {
        let pod = self.pods.get_mut(name).unwrap();
        if !pods::has_ended(pod) {
            pod.status.get_or_insert_default().phase = Some("Failed".to_owned());
        }
        self.sweep();
    }

    /// Removes the deleted pods that have ended and have no finalizers.
    fn sweep(&mut self) {
        self.pods.retain(|_, pod| {
            let held = pod
                .metadata
                .finalizers
                .as_ref()
                .is_some_and(|f| !f.is_empty());
            held || !pods::is_terminating(pod) || !pods::has_ended(pod)
        });
    }

    /// Gives a pod a status; the times in it are now.
    fn set(&mut self, name: &str, phase: &str, ready: bool, exit_code: Option<i32>) {
        let now = self.now.to_string();
        let state = match exit_code {
            Some(code) => json!({"terminated": {"exitCode": code, "finishedAt": now}}),
            None => json!({"running": {"startedAt": now}}),
        };
        let pod = self
            .pods
            .get_mut(name)
            .unwrap_or_else(|| panic!("no pod {name}"));
        let status = json!({
            "phase": phase,
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": now}],
            "containerStatuses": [{"name": "a", "image": "a", "imageID": "", "ready": ready, "restartCount": 0, "state": state}],
        });
        pod.status = Some(serde_json::from_value(status).unwrap());
    }

    fn ready(&mut self, name: &str) {
        self.set(name, "Running", true, None);
        self.settle();
    }

    fn all_ready(&mut self) {
        for name in self.names() {
            let pod = &self.pods[&name];
            if pods::is_active(pod) && !pods::is_ready(pod) {
                self.set(&name, "Running", true, None);
            }
        }
        self.settle();
    }

    fn succeed(&mut self, name: &str) {
        self.set(name, "Succeeded", false, Some(0));
        self.settle();
    }

    fn fail(&mut self, name: &str, code: i32) {
        self.set(name, "Failed", false, Some(code));
        self.settle();
    }

    fn pass(&mut self, seconds: i64) {
        self.now = pods::after(self.now, seconds);
        self.settle();
    }

    fn names(&self) -> Vec<String> {
        self.pods.keys().cloned().collect()
    }

    /// The pods that have not ended and are not being deleted.
    fn active(&self) -> Vec<String> {
        let active = self.pods.values().filter(|pod| pods::is_active(pod));
        active.map(|pod| pods::name(pod).to_owned()).collect()
    }

    fn status(&self) -> Value {
        self.status_of(&self.root)
    }

    fn status_of(&self, name: &str) -> Value {
        serde_json::to_value(&self.workloads[name]).unwrap()["status"].take()
    }

    /// The condition of this type: its status and reason.
    fn condition(&self, kind: &str) -> Option<String> {
        let status = self.status();
        let list = status["conditions"].as_array()?;
        let found = list.iter().find(|condition| condition["type"] == kind)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some(format!("{} {}", text("status"), text("reason")))
    }

    fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// Seconds until somebody wants to be woken.
    fn wakes_in(&self) -> Option<i64> {
        Some(self.wake_at?.as_second() - self.now.as_second())
    }
}

/// A template of one container.
fn template(image: &str, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"restartPolicy": restart, "containers": [{"name": "a", "image": image}]},
    })
}

fn keeps_running(extra: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("nginx:1", "Always"),
    });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}
