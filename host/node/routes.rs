//! From a Service and its EndpointSlices to what the network needs of them: a pure function.
//!
//! kube-proxy's part that reads objects. Which endpoint a connection gets is decided in the network.

use std::net::Ipv4Addr;
use std::time::Duration;

use wasmpod_manifest::k8s::{EndpointSlice, Service, ServiceSpec, SlicePort};
use wasmpod_network::{Conditions, Endpoint, NamedPort, Service as Route, ServiceAddress};

use crate::admission::publish::protocol;

/// The time-out of `sessionAffinity: ClientIP` where the object has none: `DefaultClientIPServiceAffinitySeconds`.
const AFFINITY_SECONDS: i32 = 10_800;

/// The label by which the slices of a service are found.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What the network is told of a service; nothing when it has no address (because none was free).
pub(crate) fn route<'a>(
    service: &Service,
    slices: impl Iterator<Item = &'a EndpointSlice>,
) -> Option<Route> {
    let spec = service.spec.as_ref()?;
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        Some(NamedPort {
            name: port.name.clone().unwrap_or_default(),
            protocol: protocol(port.protocol.as_deref())?,
            port: port_number(port.port)?,
            app_protocol: port.app_protocol.clone(),
        })
    });
    Some(Route {
        address: address(spec)?,
        ports: ports.collect(),
        affinity: affinity(spec),
        endpoints: slices.flat_map(endpoints).collect(),
    })
}

fn address(spec: &ServiceSpec) -> Option<ServiceAddress> {
    if spec.type_.as_deref() == Some("ExternalName") {
        return spec.external_name.clone().map(ServiceAddress::ExternalName);
    }
    match spec.cluster_ip.as_deref()? {
        "None" => Some(ServiceAddress::Headless),
        ip => Some(ServiceAddress::ClusterIp(ip.parse().ok()?)),
    }
}

fn affinity(spec: &ServiceSpec) -> Option<Duration> {
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return None;
    }
    let config = spec.session_affinity_config.as_ref();
    let seconds = config
        .and_then(|config| config.client_ip.as_ref()?.timeout_seconds)
        .unwrap_or(AFFINITY_SECONDS);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn endpoints(slice: &EndpointSlice) -> impl Iterator<Item = Endpoint> + use<> {
    let ports: Vec<_> = slice.ports.iter().flatten().filter_map(named).collect();
    let endpoints = slice.endpoints.clone().unwrap_or_default().into_iter();
    endpoints.filter_map(move |endpoint| {
        let conditions = endpoint.conditions.as_ref();
        // What is not said is so (EndpointConditions of discovery/v1), but for the end.
        let ready = conditions
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true);
        Some(Endpoint {
            // One address is all that a slice is consumed with.
            ip: endpoint.addresses.first()?.parse::<Ipv4Addr>().ok()?,
            hostname: endpoint.hostname,
            conditions: Conditions {
                ready,
                serving: conditions
                    .and_then(|conditions| conditions.serving)
                    .unwrap_or(ready),
                terminating: conditions
                    .and_then(|conditions| conditions.terminating)
                    .unwrap_or(false),
            },
            ports: ports.clone(),
        })
    })
}

fn named(port: &SlicePort) -> Option<NamedPort> {
    Some(NamedPort {
        name: port.name.clone().unwrap_or_default(),
        protocol: protocol(port.protocol.as_deref())?,
        port: port_number(port.port?)?,
        app_protocol: port.app_protocol.clone(),
    })
}

fn port_number(port: i32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wasmpod_network::Protocol;

    use super::*;

    fn of(spec: &Value, slices: &[Value]) -> Option<Route> {
        let service = serde_json::from_value(json!({"spec": spec})).unwrap();
        let slices: Vec<EndpointSlice> = slices
            .iter()
            .map(|slice| serde_json::from_value(slice.clone()).unwrap())
            .collect();
        route(&service, slices.iter())
    }

    #[test]
    fn a_service_is_reached_as_its_spec_says() {
        let ip = ServiceAddress::ClusterIp([10, 96, 0, 20].into());
        let name = ServiceAddress::ExternalName("example.com".to_owned());
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        for (spec, expected) in [
            (json!({"clusterIP": "10.96.0.20"}), Some((ip.clone(), None))),
            (
                json!({"clusterIP": "None"}),
                Some((ServiceAddress::Headless, None)),
            ),
            (
                json!({"type": "ExternalName", "externalName": "example.com"}),
                Some((name, None)),
            ),
            (
                json!({"clusterIP": "10.96.0.20", "sessionAffinity": "ClientIP"}),
                Some((ip.clone(), hours(3))),
            ),
            (
                json!({"clusterIP": "10.96.0.20", "sessionAffinity": "ClientIP",
                    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 3600}}}),
                Some((ip, hours(1))),
            ),
            (json!({}), None),
            (json!({"clusterIP": "fd00::1"}), None),
        ] {
            let found = of(&spec, &[]).map(|route| (route.address, route.affinity));
            assert_eq!(found, expected, "{spec}");
        }
    }

    #[test]
    fn endpoints_come_from_all_slices_with_their_own_ports() {
        let spec = json!({"clusterIP": "10.96.0.20", "ports": [
            {"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "other", "port": 9, "protocol": "SCTP"},
        ]});
        let slice = |port, endpoints| {
            json!({
                "addressType": "IPv4", "ports": [{"name": "http", "port": port, "protocol": "TCP"}], "endpoints": endpoints,
            })
        };
        let slices = [
            slice(
                8080,
                json!([{"addresses": ["10.244.0.2"]}, {"addresses": ["example.com"]}]),
            ),
            slice(
                8081,
                json!([
                    {"addresses": ["10.244.0.3"], "hostname": "a", "conditions": {"ready": false, "serving": true, "terminating": true}},
                    {"addresses": ["10.244.0.4"], "conditions": {"ready": false}},
                ]),
            ),
        ];
        let route = of(&spec, &slices).unwrap();
        let ports: Vec<_> = route
            .ports
            .iter()
            .map(|port| (port.name.as_str(), port.protocol, port.port))
            .collect();
        assert_eq!(
            ports,
            [("http", Protocol::Tcp, 80), ("dns", Protocol::Udp, 53)]
        );
        let shown: Vec<_> = route
            .endpoints
            .iter()
            .map(|one| {
                let Conditions {
                    ready,
                    serving,
                    terminating,
                } = one.conditions;
                (
                    one.ip.to_string(),
                    one.ports[0].port,
                    one.hostname.as_deref(),
                    [ready, serving, terminating],
                )
            })
            .collect();
        let ip = |last| format!("10.244.0.{last}");
        assert_eq!(
            shown,
            [
                (ip(2), 8080, None, [true, true, false]),
                (ip(3), 8081, Some("a"), [false, true, true]),
                (ip(4), 8081, None, [false, false, false]),
            ]
        );
    }
}
