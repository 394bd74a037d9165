//! The rows of a service.

use super::{Field, Table};

const LOAD_BALANCER: &str = "there is no load balancer outside of this process";
const ONE_NODE: &str = "there is one node, so all traffic is local";
const IPV4: &str = "pods and services have IPv4 addresses only";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.core.v1.Service",
        title: "Service",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", "the status is what wasmpod observes"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ServiceSpec",
        title: "Service spec",
        fields: &[
            Field::ignored("allocateLoadBalancerNodePorts", LOAD_BALANCER),
            Field::yes("clusterIP"),
            Field::yes("clusterIPs"),
            Field::ignored(
                "externalIPs",
                "wasmpod binds no addresses but those it is told to publish on",
            ),
            Field::yes("externalName"),
            Field::ignored("externalTrafficPolicy", ONE_NODE),
            Field::ignored("healthCheckNodePort", LOAD_BALANCER),
            Field::ignored("internalTrafficPolicy", ONE_NODE),
            Field::ignored("ipFamilies", IPV4),
            Field::ignored("ipFamilyPolicy", IPV4),
            Field::ignored("loadBalancerClass", LOAD_BALANCER),
            Field::ignored("loadBalancerIP", LOAD_BALANCER),
            Field::ignored("loadBalancerSourceRanges", LOAD_BALANCER),
            Field::yes("ports"),
            Field::yes("publishNotReadyAddresses"),
            Field::yes("selector"),
            Field::yes("sessionAffinity"),
            Field::yes("sessionAffinityConfig"),
            Field::ignored("trafficDistribution", ONE_NODE),
            Field::yes("type"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ServicePort",
        title: "Service port",
        fields: &[
            Field::yes("appProtocol"),
            Field::yes("name"),
            Field::yes("nodePort"),
            Field::yes("port"),
            Field::yes("protocol"),
            Field::yes("targetPort"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.SessionAffinityConfig",
        title: "Session affinity",
        fields: &[Field::yes("clientIP")],
    },
    Table {
        definition: "io.k8s.api.core.v1.ClientIPConfig",
        title: "Client IP affinity",
        fields: &[Field::yes("timeoutSeconds")],
    },
];
