//! The fields that podman documents for `podman kube play`, beside ours.
//!
//! What podman does is written down here, from its own documentation of May 2026 (`docs/kubernetes_support.md`); what
//! we do comes from the tables of this folder, so it cannot say other than they. Each row names the test that shows it;
//! a test of the repository holds that the test exists.

mod container;
mod kinds;
mod pod;

use super::{Support, table};
use crate::schema::{Shape, Shapes};

/// What podman's documentation says of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Podman {
    Yes,
    /// Yes, but not as Kubernetes means it.
    Partly(&'static str),
    No,
    /// It has no meaning on one machine.
    NotApplicable,
}

/// One field of podman's list.
struct Row {
    /// `ports.hostPort`
    path: &'static str,
    podman: Podman,
    /// The function that shows what is said of ours; empty for what has no effect here or is refused, which
    /// [`REFUSALS`] shows for every field.
    test: &'static str,
}

/// The test that shows of every field of every table that it is warned about or refused as its row says.
const REFUSALS: &str = "each_field_is_warned_about_or_refused_as_its_row_says";

/// The rows of one part of podman's list.
struct Part {
    /// The heading: `Pod`.
    title: &'static str,
    /// The definition in which the paths begin.
    definition: &'static str,
    rows: &'static [Row],
}

const fn row(path: &'static str, podman: Podman, test: &'static str) -> Row {
    Row { path, podman, test }
}

const PARTS: [Part; 7] = [
    Part {
        title: "Pod",
        definition: "io.k8s.api.core.v1.PodSpec",
        rows: pod::POD,
    },
    Part {
        title: "Container",
        definition: "io.k8s.api.core.v1.Container",
        rows: container::CONTAINER,
    },
    Part {
        title: "PersistentVolumeClaim",
        definition: "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
        rows: kinds::PERSISTENT_VOLUME_CLAIM,
    },
    Part {
        title: "ConfigMap",
        definition: "io.k8s.api.core.v1.ConfigMap",
        rows: kinds::CONFIG_MAP,
    },
    Part {
        title: "Deployment",
        definition: "io.k8s.api.apps.v1.DeploymentSpec",
        rows: kinds::DEPLOYMENT,
    },
    Part {
        title: "DaemonSet",
        definition: "io.k8s.api.apps.v1.DaemonSetSpec",
        rows: kinds::DAEMON_SET,
    },
    Part {
        title: "Job",
        definition: "io.k8s.api.batch.v1.JobSpec",
        rows: kinds::JOB,
    },
];

/// What a path of fields comes to here: the first field on the way that has no effect or is refused, else the last.
fn ours(definition: &str, path: &str) -> Option<(Support, &'static str)> {
    let mut definition = definition.to_owned();
    let mut found = None;
    for name in path.split('.') {
        let row = table(&definition)?.field(name)?;
        found = Some((row.support, row.note));
        if row.support != Support::Supported {
            break;
        }
        let shape = Shapes::get().fields(&definition)?.get(name)?;
        definition = element(shape).unwrap_or_default().to_owned();
    }
    found
}

/// The definition of an object, or of the elements of a list.
fn element(shape: &Shape) -> Option<&str> {
    match shape {
        Shape::Object(definition) => Some(definition),
        Shape::Array(items) => element(items),
        _ => None,
    }
}

/// The comparison as Markdown: a table for each part of podman's list.
pub(super) fn comparison() -> String {
    let mut out = String::new();
    let (mut fields, mut podman, mut supported) = (0, 0, 0);
    for part in &PARTS {
        out.push_str(&format!(
            "\n### {}\n\n| Field | podman | wasmpod | Why | Shown by |\n|---|---|---|---|---|\n",
            part.title
        ));
        for row in part.rows {
            let (support, note) =
                ours(part.definition, row.path).unwrap_or((Support::Supported, ""));
            let (word, why) = match support {
                Support::Supported => ("yes", note),
                Support::Ignored { reason } => ("ignored", reason),
                Support::Rejected { reason, .. } => ("rejected", reason),
            };
            let theirs = match row.podman {
                Podman::Yes => "yes".to_owned(),
                Podman::Partly(how) => format!("yes: {how}"),
                Podman::No => "no".to_owned(),
                Podman::NotApplicable => "n/a".to_owned(),
            };
            fields += 1;
            podman += i32::from(matches!(row.podman, Podman::Yes | Podman::Partly(_)));
            supported += i32::from(support == Support::Supported);
            let test = if support == Support::Supported {
                row.test
            } else {
                REFUSALS
            };
            out.push_str(&format!(
                "| `{}` | {theirs} | {word} | {why} | `{test}` |\n",
                row.path
            ));
        }
    }
    format!(
        "\n## Beside podman\n\nThe {fields} fields that podman documents for `podman kube play` (May 2026): podman supports {podman} of them, wasmpod {supported}.\nOf the others wasmpod warns, or refuses the manifest; it ignores none silently.\n{out}"
    )
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Podman, Support, ours};

    #[test]
    fn the_list_is_podmans_whole_list() {
        let rows = || PARTS.iter().flat_map(|part| part.rows);
        assert_eq!(rows().count(), 164);
        assert_eq!(rows().filter(|row| row.podman == Podman::No).count(), 68);
        let outside = rows().filter(|row| row.podman == Podman::NotApplicable);
        assert_eq!(outside.count(), 15);
    }

    #[test]
    fn every_field_is_one_of_ours_and_each_supported_one_names_a_test() {
        let mut wrong = Vec::new();
        for part in &PARTS {
            for row in part.rows {
                let known = ours(part.definition, row.path);
                let shown = !row.test.is_empty();
                if known.is_none_or(|(support, _)| (support == Support::Supported) != shown) {
                    wrong.push(format!("{}.{}", part.title, row.path));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
