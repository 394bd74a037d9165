//! DELETE of an object, and of all objects of a list.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::Deserialize;
use wasmpod_node::{Agent, DeleteOptions, Propagation};
use wasmpod_store::{Kind, Object};

use crate::server::body::{self, Body};
use crate::server::error;
use crate::server::input::Input;
use crate::server::query::Query;
use crate::server::read;
use crate::server::selection::Selection;
use crate::server::shape::{ListMeta, Shape};
use crate::{Resource, Status};

/// `meta/v1` DeleteOptions as it is sent: in the body, or in the query when there is no body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    grace_period_seconds: Option<i64>,
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    preconditions: Option<Preconditions>,
    dry_run: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// What a client wants of a deletion.
#[derive(Debug)]
pub(super) struct Wanted {
    options: DeleteOptions,
    resource_version: Option<String>,
    is_dry_run: bool,
}

impl Wanted {
    pub(super) async fn of(request: Request<Incoming>, query: &Query) -> Result<Self, Status> {
        let body = Input::read(request).await?.json()?;
        let wire = if body.is_empty() {
            Wire {
                grace_period_seconds: query.number("gracePeriodSeconds")?,
                propagation_policy: query.text("propagationPolicy").map(str::to_owned),
                orphan_dependents: query
                    .text("orphanDependents")
                    .map(|_| query.flag("orphanDependents")),
                preconditions: None,
                dry_run: Some(query.all("dryRun").map(str::to_owned).collect()),
            }
        } else {
            let decoded = serde_json::from_slice(&body);
            decoded.map_err(|wrong| {
                error::bad_request(format!("unable to decode DeleteOptions: {wrong}"))
            })?
        };
        wire.checked()
    }
}

impl Wire {
    fn checked(self) -> Result<Wanted, Status> {
        let wrong = |field, detail: &str| Err(error::invalid("DeleteOptions", field, detail));
        let dry_run = self.dry_run.unwrap_or_default();
        if let Some(other) = dry_run.iter().find(|what| *what != "All") {
            return wrong(
                "dryRun",
                &format!("Unsupported value: \"{other}\": supported values: \"All\""),
            );
        }
        let propagation = match (self.propagation_policy.as_deref(), self.orphan_dependents) {
            (Some(_), Some(_)) => {
                return wrong(
                    "propagationPolicy",
                    "Invalid value: orphanDependents and deletionPropagation cannot be both set",
                );
            }
            (None | Some("Background"), None | Some(false)) => Propagation::Background,
            (Some("Foreground"), None) => Propagation::Foreground,
            (Some("Orphan"), None) | (None, Some(true)) => Propagation::Orphan,
            (Some(other), None) => {
                let supported = "supported values: \"Foreground\", \"Background\", \"Orphan\"";
                return wrong(
                    "propagationPolicy",
                    &format!("Unsupported value: \"{other}\": {supported}"),
                );
            }
        };
        let grace = match self.grace_period_seconds {
            None => None,
            // As the API server corrects it: a negative time is the shortest that is not by force.
            Some(..0) => Some(Duration::from_secs(1)),
            Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        };
        let preconditions = self.preconditions.unwrap_or_default();
        Ok(Wanted {
            options: DeleteOptions {
                grace,
                propagation,
                uid: preconditions.uid,
            },
            resource_version: preconditions.resource_version,
            is_dry_run: !dry_run.is_empty(),
        })
    }
}

pub(super) fn one(
    agent: &Agent,
    resource: &Resource,
    selection: &Selection,
    name: &str,
    wanted: &Wanted,
) -> Result<Response<Body>, Status> {
    let (kind, namespace) = (selection.kind, selection.namespace.as_deref());
    let object = agent.store().get(kind, namespace, name);
    let object = object.ok_or_else(|| error::not_found(resource, name))?;
    let deleted = delete(agent, &object, wanted)?;
    let left = agent.store().get(kind, namespace, name);
    let is_left = left.is_some_and(|left| left.uid() == deleted.uid());
    // What is still there, or was a pod, is told as it is; of what is gone, that it was there.
    if kind == Kind::Pod || is_left || wanted.is_dry_run {
        return Ok(body::json(&deleted));
    }
    let mut status = Status::success().about(resource.group, resource.plural, name);
    deleted
        .uid()
        .clone_into(&mut status.details.get_or_insert_default().uid);
    Ok(body::json(&status))
}

pub(super) fn all(
    agent: &Agent,
    selection: &Selection,
    wanted: &Wanted,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let mut deleted = Vec::new();
    for object in read::select(agent.store(), selection) {
        match delete(agent, &object, wanted) {
            Ok(object) => deleted.push(object),
            // Somebody else was faster.
            Err(status) if status.reason == "NotFound" => {}
            Err(status) => return Err(status),
        }
    }
    let metadata = ListMeta {
        resource_version: agent.store().resource_version().to_string(),
        ..ListMeta::default()
    };
    read::written(shape.list(selection.kind, &deleted, &metadata))
}

fn delete(agent: &Agent, object: &Object, wanted: &Wanted) -> Result<Object, Status> {
    let conflict = |what: &str, wanted: &str, present: &str| {
        let kind = object.kind();
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {present}",
            kind.qualified_plural(),
            object.name(),
        );
        Status::failure(409, "Conflict", message).about(kind.group(), kind.plural(), object.name())
    };
    let version = object
        .metadata()
        .resource_version
        .as_deref()
        .unwrap_or_default();
    if let Some(precondition) = wanted
        .resource_version
        .as_deref()
        .filter(|wanted| *wanted != version)
    {
        return Err(conflict("ResourceVersion", precondition, version));
    }
    if let Some(uid) = wanted
        .options
        .uid
        .as_deref()
        .filter(|uid| *uid != object.uid())
    {
        return Err(conflict("UID", uid, object.uid()));
    }
    if wanted.is_dry_run {
        return Ok(object.clone());
    }
    let deleted = agent.delete(
        object.kind(),
        object.namespace(),
        object.name(),
        &wanted.options,
    );
    deleted.map_err(|wrong| error::of_node(&wrong))
}
