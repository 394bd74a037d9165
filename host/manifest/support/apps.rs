//! The rows of what keeps pods running.

use super::{Field, Table};

const STATUS: &str = "the status is what wasmpod observes";
const NO_HISTORY: &str = "no earlier templates are kept to go back to";

const fn object(definition: &'static str, title: &'static str) -> Table {
    Table {
        definition,
        title,
        fields: OBJECT,
    }
}

/// What every object has.
const OBJECT: &[Field] = &[
    Field::yes("apiVersion"),
    Field::yes("kind"),
    Field::yes("metadata"),
    Field::yes("spec"),
    Field::ignored("status", STATUS),
];

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    object("io.k8s.api.apps.v1.Deployment", "Deployment"),
    Table {
        definition: "io.k8s.api.apps.v1.DeploymentSpec",
        title: "Deployment spec",
        fields: &[
            Field::yes("minReadySeconds"),
            Field::yes("paused"),
            Field::yes("progressDeadlineSeconds"),
            Field::yes("replicas"),
            Field::yes("revisionHistoryLimit"),
            Field::yes("selector"),
            Field::yes("strategy"),
            Field::yes("template"),
        ],
    },
    Table {
        definition: "io.k8s.api.apps.v1.DeploymentStrategy",
        title: "Deployment strategy",
        fields: &[Field::yes("rollingUpdate"), Field::yes("type")],
    },
    Table {
        definition: "io.k8s.api.apps.v1.RollingUpdateDeployment",
        title: "Deployment rolling update",
        fields: &[Field::yes("maxSurge"), Field::yes("maxUnavailable")],
    },
    object("io.k8s.api.apps.v1.ReplicaSet", "Replica set"),
    Table {
        definition: "io.k8s.api.apps.v1.ReplicaSetSpec",
        title: "Replica set spec",
        fields: &[
            Field::yes("minReadySeconds"),
            Field::yes("replicas"),
            Field::yes("selector"),
            Field::yes("template"),
        ],
    },
    object(
        "io.k8s.api.core.v1.ReplicationController",
        "Replication controller",
    ),
    Table {
        definition: "io.k8s.api.core.v1.ReplicationControllerSpec",
        title: "Replication controller spec",
        fields: &[
            Field::yes("minReadySeconds"),
            Field::yes("replicas"),
            Field::yes("selector"),
            Field::yes("template"),
        ],
    },
    object("io.k8s.api.apps.v1.DaemonSet", "Daemon set"),
    Table {
        definition: "io.k8s.api.apps.v1.DaemonSetSpec",
        title: "Daemon set spec",
        fields: &[
            Field::yes("minReadySeconds"),
            Field::ignored("revisionHistoryLimit", NO_HISTORY),
            Field::yes("selector"),
            Field::yes("template"),
            Field::yes("updateStrategy"),
        ],
    },
    Table {
        definition: "io.k8s.api.apps.v1.DaemonSetUpdateStrategy",
        title: "Daemon set update strategy",
        fields: &[Field::yes("rollingUpdate"), Field::yes("type")],
    },
    Table {
        definition: "io.k8s.api.apps.v1.RollingUpdateDaemonSet",
        title: "Daemon set rolling update",
        fields: &[
            Field::yes("maxSurge"),
            Field::partly(
                "maxUnavailable",
                "there is one pod, which is the one that is missing",
            ),
        ],
    },
    object("io.k8s.api.apps.v1.StatefulSet", "Stateful set"),
    Table {
        definition: "io.k8s.api.apps.v1.StatefulSetSpec",
        title: "Stateful set spec",
        fields: &[
            Field::yes("minReadySeconds"),
            Field::yes("ordinals"),
            Field::yes("persistentVolumeClaimRetentionPolicy"),
            Field::yes("podManagementPolicy"),
            Field::yes("replicas"),
            Field::ignored("revisionHistoryLimit", NO_HISTORY),
            Field::yes("selector"),
            Field::yes("serviceName"),
            Field::yes("template"),
            Field::yes("updateStrategy"),
            Field::yes("volumeClaimTemplates"),
        ],
    },
    Table {
        definition: "io.k8s.api.apps.v1.StatefulSetOrdinals",
        title: "Stateful set ordinals",
        fields: &[Field::yes("start")],
    },
    Table {
        definition: "io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        title: "Stateful set claim retention",
        fields: &[Field::yes("whenDeleted"), Field::yes("whenScaled")],
    },
    Table {
        definition: "io.k8s.api.apps.v1.StatefulSetUpdateStrategy",
        title: "Stateful set update strategy",
        fields: &[Field::yes("rollingUpdate"), Field::yes("type")],
    },
    Table {
        definition: "io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy",
        title: "Stateful set rolling update",
        fields: &[
            Field::ignored("maxUnavailable", "pods are replaced one after another"),
            Field::yes("partition"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodTemplateSpec",
        title: "Pod template",
        fields: &[Field::yes("metadata"), Field::yes("spec")],
    },
    Table {
        definition: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
        title: "Label selector",
        fields: &[Field::yes("matchExpressions"), Field::yes("matchLabels")],
    },
    Table {
        definition: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement",
        title: "Label selector requirement",
        fields: &[
            Field::yes("key"),
            Field::yes("operator"),
            Field::yes("values"),
        ],
    },
];
