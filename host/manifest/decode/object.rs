//! One object through all steps.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kind::Kind;
use crate::defaults;
use crate::k8s::{ConfigMap, ObjectMeta, Pod, Secret, Service};
use crate::reader::{Node, Place, Seg, location_of};
use crate::report::ViolationKind;
use crate::schema::{Shapes, convert};
use crate::support::{self, Ignored};
use crate::validate::{self, Finding, Findings, Path};

/// A typed object with its defaults.
pub(super) enum Object {
    Pod(Box<Pod>),
    ConfigMap(Box<ConfigMap>),
    Secret(Box<Secret>),
    Service(Box<Service>),
}

impl Object {
    pub(super) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Pod(pod) => &pod.metadata,
            Self::ConfigMap(map) => &map.metadata,
            Self::Secret(secret) => &secret.metadata,
            Self::Service(service) => &service.metadata,
        }
    }
}

/// Decodes an object; returns it, everything that is wrong, and the fields without effect.
pub(super) fn decode(document: &Node, kind: Kind) -> (Option<Object>, Vec<Finding>, Vec<Ignored>) {
    let shape = match kind {
        Kind::Pod => Shapes::kind::<Pod>(),
        Kind::ConfigMap => Shapes::kind::<ConfigMap>(),
        Kind::Secret => Shapes::kind::<Secret>(),
        Kind::Service => Shapes::kind::<Service>(),
    };
    let mut findings = Findings::default();
    let converted = convert(document, &shape, &mut findings);
    let broken = converted.broken;
    let mut rules = Findings::default();
    let ignored = support::check(document, &shape, &mut rules);
    let object = typed(document, kind, converted.value, &mut rules);
    findings.0.extend(
        rules
            .0
            .into_iter()
            .filter(|finding| !is_consequence(finding, &broken)),
    );
    (object, findings.0, ignored)
}

fn typed(document: &Node, kind: Kind, value: Value, rules: &mut Findings) -> Option<Object> {
    Some(match kind {
        Kind::Pod => {
            let mut pod: Pod = from_json(value, rules)?;
            defaults::pod(&mut pod);
            validate::pod(&pod, rules);
            Object::Pod(Box::new(pod))
        }
        Kind::ConfigMap => {
            let mut map: ConfigMap = from_json(value, rules)?;
            defaults::config_map(&mut map);
            validate::config_map(&map, rules);
            Object::ConfigMap(Box::new(map))
        }
        Kind::Secret => {
            let mut secret: Secret = from_json(value, rules)?;
            defaults::secret(&mut secret);
            let mut found = Findings::default();
            validate::secret(&secret, &mut found);
            rules.0.extend(
                found
                    .0
                    .into_iter()
                    .map(|finding| in_string_data(document, finding)),
            );
            Object::Secret(Box::new(secret))
        }
        Kind::Service => {
            let mut service: Service = from_json(value, rules)?;
            defaults::service(&mut service);
            validate::service(&service, rules);
            Object::Service(Box::new(service))
        }
    })
}

fn from_json<T: DeserializeOwned>(value: Value, rules: &mut Findings) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(object) => Some(object),
        Err(error) => {
            let path = Path::root().field("(document)");
            rules.push(
                Finding::new("schema/decode", ViolationKind::TypeInvalid, &path)
                    .detail(error.to_string()),
            );
            None
        }
    }
}

/// A rule about merged `data` points to where the user wrote the key.
fn in_string_data(document: &Node, mut finding: Finding) -> Finding {
    if let [Seg::Field(data), Seg::Key(key)] = finding.path.segments()
        && data == "data"
        && document
            .get("stringData")
            .is_some_and(|node| node.entry(key).is_some())
    {
        finding.path = Path::root().field("stringData").key(key);
    }
    finding
}

/// Whether a rule only complains about what was left out for not fitting.
fn is_consequence(finding: &Finding, broken: &[Vec<Seg>]) -> bool {
    let path = finding.path.segments();
    broken.iter().any(|broken| {
        path.starts_with(broken)
            || finding.kind == Some(ViolationKind::Required) && broken.starts_with(path)
    })
}

/// Where a finding was written.
pub(super) fn place_of(document: &Node, finding: &Finding) -> Place {
    match &finding.key {
        Some(key) => location_of(document, finding.path.key(key).segments(), finding.on_key),
        None => location_of(document, finding.path.segments(), finding.on_key),
    }
}
