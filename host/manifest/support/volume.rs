//! The rows of volumes and their mounts; those of projected volumes are in `projected.rs`.

use super::{Field, Table};

const NO_SUCH: &str = "this kind of volume is not offered";
const USE: &str = "use emptyDir, configMap, secret, hostPath or persistentVolumeClaim";
const LATER: &str = "this kind of volume comes later";
pub(super) const NO_USERS: &str =
    "a wasm container has no user ids; its files belong to the user who runs wasmpod";

const fn unknown(name: &'static str) -> Field {
    Field::rejected(name, NO_SUCH, USE)
}

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Volume",
        title: "Volume",
        fields: &[
            unknown("awsElasticBlockStore"),
            unknown("azureDisk"),
            unknown("azureFile"),
            unknown("cephfs"),
            unknown("cinder"),
            Field::yes("configMap"),
            unknown("csi"),
            Field::yes("downwardAPI"),
            Field::yes("emptyDir"),
            Field::yes("ephemeral"),
            unknown("fc"),
            unknown("flexVolume"),
            unknown("flocker"),
            unknown("gcePersistentDisk"),
            unknown("gitRepo"),
            unknown("glusterfs"),
            Field::yes("hostPath"),
            Field::rejected("image", LATER, USE),
            unknown("iscsi"),
            Field::yes("name"),
            unknown("nfs"),
            Field::yes("persistentVolumeClaim"),
            unknown("photonPersistentDisk"),
            unknown("portworxVolume"),
            Field::yes("projected"),
            unknown("quobyte"),
            unknown("rbd"),
            unknown("scaleIO"),
            Field::yes("secret"),
            unknown("storageos"),
            unknown("vsphereVolume"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.EmptyDirVolumeSource",
        title: "Volume emptyDir",
        fields: &[
            Field::yes("medium"),
            Field::ignored("mode", "the directory is open to all containers of the pod"),
            Field::partly(
                "sizeLimit",
                "the pod is evicted when the volume has grown beyond it; writing does not fail",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.HostPathVolumeSource",
        title: "Volume hostPath",
        fields: &[Field::yes("path"), Field::yes("type")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ConfigMapVolumeSource",
        title: "Volume configMap",
        fields: &[
            Field::yes("defaultMode"),
            Field::ignored("defaultUser", NO_USERS),
            Field::yes("items"),
            Field::yes("name"),
            Field::yes("optional"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SecretVolumeSource",
        title: "Volume secret",
        fields: &[
            Field::yes("defaultMode"),
            Field::ignored("defaultUser", NO_USERS),
            Field::yes("items"),
            Field::yes("optional"),
            Field::yes("secretName"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.KeyToPath",
        title: "Volume item",
        fields: &[
            Field::yes("key"),
            Field::yes("mode"),
            Field::yes("path"),
            Field::ignored("user", NO_USERS),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.VolumeMount",
        title: "Volume mount",
        fields: &[
            Field::ignored("bindMountOptions", "a wasm container has no bind mounts"),
            Field::yes("mountPath"),
            Field::ignored("mountPropagation", "no container can mount anything")
                .unless(&["None", "HostToContainer"]),
            Field::yes("name"),
            Field::yes("readOnly"),
            Field::ignored(
                "recursiveReadOnly",
                "a read-only mount is read-only all the way down",
            )
            .unless(&["Disabled", "IfPossible", "Enabled"]),
            Field::yes("subPath"),
            Field::yes("subPathExpr"),
        ],
    },
];
