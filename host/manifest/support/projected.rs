//! The rows of volumes that show objects or the pod itself, and of those that are claims.

use super::volume::NO_USERS;
use super::{Field, Table};

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.ProjectedVolumeSource",
        title: "Volume projected",
        fields: &[
            Field::yes("defaultMode"),
            Field::ignored("defaultUser", NO_USERS),
            Field::yes("sources"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.VolumeProjection",
        title: "Volume projected source",
        fields: &[
            Field::rejected(
                "clusterTrustBundle",
                "there is no cluster whose certificates could be trusted",
                "put the certificates into a config map",
            ),
            Field::yes("configMap"),
            Field::yes("downwardAPI"),
            Field::rejected(
                "podCertificate",
                "nobody signs certificates here",
                "put the certificate and its key into a secret",
            ),
            Field::yes("secret"),
            Field::rejected(
                "serviceAccountToken",
                "nobody issues tokens here, and no API server would accept one",
                "put a token of your own into a secret",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ConfigMapProjection",
        title: "Volume projected config map",
        fields: &[
            Field::yes("items"),
            Field::yes("name"),
            Field::yes("optional"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SecretProjection",
        title: "Volume projected secret",
        fields: &[
            Field::yes("items"),
            Field::yes("name"),
            Field::yes("optional"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.DownwardAPIProjection",
        title: "Volume projected downward API",
        fields: &[Field::yes("items")],
    },
    Table {
        definition: "io.k8s.api.core.v1.DownwardAPIVolumeSource",
        title: "Volume downward API",
        fields: &[
            Field::yes("defaultMode"),
            Field::ignored("defaultUser", NO_USERS),
            Field::yes("items"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.DownwardAPIVolumeFile",
        title: "Volume downward API item",
        fields: &[
            Field::yes("fieldRef"),
            Field::yes("mode"),
            Field::yes("path"),
            Field::yes("resourceFieldRef"),
            Field::ignored("user", NO_USERS),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource",
        title: "Volume persistent volume claim",
        fields: &[Field::yes("claimName"), Field::yes("readOnly")],
    },
    Table {
        definition: "io.k8s.api.core.v1.EphemeralVolumeSource",
        title: "Volume ephemeral",
        fields: &[Field::yes("volumeClaimTemplate")],
    },
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolumeClaimTemplate",
        title: "Volume ephemeral claim template",
        fields: &[Field::yes("metadata"), Field::yes("spec")],
    },
];
