//! The rows of an ingress and of its class.

use super::{Field, Table};

const ONE_CONTROLLER: &str =
    "there is one ingress controller, which serves every ingress whatever its class";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.networking.v1.Ingress",
        title: "Ingress",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", "the status is what wasmpod observes"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressSpec",
        title: "Ingress spec",
        fields: &[
            Field::yes("defaultBackend"),
            Field::partly(
                "ingressClassName",
                "it is kept and shown; every ingress is served, whatever its class",
            ),
            Field::yes("rules"),
            Field::yes("tls"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressBackend",
        title: "Ingress backend",
        fields: &[
            Field::rejected(
                "resource",
                "there are no objects besides services that could answer",
                "name a service",
            ),
            Field::yes("service"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressServiceBackend",
        title: "Ingress service backend",
        fields: &[Field::yes("name"), Field::yes("port")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.ServiceBackendPort",
        title: "Ingress service port",
        fields: &[Field::yes("name"), Field::yes("number")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressRule",
        title: "Ingress rule",
        fields: &[Field::yes("host"), Field::yes("http")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.HTTPIngressRuleValue",
        title: "Ingress HTTP rule",
        fields: &[Field::yes("paths")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.HTTPIngressPath",
        title: "Ingress path",
        fields: &[
            Field::yes("backend"),
            Field::yes("path"),
            Field::partly("pathType", "`ImplementationSpecific` is `Prefix` here"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressTLS",
        title: "Ingress TLS",
        fields: &[Field::yes("hosts"), Field::yes("secretName")],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressClass",
        title: "Ingress class",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
        ],
    },
    Table {
        definition: "io.k8s.api.networking.v1.IngressClassSpec",
        title: "Ingress class spec",
        fields: &[
            Field::partly("controller", ONE_CONTROLLER),
            Field::ignored("parameters", ONE_CONTROLLER),
        ],
    },
];
