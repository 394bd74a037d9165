//! `wasmpod describe`: an object and all that is known of it, in kubectl's layout (kubectl pkg/describe).
//!
//! * [`pod`] with [`container`], [`probe`] and [`volume`]; [`service`]; [`network_policy`]; [`workload`];
//!   [`storage`]
//! * [`events`]: the table at the end
//! * [`other`]: objects of further types, field by field
//!
//! What kubectl shows of features that no pod of WebAssembly has is left out: ephemeral containers, devices, affinity.

mod container;
mod events;
mod fields;
mod ingress;
mod network_policy;
mod other;
mod pod;
mod probe;
mod service;
mod storage;
mod volume;
mod workload;

use std::io::Write as _;

pub(crate) use events::interval;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use wasmpod_api::Resource;

use crate::args::looking::DescribeArgs;
use crate::get::Problems;
use crate::report::{self, Outcome};
use crate::runs::{Found, Runs, name, text};
use crate::selection::{self, Wanted};
use crate::tabs::Tabs;

/// From where a description looks at an object.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Ages count from here.
    pub(crate) now: Timestamp,
    /// Times are shown in this zone.
    pub(crate) zone: TimeZone,
}

/// What belongs to an object and is described with it.
#[derive(Debug, Default)]
pub(crate) struct Related {
    /// Its events; nothing when they are not to be shown.
    pub(crate) events: Option<Vec<Value>>,
    /// The EndpointSlices of a service or of an ingress' namespace; the pods of a workload or a node.
    pub(crate) objects: Vec<Value>,
}

pub(crate) async fn run(args: &DescribeArgs, runs: Runs) -> anyhow::Result<Outcome> {
    let wanted = selection::parse(&args.resources)?;
    let mut problems = Problems::new(false);
    let mut found: Vec<(&'static Resource, Found)> = Vec::new();
    for wanted in wanted {
        for one in objects(args, &runs, &wanted, &mut problems).await? {
            found.push((wanted.resource, one));
        }
    }
    if found.is_empty() && problems.is_empty() {
        match args.namespace.get() {
            Some(namespace) => {
                report::stderr(format_args!("No resources found in {namespace} namespace."))
            }
            None => report::stderr(format_args!("No resources found")),
        }
    }
    for (index, (resource, found)) in found.iter().enumerate() {
        let related = related(args, resource, found).await?;
        let view = View {
            now: Timestamp::now(),
            zone: TimeZone::system(),
        };
        let description = describe(resource, &found.object, &related, &view)?;
        let mut out = anstream::stdout().lock();
        if index > 0 {
            out.write_all(b"\n\n")?;
        }
        out.write_all(description.as_bytes())?;
    }
    Ok(problems.report())
}

/// The objects of a type: all, those of the names, or those whose names begin so.
async fn objects(
    args: &DescribeArgs,
    runs: &Runs,
    wanted: &Wanted,
    problems: &mut Problems,
) -> anyhow::Result<Vec<Found>> {
    let resource = wanted.resource;
    let selector = args.selector.iter();
    let query = selector
        .map(|text| ("labelSelector", text.clone()))
        .collect();
    if wanted.names.is_empty() {
        return runs.list(resource, args.namespace.get(), &query).await;
    }
    let namespace = &args.namespace.one.namespace;
    let mut found = Vec::new();
    for wanted in &wanted.names {
        let mut missing = Problems::new(false);
        let exact = missing.sort(runs.get(resource, namespace, wanted).await)?;
        if let Some(exact) = exact {
            found.push(exact);
            continue;
        }
        let mut alike = runs.list(resource, Some(namespace), &query).await?;
        alike.retain(|one| name(&one.object).starts_with(wanted));
        if alike.is_empty() {
            problems.extend(missing);
        }
        found.extend(alike);
    }
    Ok(found)
}

/// Asks the server of an object for what belongs to it.
async fn related(
    args: &DescribeArgs,
    resource: &Resource,
    found: &Found,
) -> anyhow::Result<Related> {
    use wasmpod_api::client::{Accept, target};

    let object = &found.object;
    let namespace = text(object, "/metadata/namespace");
    let scope = resource.namespaced.then_some(namespace.as_str());
    let list = async |word: &str, scope: Option<&str>, query: &[(&str, &str)]| {
        let path = selection::find(word)?.path(scope, None);
        let mut list = found
            .run
            .client
            .get(&target(&path, query), Accept::Json)
            .await?;
        let items = list.get_mut("items").map(Value::take);
        anyhow::Ok(match items {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        })
    };
    let mut related = Related::default();
    let own = name(object);
    if args.show_events {
        let selector = format!(
            "involvedObject.name={own},involvedObject.namespace={namespace},involvedObject.kind={},involvedObject.uid={}",
            resource.kind,
            text(object, "/metadata/uid"),
        );
        related.events = Some(list("events", scope, &[("fieldSelector", &selector)]).await?);
    }
    match resource.kind {
        "Service" => {
            let label = format!("kubernetes.io/service-name={own}");
            let query = [("labelSelector", label.as_str())];
            related.objects = list("endpointslices", scope, &query).await?;
        }
        "Ingress" => related.objects = list("endpointslices", scope, &[]).await?,
        "Node" => {
            let field = format!("spec.nodeName={own}");
            related.objects = list("pods", None, &[("fieldSelector", &field)]).await?;
        }
        "PersistentVolumeClaim"
        | "ReplicaSet"
        | "ReplicationController"
        | "DaemonSet"
        | "StatefulSet"
        | "Job" => {
            related.objects = list("pods", scope, &[]).await?;
        }
        "Deployment" => related.objects = list("replicasets", scope, &[]).await?,
        _ => {}
    }
    Ok(related)
}

/// The description of one object.
pub(crate) fn describe(
    resource: &Resource,
    object: &Value,
    related: &Related,
    view: &View,
) -> anyhow::Result<String> {
    let mut out = Tabs::for_description();
    match resource.kind {
        "Pod" => pod::describe(&mut out, &serde_json::from_value(object.clone())?, view),
        "Service" => service::describe(&mut out, object, &related.objects),
        "Ingress" => ingress::describe(&mut out, object, &related.objects),
        "NetworkPolicy" => network_policy::describe(&mut out, object)?,
        "ConfigMap" => storage::config_map(&mut out, object),
        "Secret" => storage::secret(&mut out, object),
        "PersistentVolumeClaim" => storage::claim(&mut out, object, &related.objects),
        "Deployment"
        | "ReplicaSet"
        | "ReplicationController"
        | "DaemonSet"
        | "StatefulSet"
        | "Job"
        | "CronJob" => {
            workload::describe(&mut out, resource.kind, object, &related.objects, view)?;
        }
        "Node" => other::node(&mut out, object, &related.objects, view),
        _ => other::describe(&mut out, object),
    }
    // A secret or a namespace has no events of its own worth a line when there are none.
    if let Some(list) = &related.events {
        events::describe(&mut out, list, view);
    }
    Ok(out.finish())
}
