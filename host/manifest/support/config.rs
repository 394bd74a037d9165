//! The rows of config maps and secrets.

use super::{Field, Table};

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.ConfigMap",
        title: "Config map",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("binaryData"),
            Field::yes("data"),
            Field::yes("immutable"),
            Field::yes("kind"),
            Field::yes("metadata"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.Secret",
        title: "Secret",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("data"),
            Field::yes("immutable"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("stringData"),
            Field::yes("type"),
        ],
    },
];
