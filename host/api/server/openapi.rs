//! OpenAPI v3, as far as clients need it to write: that PATCH takes `fieldValidation` and `dryRun` for each kind.
//!
//! `kubectl create` and `apply` leave the validation to a server that says so, and would else want a whole schema. The
//! schemas are not given: the types are Kubernetes' own, which every client has (`kubectl explain` finds nothing here).
//! Nor is said which patches there are, so that `kubectl apply` uses the merge keys that it has built in.

use hyper::Response;
use serde_json::{Map, Value, json};

use crate::Resource;
use crate::server::body::{self, Body};
use crate::server::discovery::{KUBERNETES, of_version, versions};

/// `/openapi/v3`
pub(super) fn root() -> Response<Body> {
    let paths: Map<String, Value> = versions()
        .into_iter()
        .map(|(group, version)| {
            let path = match group {
                "" => format!("api/{version}"),
                group => format!("apis/{group}/{version}"),
            };
            // The document is another one only in another version of the program.
            let hash = env!("CARGO_PKG_VERSION");
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    body::json(&json!({"paths": paths}))
}

/// `/openapi/v3/api/VERSION`, `/openapi/v3/apis/GROUP/VERSION`
pub(super) fn version(group: &str, version: &str) -> Response<Body> {
    let stored = of_version(group, version).filter(|resource| resource.stored.is_some());
    let paths: Map<String, Value> = stored
        .map(|resource| (path(resource), json!({"patch": patch(resource)})))
        .collect();
    let (major, minor) = KUBERNETES;
    body::json(&json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": format!("v{major}.{minor}.0")},
        "paths": paths,
        "components": {"schemas": {}},
    }))
}

fn path(resource: &Resource) -> String {
    let base = match resource.group {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    let namespace = if resource.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    format!("{base}{namespace}/{}/{{name}}", resource.plural)
}

fn patch(resource: &Resource) -> Value {
    let query = |name: &str, description: &str| {
        json!({
            "name": name, "in": "query", "description": description,
            "schema": {"type": "string", "uniqueItems": true},
        })
    };
    json!({
        "description": format!("partially update the specified {}", resource.kind),
        "parameters": [
            query("dryRun", "All: nothing is written, but answered as if it were"),
            query("fieldManager", "who writes; not kept"),
            query("fieldValidation", "what becomes of unknown and repeated fields: Ignore, Warn or Strict"),
        ],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {
            "group": resource.group, "version": resource.version, "kind": resource.kind,
        },
    })
}
