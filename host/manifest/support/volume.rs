//! The rows of volumes and their mounts.

use super::{Field, Table};

const NO_SUCH: &str = "this kind of volume is not offered";
const USE: &str = "use emptyDir, configMap, secret or hostPath";
const LATER: &str = "this kind of volume comes later";
const NO_USERS: &str =
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
            Field::rejected(
                "downwardAPI",
                LATER,
                "pass the values with env and fieldRef",
            ),
            Field::yes("emptyDir"),
            Field::rejected("ephemeral", LATER, "use emptyDir"),
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
            Field::rejected(
                "persistentVolumeClaim",
                LATER,
                "use hostPath for data that must outlive the pod",
            ),
            unknown("photonPersistentDisk"),
            unknown("portworxVolume"),
            Field::rejected(
                "projected",
                LATER,
                "mount the config maps and secrets one by one",
            ),
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
            Field::ignored("sizeLimit", "the size of a volume is not limited yet"),
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
            Field::rejected("subPathExpr", "comes later", "use subPath"),
        ],
    },
];
