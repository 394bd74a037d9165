//! The rows of a container.

use super::{Field, Table};

const NO_USERS: &str =
    "a wasm container has no user ids; its files belong to the user who runs wasmpod";
const NO_KERNEL: &str = "a wasm container makes no system calls that this could restrict";

/// What becomes of resource limits.
pub(super) const LIMITS: &str = "of all limits cpu, memory and ephemeral-storage are kept";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Container",
        title: "Container",
        fields: &[
            Field::yes("args"),
            Field::yes("command"),
            Field::yes("env"),
            Field::yes("envFrom"),
            Field::yes("image"),
            Field::partly(
                "imagePullPolicy",
                "images come from files and from the built-in ones; `Always` reads the file anew",
            ),
            Field::yes("lifecycle"),
            Field::yes("livenessProbe"),
            Field::yes("name"),
            Field::yes("ports"),
            Field::yes("readinessProbe"),
            Field::ignored(
                "resizePolicy",
                "limits do not change while a container runs",
            ),
            Field::yes("resources"),
            Field::yes("restartPolicy"),
            Field::yes("restartPolicyRules"),
            Field::yes("securityContext"),
            Field::yes("startupProbe"),
            Field::yes("stdin"),
            Field::yes("stdinOnce"),
            Field::yes("terminationMessagePath"),
            Field::yes("terminationMessagePolicy"),
            Field::yes("tty"),
            Field::rejected(
                "volumeDevices",
                "there are no block devices",
                "use volumeMounts",
            ),
            Field::yes("volumeMounts"),
            Field::yes("workingDir"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ContainerPort",
        title: "Container port",
        fields: &[
            Field::yes("containerPort"),
            Field::yes("hostIP"),
            Field::yes("hostPort"),
            Field::yes("name"),
            Field::yes("protocol"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.EnvVar",
        title: "Environment variable",
        fields: &[
            Field::yes("name"),
            Field::yes("value"),
            Field::yes("valueFrom"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.EnvVarSource",
        title: "Environment variable source",
        fields: &[
            Field::yes("configMapKeyRef"),
            Field::yes("fieldRef"),
            Field::rejected(
                "fileKeyRef",
                "Kubernetes still changes the format of such files",
                "have the container read the file itself, or use configMapKeyRef",
            ),
            Field::yes("resourceFieldRef"),
            Field::yes("secretKeyRef"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.EnvFromSource",
        title: "Environment from a source",
        fields: &[
            Field::yes("configMapRef"),
            Field::yes("prefix"),
            Field::yes("secretRef"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ConfigMapKeySelector",
        title: "Config map key",
        fields: &[
            Field::yes("key"),
            Field::yes("name"),
            Field::yes("optional"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SecretKeySelector",
        title: "Secret key",
        fields: &[
            Field::yes("key"),
            Field::yes("name"),
            Field::yes("optional"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ObjectFieldSelector",
        title: "Field reference",
        fields: &[Field::yes("apiVersion"), Field::yes("fieldPath")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ResourceFieldSelector",
        title: "Resource field reference",
        fields: &[
            Field::yes("containerName"),
            Field::yes("divisor"),
            Field::yes("resource"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ConfigMapEnvSource",
        title: "Environment from a config map",
        fields: &[Field::yes("name"), Field::yes("optional")],
    },
    Table {
        definition: "io.k8s.api.core.v1.SecretEnvSource",
        title: "Environment from a secret",
        fields: &[Field::yes("name"), Field::yes("optional")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ResourceRequirements",
        title: "Resources",
        fields: &[
            Field::rejected("claims", "there are no devices to claim", ""),
            Field::partly("limits", LIMITS),
            Field::partly(
                "requests",
                "cpu is the share of a busy host; nothing is reserved",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SecurityContext",
        title: "Security context",
        fields: &[
            Field::ignored(
                "allowPrivilegeEscalation",
                "a wasm container has no privileges to escalate",
            )
            .unless(&["false"]),
            Field::ignored("appArmorProfile", NO_KERNEL),
            Field::ignored(
                "capabilities",
                "a wasm container has no Linux capabilities, to add or to drop",
            ),
            Field::rejected(
                "privileged",
                "a wasm container has no host privileges to gain",
                "",
            )
            .unless(&["false"]),
            Field::ignored("procMount", "a wasm container has no /proc").unless(&["Default"]),
            Field::yes("readOnlyRootFilesystem"),
            Field::ignored("runAsGroup", NO_USERS),
            Field::ignored("runAsNonRoot", "no container has root's rights"),
            Field::ignored("runAsUser", NO_USERS),
            Field::ignored("seLinuxOptions", NO_KERNEL),
            Field::ignored("seccompProfile", NO_KERNEL),
            Field::rejected(
                "windowsOptions",
                "a wasm container is no Windows container",
                "",
            ),
        ],
    },
];
