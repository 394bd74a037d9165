//! The defaults of a service.

use super::{metadata, set};
use crate::k8s::{IntOrString, Service};

/// `DefaultClientIPServiceAffinitySeconds` of the core API: three hours.
const AFFINITY_SECONDS: i32 = 10_800;

/// Fills in a service. Its cluster IP and its node ports are given out by the host, not here.
pub(crate) fn service(service: &mut Service) {
    metadata(&mut service.metadata);
    let Some(spec) = &mut service.spec else {
        return;
    };
    set(&mut spec.type_, "ClusterIP");
    set(&mut spec.session_affinity, "None");
    if spec.session_affinity.as_deref() == Some("ClientIP") {
        let config = spec.session_affinity_config.get_or_insert_default();
        config
            .client_ip
            .get_or_insert_default()
            .timeout_seconds
            .get_or_insert(AFFINITY_SECONDS);
    }
    if matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer")) {
        set(&mut spec.external_traffic_policy, "Cluster");
    }
    if spec.type_.as_deref() != Some("ExternalName") {
        set(&mut spec.internal_traffic_policy, "Cluster");
    }
    for port in spec.ports.iter_mut().flatten() {
        set(&mut port.protocol, "TCP");
        let unset = matches!(&port.target_port, None | Some(IntOrString::Int(0)))
            || matches!(&port.target_port, Some(IntOrString::String(name)) if name.is_empty());
        if unset {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
}
