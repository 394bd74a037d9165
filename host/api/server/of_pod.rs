//! Objects of our own about a pod that runs: what a sandbox shows of itself, beneath `pods/NAME`.
//!
//! Kubernetes has no such resources; these are of our own group, and written in its style.

use hyper::Response;
use serde_json::{Map, Value, json};
use wasmpod_manifest::k8s::Pod;
use wasmpod_sandbox::SandboxHandle;

use crate::Status;
use crate::server::body::{self, Body};
use crate::server::query::Query;
use crate::server::{Context, error};

/// The group and version of the objects.
const API_VERSION: &str = "wasmpod.dev/v1alpha1";

/// The object of this kind with what `show` has of the pod's sandbox; a pod that has not started, or has ended, has none.
pub(super) fn object(
    context: &Context,
    pod: &Pod,
    query: &Query,
    kind: &str,
    show: impl FnOnce(Option<&SandboxHandle>) -> Map<String, Value>,
) -> Result<Response<Body>, Status> {
    if query.flag("watch") {
        return Err(error::method_not_allowed());
    }
    let metadata = &pod.metadata;
    let (namespace, name) = (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    );
    let running = context.agent.running(namespace, name);
    let mut object = show(running.as_ref().map(|running| running.sandbox()));
    let metadata = json!({"name": name, "namespace": namespace, "uid": metadata.uid});
    object.insert("kind".to_owned(), kind.into());
    object.insert("apiVersion".to_owned(), API_VERSION.into());
    object.insert("metadata".to_owned(), metadata);
    Ok(body::json(&Value::Object(object)))
}
