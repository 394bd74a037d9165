//! The rows of a service.

use super::{Field, Table};

const LOAD_BALANCER: &str = "there is no load balancer outside of this process";
const ONE_NODE: &str = "there is one node, so all traffic is local";
const ADDRESS: &str = "services are reached through their node ports for now";

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
            Field::ignored("clusterIP", ADDRESS).unless(&["None", ""]),
            Field::ignored("clusterIPs", ADDRESS),
            Field::ignored(
                "externalIPs",
                "wasmpod binds no addresses but those it is told to publish on",
            ),
            Field::rejected(
                "externalName",
                "names outside of the pods are not served",
                "",
            ),
            Field::ignored("externalTrafficPolicy", ONE_NODE),
            Field::ignored("healthCheckNodePort", LOAD_BALANCER),
            Field::ignored("internalTrafficPolicy", ONE_NODE),
            Field::ignored("ipFamilies", ADDRESS),
            Field::ignored("ipFamilyPolicy", ADDRESS),
            Field::ignored("loadBalancerClass", LOAD_BALANCER),
            Field::ignored("loadBalancerIP", LOAD_BALANCER),
            Field::ignored("loadBalancerSourceRanges", LOAD_BALANCER),
            Field::yes("ports"),
            Field::ignored("publishNotReadyAddresses", ADDRESS).unless(&["false"]),
            Field::yes("selector"),
            Field::ignored(
                "sessionAffinity",
                "a service forwards to the first pod that matches",
            )
            .unless(&["None"]),
            Field::ignored(
                "sessionAffinityConfig",
                "a service forwards to the first pod that matches",
            ),
            Field::ignored("trafficDistribution", ONE_NODE),
            Field::yes("type"),
        ],
    },
    Table {
        definition: "io.k8s.api.core.v1.ServicePort",
        title: "Service port",
        fields: &[
            Field::ignored("appProtocol", "ports carry bytes of any protocol"),
            Field::yes("name"),
            Field::yes("nodePort"),
            Field::yes("port"),
            Field::yes("protocol"),
            Field::yes("targetPort"),
        ],
    },
];
