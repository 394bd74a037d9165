//! One object as a client of the API creates or replaces it.
//!
//! A client writes an object whole; what of it is the client's to say is decided here. What the server sets stays, the
//! status is written by itself and never with the rest, and what a service or pod was given it keeps. What must not
//! change at all is in `immutable`.

use std::sync::Arc;

use wasmpod_manifest::k8s::{Namespace, NamespaceStatus, Time};
use wasmpod_store::{Kind, Object, StoreError};

use crate::admission;
use crate::admission::publish::is_meant;
use crate::agent::{Agent, ensure_namespace};
use crate::endpoint_rules;
use crate::error::NodeError;
use crate::services;
use crate::start::{candidate_of, identify, status_of_new};

/// Which part of an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status, with labels and annotations.
    Status,
}

impl Agent {
    /// Creates one object that must not be there yet, after everything that can be known to fail was checked, as by
    /// [`Agent::start`]. With `dry_run` it is checked and given back as it would be, without being created.
    ///
    /// # Errors
    ///
    /// When it is there, its namespace is being deleted, or it cannot work.
    pub async fn create(&self, mut object: Object, dry_run: bool) -> Result<Object, NodeError> {
        let shared = &self.shared;
        let kind = object.kind();
        if kind.is_namespaced() {
            identify(object.metadata_mut());
        }
        begin(&mut object);
        endpoint_rules::complete(&mut object)?;
        self.is_free(&object)?;
        if let Some(candidate) = candidate_of(&object, &shared.config.base_dir) {
            let candidates = [candidate];
            let (images, runtime) = (&shared.images, &shared.config.runtime);
            admission::prepare(&candidates, images, runtime, &shared.config.progress).await?;
            // Rules for other pods are no mistake of this one.
            let rules = shared.config.publish.iter();
            let rules =
                rules.filter(|rule| candidates.iter().any(|c| is_meant(&rule.pod, &c.pod, &[])));
            let rules: Vec<_> = rules.cloned().collect();
            let held = shared.held();
            admission::check_ports(&candidates, &rules, &[], &shared.node_ports, held).await?;
        }
        if let Object::Service(service) = &object {
            services::can_have(&shared.store, service)?;
            let services = [Arc::clone(service)];
            let held = shared.held();
            admission::check_ports(&[], &[], &services, &shared.node_ports, held).await?;
        }
        if shared.is_closing() {
            return Err(NodeError::ShuttingDown);
        }
        // Meanwhile somebody else may have been faster.
        self.is_free(&object)?;
        if let Object::Service(service) = &mut object {
            services::can_have(&shared.store, service)?;
            services::give_address(&shared.store, Arc::make_mut(service));
        }
        if dry_run {
            object.metadata_mut().creation_timestamp = Some(Time(shared.store.now()));
            return Ok(object);
        }
        if let Some(namespace) = object.namespace() {
            ensure_namespace(&shared.store, namespace);
        }
        Ok(shared.store.create(object)?)
    }

    /// Replaces a part of the object of the same kind, namespace and name. If `new` names a resourceVersion or a uid,
    /// the object must have them. With `dry_run` nothing is written, but told as it would be.
    ///
    /// # Errors
    ///
    /// As [`Agent::update`].
    pub fn replace(&self, new: &Object, part: Part, dry_run: bool) -> Result<Object, NodeError> {
        let shared = &self.shared;
        let (kind, namespace, name) = (new.kind(), new.namespace(), new.name());
        let mut new = new.clone();
        endpoint_rules::complete(&mut new)?;
        if let (Object::Service(new), Some(Object::Service(old))) =
            (&mut new, shared.store.get(kind, namespace, name))
        {
            let new = Arc::make_mut(new);
            services::keep_address(new, &old);
            if part == Part::Main {
                services::can_have(&shared.store, new)?;
            }
            services::give_address(&shared.store, new);
        }
        let change = &mut |stored: &mut Object| {
            let next = match part {
                Part::Main => main_of(&new, stored)?,
                Part::Status => status_of(&new, stored),
            };
            *stored = next;
            Ok(())
        };
        let (namespace, name) = (new.namespace(), new.name());
        let written = if dry_run {
            shared.would_update(kind, namespace, name, change)
        } else {
            shared.update(kind, namespace, name, change)
        };
        Ok(written?)
    }

    /// Is the name free, in a namespace that takes new objects?
    fn is_free(&self, object: &Object) -> Result<(), NodeError> {
        let (kind, name) = (object.kind(), object.name());
        let store = &self.shared.store;
        if !name.is_empty() && store.get(kind, object.namespace(), name).is_some() {
            let name = name.to_owned();
            return Err(StoreError::AlreadyExists { kind, name }.into());
        }
        let namespace = object.namespace().unwrap_or_default();
        let found = store.get(Kind::Namespace, None, namespace);
        if found.is_some_and(|found| found.metadata().deletion_timestamp.is_some()) {
            return Err(NodeError::Terminating {
                kind,
                name: name.to_owned(),
                namespace: namespace.to_owned(),
            });
        }
        Ok(())
    }
}

/// Takes from a new object what is not its creator's to say.
fn begin(object: &mut Object) {
    let metadata = object.metadata_mut();
    metadata.uid = None;
    metadata.resource_version = None;
    metadata.managed_fields = None;
    metadata.self_link = None;
    match object {
        Object::Pod(pod) => {
            let pod = Arc::make_mut(pod);
            pod.status = Some(status_of_new(pod));
        }
        Object::Namespace(namespace) => activate(Arc::make_mut(namespace)),
        other => clear_status(other),
    }
}

/// A namespace is there when its object is.
pub(crate) fn activate(namespace: &mut Namespace) {
    namespace.status = Some(NamespaceStatus {
        phase: Some("Active".to_owned()),
        ..NamespaceStatus::default()
    });
}

/// Calls a macro with the kinds whose status is optional and told by the server.
macro_rules! with_status {
    ($call:ident) => {
        $call!(
            Pod Service Namespace Node PersistentVolume PersistentVolumeClaim ReplicationController DaemonSet Deployment
            ReplicaSet StatefulSet Job CronJob Ingress
        )
    };
}

fn clear_status(object: &mut Object) {
    macro_rules! clear {
        ($($kind:ident)*) => {
            match object {
                $(Object::$kind(found) => Arc::make_mut(found).status = None,)*
                _ => {}
            }
        };
    }
    with_status!(clear);
}

/// Gives an object the status of another one of its kind.
fn take_status(object: &mut Object, from: &Object) {
    macro_rules! take {
        ($($kind:ident)*) => {
            match (object, from) {
                $((Object::$kind(object), Object::$kind(from)) => {
                    Arc::make_mut(object).status.clone_from(&from.status);
                })*
                _ => {}
            }
        };
    }
    with_status!(take);
}

/// What `stored` becomes when everything but its status is as in `new`.
fn main_of(new: &Object, stored: &Object) -> Result<Object, StoreError> {
    let mut next = new.clone();
    let (metadata, before) = (next.metadata_mut(), stored.metadata());
    metadata
        .deletion_timestamp
        .clone_from(&before.deletion_timestamp);
    metadata.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
    metadata.managed_fields.clone_from(&before.managed_fields);
    metadata.self_link = None;
    take_status(&mut next, stored);
    if let (Object::Pod(next), Object::Pod(stored)) = (&mut next, stored) {
        // The scheduler gives it.
        if let (Some(next), Some(stored)) = (&mut Arc::make_mut(next).spec, &stored.spec) {
            next.node_name.clone_from(&stored.node_name);
        }
    }
    if matches!(stored.kind(), Kind::Event | Kind::Node) {
        let mut same = stored.clone();
        *same.metadata_mut() = next.metadata().clone();
        if same != next {
            return Err(StoreError::Invalid {
                kind: stored.kind(),
                name: stored.name().to_owned(),
                detail:
                    "metadata: Forbidden: of this kind only labels and annotations can be changed"
                        .to_owned(),
            });
        }
    }
    Ok(next)
}

/// What `stored` becomes when its status is that of `new`.
fn status_of(new: &Object, stored: &Object) -> Object {
    let mut next = stored.clone();
    take_status(&mut next, new);
    let metadata = next.metadata_mut();
    metadata.labels.clone_from(&new.metadata().labels);
    metadata.annotations.clone_from(&new.metadata().annotations);
    metadata.uid.clone_from(&new.metadata().uid);
    metadata
        .resource_version
        .clone_from(&new.metadata().resource_version);
    next
}
