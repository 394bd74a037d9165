//! From sources to typed objects: the order of the steps, and everything found on the way.
//!
//! A source that is not YAML gives one problem. In any other, every object is taken through all
//! steps even when an earlier one found something: what does not fit its type is left out, and
//! what a later step says about the gap is not repeated.

mod kind;
mod object;
mod received;
mod warnings;

use std::collections::HashMap;

use crate::k8s::{
    ConfigMap, Ingress, IngressClass, Namespace, NetworkPolicy, PersistentVolume,
    PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use crate::reader::{Lines, Node, Place, Unreadable, compose, decode_text};
use crate::report::{
    Location, Note, ObjectName, Problem, Report, Violation, ViolationKind, Warning,
};
use crate::workload::Workload;
use kind::Kind;
pub use received::{Received, UnknownFields, receive};
use warnings::Warnings;

/// One text to read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name as messages show it: `pod.yaml`, `<stdin>`.
    pub name: String,
    /// The bytes, which need not be UTF-8: that is one of the things that is checked.
    pub text: Vec<u8>,
}

impl Source {
    /// A source with this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// The objects of all sources, in the order in which they were written, defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The pods.
    pub pods: Vec<Pod>,
    /// The name of the source of each pod, in the order of `pods`: relative paths in a pod count from its folder.
    pub pod_sources: Vec<String>,
    /// The config maps.
    pub config_maps: Vec<ConfigMap>,
    /// The secrets, `stringData` already merged into `data`.
    pub secrets: Vec<Secret>,
    /// The services.
    pub services: Vec<Service>,
    /// The rules by which HTTP requests from outside reach services.
    pub ingresses: Vec<Ingress>,
    /// The classes of these, which have no effect but that they exist.
    pub ingress_classes: Vec<IngressClass>,
    /// The rules of who reaches whom.
    pub network_policies: Vec<NetworkPolicy>,
    /// What makes pods from templates.
    pub workloads: Vec<Workload>,
    /// The name of the source of each workload, in the order of `workloads`: as `pod_sources`.
    pub workload_sources: Vec<String>,
    /// The persistent volumes.
    pub persistent_volumes: Vec<PersistentVolume>,
    /// The claims of persistent volumes.
    pub persistent_volume_claims: Vec<PersistentVolumeClaim>,
    /// The namespaces.
    pub namespaces: Vec<Namespace>,
    /// The service accounts, which have no effect but that they exist.
    pub service_accounts: Vec<ServiceAccount>,
    /// The fields that have no effect here, each kind of field once.
    pub warnings: Vec<Warning>,
}

impl Manifests {
    /// Adds an object of the source of this name.
    fn push(&mut self, object: object::Object, source: &str) {
        match object {
            object::Object::Pod(pod) => {
                self.pods.push(*pod);
                self.pod_sources.push(source.to_owned());
            }
            object::Object::ConfigMap(map) => self.config_maps.push(*map),
            object::Object::Secret(secret) => self.secrets.push(*secret),
            object::Object::Service(service) => self.services.push(*service),
            object::Object::Ingress(ingress) => self.ingresses.push(*ingress),
            object::Object::IngressClass(class) => self.ingress_classes.push(*class),
            object::Object::NetworkPolicy(policy) => self.network_policies.push(*policy),
            object::Object::ServiceAccount(account) => {
                self.service_accounts.push(*account);
            }
            object::Object::Namespace(namespace) => self.namespaces.push(*namespace),
            object::Object::PersistentVolume(volume) => {
                self.persistent_volumes.push(*volume);
            }
            object::Object::PersistentVolumeClaim(claim) => {
                self.persistent_volume_claims.push(*claim);
            }
            object::Object::Workload(workload) => {
                self.workloads.push(*workload);
                self.workload_sources.push(source.to_owned());
            }
        }
    }
}

/// Reads the sources: parses, decodes, fills in defaults, validates, all of it, and says everything
/// that is wrong at once.
///
/// # Errors
/// A [`Report`] with every problem of every source.
///
/// ```
/// use wasmpod_manifest::{Source, read};
///
/// let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: nginx}]}}";
/// let manifests = read(&[Source::new("pod.yaml", pod)]).unwrap();
/// assert_eq!(manifests.pods[0].spec.as_ref().unwrap().restart_policy.as_deref(), Some("Always"));
///
/// let report = read(&[Source::new("pod.yaml", "kind: Pod")]).unwrap_err();
/// assert_eq!(report.problems[0].message, "apiVersion: Required value");
/// ```
pub fn read(sources: &[Source]) -> Result<Manifests, Report> {
    let mut reading = Reading::default();
    for source in sources {
        reading.source(source);
    }
    if !reading.report.is_empty() {
        return Err(reading.report);
    }
    reading.manifests.warnings = reading.warnings.finish();
    Ok(reading.manifests)
}

/// What has been found so far.
#[derive(Default)]
struct Reading {
    manifests: Manifests,
    report: Report,
    warnings: Warnings,
    /// Where each object was defined, by kind, namespace and name.
    seen: HashMap<(Kind, String, String), Location>,
}

/// One source while it is read.
struct Text<'a> {
    name: &'a str,
    lines: Lines<'a>,
}

impl Text<'_> {
    fn location(&self, place: Place) -> Location {
        Location {
            file: self.name.to_owned(),
            line: place.line,
            column: place.column,
        }
    }
}

impl Reading {
    fn source(&mut self, source: &Source) {
        let text = match decode_text(&source.text) {
            Ok(text) => text,
            Err(error) => {
                let empty = Text {
                    name: &source.name,
                    lines: Lines::new(""),
                };
                return self.unreadable(&empty, error);
            }
        };
        let lines = Text {
            name: &source.name,
            lines: Lines::new(text),
        };
        match compose(text) {
            Ok(documents) => {
                for document in &documents {
                    self.document(&lines, document);
                }
            }
            Err(error) => self.unreadable(&lines, error),
        }
    }

    fn unreadable(&mut self, text: &Text<'_>, error: Unreadable) {
        let place = error.place;
        let note = error.note.map(|note| {
            let (words, place) = *note;
            Note {
                text: format!("{words} {}", text.location(place)),
            }
        });
        let (location, message) = match place {
            Some(place) => (Some(text.location(place)), error.message),
            None => (None, format!("{}: {}", text.name, error.message)),
        };
        self.report.push(Problem {
            object: None,
            location,
            excerpt: place.and_then(|place| text.lines.excerpt(place)),
            message,
            hints: error.hint.into_iter().collect(),
            notes: note.into_iter().collect(),
            rule_id: error.rule_id,
            violation: None,
        });
    }

    /// A document: an object, or a list of objects.
    fn document(&mut self, text: &Text<'_>, document: &Node) {
        match kind::kind_of(document) {
            Ok(kind::Document::List) => {
                for item in document.get("items").map(Node::items).unwrap_or_default() {
                    self.document(text, item);
                }
            }
            Ok(kind::Document::Object(kind)) => self.object(text, document, kind),
            Err(findings) => {
                let name = kind::name_of(document);
                for finding in findings.0 {
                    self.push(text, document, name.as_ref(), finding);
                }
            }
        }
    }

    fn object(&mut self, text: &Text<'_>, document: &Node, kind: Kind) {
        let name = kind::name_of(document).unwrap_or_else(|| ObjectName {
            kind: kind.name().to_owned(),
            name: String::new(),
        });
        let (object, mut found, ignored) = object::decode(document, kind);
        found.sort_by_key(|finding| {
            let place = object::place_of(document, finding);
            (place.line, place.column)
        });
        for finding in found {
            self.push(text, document, Some(&name), finding);
        }
        for field in ignored {
            self.warnings.add(text, document, &name, &field);
        }
        let Some(object) = object else { return };
        self.unique(text, document, kind, &name, &object);
        self.manifests.push(object, text.name);
    }

    /// Notes an object, or says that there is one of its kind and name already.
    fn unique(
        &mut self,
        text: &Text<'_>,
        document: &Node,
        kind: Kind,
        name: &ObjectName,
        object: &object::Object,
    ) {
        let metadata = object.metadata();
        let Some(object_name) = metadata.name.clone().filter(|name| !name.is_empty()) else {
            return;
        };
        let path = crate::validate::Path::root()
            .field("metadata")
            .field("name");
        let finding =
            crate::validate::Finding::new("metadata/duplicate", ViolationKind::Duplicate, &path)
                .quoted(&object_name)
                .hint(format!(
                    "each {} needs a name of its own in its namespace",
                    kind.name()
                ));
        let location = text.location(object::place_of(document, &finding));
        let key = (
            kind,
            metadata.namespace.clone().unwrap_or_default(),
            object_name,
        );
        if let Some(first) = self.seen.get(&key) {
            let note = Note {
                text: format!("first used at {first}"),
            };
            self.push_with(text, document, Some(name), finding, vec![note]);
        } else {
            self.seen.insert(key, location);
        }
    }

    fn push(
        &mut self,
        text: &Text<'_>,
        document: &Node,
        name: Option<&ObjectName>,
        finding: crate::validate::Finding,
    ) {
        let note = finding.first.as_ref().map(|first| {
            let place = crate::reader::location_of(document, first.segments(), false);
            Note {
                text: format!("first used at {}", text.location(place)),
            }
        });
        self.push_with(text, document, name, finding, note.into_iter().collect());
    }

    fn push_with(
        &mut self,
        text: &Text<'_>,
        document: &Node,
        name: Option<&ObjectName>,
        finding: crate::validate::Finding,
        notes: Vec<Note>,
    ) {
        let place = object::place_of(document, &finding);
        let violation: Option<Violation> = finding.violation();
        self.report.push(Problem {
            object: name.cloned(),
            location: Some(text.location(place)),
            excerpt: text.lines.excerpt(place),
            message: finding.message(),
            hints: finding.hint.into_iter().collect(),
            notes,
            rule_id: finding.rule_id,
            violation,
        });
    }
}
