//! The rows of probes, hooks and restart rules.

use super::{Field, Table};

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Probe",
        title: "Probe",
        fields: &[
            Field::yes("exec"),
            Field::yes("failureThreshold"),
            Field::yes("grpc"),
            Field::yes("httpGet"),
            Field::yes("initialDelaySeconds"),
            Field::yes("periodSeconds"),
            Field::yes("successThreshold"),
            Field::yes("tcpSocket"),
            Field::yes("terminationGracePeriodSeconds"),
            Field::yes("timeoutSeconds"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.Lifecycle",
        title: "Lifecycle hooks",
        fields: &[
            Field::yes("postStart"),
            Field::yes("preStop"),
            Field::partly(
                "stopSignal",
                "a program that handles no signals gets what it does by default, as process 1 too",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.LifecycleHandler",
        title: "Hook",
        fields: &[
            Field::yes("exec"),
            Field::yes("httpGet"),
            Field::yes("sleep"),
            Field::ignored("tcpSocket", "it does nothing in Kubernetes either"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ExecAction",
        title: "Command",
        fields: &[Field::yes("command")],
    },
    Table {
        definition: "io.k8s.api.core.v1.HTTPGetAction",
        title: "HTTP request",
        fields: &[
            Field::yes("host"),
            Field::yes("httpHeaders"),
            Field::yes("path"),
            Field::yes("port"),
            Field::rejected(
                "protocol",
                "requests to a container are of HTTP/1.1",
                "remove the field",
            )
            .unless(&["HTTP/1.1", "HTTP1"]),
            Field::partly(
                "scheme",
                "with `HTTPS` no certificate is checked, as by a kubelet",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.HTTPHeader",
        title: "HTTP header",
        fields: &[Field::yes("name"), Field::yes("value")],
    },
    Table {
        definition: "io.k8s.api.core.v1.TCPSocketAction",
        title: "TCP check",
        fields: &[Field::yes("host"), Field::yes("port")],
    },
    Table {
        definition: "io.k8s.api.core.v1.GRPCAction",
        title: "gRPC check",
        fields: &[
            Field::rejected(
                "mode",
                "checks over TLS to a container come later",
                "use Plaintext",
            )
            .unless(&["Plaintext"]),
            Field::yes("port"),
            Field::yes("service"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SleepAction",
        title: "Sleep",
        fields: &[Field::yes("seconds")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ContainerRestartRule",
        title: "Restart rule",
        fields: &[Field::yes("action"), Field::yes("exitCodes")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes",
        title: "Restart rule on exit codes",
        fields: &[Field::yes("operator"), Field::yes("values")],
    },
];
