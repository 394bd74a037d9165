//! The table as a document.

use std::fmt::Write as _;

use super::{Support, Table, podman, tables};

/// What stands above the tables.
const HEAD: &str = "\
# Compatibility

<!-- Generated from the table in host/manifest/support; `BLESS=1 cargo test -p wasmpod-manifest` writes it anew. -->

What happens to each field of a manifest.
*Supported* fields do what Kubernetes says.
*Ignored* fields have no effect; a manifest that sets one gets a warning.
*Rejected* fields refuse the manifest, because to ignore them would change what the pod means or how secure it is.

The kinds that are read, and lists of them:

- `v1`: Pod, ReplicationController, ConfigMap, Secret, Service, PersistentVolume, PersistentVolumeClaim, Namespace, ServiceAccount
- `apps/v1`: Deployment, ReplicaSet, DaemonSet, StatefulSet
- `batch/v1`: Job, CronJob
- `networking.k8s.io/v1`: Ingress, IngressClass, NetworkPolicy
";

/// The text of `docs/compatibility.md`.
#[must_use]
pub fn compatibility_markdown() -> String {
    let mut out = HEAD.to_owned();
    for table in tables() {
        write_table(&mut out, table);
    }
    out.push_str(&podman::comparison());
    out
}

fn write_table(out: &mut String, table: &Table) {
    let short = table
        .definition
        .rsplit('.')
        .next()
        .unwrap_or(table.definition);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\n## {}\n\n`{short}`\n\n| Field | | Why, and what to do |\n|---|---|---|\n",
        table.title
    );
    for field in table.fields {
        let (word, mut why) = match field.support {
            Support::Supported => ("supported", field.note.to_owned()),
            Support::Ignored { reason } => ("ignored", reason.to_owned()),
            Support::Rejected { reason, hint: "" } => ("rejected", reason.to_owned()),
            Support::Rejected { reason, hint } => ("rejected", format!("{reason}; {hint}")),
        };
        if !field.harmless.is_empty() {
            let values: Vec<String> = field
                .harmless
                .iter()
                .map(|value| format!("`{value}`"))
                .collect();
            let _ = write!(why, " ({} is accepted)", values.join(", "));
        }
        let _ = writeln!(out, "| `{}` | {word} | {why} |", field.name);
    }
}
