//! The kinds that make pods from a template, as one type.
//!
//! Deployments and cron jobs make pods through other workloads: a [`Deployment`] through replica
//! sets, a [`CronJob`] through jobs. What they make is decided in `lifecycle`.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::k8s::{
    CronJob, DaemonSet, Deployment, Job, ObjectMeta, PodTemplateSpec, ReplicaSet,
    ReplicationController, StatefulSet,
};

/// An object that makes pods.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// `apps/v1`: pods that are alike, through a replica set for each template it has had.
    Deployment(Box<Deployment>),
    /// `apps/v1`: a number of pods that are alike.
    ReplicaSet(Box<ReplicaSet>),
    /// `v1`: what replica sets were before.
    ReplicationController(Box<ReplicationController>),
    /// `apps/v1`: one pod on each node, so one.
    DaemonSet(Box<DaemonSet>),
    /// `apps/v1`: numbered pods that keep their names and claims.
    StatefulSet(Box<StatefulSet>),
    /// `batch/v1`: pods that run to their end.
    Job(Box<Job>),
    /// `batch/v1`: jobs at set times.
    CronJob(Box<CronJob>),
}

/// The kind of a [`Workload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// See [`Workload::Deployment`].
    Deployment,
    /// See [`Workload::ReplicaSet`].
    ReplicaSet,
    /// See [`Workload::ReplicationController`].
    ReplicationController,
    /// See [`Workload::DaemonSet`].
    DaemonSet,
    /// See [`Workload::StatefulSet`].
    StatefulSet,
    /// See [`Workload::Job`].
    Job,
    /// See [`Workload::CronJob`].
    CronJob,
}

impl WorkloadKind {
    /// The name as in a manifest: `Deployment`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::DaemonSet => "DaemonSet",
            Self::StatefulSet => "StatefulSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// The `apiVersion`: `apps/v1`.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::ReplicaSet | Self::DaemonSet | Self::StatefulSet => "apps/v1",
            Self::ReplicationController => "v1",
            Self::Job | Self::CronJob => "batch/v1",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Workload {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> WorkloadKind {
        match self {
            Self::Deployment(_) => WorkloadKind::Deployment,
            Self::ReplicaSet(_) => WorkloadKind::ReplicaSet,
            Self::ReplicationController(_) => WorkloadKind::ReplicationController,
            Self::DaemonSet(_) => WorkloadKind::DaemonSet,
            Self::StatefulSet(_) => WorkloadKind::StatefulSet,
            Self::Job(_) => WorkloadKind::Job,
            Self::CronJob(_) => WorkloadKind::CronJob,
        }
    }

    /// The `apiVersion`: `apps/v1`.
    #[must_use]
    pub const fn api_version(&self) -> &'static str {
        self.kind().api_version()
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Deployment(object) => &object.metadata,
            Self::ReplicaSet(object) => &object.metadata,
            Self::ReplicationController(object) => &object.metadata,
            Self::DaemonSet(object) => &object.metadata,
            Self::StatefulSet(object) => &object.metadata,
            Self::Job(object) => &object.metadata,
            Self::CronJob(object) => &object.metadata,
        }
    }

    /// The metadata, to be changed.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Deployment(object) => &mut object.metadata,
            Self::ReplicaSet(object) => &mut object.metadata,
            Self::ReplicationController(object) => &mut object.metadata,
            Self::DaemonSet(object) => &mut object.metadata,
            Self::StatefulSet(object) => &mut object.metadata,
            Self::Job(object) => &mut object.metadata,
            Self::CronJob(object) => &mut object.metadata,
        }
    }

    /// The name; empty when there is only a `generateName`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Fills in what the API server would fill in; what is set stays.
    pub fn set_defaults(&mut self) {
        crate::defaults::workload(self);
    }

    /// The template of the pods; of a cron job, that of its job template.
    #[must_use]
    pub fn pod_template(&self) -> Option<&PodTemplateSpec> {
        match self {
            Self::Deployment(object) => Some(&object.spec.template),
            Self::ReplicaSet(object) => object.spec.template.as_ref(),
            Self::ReplicationController(object) => object.spec.as_ref()?.template.as_ref(),
            Self::DaemonSet(object) => Some(&object.spec.template),
            Self::StatefulSet(object) => Some(&object.spec.template),
            Self::Job(object) => Some(&object.spec.as_ref()?.template),
            Self::CronJob(object) => Some(&object.spec.job_template.spec.as_ref()?.template),
        }
    }

    /// The template of the pods, to be changed.
    pub fn pod_template_mut(&mut self) -> Option<&mut PodTemplateSpec> {
        match self {
            Self::Deployment(object) => Some(&mut object.spec.template),
            Self::ReplicaSet(object) => object.spec.template.as_mut(),
            Self::ReplicationController(object) => object.spec.as_mut()?.template.as_mut(),
            Self::DaemonSet(object) => Some(&mut object.spec.template),
            Self::StatefulSet(object) => Some(&mut object.spec.template),
            Self::Job(object) => Some(&mut object.spec.as_mut()?.template),
            Self::CronJob(object) => Some(&mut object.spec.job_template.spec.as_mut()?.template),
        }
    }
}

/// As the object itself: with `apiVersion` and `kind`, without a word of the enum.
impl Serialize for Workload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Deployment(object) => object.serialize(serializer),
            Self::ReplicaSet(object) => object.serialize(serializer),
            Self::ReplicationController(object) => object.serialize(serializer),
            Self::DaemonSet(object) => object.serialize(serializer),
            Self::StatefulSet(object) => object.serialize(serializer),
            Self::Job(object) => object.serialize(serializer),
            Self::CronJob(object) => object.serialize(serializer),
        }
    }
}
