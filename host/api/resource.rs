//! The resources that are served: their names in all forms, and the paths under which they are found.

use crate::client::escape;

/// One kind of objects, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the first one ("core").
    pub group: &'static str,
    /// The version, such as `v1`.
    pub version: &'static str,
    /// The name in paths, such as `pods`.
    pub plural: &'static str,
    /// The name of one, such as `pod`.
    pub singular: &'static str,
    /// The kind of its objects, such as `Pod`.
    pub kind: &'static str,
    /// The names for people in a hurry, such as `po`.
    pub short_names: &'static [&'static str],
    /// Is each object in a namespace?
    pub namespaced: bool,
    /// Is it part of `get all`?
    pub in_all: bool,
}

const fn resource(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
) -> Resource {
    Resource {
        group,
        version,
        plural,
        singular,
        kind,
        short_names,
        namespaced: true,
        in_all: false,
    }
}

const fn cluster(resource: Resource) -> Resource {
    Resource {
        namespaced: false,
        ..resource
    }
}

const fn of_all(resource: Resource) -> Resource {
    Resource {
        in_all: true,
        ..resource
    }
}

/// Every resource, in the order in which `get all` shows them.
pub const RESOURCES: &[Resource] = &[
    of_all(resource("", "v1", "Pod", "pods", "pod", &["po"])),
    of_all(resource(
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        "replicationcontroller",
        &["rc"],
    )),
    of_all(resource(
        "",
        "v1",
        "Service",
        "services",
        "service",
        &["svc"],
    )),
    of_all(resource(
        "apps",
        "v1",
        "DaemonSet",
        "daemonsets",
        "daemonset",
        &["ds"],
    )),
    of_all(resource(
        "apps",
        "v1",
        "Deployment",
        "deployments",
        "deployment",
        &["deploy"],
    )),
    of_all(resource(
        "apps",
        "v1",
        "ReplicaSet",
        "replicasets",
        "replicaset",
        &["rs"],
    )),
    of_all(resource(
        "apps",
        "v1",
        "StatefulSet",
        "statefulsets",
        "statefulset",
        &["sts"],
    )),
    of_all(resource(
        "batch",
        "v1",
        "CronJob",
        "cronjobs",
        "cronjob",
        &["cj"],
    )),
    of_all(resource("batch", "v1", "Job", "jobs", "job", &[])),
    resource("", "v1", "ConfigMap", "configmaps", "configmap", &["cm"]),
    resource("", "v1", "Secret", "secrets", "secret", &[]),
    resource("", "v1", "Endpoints", "endpoints", "endpoints", &["ep"]),
    resource("", "v1", "Event", "events", "event", &["ev"]),
    resource(
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        "persistentvolumeclaim",
        &["pvc"],
    ),
    cluster(resource(
        "",
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        "persistentvolume",
        &["pv"],
    )),
    cluster(resource(
        "",
        "v1",
        "Namespace",
        "namespaces",
        "namespace",
        &["ns"],
    )),
    cluster(resource("", "v1", "Node", "nodes", "node", &["no"])),
    resource(
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        "endpointslice",
        &[],
    ),
    cluster(resource(
        "metrics.k8s.io",
        "v1beta1",
        "NodeMetrics",
        "nodes",
        "",
        &[],
    )),
    resource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", "", &[]),
];

impl Resource {
    /// The resource that a person names: `po`, `pod`, `pods`, `Pod`, `deployments.apps`, `deployments.v1.apps`.
    /// What several groups have is that of the first.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase();
        let (word, rest) = name.split_once('.').unwrap_or((&name, ""));
        RESOURCES.iter().find(|resource| {
            let is_named = resource.plural == word
                || (!word.is_empty() && resource.singular == word)
                || resource.short_names.contains(&word)
                || resource.kind.eq_ignore_ascii_case(word);
            let with_version = rest.strip_prefix(resource.version);
            let with_version = with_version.and_then(|rest| rest.strip_prefix('.'));
            is_named
                && (rest.is_empty()
                    || rest == resource.group
                    || with_version == Some(resource.group))
        })
    }

    /// `v1`, or `GROUP/VERSION`
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods`, or `PLURAL.GROUP`
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Where its objects are: of all namespaces without `namespace`, all of a namespace without `name`. The namespace
    /// of what is in none is passed over.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.push_str("/namespaces/");
            path.push_str(&escape(namespace));
        }
        path.push('/');
        path.push_str(self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(&escape(name));
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_name_resources_in_many_ways() {
        let kind = |name| Resource::find(name).map(|found| found.kind);
        for name in ["po", "pod", "pods", "Pod", "PODS", "pods.v1."] {
            assert_eq!(kind(name), Some("Pod"), "{name}");
        }
        for name in [
            "deploy",
            "deployments.apps",
            "deployment.v1.apps",
            "Deployment",
        ] {
            assert_eq!(kind(name), Some("Deployment"), "{name}");
        }
        assert_eq!(kind("pods.metrics.k8s.io"), Some("PodMetrics"));
        assert_eq!(kind("pods.v1beta1.metrics.k8s.io"), Some("PodMetrics"));
        for name in ["", "p", "pods.apps", "deployments.v2.apps", "."] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn objects_are_found_under_the_paths_of_kubernetes() {
        let path =
            |resource, namespace, name| Resource::find(resource).unwrap().path(namespace, name);
        assert_eq!(path("po", None, None), "/api/v1/pods");
        assert_eq!(
            path("po", Some("a"), Some("b")),
            "/api/v1/namespaces/a/pods/b"
        );
        assert_eq!(
            path("deploy", Some("a"), None),
            "/apis/apps/v1/namespaces/a/deployments"
        );
        assert_eq!(path("node", Some("a"), Some("n")), "/api/v1/nodes/n");
        assert_eq!(
            path("po", Some("../x"), Some("a/b")),
            "/api/v1/namespaces/..%2Fx/pods/a%2Fb"
        );
    }
}
