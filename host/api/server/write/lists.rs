//! Which lists of the kinds are merged by strategic merge patches, and how.
//!
//! Standard: `patchStrategy` and `patchMergeKey` of the types of Kubernetes 1.37 (`x-kubernetes-patch-strategy` and
//! `x-kubernetes-patch-merge-key` of its OpenAPI document). A list that is not here is replaced whole.

use wasmpod_store::Kind;

/// Where in an object a patch is, as far as lists below differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The object.
    Root(Kind),
    Metadata,
    /// `spec` of what has a pod template.
    Workload,
    CronJobSpec,
    JobTemplate,
    Template,
    PodSpec,
    PodStatus,
    Container,
    ServiceSpec,
    NodeSpec,
    NodeStatus,
    /// A status with conditions and no other such list.
    Status,
    /// Below are no lists that are merged.
    Other,
}

/// What becomes of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Replaced,
    /// The union of both.
    Primitives,
    /// Elements with the same value of this field are merged; this is where they are.
    Keyed(&'static str, Place),
}

impl Place {
    /// Where the map of this field is.
    pub(super) fn field(self, field: &str) -> Self {
        match (self, field) {
            (Self::Root(_) | Self::JobTemplate | Self::Template, "metadata") => Self::Metadata,
            (Self::Root(kind), "spec") => match kind {
                Kind::Pod => Self::PodSpec,
                Kind::Deployment
                | Kind::ReplicaSet
                | Kind::ReplicationController
                | Kind::DaemonSet
                | Kind::StatefulSet
                | Kind::Job => Self::Workload,
                Kind::CronJob => Self::CronJobSpec,
                Kind::Service => Self::ServiceSpec,
                Kind::Node => Self::NodeSpec,
                Kind::ConfigMap
                | Kind::Secret
                | Kind::Event
                | Kind::Endpoints
                | Kind::EndpointSlice
                | Kind::Ingress
                | Kind::IngressClass
                | Kind::NetworkPolicy
                | Kind::PersistentVolumeClaim
                | Kind::ServiceAccount
                | Kind::Namespace
                | Kind::PersistentVolume => Self::Other,
            },
            (Self::Root(Kind::Pod), "status") => Self::PodStatus,
            (Self::Root(Kind::Node), "status") => Self::NodeStatus,
            (Self::Root(_), "status") => Self::Status,
            (Self::Workload, "template") => Self::Template,
            (Self::Template, "spec") => Self::PodSpec,
            (Self::CronJobSpec, "jobTemplate") => Self::JobTemplate,
            (Self::JobTemplate, "spec") => Self::Workload,
            _ => Self::Other,
        }
    }
}

/// What becomes of the list in this field of a map at `place`.
pub(super) fn list(place: Place, field: &str) -> List {
    let keyed = |key| List::Keyed(key, Place::Other);
    match (place, field) {
        (Place::Root(Kind::ServiceAccount), "secrets") => keyed("name"),
        (Place::Metadata, "ownerReferences") => keyed("uid"),
        (Place::Metadata, "finalizers") | (Place::NodeSpec, "podCIDRs") => List::Primitives,
        (Place::PodSpec, "containers" | "initContainers" | "ephemeralContainers") => {
            List::Keyed("name", Place::Container)
        }
        (Place::PodSpec, "volumes" | "imagePullSecrets" | "resourceClaims" | "schedulingGates") => {
            keyed("name")
        }
        (Place::PodSpec, "hostAliases") | (Place::PodStatus, "podIPs" | "hostIPs") => keyed("ip"),
        (Place::PodSpec, "topologySpreadConstraints") => keyed("topologyKey"),
        (Place::PodStatus, "resourceClaimStatuses") => keyed("name"),
        (Place::Container, "ports") => keyed("containerPort"),
        (Place::Container, "env") => keyed("name"),
        (Place::Container, "volumeMounts") => keyed("mountPath"),
        (Place::Container, "volumeDevices") => keyed("devicePath"),
        (Place::ServiceSpec, "ports") => keyed("port"),
        (Place::NodeStatus, "addresses") => keyed("type"),
        (Place::PodStatus | Place::NodeStatus | Place::Status, "conditions") => keyed("type"),
        _ => List::Replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_spec_is_the_same_wherever_it_is() {
        let at = |kind, path: &[&str]| {
            path.iter()
                .fold(Place::Root(kind), |place, field| place.field(field))
        };
        assert_eq!(at(Kind::Pod, &["spec"]), Place::PodSpec);
        for kind in [
            Kind::Deployment,
            Kind::ReplicaSet,
            Kind::ReplicationController,
            Kind::DaemonSet,
            Kind::StatefulSet,
            Kind::Job,
        ] {
            assert_eq!(
                at(kind, &["spec", "template", "spec"]),
                Place::PodSpec,
                "{kind}"
            );
            assert_eq!(at(kind, &["spec", "template", "metadata"]), Place::Metadata);
        }
        let job = ["spec", "jobTemplate", "spec", "template", "spec"];
        assert_eq!(at(Kind::CronJob, &job), Place::PodSpec);
        assert_eq!(at(Kind::ConfigMap, &["data"]), Place::Other);
        assert_eq!(list(Place::Other, "containers"), List::Replaced);
    }
}
