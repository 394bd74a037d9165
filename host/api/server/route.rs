//! What a path names.

use crate::Resource;
use crate::resource::RESOURCES;
use crate::server::query::decode;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: the paths that there are.
    Root,
    /// `/version`
    Version,
    /// `/healthz`, `/livez`, `/readyz`
    Health,
    /// `/api`
    Api,
    /// `/apis`
    Apis,
    /// `/apis/GROUP`
    Group(&'static str),
    /// `/api/VERSION`, `/apis/GROUP/VERSION`
    GroupVersion(&'static str, &'static str),
    /// `/openapi/v3`
    OpenApi,
    /// `/openapi/v3/api/VERSION`, `/openapi/v3/apis/GROUP/VERSION`
    OpenApiVersion(&'static str, &'static str),
    /// Objects.
    Objects(Objects),
}

/// Objects that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objects {
    pub(crate) resource: &'static Resource,
    /// Nothing for all namespaces, and for resources that are in none.
    pub(crate) namespace: Option<String>,
    /// Nothing for the whole list.
    pub(crate) name: Option<String>,
    /// Such as `log`.
    pub(crate) subresource: Option<String>,
}

/// Reads a path; nothing when nothing is there.
pub(crate) fn route(path: &str) -> Option<Route> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(Route::Root);
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments = path
        .split('/')
        .map(|segment| decode(segment).filter(|text| !text.is_empty()));
    let segments: Vec<String> = segments.collect::<Option<_>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["version"] => Some(Route::Version),
        ["healthz" | "livez" | "readyz"] => Some(Route::Health),
        ["openapi", "v3"] => Some(Route::OpenApi),
        ["openapi", "v3", "api", version] => documented("", version),
        ["openapi", "v3", "apis", group, version] if !group.is_empty() => {
            documented(group, version)
        }
        ["api"] => Some(Route::Api),
        ["api", version, rest @ ..] => in_group("", version, rest),
        ["apis"] => Some(Route::Apis),
        ["apis", group] => group_of(group).map(Route::Group),
        ["apis", group, version, rest @ ..] if !group.is_empty() => in_group(group, version, rest),
        _ => None,
    }
}

fn group_of(name: &str) -> Option<&'static str> {
    let mut groups = RESOURCES.iter().map(|resource| resource.group);
    groups.find(|group| *group == name && !group.is_empty())
}

fn documented(group: &str, version: &str) -> Option<Route> {
    match in_group(group, version, &[])? {
        Route::GroupVersion(group, version) => Some(Route::OpenApiVersion(group, version)),
        _ => None,
    }
}

fn in_group(group: &str, version: &str, rest: &[&str]) -> Option<Route> {
    let served = RESOURCES
        .iter()
        .find(|resource| resource.group == group && resource.version == version)?;
    let find = |plural: &str, namespaced: bool| {
        RESOURCES.iter().find(|resource| {
            resource.group == group
                && resource.version == version
                && resource.plural == plural
                && resource.namespaced == namespaced
        })
    };
    let objects =
        |resource, namespace: Option<&str>, name: Option<&str>, subresource: Option<&str>| {
            Some(Route::Objects(Objects {
                resource,
                namespace: namespace.map(str::to_owned),
                name: name.map(str::to_owned),
                subresource: subresource.map(str::to_owned),
            }))
        };
    match rest {
        [] => Some(Route::GroupVersion(served.group, served.version)),
        // `namespaces/NAMESPACE/status` is the namespace's own, everything else there is in it.
        ["namespaces", namespace, sub @ ("status" | "finalize")] => {
            objects(find("namespaces", false)?, None, Some(namespace), Some(sub))
        }
        ["namespaces", namespace, plural] => {
            objects(find(plural, true)?, Some(namespace), None, None)
        }
        ["namespaces", namespace, plural, name] => {
            objects(find(plural, true)?, Some(namespace), Some(name), None)
        }
        ["namespaces", namespace, plural, name, sub] => {
            objects(find(plural, true)?, Some(namespace), Some(name), Some(sub))
        }
        [plural] => objects(
            find(plural, false).or_else(|| find(plural, true))?,
            None,
            None,
            None,
        ),
        [plural, name] => objects(find(plural, false)?, None, Some(name), None),
        [plural, name, sub] => objects(find(plural, false)?, None, Some(name), Some(sub)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, namespace, name, subresource.
    type Named = (&'static str, Option<String>, Option<String>, Option<String>);

    fn objects(path: &str) -> Option<Named> {
        match route(path)? {
            Route::Objects(found) => Some((
                found.resource.kind,
                found.namespace,
                found.name,
                found.subresource,
            )),
            _ => None,
        }
    }

    #[test]
    fn paths_name_objects() {
        let some = |text: &str| Some(text.to_owned());
        let rows = [
            ("/api/v1/pods", ("Pod", None, None, None)),
            ("/api/v1/namespaces/a/pods", ("Pod", some("a"), None, None)),
            (
                "/api/v1/namespaces/a/pods/b",
                ("Pod", some("a"), some("b"), None),
            ),
            (
                "/api/v1/namespaces/a/pods/b/log",
                ("Pod", some("a"), some("b"), some("log")),
            ),
            ("/api/v1/namespaces", ("Namespace", None, None, None)),
            ("/api/v1/namespaces/a", ("Namespace", None, some("a"), None)),
            (
                "/api/v1/namespaces/a/status",
                ("Namespace", None, some("a"), some("status")),
            ),
            ("/api/v1/nodes/n", ("Node", None, some("n"), None)),
            (
                "/apis/apps/v1/namespaces/a/deployments/b/",
                ("Deployment", some("a"), some("b"), None),
            ),
            (
                "/apis/metrics.k8s.io/v1beta1/nodes",
                ("NodeMetrics", None, None, None),
            ),
            (
                "/apis/metrics.k8s.io/v1beta1/pods",
                ("PodMetrics", None, None, None),
            ),
            (
                "/api/v1/namespaces/a/pods/..%2F..%2Fb",
                ("Pod", some("a"), some("../../b"), None),
            ),
        ];
        for (path, expected) in rows {
            assert_eq!(objects(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn the_other_paths_are_those_of_discovery_and_health() {
        assert_eq!(route("/"), Some(Route::Root));
        assert_eq!(route("/version"), Some(Route::Version));
        assert_eq!(route("/readyz"), Some(Route::Health));
        assert_eq!(route("/api"), Some(Route::Api));
        assert_eq!(route("/apis/"), Some(Route::Apis));
        assert_eq!(route("/apis/apps"), Some(Route::Group("apps")));
        assert_eq!(route("/api/v1"), Some(Route::GroupVersion("", "v1")));
        assert_eq!(
            route("/apis/batch/v1"),
            Some(Route::GroupVersion("batch", "v1"))
        );
    }

    #[test]
    fn nothing_is_under_other_paths() {
        for path in [
            "",
            "//",
            "/api//pods",
            "/api/v2/pods",
            "/apis/apps/v2",
            "/apis/nope",
            "/api/v1/deployments",
            "/api/v1/namespaces/a/nodes",
            "/api/v1/pods/b",
            "/api/v1/namespaces/a/pods/b/log/x",
            "/api/v1/%zz",
            "/../etc/passwd",
            "/api/v1/namespaces/a//b",
            "/apis//v1/pods",
            "/apis//v1",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
