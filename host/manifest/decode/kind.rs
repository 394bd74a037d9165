//! What a document is: its `apiVersion` and `kind`.

use crate::reader::{Node, NodeKind};
use crate::report::{ObjectName, ViolationKind};
use crate::schema::suggest::nearest;
use crate::validate::{Finding, Findings, Path};
use crate::workload::WorkloadKind;

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Pod,
    ConfigMap,
    Secret,
    Service,
    Ingress,
    IngressClass,
    ServiceAccount,
    Namespace,
    PersistentVolume,
    PersistentVolumeClaim,
    NetworkPolicy,
    Workload(WorkloadKind),
}

/// A document of a known kind.
pub(super) enum Document {
    Object(Kind),
    /// `List`, or `PodList` and the like.
    List,
}

const SUPPORTED: [Kind; 18] = [
    Kind::Pod,
    Kind::Workload(WorkloadKind::Deployment),
    Kind::Workload(WorkloadKind::ReplicaSet),
    Kind::Workload(WorkloadKind::ReplicationController),
    Kind::Workload(WorkloadKind::DaemonSet),
    Kind::Workload(WorkloadKind::StatefulSet),
    Kind::Workload(WorkloadKind::Job),
    Kind::Workload(WorkloadKind::CronJob),
    Kind::ConfigMap,
    Kind::Secret,
    Kind::Service,
    Kind::Ingress,
    Kind::IngressClass,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::NetworkPolicy,
    Kind::Namespace,
    Kind::ServiceAccount,
];

/// The version of the kinds of the core API, and of `List`.
const CORE: &str = "v1";

/// The version of the kinds of the API group of networks.
const NETWORKING: &str = "networking.k8s.io/v1";

impl Kind {
    /// The name as in a manifest.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::ServiceAccount => "ServiceAccount",
            Self::Namespace => "Namespace",
            Self::PersistentVolume => "PersistentVolume",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Workload(kind) => kind.name(),
        }
    }

    /// The `apiVersion`.
    const fn api_version(self) -> &'static str {
        match self {
            Self::Workload(kind) => kind.api_version(),
            Self::Ingress | Self::IngressClass | Self::NetworkPolicy => NETWORKING,
            Self::Pod
            | Self::ConfigMap
            | Self::Secret
            | Self::Service
            | Self::ServiceAccount
            | Self::Namespace
            | Self::PersistentVolume
            | Self::PersistentVolumeClaim => CORE,
        }
    }
}

/// The kind and name as they were written, for headings.
pub(super) fn name_of(document: &Node) -> Option<ObjectName> {
    let kind = document.get("kind")?.as_str()?.to_owned();
    let text = |field: &str| {
        document
            .get("metadata")?
            .get(field)?
            .as_str()
            .map(str::to_owned)
    };
    let name = text("name").or_else(|| text("generateName").map(|name| format!("{name}*")));
    Some(ObjectName {
        kind,
        name: name.unwrap_or_default(),
    })
}

/// The kind of a document, or what is wrong with it.
pub(super) fn kind_of(document: &Node) -> Result<Document, Findings> {
    let mut findings = Findings::default();
    if !matches!(document.kind, NodeKind::Mapping(_)) {
        findings.push(
            Finding::new(
                "kind/object",
                ViolationKind::TypeInvalid,
                &Path::root().field("(document)"),
            )
            .shown(document.type_name())
            .detail("must be an object with apiVersion and kind"),
        );
        return Err(findings);
    }
    let kind = text_field(document, "kind", &mut findings);
    let version = text_field(document, "apiVersion", &mut findings);
    let (Some(kind), Some(version)) = (kind, version) else {
        return Err(findings);
    };
    let find = |name: &str| SUPPORTED.into_iter().find(|known| known.name() == name);
    let (document, wanted) = if kind == "List" {
        (Document::List, CORE)
    } else if let Some(known) = find(kind) {
        (Document::Object(known), known.api_version())
    } else if let Some(known) = kind.strip_suffix("List").and_then(find) {
        (Document::List, known.api_version())
    } else {
        findings.push(unknown_kind(kind, version));
        return Err(findings);
    };
    if version == wanted {
        return Ok(document);
    }
    findings.push(
        no_match("kind/api-version", "apiVersion", kind, version)
            .hint(format!("a {kind} is of `apiVersion: {wanted}`")),
    );
    Err(findings)
}

fn text_field<'a>(document: &'a Node, field: &str, findings: &mut Findings) -> Option<&'a str> {
    let path = Path::root().field(field);
    match document.get(field) {
        None => {
            findings.push(Finding::new(
                "kind/required",
                ViolationKind::Required,
                &path,
            ));
            None
        }
        Some(node) => {
            let text = node.as_str();
            match text {
                Some("") => findings.push(Finding::new(
                    "kind/required",
                    ViolationKind::Required,
                    &path,
                )),
                Some(_) => return text,
                None => findings.push(
                    Finding::new("schema/type", ViolationKind::TypeInvalid, &path)
                        .shown(node.type_name())
                        .detail("must be a string"),
                ),
            }
            None
        }
    }
}

/// What kubectl says of a kind that the server does not have in that version.
fn no_match(rule_id: &'static str, field: &str, kind: &str, version: &str) -> Finding {
    Finding::sentence(
        rule_id,
        &Path::root().field(field),
        format!("no matches for kind \"{kind}\" in version \"{version}\""),
    )
}

fn unknown_kind(kind: &str, version: &str) -> Finding {
    let finding = no_match("kind/unsupported", "kind", kind, version);
    let names = || SUPPORTED.iter().map(|kind| kind.name()).chain(["List"]);
    match nearest(kind, names()) {
        Some(guess) => finding.hint(format!("did you mean \"{guess}\"?")),
        None => {
            let list: Vec<&str> = names().collect();
            finding.hint(format!("the kinds that are read are {}", list.join(", ")))
        }
    }
}
