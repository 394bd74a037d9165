//! When everything is done: every pod has ended or is gone, and no workload wants more.

use wasmpod_store::{Kind, Object};

use crate::agent::Agent;

impl Agent {
    /// Has every pod ended, is none being deleted, and does no workload want another one? A host without pods is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let workloads = Kind::ALL.iter().filter(|kind| kind.is_workload());
        let wants_more = workloads
            .flat_map(|kind| self.store().list(*kind, None).0)
            .any(|object| wants_more(&object));
        // A pod that is deleted has ended before it is gone, and how it ended then matters to nobody.
        let pods = self.store().list(Kind::Pod, None).0;
        let is_leaving = |pod: &Object| pod.metadata().deletion_timestamp.is_some();
        !wants_more
            && !pods.iter().any(is_leaving)
            && self.known_pods().iter().all(|pod| pod.has_ended())
    }

    /// Waits until [`is_done`](Self::is_done).
    pub async fn done(&self) {
        let mut version = self.store().changes();
        loop {
            version.borrow_and_update();
            // What follows from the last change may be another pod.
            self.settled().await;
            if self.is_done() {
                return;
            }
            let pods = self.known_pods();
            let running = pods
                .iter()
                .find(|pod| pod.running().is_some() && !pod.has_ended());
            tokio::select! {
                // Cannot fail: this agent holds the store, and with it the sender.
                _ = version.changed() => {}
                // The end is said to the store before all is released.
                () = async {
                    match running {
                        Some(pod) => drop(pod.ended().await),
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }
}

/// May this workload make a pod some time, as it is now?
fn wants_more(object: &Object) -> bool {
    if object.metadata().deletion_timestamp.is_some() {
        return true;
    }
    let some = |replicas: Option<i32>| replicas.unwrap_or(1) > 0;
    match object {
        Object::Deployment(found) => some(found.spec.replicas),
        Object::StatefulSet(found) => some(found.spec.replicas),
        Object::ReplicaSet(found) => some(found.spec.replicas),
        Object::ReplicationController(found) => {
            some(found.spec.as_ref().and_then(|spec| spec.replicas))
        }
        Object::DaemonSet(_) => true,
        Object::CronJob(found) => found.spec.suspend != Some(true),
        Object::Job(found) => {
            let conditions = found
                .status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten());
            let is_over = conditions.into_iter().any(|found| {
                ["Complete", "Failed"].contains(&found.type_.as_str()) && found.status == "True"
            });
            let is_suspended = found
                .spec
                .as_ref()
                .is_some_and(|spec| spec.suspend == Some(true));
            !is_over && !is_suspended
        }
        _ => false,
    }
}
