//! The rows of a network policy.

use super::{Field, Table};

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicy",
        title: "Network policy",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicySpec",
        title: "Network policy spec",
        fields: &[
            Field::yes("egress"),
            Field::yes("ingress"),
            Field::yes("podSelector"),
            Field::yes("policyTypes"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicyIngressRule",
        title: "Network policy ingress rule",
        fields: &[Field::yes("from"), Field::yes("ports")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicyEgressRule",
        title: "Network policy egress rule",
        fields: &[Field::yes("ports"), Field::yes("to")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicyPort",
        title: "Network policy port",
        fields: &[
            Field::yes("endPort"),
            Field::yes("port"),
            Field::partly(
                "protocol",
                "pods have no SCTP, so a port of it allows nothing",
            ),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.NetworkPolicyPeer",
        title: "Network policy peer",
        fields: &[
            Field::yes("ipBlock"),
            Field::yes("namespaceSelector"),
            Field::yes("podSelector"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IPBlock",
        title: "IP block",
        fields: &[Field::yes("cidr"), Field::yes("except")],
    },
];
