//! A pod's object that was changed in place.
//!
//! Of a pod that exists Kubernetes lets change its labels and annotations, its images, `activeDeadlineSeconds` (only
//! down), its grace period with a deletion, its scheduling gates (only away) and, in its status, conditions that
//! others set. A container whose image has changed is replaced, whatever its restart policy, if it runs; an init
//! container that runs or has run is left as it is. A container that has ended keeps to its policy, and takes the new
//! image if it is started again.

use std::time::Duration;

use wasmpod_manifest::k8s::{Pod, PodSpec};

use super::conditions::foreign;
use super::record::{ContainerIndex, ContainerRecord};
use super::{PodState, active_deadline, is_gated, readiness_gates};
use crate::policy;
use crate::time::Now;

impl PodState {
    pub(super) fn update(&mut self, pod: &Pod, now: Now) {
        let none = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&none);
        self.generation = pod.metadata.generation;
        self.foreign = foreign(pod);
        self.readiness_gates = readiness_gates(spec);
        self.active_deadline = active_deadline(spec);
        // A deletion names its own, which then holds for whatever ends.
        let of_deletion = pod.metadata.deletion_grace_period_seconds;
        self.grace = of_deletion
            .and_then(|s| u64::try_from(s).ok())
            .map_or_else(|| policy::grace_period(spec), Duration::from_secs);
        self.qos_class = crate::qos::class(spec);
        if self.is_gated && !is_gated(spec) {
            self.is_gated = false;
            self.accepted = now;
        }
        for plan in policy::plan(spec) {
            let found = self.containers().find(|(_, c)| c.plan.name == plan.name);
            let Some((index, _)) = found else { continue };
            if let Some(record) = self.record_mut(index)
                && record.plan.kind == plan.kind
            {
                record.plan = plan;
            }
            self.replace_changed(index, now);
        }
    }

    /// Ends a running container that was made of another image than its spec names now.
    pub(super) fn replace_changed(&mut self, index: ContainerIndex, now: Now) {
        if self.is_ending() || self.restart_all.is_some() {
            return;
        }
        let deadline = now.elapsed.saturating_add(self.grace);
        let Some(record) = self.record_mut(index).filter(|r| r.is_outdated()) else {
            return;
        };
        record.instance.is_replaced = true;
        let text = record.killing("definition changed", true);
        self.stop_container(index, deadline, text, now);
    }
}

impl ContainerRecord {
    fn is_outdated(&self) -> bool {
        self.has_guest()
            && !self.is_init()
            && self.instance.stopping.is_none()
            && self.instance.image != self.plan.image
    }
}
