//! The rows of persistent volumes and of claims as objects of their own.

use super::{Field, Table};

const STATUS: &str = "the status is what wasmpod observes";
const NO_SUCH: &str = "this kind of volume is not offered";
const USE: &str = "use hostPath or local";

const fn unknown(name: &'static str) -> Field {
    Field::rejected(name, NO_SUCH, USE)
}

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolumeClaim",
        title: "Persistent volume claim",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", STATUS),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolume",
        title: "Persistent volume",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", STATUS),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PersistentVolumeSpec",
        title: "Persistent volume spec",
        fields: &[
            Field::yes("accessModes"),
            unknown("awsElasticBlockStore"),
            unknown("azureDisk"),
            unknown("azureFile"),
            Field::partly(
                "capacity",
                "what a claim is compared with; no space is reserved",
            ),
            unknown("cephfs"),
            unknown("cinder"),
            Field::yes("claimRef"),
            unknown("csi"),
            unknown("fc"),
            unknown("flexVolume"),
            unknown("flocker"),
            unknown("gcePersistentDisk"),
            unknown("glusterfs"),
            Field::yes("hostPath"),
            unknown("iscsi"),
            Field::yes("local"),
            Field::ignored(
                "mountOptions",
                "nothing is mounted; the directory is opened",
            ),
            unknown("nfs"),
            Field::ignored(
                "nodeAffinity",
                "there is one node, so nothing is left to choose",
            ),
            Field::yes("persistentVolumeReclaimPolicy"),
            unknown("photonPersistentDisk"),
            unknown("portworxVolume"),
            unknown("quobyte"),
            unknown("rbd"),
            unknown("scaleIO"),
            Field::yes("storageClassName"),
            unknown("storageos"),
            Field::ignored(
                "volumeAttributesClassName",
                "a directory has no attributes to choose",
            ),
            Field::rejected("volumeMode", "there are no block devices", "use Filesystem")
                .unless(&["Filesystem"]),
            unknown("vsphereVolume"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.LocalVolumeSource",
        title: "Persistent volume local",
        fields: &[
            Field::ignored("fsType", "a directory is opened, no file system is mounted"),
            Field::yes("path"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ObjectReference",
        title: "Object reference",
        fields: &[
            Field::ignored("apiVersion", "the name says enough"),
            Field::ignored("fieldPath", "the name says enough"),
            Field::yes("kind"),
            Field::yes("name"),
            Field::yes("namespace"),
            Field::ignored("resourceVersion", "the name says enough"),
            Field::ignored("uid", "the name says enough"),
        ],
    },
];
