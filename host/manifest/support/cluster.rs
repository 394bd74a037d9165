//! The rows of namespaces and service accounts.

use super::{Field, Table};

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Namespace",
        title: "Namespace",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::ignored("spec", "nothing waits before a namespace is removed"),
            Field::ignored("status", "the status is what wasmpod observes"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ServiceAccount",
        title: "Service account",
        fields: &[
            Field::yes("apiVersion"),
            Field::ignored("automountServiceAccountToken", "nobody issues tokens here"),
            Field::ignored(
                "imagePullSecrets",
                "images come from files and from the built-in ones",
            ),
            Field::ignored(
                "kind",
                "nobody checks who asks, so a service account gives no rights and takes none",
            ),
            Field::yes("metadata"),
            Field::rejected(
                "secrets",
                "nobody issues tokens here, and no API server would accept one",
                "mount the secret as a volume",
            ),
        ],
    },
];
