//! The resources that are served: their names in all forms, and the paths under which they are found.

use wasmpod_store::Kind;

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
    /// The kind of the store's objects; nothing for the figures of `metrics.k8s.io`.
    pub stored: Option<Kind>,
}

const fn of(kind: Kind) -> Resource {
    Resource {
        group: kind.group(),
        version: kind.version(),
        plural: kind.plural(),
        singular: kind.singular(),
        kind: kind.name(),
        short_names: kind.short_names(),
        namespaced: kind.is_namespaced(),
        in_all: !kind.categories().is_empty(),
        stored: Some(kind),
    }
}

const fn metrics(kind: &'static str, plural: &'static str, namespaced: bool) -> Resource {
    Resource {
        group: "metrics.k8s.io",
        version: "v1beta1",
        plural,
        singular: "",
        kind,
        short_names: &[],
        namespaced,
        in_all: false,
        stored: None,
    }
}

/// Every resource, in the order in which `get all` shows them.
pub const RESOURCES: &[Resource] = &[
    of(Kind::Pod),
    of(Kind::ReplicationController),
    of(Kind::Service),
    of(Kind::DaemonSet),
    of(Kind::Deployment),
    of(Kind::ReplicaSet),
    of(Kind::StatefulSet),
    of(Kind::CronJob),
    of(Kind::Job),
    of(Kind::ConfigMap),
    of(Kind::Secret),
    of(Kind::ServiceAccount),
    of(Kind::Endpoints),
    of(Kind::Event),
    of(Kind::PersistentVolumeClaim),
    of(Kind::PersistentVolume),
    of(Kind::Namespace),
    of(Kind::Node),
    of(Kind::EndpointSlice),
    of(Kind::Ingress),
    of(Kind::IngressClass),
    of(Kind::NetworkPolicy),
    metrics("NodeMetrics", "nodes", false),
    metrics("PodMetrics", "pods", true),
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
    fn every_kind_of_the_store_is_served() {
        for kind in Kind::ALL {
            let found = RESOURCES
                .iter()
                .find(|resource| resource.stored == Some(*kind));
            assert!(found.is_some(), "{kind}");
        }
    }

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
