//! Discovery: which resources there are, in the two forms that clients ask for.
//!
//! Standard: `apidiscovery.k8s.io/v2` (all groups in two requests), and `APIVersions`, `APIGroupList` and
//! `APIResourceList` for clients that do not know it.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use serde_json::{Value, json};

use crate::resource::RESOURCES;
use crate::server::accept::{self, DiscoveryForm};
use crate::server::body::{self, Body};
use crate::{Resource, Status};

/// The version of Kubernetes whose types and words are served: that of the types in `wasmpod-manifest`.
const KUBERNETES: (&str, &str) = ("1", "37");

/// What can be done with objects of the store.
const VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];
/// What can be done with figures.
const METRICS_VERBS: &[&str] = &["get", "list"];

struct Subresource {
    name: &'static str,
    kind: &'static str,
}

/// What pods have besides themselves.
const POD_SUBRESOURCES: &[Subresource] = &[
    Subresource {
        name: "attach",
        kind: "PodAttachOptions",
    },
    Subresource {
        name: "exec",
        kind: "PodExecOptions",
    },
    Subresource {
        name: "ipc",
        kind: "PodIPC",
    },
    Subresource {
        name: "log",
        kind: "Pod",
    },
];

fn subresources(resource: &Resource) -> &'static [Subresource] {
    match resource.kind {
        "Pod" => POD_SUBRESOURCES,
        _ => &[],
    }
}

fn verbs(resource: &Resource) -> &'static [&'static str] {
    match resource.stored {
        Some(_) => VERBS,
        None => METRICS_VERBS,
    }
}

fn categories(resource: &Resource) -> &'static [&'static str] {
    if resource.in_all { &["all"] } else { &[] }
}

/// `/version`
pub(crate) fn version() -> Response<Body> {
    let (major, minor) = KUBERNETES;
    let ours = env!("CARGO_PKG_VERSION");
    body::json(&json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+wasmpod.{ours}"),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }))
}

/// `/`
pub(crate) fn root() -> Response<Body> {
    let mut paths = vec!["/api".to_owned(), "/apis".to_owned()];
    for (group, version) in versions() {
        paths.push(match group {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        });
    }
    paths.extend(["/healthz", "/livez", "/readyz", "/version"].map(str::to_owned));
    body::json(&json!({"paths": paths}))
}

/// `/api` and `/apis`
pub(crate) fn groups(headers: &HeaderMap, is_core: bool) -> Result<Response<Body>, Status> {
    match accept::discovery_form(headers)? {
        DiscoveryForm::Aggregated(version) => {
            let content_type = match version {
                "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            };
            let items = versions()
                .into_iter()
                .filter(|(group, _)| group.is_empty() == is_core);
            let items: Vec<_> = items
                .map(|(group, version)| aggregated(group, version))
                .collect();
            let list = json!({
                "kind": "APIGroupDiscoveryList",
                "apiVersion": format!("apidiscovery.k8s.io/{version}"),
                "metadata": {},
                "items": items,
            });
            Ok(body::json_as(HeaderValue::from_static(content_type), &list))
        }
        DiscoveryForm::Legacy if is_core => Ok(body::json(&json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        }))),
        DiscoveryForm::Legacy => {
            let named = versions()
                .into_iter()
                .filter(|(group, _)| !group.is_empty());
            let groups: Vec<_> = named
                .map(|(group, version)| api_group(group, version))
                .collect();
            Ok(body::json(
                &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
            ))
        }
    }
}

/// `/apis/GROUP`
pub(crate) fn group(name: &str) -> Response<Body> {
    let version = versions().into_iter().find(|(group, _)| *group == name);
    let (_, version) = version.unwrap_or_default();
    let mut group = api_group(name, version);
    if let Value::Object(fields) = &mut group {
        fields.insert("kind".to_owned(), "APIGroup".into());
        fields.insert("apiVersion".to_owned(), "v1".into());
    }
    body::json(&group)
}

/// `/api/VERSION` and `/apis/GROUP/VERSION`
pub(crate) fn resources(group: &str, version: &str) -> Response<Body> {
    let mut list = Vec::new();
    let mut name_of_group = version.to_owned();
    for resource in of_version(group, version) {
        name_of_group = resource.api_version();
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": verbs(resource),
        });
        if let Value::Object(fields) = &mut entry {
            if !resource.short_names.is_empty() {
                fields.insert("shortNames".to_owned(), resource.short_names.into());
            }
            if resource.in_all {
                fields.insert("categories".to_owned(), categories(resource).into());
            }
        }
        list.push(entry);
        for sub in subresources(resource) {
            list.push(json!({
                "name": format!("{}/{}", resource.plural, sub.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": sub.kind,
                "verbs": ["get"],
            }));
        }
    }
    body::json(&json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": name_of_group,
        "resources": list,
    }))
}

/// Every group and version, in the order in which resources of one name are looked for: Kubernetes' own first.
fn versions() -> Vec<(&'static str, &'static str)> {
    let mut versions: Vec<_> = RESOURCES
        .iter()
        .map(|resource| (resource.group, resource.version))
        .collect();
    versions.sort_by_key(|(group, _)| (group.contains('.'), *group));
    versions.dedup();
    versions
}

fn of_version(group: &str, version: &str) -> impl Iterator<Item = &'static Resource> {
    RESOURCES
        .iter()
        .filter(move |resource| resource.group == group && resource.version == version)
}

fn api_group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn aggregated(group: &str, version: &str) -> Value {
    let resources = of_version(group, version).map(|resource| {
        let kind_of = |kind: &str| json!({"group": group, "version": version, "kind": kind});
        let subresources = subresources(resource).iter();
        let subresources: Vec<_> = subresources
            .map(|sub| json!({"subresource": sub.name, "responseKind": kind_of(sub.kind), "verbs": ["get"]}))
            .collect();
        json!({
            "resource": resource.plural,
            "responseKind": kind_of(resource.kind),
            "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": resource.singular,
            "verbs": verbs(resource),
            "shortNames": resource.short_names,
            "categories": categories(resource),
            "subresources": subresources,
        })
    });
    let metadata = match group {
        "" => json!({}),
        name => json!({"name": name}),
    };
    json!({
        "metadata": metadata,
        "versions": [{
            "version": version,
            "resources": resources.collect::<Vec<_>>(),
            "freshness": "Current",
        }],
    })
}
