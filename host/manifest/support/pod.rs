//! The rows of a pod.

use super::{Field, Table};

const SCHEDULING: &str = "there is one node, so nothing is left to choose";
const NO_USERS: &str =
    "a wasm container has no user ids; its files belong to the user who runs wasmpod";
const NO_KERNEL: &str = "a wasm container makes no system calls that this could restrict";
const NO_ACCOUNTS: &str = "there are no service accounts";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Pod",
        title: "Pod",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", "the status is what wasmpod observes"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodSpec",
        title: "Pod spec",
        fields: &[
            Field::yes("activeDeadlineSeconds"),
            Field::ignored("affinity", SCHEDULING),
            Field::ignored("automountServiceAccountToken", NO_ACCOUNTS),
            Field::yes("containers"),
            Field::partly(
                "dnsConfig",
                "it is written to /etc/resolv.conf; the pod's own network answers names",
            ),
            Field::partly(
                "dnsPolicy",
                "it decides /etc/resolv.conf; the pod's own network answers names",
            ),
            Field::yes("enableServiceLinks"),
            Field::rejected(
                "ephemeralContainers",
                "ephemeral containers may not be set when a pod is created",
                "",
            ),
            Field::ignored(
                "evictionResponders",
                "a pod is evicted without asking others",
            ),
            Field::yes("hostAliases"),
            Field::rejected("hostIPC", "a pod cannot share the host's IPC objects", "")
                .unless(&["false"]),
            Field::rejected(
                "hostNetwork",
                "a pod has a network of its own and no host sockets",
                "publish the ports that the host needs with --publish or hostPort",
            )
            .unless(&["false"]),
            Field::rejected("hostPID", "a pod cannot see the host's processes", "")
                .unless(&["false"]),
            Field::ignored("hostUsers", NO_USERS),
            Field::yes("hostname"),
            Field::rejected("hostnameOverride", "comes later", "use hostname"),
            Field::ignored(
                "imagePullSecrets",
                "images come from files and from the built-in ones",
            ),
            Field::yes("initContainers"),
            Field::ignored("nodeName", SCHEDULING),
            Field::ignored("nodeSelector", SCHEDULING),
            Field::yes("os"),
            Field::ignored("overhead", SCHEDULING),
            Field::ignored("preemptionPolicy", SCHEDULING),
            Field::ignored("priority", SCHEDULING),
            Field::ignored("priorityClassName", SCHEDULING),
            Field::yes("readinessGates"),
            Field::rejected("resourceClaims", "there are no devices to claim", ""),
            Field::yes("resources"),
            Field::yes("restartPolicy"),
            Field::ignored("runtimeClassName", "there is one runtime"),
            Field::ignored("schedulerName", SCHEDULING),
            Field::partly(
                "schedulingGates",
                "the pod stays Pending; nothing removes a gate yet",
            ),
            Field::ignored("schedulingGroup", SCHEDULING),
            Field::yes("securityContext"),
            Field::ignored("serviceAccount", NO_ACCOUNTS),
            Field::ignored("serviceAccountName", NO_ACCOUNTS),
            Field::yes("setHostnameAsFQDN"),
            Field::rejected(
                "shareProcessNamespace",
                "wasm containers have no processes to share",
                "",
            )
            .unless(&["false"]),
            Field::yes("subdomain"),
            Field::yes("terminationGracePeriodSeconds"),
            Field::ignored("tolerations", SCHEDULING),
            Field::ignored("topologySpreadConstraints", SCHEDULING),
            Field::yes("volumes"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodOS",
        title: "Pod OS",
        fields: &[Field::yes("name")],
    },
    Table {
        definition: "io.k8s.api.core.v1.HostAlias",
        title: "Host alias",
        fields: &[Field::yes("hostnames"), Field::yes("ip")],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodDNSConfig",
        title: "Pod DNS config",
        fields: &[
            Field::yes("nameservers"),
            Field::yes("options"),
            Field::yes("searches"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodDNSConfigOption",
        title: "Pod DNS config option",
        fields: &[Field::yes("name"), Field::yes("value")],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodReadinessGate",
        title: "Readiness gate",
        fields: &[Field::yes("conditionType")],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodSchedulingGate",
        title: "Scheduling gate",
        fields: &[Field::yes("name")],
    },
    Table {
        definition: "io.k8s.api.core.v1.Sysctl",
        title: "Sysctl",
        fields: &[Field::yes("name"), Field::yes("value")],
    },
    Table {
        definition: "io.k8s.api.core.v1.PodSecurityContext",
        title: "Pod security context",
        fields: &[
            Field::ignored("appArmorProfile", NO_KERNEL),
            Field::ignored("fsGroup", NO_USERS),
            Field::ignored("fsGroupChangePolicy", NO_USERS),
            Field::ignored("runAsGroup", NO_USERS),
            Field::ignored("runAsNonRoot", "no container has root's rights"),
            Field::ignored("runAsUser", NO_USERS),
            Field::ignored("seLinuxChangePolicy", NO_KERNEL),
            Field::ignored("seLinuxOptions", NO_KERNEL),
            Field::ignored("seccompProfile", NO_KERNEL),
            Field::ignored("supplementalGroups", NO_USERS),
            Field::ignored("supplementalGroupsPolicy", NO_USERS),
            Field::partly(
                "sysctls",
                "the parameters of the pod's IPC: `fs.mqueue.*`, `kernel.msg*`, `kernel.sem`, `kernel.shm*`; others are rejected",
            ),
            Field::rejected(
                "windowsOptions",
                "a wasm container is no Windows container",
                "",
            ),
        ],
    },
];
