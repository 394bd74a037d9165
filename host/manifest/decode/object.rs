//! One object through all steps.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kind::Kind;
use crate::defaults;
use crate::k8s::{
    ConfigMap, CronJob, DaemonSet, Deployment, Ingress, IngressClass, Job, Namespace,
    NetworkPolicy, ObjectMeta, PersistentVolume, PersistentVolumeClaim, Pod, ReplicaSet,
    ReplicationController, Secret, Service, ServiceAccount, StatefulSet,
};
use crate::reader::{Node, Place, Seg, location_of};
use crate::report::ViolationKind;
use crate::schema::{Shape, Shapes, convert};
use crate::support::{self, Ignored};
use crate::validate::{self, Finding, Findings, Path};
use crate::workload::{Workload, WorkloadKind};

/// A typed object with its defaults.
pub(super) enum Object {
    Pod(Box<Pod>),
    ConfigMap(Box<ConfigMap>),
    Secret(Box<Secret>),
    Service(Box<Service>),
    Ingress(Box<Ingress>),
    IngressClass(Box<IngressClass>),
    ServiceAccount(Box<ServiceAccount>),
    Namespace(Box<Namespace>),
    PersistentVolume(Box<PersistentVolume>),
    PersistentVolumeClaim(Box<PersistentVolumeClaim>),
    NetworkPolicy(Box<NetworkPolicy>),
    Workload(Box<Workload>),
}

impl Object {
    pub(super) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Pod(pod) => &pod.metadata,
            Self::ConfigMap(map) => &map.metadata,
            Self::Secret(secret) => &secret.metadata,
            Self::Service(service) => &service.metadata,
            Self::Ingress(ingress) => &ingress.metadata,
            Self::IngressClass(class) => &class.metadata,
            Self::ServiceAccount(account) => &account.metadata,
            Self::Namespace(namespace) => &namespace.metadata,
            Self::PersistentVolume(volume) => &volume.metadata,
            Self::PersistentVolumeClaim(claim) => &claim.metadata,
            Self::NetworkPolicy(policy) => &policy.metadata,
            Self::Workload(workload) => workload.metadata(),
        }
    }
}

/// Decodes an object; returns it, everything that is wrong, and the fields without effect.
pub(super) fn decode(document: &Node, kind: Kind) -> (Option<Object>, Vec<Finding>, Vec<Ignored>) {
    let shape = shape(kind);
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

pub(super) fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Pod => Shapes::kind::<Pod>(),
        Kind::ConfigMap => Shapes::kind::<ConfigMap>(),
        Kind::Secret => Shapes::kind::<Secret>(),
        Kind::Service => Shapes::kind::<Service>(),
        Kind::Ingress => Shapes::kind::<Ingress>(),
        Kind::IngressClass => Shapes::kind::<IngressClass>(),
        Kind::ServiceAccount => Shapes::kind::<ServiceAccount>(),
        Kind::Namespace => Shapes::kind::<Namespace>(),
        Kind::PersistentVolume => Shapes::kind::<PersistentVolume>(),
        Kind::PersistentVolumeClaim => Shapes::kind::<PersistentVolumeClaim>(),
        Kind::NetworkPolicy => Shapes::kind::<NetworkPolicy>(),
        Kind::Workload(WorkloadKind::Deployment) => Shapes::kind::<Deployment>(),
        Kind::Workload(WorkloadKind::ReplicaSet) => Shapes::kind::<ReplicaSet>(),
        Kind::Workload(WorkloadKind::ReplicationController) => {
            Shapes::kind::<ReplicationController>()
        }
        Kind::Workload(WorkloadKind::DaemonSet) => Shapes::kind::<DaemonSet>(),
        Kind::Workload(WorkloadKind::StatefulSet) => Shapes::kind::<StatefulSet>(),
        Kind::Workload(WorkloadKind::Job) => Shapes::kind::<Job>(),
        Kind::Workload(WorkloadKind::CronJob) => Shapes::kind::<CronJob>(),
    }
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
        Kind::Ingress => {
            let mut ingress: Ingress = from_json(value, rules)?;
            defaults::metadata(&mut ingress.metadata);
            validate::ingress(&ingress, rules);
            Object::Ingress(Box::new(ingress))
        }
        Kind::IngressClass => {
            let class: IngressClass = from_json(value, rules)?;
            validate::ingress_class(&class, rules);
            Object::IngressClass(Box::new(class))
        }
        Kind::ServiceAccount => {
            let mut account: ServiceAccount = from_json(value, rules)?;
            defaults::metadata(&mut account.metadata);
            validate::service_account(&account, rules);
            Object::ServiceAccount(Box::new(account))
        }
        Kind::Namespace => {
            let mut namespace: Namespace = from_json(value, rules)?;
            defaults::namespace(&mut namespace);
            validate::namespace(&namespace, rules);
            Object::Namespace(Box::new(namespace))
        }
        Kind::PersistentVolume => {
            let mut volume: PersistentVolume = from_json(value, rules)?;
            defaults::persistent_volume(&mut volume);
            validate::persistent_volume(&volume, rules);
            Object::PersistentVolume(Box::new(volume))
        }
        Kind::PersistentVolumeClaim => {
            let mut claim: PersistentVolumeClaim = from_json(value, rules)?;
            defaults::persistent_volume_claim(&mut claim);
            validate::persistent_volume_claim(&claim, rules);
            Object::PersistentVolumeClaim(Box::new(claim))
        }
        Kind::NetworkPolicy => {
            let mut policy: NetworkPolicy = from_json(value, rules)?;
            defaults::network_policy(&mut policy);
            validate::network_policy(&policy, rules);
            Object::NetworkPolicy(Box::new(policy))
        }
        Kind::Workload(kind) => {
            let mut workload = workload(kind, value, rules)?;
            workload.set_defaults();
            validate::workload(&workload, rules);
            Object::Workload(Box::new(workload))
        }
    })
}

fn workload(kind: WorkloadKind, value: Value, rules: &mut Findings) -> Option<Workload> {
    Some(match kind {
        WorkloadKind::Deployment => Workload::Deployment(from_json(value, rules)?),
        WorkloadKind::ReplicaSet => Workload::ReplicaSet(from_json(value, rules)?),
        WorkloadKind::ReplicationController => {
            Workload::ReplicationController(from_json(value, rules)?)
        }
        WorkloadKind::DaemonSet => Workload::DaemonSet(from_json(value, rules)?),
        WorkloadKind::StatefulSet => Workload::StatefulSet(from_json(value, rules)?),
        WorkloadKind::Job => Workload::Job(from_json(value, rules)?),
        WorkloadKind::CronJob => Workload::CronJob(from_json(value, rules)?),
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
