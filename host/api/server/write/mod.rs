//! POST, PUT and PATCH: objects as clients create and change them.
//!
//! What is written goes the way of a manifest: decoded, completed and validated by `wasmpod-manifest`, admitted and
//! kept by the agent, so that a client is told the same as `wasmpod up`. Endpoints and EndpointSlices, which manifests
//! do not have, are decoded here; unknown fields of theirs are left out silently. Objects that only the server makes
//! (events, nodes) can be labelled and annotated, no more. Server-side apply is refused: who owns which field is not
//! kept here.
//!
//! Standard: `api-conventions.md` (verbs, PUT and PATCH, dry run, field validation) and `api-concepts` of Kubernetes.

mod json;

mod lists;
mod operations;
mod options;
mod patch;
mod scale;
mod service;
mod strategic;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use wasmpod_manifest::{UnknownFields, receive};
use wasmpod_node::{Agent, NodeError, Part, object_of};
use wasmpod_store::{Kind, Object, Store, StoreError};

use crate::server::body::{self, Body};
use crate::server::error;
use crate::server::input::Input;
use crate::server::query::Query;
use crate::server::read;
use crate::server::route::Objects;
use crate::server::shape::Shape;
use crate::{Resource, Status};
use options::WriteOptions;
use patch::{Change, MAX_TRIES};

/// How many warnings an answer carries at most: each is a header, and Go's clients take a mebibyte of them.
const MAX_WARNINGS: usize = 32;

/// What is written of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// All but its status.
    Main,
    /// `/status`
    Status,
    /// `/scale`
    Scale,
}

/// Can clients create objects of this kind, and replace them whole? Others are the server's.
pub(super) fn is_clients(kind: Kind) -> bool {
    !matches!(kind, Kind::Event | Kind::Node)
}

/// Is it read as a manifest is?
fn is_of_manifests(kind: Kind) -> bool {
    is_clients(kind) && !matches!(kind, Kind::Endpoints | Kind::EndpointSlice)
}

/// Has it a part `/status`?
pub(super) fn has_status(resource: &Resource) -> bool {
    resource.stored.is_some_and(|kind| {
        !matches!(
            kind,
            Kind::ConfigMap
                | Kind::Secret
                | Kind::Event
                | Kind::Endpoints
                | Kind::EndpointSlice
                | Kind::IngressClass
                | Kind::NetworkPolicy
                | Kind::ServiceAccount
        )
    })
}

/// Has it a part `/scale`?
pub(super) fn has_scale(resource: &Resource) -> bool {
    let scaled = [
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::ReplicationController,
        Kind::StatefulSet,
    ];
    resource.stored.is_some_and(|kind| scaled.contains(&kind))
}

/// GET of a part of an object.
pub(super) fn get(
    store: &Store,
    objects: &Objects,
    target: Target,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let asked = Asked::of(objects)?;
    let name = asked.name.ok_or_else(error::method_not_allowed)?;
    let object = asked.stored(store, name)?;
    match target {
        Target::Scale => Ok(body::json(&scale::of(&object))),
        Target::Main | Target::Status => read::written(shape.object(&object, true)),
    }
}

/// POST, PUT or PATCH.
pub(super) async fn write(
    agent: &Agent,
    objects: &Objects,
    query: &Query,
    request: Request<Incoming>,
    target: Target,
    shape: &Shape,
) -> Result<Response<Body>, Status> {
    let asked = Asked::of(objects)?;
    let mut told = Told::default();
    let method = request.method().clone();
    let (object, code) = match (&method, asked.name) {
        (&Method::POST, None) if target == Target::Main && is_clients(asked.kind) => {
            let options = WriteOptions::of("CreateOptions", query)?;
            let body = Input::read(request).await?.json()?;
            let object = asked.create(agent, &body, options, &mut told).await?;
            (object, StatusCode::CREATED)
        }
        (&Method::PUT, Some(name)) => {
            let options = WriteOptions::of("UpdateOptions", query)?;
            let body = Input::read(request).await?.json()?;
            let object = asked.put(agent, name, &body, target, options, &mut told)?;
            (object, StatusCode::OK)
        }
        (&Method::PATCH, Some(name)) => {
            let options = WriteOptions::of("PatchOptions", query)?;
            let input = Input::read(request).await?;
            let object = asked.patch(agent, name, &input, target, options, &mut told)?;
            (object, StatusCode::OK)
        }
        _ => return Err(error::method_not_allowed()),
    };
    let mut response = match target {
        Target::Scale => body::json(&scale::of(&object)),
        Target::Main | Target::Status => read::written(shape.object(&object, true))?,
    };
    *response.status_mut() = code;
    for warning in told.0.iter().take(MAX_WARNINGS) {
        body::warn(&mut response, warning);
    }
    Ok(response)
}

/// What a client is warned of.
#[derive(Default)]
struct Told(Vec<String>);

/// The objects that a path names, of a kind that is kept.
struct Asked<'a> {
    resource: &'a Resource,
    kind: Kind,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(objects: &'a Objects) -> Result<Self, Status> {
        let kind = objects
            .resource
            .stored
            .ok_or_else(error::method_not_allowed)?;
        // Of all namespaces at once nothing is written.
        if kind.is_namespaced() && objects.namespace.is_none() {
            return Err(error::method_not_allowed());
        }
        Ok(Self {
            resource: objects.resource,
            kind,
            namespace: objects.namespace.as_deref(),
            name: objects.name.as_deref(),
        })
    }

    fn stored(&self, store: &Store, name: &str) -> Result<Object, Status> {
        let object = store.get(self.kind, self.namespace, name);
        object.ok_or_else(|| error::not_found(self.resource, name))
    }

    async fn create(
        &self,
        agent: &Agent,
        body: &[u8],
        options: WriteOptions,
        told: &mut Told,
    ) -> Result<Object, Status> {
        let value = self.parse(body, options, told)?;
        if text(&value, "/metadata/resourceVersion").is_some() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(error::bad_request(message));
        }
        let object = self.decode(value, options.unknown, true, told)?;
        let name = object.name().to_owned();
        let created = agent.create(object, options.is_dry_run).await;
        created.map_err(|wrong| error::of_admission(&wrong, self.resource, &name))
    }

    fn put(
        &self,
        agent: &Agent,
        name: &str,
        body: &[u8],
        target: Target,
        options: WriteOptions,
        told: &mut Told,
    ) -> Result<Object, Status> {
        let stored = self.stored(agent.store(), name)?;
        if target == Target::Scale {
            let (scale, _) = parsed(body)?;
            return self.scaled(agent, &stored, &scale, options);
        }
        let mut value = self.parse(body, options, told)?;
        self.is_named(name, &mut value)?;
        service::let_go(&stored, &mut value);
        let object = self.decode(value, options.unknown, false, told)?;
        replaced(agent.replace(&object, part(target), options.is_dry_run))
    }

    fn patch(
        &self,
        agent: &Agent,
        name: &str,
        input: &Input,
        target: Target,
        options: WriteOptions,
        told: &mut Told,
    ) -> Result<Object, Status> {
        let (change, repeated) = Change::of(input)?;
        repeats(&repeated, options, told)?;
        let mut tries = MAX_TRIES;
        loop {
            let stored = self.stored(agent.store(), name)?;
            let version = stored.resource_version().to_string();
            let mut warned = Told::default();
            let (written, sent) = match target {
                Target::Scale => {
                    let mut scale = scale::of(&stored).unwrap_or_default();
                    change.apply(self.resource, None, name, &mut scale)?;
                    let sent = text(&scale, "/metadata/resourceVersion").map(str::to_owned);
                    (self.scaled(agent, &stored, &scale, options), sent)
                }
                Target::Main | Target::Status => {
                    let mut value = serde_json::to_value(&stored).unwrap_or_default();
                    change.apply(self.resource, Some(self.kind), name, &mut value)?;
                    self.is_of_kind(&mut value)?;
                    self.is_named(name, &mut value)?;
                    service::let_go(&stored, &mut value);
                    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
                        // Without one it would be written over what came meanwhile.
                        let sent = metadata.entry("resourceVersion");
                        sent.or_insert_with(|| version.as_str().into());
                    }
                    let sent = text(&value, "/metadata/resourceVersion").map(str::to_owned);
                    let object = self.decode(value, options.unknown, false, &mut warned)?;
                    let written = agent.replace(&object, part(target), options.is_dry_run);
                    (replaced(written), sent)
                }
            };
            tries -= 1;
            match written {
                // Who did not ask for a version has the patch made anew.
                Err(status)
                    if status.reason == "Conflict"
                        && tries > 0
                        && sent.as_deref() == Some(version.as_str()) => {}
                other => {
                    told.0.append(&mut warned.0);
                    return other;
                }
            }
        }
    }

    /// Gives a workload the replicas of a Scale.
    fn scaled(
        &self,
        agent: &Agent,
        stored: &Object,
        scale: &Value,
        options: WriteOptions,
    ) -> Result<Object, Status> {
        let name = stored.name();
        let sent = text(scale, "/metadata/name").unwrap_or(name);
        if sent != name {
            return Err(other_name(sent, name));
        }
        let replicas = scale::replicas(scale).map_err(|detail| {
            let (kind, name) = (self.kind, name.to_owned());
            error::of_store(&StoreError::Invalid { kind, name, detail })
        })?;
        let mut value = serde_json::to_value(stored).unwrap_or_default();
        if let Some(spec) = value.pointer_mut("/spec") {
            spec["replicas"] = replicas.into();
        }
        let version = text(scale, "/metadata/resourceVersion").map_or(Value::Null, Value::from);
        if let Some(metadata) = value.pointer_mut("/metadata") {
            metadata["resourceVersion"] = version;
        }
        let object = self.decode(value, UnknownFields::Ignore, false, &mut Told::default())?;
        replaced(agent.replace(&object, Part::Main, options.is_dry_run))
    }

    /// Reads an object of this kind and namespace.
    fn parse(&self, body: &[u8], options: WriteOptions, told: &mut Told) -> Result<Value, Status> {
        let (mut value, repeated) = parsed(body)?;
        repeats(&repeated, options, told)?;
        self.is_of_kind(&mut value)?;
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return Ok(value);
        };
        if let Some(namespace) = self.namespace {
            let sent = metadata
                .get("namespace")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if ![namespace, ""].contains(&sent) {
                return Err(error::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request ({sent} vs {namespace})"
                )));
            }
            metadata.insert("namespace".to_owned(), namespace.into());
        }
        Ok(value)
    }

    /// Is it an object of the kind that the path names? What it does not say is filled in.
    fn is_of_kind(&self, value: &mut Value) -> Result<(), Status> {
        let (kind, version) = (self.resource.kind, self.resource.api_version());
        let Value::Object(fields) = value else {
            let message = format!("the object provided is unrecognized (must be of type {kind})");
            return Err(error::bad_request(message));
        };
        let mut is = |field: &str, wanted: &str| {
            let found = fields.entry(field).or_insert_with(|| wanted.into());
            if *found == wanted {
                return Ok(());
            }
            Err(error::bad_request(format!(
                "the {field} in the data ({found}) does not match the expected {field} ({wanted})"
            )))
        };
        is("apiVersion", &version)?;
        is("kind", kind)?;
        fields.entry("metadata").or_insert_with(|| json!({}));
        Ok(())
    }

    /// Is it the object that the path names?
    fn is_named(&self, name: &str, value: &mut Value) -> Result<(), Status> {
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return Ok(());
        };
        let sent = metadata.entry("name").or_insert_with(|| name.into());
        match sent.as_str() {
            Some(sent) if sent == name => {}
            Some("") => *sent = name.into(),
            // What is no text is refused with the rest of the object.
            None => return Ok(()),
            Some(sent) => return Err(other_name(sent, name)),
        }
        let namespace = self.namespace.unwrap_or_default();
        let sent = metadata.get("namespace").and_then(Value::as_str);
        match sent {
            Some(sent) if self.namespace.is_some() && sent != namespace => {
                Err(error::bad_request(format!(
                    "the namespace of the object ({sent}) does not match the namespace on the URL ({namespace})"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Decodes, completes and validates. Of a new object, fields without effect are named.
    fn decode(
        &self,
        value: Value,
        unknown: UnknownFields,
        is_new: bool,
        told: &mut Told,
    ) -> Result<Object, Status> {
        let name = text(&value, "/metadata/name")
            .or_else(|| text(&value, "/metadata/generateName"))
            .unwrap_or_default()
            .to_owned();
        if !is_of_manifests(self.kind) {
            return self.decode_typed(value, &name);
        }
        let received = receive(value, unknown)
            .map_err(|report| error::of_report(self.resource, &name, &report))?;
        told.0.extend(received.unknown);
        if is_new {
            let without_effect = received.manifests.warnings.iter();
            // Clients copy what a server once told them.
            let is_servers = |path: &str| path == "status" || path.starts_with("metadata.");
            let without_effect = without_effect.filter(|warning| !is_servers(&warning.path));
            told.0.extend(without_effect.map(ToString::to_string));
        }
        let object = object_of(received.manifests);
        object.ok_or_else(|| error::bad_request("one object is written at a time"))
    }

    /// An object that no manifest has: its name, labels and annotations follow the rules of all.
    fn decode_typed(&self, value: Value, name: &str) -> Result<Object, Status> {
        // A name that is to be generated may end as no name does.
        let field = match text(&value, "/metadata/name") {
            None if is_clients(self.kind) => "generateName",
            _ => "name",
        };
        let metadata = json!({
            field: if is_clients(self.kind) { name } else { "x" },
            "labels": value.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "annotations": value.pointer("/metadata/annotations").cloned().unwrap_or_default(),
        });
        let stand_in = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        let checked = receive(stand_in, UnknownFields::Ignore);
        checked.map_err(|report| error::of_report(self.resource, name, &report))?;
        Object::from_json(self.kind, value).map_err(|wrong| {
            let (kind, version) = (self.resource.kind, self.resource.api_version());
            let mut text = wrong.to_string();
            if let Some(source) = std::error::Error::source(&wrong) {
                text = format!("{text}: {source}");
            }
            error::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {text}"
            ))
        })
    }
}

fn part(target: Target) -> Part {
    match target {
        Target::Status => Part::Status,
        Target::Main | Target::Scale => Part::Main,
    }
}

fn replaced(written: Result<Object, NodeError>) -> Result<Object, Status> {
    written.map_err(|wrong| error::of_node(&wrong))
}

fn parsed(body: &[u8]) -> Result<(Value, Vec<String>), Status> {
    json::parse(body)
        .map_err(|wrong| error::bad_request(format!("the body cannot be decoded as JSON: {wrong}")))
}

/// What becomes of fields that were written twice.
fn repeats(repeated: &[String], options: WriteOptions, told: &mut Told) -> Result<(), Status> {
    let mut texts = repeated
        .iter()
        .map(|path| format!("duplicate field \"{path}\""));
    match options.unknown {
        UnknownFields::Ignore => {}
        UnknownFields::Warn => told.0.extend(texts),
        UnknownFields::Refuse if repeated.is_empty() => {}
        UnknownFields::Refuse => {
            let first = texts.next().unwrap_or_default();
            let texts = texts.fold(first, |all, text| format!("{all}, {text}"));
            return Err(error::bad_request(format!(
                "strict decoding error: {texts}"
            )));
        }
    }
    Ok(())
}

fn other_name(sent: &str, name: &str) -> Status {
    error::bad_request(format!(
        "the name of the object ({sent}) does not match the name on the URL ({name})"
    ))
}

/// A text that is there and not empty.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}
