//! Discovery: which resources there are, in the two forms that clients ask for.
//!
//! Standard: `apidiscovery.k8s.io/v2` (all groups in two requests), and `APIVersions`, `APIGroupList` and
//! `APIResourceList` for clients that do not know it.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use serde_json::{Value, json};
use wasmpod_store::Kind;

use crate::resource::RESOURCES;
use crate::server::accept::{self, DiscoveryForm};
use crate::server::body::{self, Body};
use crate::server::write;
use crate::{Resource, Status};

/// The version of Kubernetes whose types and words are served: that of the types in `wasmpod-manifest`.
pub(super) const KUBERNETES: (&str, &str) = ("1", "37");

/// What can be done with objects of the store.
const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// What can be done with objects that only the server makes.
const SERVERS_VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// What can be done with figures.
const METRICS_VERBS: &[&str] = &["get", "list"];

/// A part of objects that has a path of its own.
struct Subresource {
    name: &'static str,
    /// Group, version and kind of what it is; of the object itself when it says none.
    kind: Option<(&'static str, &'static str, &'static str)>,
    verbs: &'static [&'static str],
}

/// What pods have besides themselves.
const POD_SUBRESOURCES: &[Subresource] = &[
    Subresource {
        name: "attach",
        kind: Some(("", "v1", "PodAttachOptions")),
        verbs: &["create", "get"],
    },
    Subresource {
        name: "capture",
        kind: Some(("wasmpod.dev", "v1alpha1", "PodCaptureOptions")),
        verbs: &["get"],
    },
    Subresource {
        name: "exec",
        kind: Some(("", "v1", "PodExecOptions")),
        verbs: &["create", "get"],
    },
    Subresource {
        name: "ipc",
        kind: Some(("wasmpod.dev", "v1alpha1", "PodIPC")),
        verbs: &["get"],
    },
    Subresource {
        name: "log",
        kind: None,
        verbs: &["get"],
    },
    Subresource {
        name: "net",
        kind: Some(("wasmpod.dev", "v1alpha1", "PodNet")),
        verbs: &["get"],
    },
];

const SCALE: Subresource = Subresource {
    name: "scale",
    kind: Some(("autoscaling", "v1", "Scale")),
    verbs: PART_VERBS,
};

const STATUS: Subresource = Subresource {
    name: "status",
    kind: None,
    verbs: PART_VERBS,
};

/// What can be done with a part of an object.
const PART_VERBS: &[&str] = &["get", "patch", "update"];

impl Subresource {
    fn kind_of(&self, resource: &Resource) -> (&'static str, &'static str, &'static str) {
        let own = (resource.group, resource.version, resource.kind);
        self.kind.unwrap_or(own)
    }
}

fn subresources(resource: &Resource) -> Vec<&'static Subresource> {
    let of_pods = match resource.stored {
        Some(Kind::Pod) => POD_SUBRESOURCES,
        _ => &[],
    };
    let scale = write::has_scale(resource).then_some(&SCALE);
    let status = write::has_status(resource).then_some(&STATUS);
    of_pods.iter().chain(scale).chain(status).collect()
}

fn verbs(resource: &Resource) -> &'static [&'static str] {
    match resource.stored {
        Some(kind) if write::is_clients(kind) => VERBS,
        Some(_) => SERVERS_VERBS,
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
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
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
            let (group, version, kind) = sub.kind_of(resource);
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": sub.verbs,
            });
            if let (true, Value::Object(fields)) = (group != resource.group, &mut entry) {
                fields.insert("group".to_owned(), group.into());
                fields.insert("version".to_owned(), version.into());
            }
            list.push(entry);
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
pub(super) fn versions() -> Vec<(&'static str, &'static str)> {
    let mut versions: Vec<_> = RESOURCES
        .iter()
        .map(|resource| (resource.group, resource.version))
        .collect();
    versions.sort_by_key(|(group, _)| (group.contains('.'), *group));
    versions.dedup();
    versions
}

pub(super) fn of_version(group: &str, version: &str) -> impl Iterator<Item = &'static Resource> {
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
        let type_of = |(group, version, kind): (&str, &str, &str)| {
            json!({"group": group, "version": version, "kind": kind})
        };
        let subresources = subresources(resource).into_iter();
        let subresources: Vec<_> = subresources
            .map(|sub| {
                let kind = type_of(sub.kind_of(resource));
                json!({"subresource": sub.name, "responseKind": kind, "verbs": sub.verbs})
            })
            .collect();
        json!({
            "resource": resource.plural,
            "responseKind": type_of((group, version, resource.kind)),
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
