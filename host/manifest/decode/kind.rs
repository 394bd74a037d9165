//! What a document is: its `apiVersion` and `kind`.

use crate::reader::{Node, NodeKind};
use crate::report::{ObjectName, ViolationKind};
use crate::schema::suggest::nearest;
use crate::validate::{Finding, Findings, Path};

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Pod,
    ConfigMap,
    Secret,
    Service,
}

/// A document of a known kind.
pub(super) enum Document {
    Object(Kind),
    /// `List`, or `PodList` and the like.
    List,
}

const SUPPORTED: [Kind; 4] = [Kind::Pod, Kind::ConfigMap, Kind::Secret, Kind::Service];

/// Kinds that make pods from a template.
const WORKLOADS: [&str; 7] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// The version that all supported kinds have.
const VERSION: &str = "v1";

impl Kind {
    /// The name as in a manifest.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
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
    let known = SUPPORTED.into_iter().find(|known| known.name() == kind);
    let is_list = kind == "List"
        || SUPPORTED
            .iter()
            .any(|known| kind.strip_suffix("List") == Some(known.name()));
    if known.is_none() && !is_list {
        findings.push(unknown_kind(kind));
        return Err(findings);
    }
    if version != VERSION {
        findings.push(
            Finding::new(
                "kind/api-version",
                ViolationKind::NotSupported,
                &Path::root().field("apiVersion"),
            )
            .quoted(version)
            .detail(format!("supported values: \"{VERSION}\""))
            .hint(format!("a {kind} is of `apiVersion: {VERSION}`")),
        );
        return Err(findings);
    }
    match known {
        Some(kind) => Ok(Document::Object(kind)),
        None => Ok(Document::List),
    }
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

fn unknown_kind(kind: &str) -> Finding {
    let names: Vec<&str> = SUPPORTED
        .iter()
        .map(|kind| kind.name())
        .chain(["List"])
        .collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let finding = Finding::new(
        "kind/unsupported",
        ViolationKind::NotSupported,
        &Path::root().field("kind"),
    )
    .quoted(kind)
    .detail(format!("supported values: {}", quoted.join(", ")));
    if WORKLOADS.contains(&kind) {
        return finding.hint(format!(
            "a {kind} comes later; for now write its template as a manifest of its own, with `apiVersion: v1`, `kind: Pod` and a metadata.name"
        ));
    }
    match nearest(kind, names) {
        Some(guess) => finding.hint(format!("did you mean \"{guess}\"?")),
        None => finding,
    }
}
