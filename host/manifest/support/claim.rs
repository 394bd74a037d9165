//! The rows of what a claim asks for: a directory of this host that outlives the pods.

use super::{Field, Table};

const ONE_KIND: &str = "every claim gets a directory of its own on this host";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
        title: "Claim spec",
        fields: &[
            Field::yes("accessModes"),
            Field::rejected(
                "dataSource",
                "a claim begins empty",
                "fill the volume from an init container",
            ),
            Field::rejected(
                "dataSourceRef",
                "a claim begins empty",
                "fill the volume from an init container",
            ),
            Field::yes("resources"),
            Field::ignored("selector", ONE_KIND),
            Field::yes("storageClassName"),
            Field::ignored("volumeAttributesClassName", ONE_KIND),
            Field::rejected("volumeMode", "there are no block devices", "use Filesystem")
                .unless(&["Filesystem"]),
            Field::yes("volumeName"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.VolumeResourceRequirements",
        title: "Claim resources",
        fields: &[
            Field::ignored("limits", "the size of a claim is not limited"),
            Field::partly("requests", "no space is reserved, and none is refused"),
        ],
    },
];
