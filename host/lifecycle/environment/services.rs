//! The variables that tell a container of the services of its namespace.
//!
//! For a service `web-app` with a port `80` named `http`: `WEB_APP_SERVICE_HOST`, `WEB_APP_SERVICE_PORT`,
//! `WEB_APP_SERVICE_PORT_HTTP`, and the older docker links `WEB_APP_PORT`, `WEB_APP_PORT_80_TCP` with `_PROTO`,
//! `_PORT` and `_ADDR` (`services-networking/service#environment-variables`; upstream `kubelet/envvars`). Services
//! without a cluster IP have none.

use std::net::IpAddr;

use wasmpod_manifest::k8s::{Service, ServicePort};

/// The variables of all `services`, in their order.
#[must_use]
pub fn variables<'a>(services: impl IntoIterator<Item = &'a Service>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for service in services {
        let spec = service.spec.as_ref();
        let ip = spec
            .and_then(|s| s.cluster_ip.as_deref())
            .and_then(|ip| ip.parse().ok());
        let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
        if let (Some(name), Some(ip)) = (service.metadata.name.as_deref(), ip) {
            one_service(&shouting(name), ip, ports, &mut out);
        }
    }
    out
}

fn one_service(prefix: &str, ip: IpAddr, ports: &[ServicePort], out: &mut Vec<(String, String)>) {
    let mut set = |name: String, value: String| out.push((name, value));
    set(format!("{prefix}_SERVICE_HOST"), ip.to_string());
    for (n, port) in ports.iter().enumerate() {
        if n == 0 {
            set(format!("{prefix}_SERVICE_PORT"), port.port.to_string());
        }
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            set(
                format!("{prefix}_SERVICE_PORT_{}", shouting(name)),
                port.port.to_string(),
            );
        }
    }
    for (n, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let lower = protocol.to_ascii_lowercase();
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let url = format!("{lower}://{host}:{}", port.port);
        if n == 0 {
            set(format!("{prefix}_PORT"), url.clone());
        }
        let link = format!(
            "{prefix}_PORT_{}_{}",
            port.port,
            protocol.to_ascii_uppercase()
        );
        set(link.clone(), url);
        set(format!("{link}_PROTO"), lower);
        set(format!("{link}_PORT"), port.port.to_string());
        set(format!("{link}_ADDR"), ip.to_string());
    }
}

fn shouting(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use wasmpod_manifest::k8s::{ObjectMeta, ServiceSpec};

    use super::*;

    fn service(name: &str, ip: &str, ports: Vec<ServicePort>) -> Service {
        Service {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(ServiceSpec {
                cluster_ip: Some(ip.to_owned()),
                ports: Some(ports),
                ..ServiceSpec::default()
            }),
            status: None,
        }
    }

    #[test]
    fn a_service_becomes_the_variables_of_the_documentation() {
        let port = ServicePort {
            port: 6379,
            ..ServicePort::default()
        };
        let list = variables([&service("redis-primary", "10.0.0.11", vec![port])]);
        let text: Vec<_> = list.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            text,
            [
                "REDIS_PRIMARY_SERVICE_HOST=10.0.0.11",
                "REDIS_PRIMARY_SERVICE_PORT=6379",
                "REDIS_PRIMARY_PORT=tcp://10.0.0.11:6379",
                "REDIS_PRIMARY_PORT_6379_TCP=tcp://10.0.0.11:6379",
                "REDIS_PRIMARY_PORT_6379_TCP_PROTO=tcp",
                "REDIS_PRIMARY_PORT_6379_TCP_PORT=6379",
                "REDIS_PRIMARY_PORT_6379_TCP_ADDR=10.0.0.11",
            ]
        );
    }

    #[test]
    fn named_ports_and_ipv6() {
        let port = ServicePort {
            port: 53,
            name: Some("dns-u".into()),
            protocol: Some("UDP".into()),
            ..ServicePort::default()
        };
        let list = variables([&service("d", "fd00::1", vec![port])]);
        assert!(list.contains(&("D_SERVICE_PORT_DNS_U".into(), "53".into())));
        assert!(list.contains(&("D_PORT_53_UDP".into(), "udp://[fd00::1]:53".into())));
    }

    #[test]
    fn a_headless_service_has_none() {
        assert_eq!(variables([&service("x", "None", vec![])]), []);
    }
}
