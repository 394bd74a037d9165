//! What of a pod is reachable from outside: `--publish` rules and `hostPort`, both turned into one list of
//! [`Publication`]s before a pod starts.
//!
//! The sockets themselves are `network::publish`'s; NodePorts are their services' own (`node_ports`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use wasmpod_manifest::k8s::{Container, ObjectMeta, Pod, Service};
use wasmpod_manifest::publishing::{self, ProxyProtocolVersion};
use wasmpod_network::Protocol;
use wasmpod_network::publish::{NoProxyProtocol, ProxyProtocol};
use wasmpod_store::ObjectRef;

/// Where a port is bound unless somebody says otherwise. The kubelet binds to every address; a program that anyone
/// may start on any machine must not.
pub const DEFAULT_HOST_IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// One wish of the command line: `[HOSTIP:]HOSTPORT:POD:PORT[/PROTOCOL][,proxy-protocol=VERSION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRule {
    /// Where to listen; port 0 lets the system pick one.
    pub host: SocketAddr,
    /// The pod's name, or `NAMESPACE/NAME`.
    pub pod: String,
    /// The pod's port: a number, or the name of one of its containers' ports.
    pub port: PortRef,
    /// TCP unless said.
    pub protocol: Protocol,
    /// How the pod learns who its clients are; as the pod's annotation says if this says nothing.
    pub proxy: Option<ProxyProtocol>,
}

/// A port of a pod, by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRef {
    /// 1 to 65535.
    Number(u16),
    /// `containers[*].ports[*].name`
    Name(String),
}

/// A text that is no publish rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}; write [HOSTIP:]HOSTPORT:POD:PORT, e.g. 8080:web:80")]
pub struct ParsePublishError {
    detail: String,
}

impl FromStr for PublishRule {
    type Err = ParsePublishError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |detail: String| ParsePublishError { detail };
        let (text, option) = match text.split_once(',') {
            Some((text, option)) => (text, Some(option)),
            None => (text, None),
        };
        let (text, protocol) = match text.rsplit_once('/') {
            Some((rest, name)) if name.eq_ignore_ascii_case("udp") => (rest, Protocol::Udp),
            Some((rest, name)) if name.eq_ignore_ascii_case("tcp") => (rest, Protocol::Tcp),
            _ => (text, Protocol::Tcp),
        };
        let proxy = option.map(parse_option).transpose().map_err(wrong)?;
        if proxy.is_some() && protocol == Protocol::Udp {
            return Err(wrong("the PROXY protocol is for TCP".to_owned()));
        }
        // An IPv6 address stands in brackets, so that its colons do not count.
        let (ip, rest) = match text.strip_prefix('[') {
            Some(inner) => match inner.split_once("]:") {
                Some((ip, rest)) => (Some(ip), rest),
                None => return Err(wrong("a [ without ]: behind the address".to_owned())),
            },
            None if text.split(':').count() > 3 => {
                let (ip, rest) = text.split_once(':').unwrap_or_default();
                (Some(ip), rest)
            }
            None => (None, text),
        };
        let ip = match ip {
            Some(ip) => ip
                .parse()
                .map_err(|_| wrong(format!("\"{ip}\" is no IP address")))?,
            None => DEFAULT_HOST_IP,
        };
        let parts: Vec<_> = rest.split(':').collect();
        let &[host_port, pod, port] = parts.as_slice() else {
            return Err(wrong(format!(
                "\"{rest}\" has {} parts where 3 are due",
                parts.len()
            )));
        };
        let host_port = host_port
            .parse()
            .map_err(|_| wrong(format!("\"{host_port}\" is no port number from 0 to 65535")))?;
        if pod.is_empty() {
            return Err(wrong("the pod's name is empty".to_owned()));
        }
        let port = match port.parse() {
            Ok(0) => return Err(wrong("a pod's port is 1 to 65535".to_owned())),
            Ok(number) => PortRef::Number(number),
            Err(_) if port.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                PortRef::Name(port.to_owned())
            }
            Err(_) => {
                return Err(wrong(format!(
                    "\"{port}\" is no port number and no port name"
                )));
            }
        };
        Ok(Self {
            host: SocketAddr::new(ip, host_port),
            pod: pod.to_owned(),
            port,
            protocol,
            proxy,
        })
    }
}

/// What follows the comma of a rule.
fn parse_option(option: &str) -> Result<ProxyProtocol, String> {
    let version = option.strip_prefix("proxy-protocol=");
    let version = version.ok_or_else(|| {
        format!("\"{option}\" is no option; there is proxy-protocol=v1 and proxy-protocol=v2")
    })?;
    let version: Result<_, NoProxyProtocol> = version.parse();
    version.map_err(|error| format!("\"{option}\": {error}"))
}

/// One port of the machine, and the pod's port behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    /// Where to listen; port 0 lets the system pick one.
    pub host: SocketAddr,
    /// The port of the pod.
    pub pod_port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How the pod learns who its clients are.
    pub proxy: Option<ProxyProtocol>,
    /// Who asked for it.
    pub source: PublicationSource,
}

/// Who asked for a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicationSource {
    /// A [`PublishRule`].
    Rule,
    /// `hostPort` of this container.
    HostPort(String),
}

impl fmt::Display for PublicationSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule => f.write_str("published port"),
            Self::HostPort(container) => write!(f, "hostPort of container \"{container}\""),
        }
    }
}

/// A rule that names a port which its pod does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pod \"{pod}\" has no port named \"{port}\"")]
pub struct NoSuchPort {
    /// The pod's name.
    pub pod: String,
    /// The port's name.
    pub port: String,
}

/// All that is published of `pod`, which rules may also call by the names of `owners`.
///
/// # Errors
///
/// When a rule names a port that no container of the pod declares.
pub(crate) fn publications(
    pod: &Pod,
    owners: &[ObjectRef],
    rules: &[PublishRule],
) -> Result<Vec<Publication>, NoSuchPort> {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| is_meant(&rule.pod, pod, owners)) {
        let pod_port = match &rule.port {
            PortRef::Number(number) => *number,
            PortRef::Name(name) => {
                named_port(pod, name, rule.protocol).ok_or_else(|| NoSuchPort {
                    pod: pod_name.to_owned(),
                    port: name.clone(),
                })?
            }
        };
        found.push(Publication {
            host: rule.host,
            pod_port,
            protocol: rule.protocol,
            proxy: rule.proxy.or_else(|| proxy_of(pod, pod_port)),
            source: PublicationSource::Rule,
        });
    }
    found.extend(containers(pod).flat_map(|container| host_ports(pod, container)));
    Ok(found)
}

/// Does a rule's pod part mean this pod, by its own name or by that of a workload that made it?
#[must_use]
pub(crate) fn is_meant(rule_pod: &str, pod: &Pod, owners: &[ObjectRef]) -> bool {
    let (namespace, wanted) = match rule_pod.split_once('/') {
        Some((namespace, wanted)) => (Some(namespace), wanted),
        None => (None, rule_pod),
    };
    let own = pod.metadata.name.as_deref();
    let mut names = own
        .into_iter()
        .chain(owners.iter().map(|owner| owner.name.as_str()));
    let is_there = namespace.is_none() || namespace == pod.metadata.namespace.as_deref();
    is_there && names.any(|name| name == wanted)
}

impl Publication {
    /// Do both want the same port of the machine? (Port 0 is any that is free.)
    pub(crate) fn clashes_with(&self, other: &Self) -> bool {
        self.host.port() != 0 && self.protocol == other.protocol && overlap(self.host, other.host)
    }

    /// Is it one for which the first of several pods is enough?
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.source, PublicationSource::HostPort(_))
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| &spec.containers)
}

fn host_ports(pod: &Pod, container: &Container) -> impl Iterator<Item = Publication> {
    container.ports.iter().flatten().filter_map(move |port| {
        let pod_port = u16::try_from(port.container_port).ok()?;
        // A hostIP that covers every address is what the kubelet assumes; ours is narrower, see DEFAULT_HOST_IP.
        let ip = port
            .host_ip
            .as_deref()
            .and_then(|ip| ip.parse().ok())
            .unwrap_or(DEFAULT_HOST_IP);
        Some(Publication {
            host: SocketAddr::new(
                ip,
                u16::try_from(port.host_port?)
                    .ok()
                    .filter(|port| *port > 0)?,
            ),
            pod_port,
            protocol: protocol(port.protocol.as_deref())?,
            proxy: proxy_protocol(&pod.metadata, pod_port, port.name.as_deref()),
            source: PublicationSource::HostPort(container.name.clone()),
        })
    })
}

/// What the annotation of a pod says of its port, which may be declared with a name.
fn proxy_of(pod: &Pod, number: u16) -> Option<ProxyProtocol> {
    let mut ports = containers(pod).flat_map(|container| container.ports.iter().flatten());
    let declared = ports.find(|port| port.container_port == i32::from(number));
    let name = declared.and_then(|port| port.name.as_deref());
    proxy_protocol(&pod.metadata, number, name)
}

/// What the annotation of a pod or service says of one of its ports.
pub(crate) fn proxy_protocol(
    metadata: &ObjectMeta,
    number: u16,
    name: Option<&str>,
) -> Option<ProxyProtocol> {
    publishing::proxy_protocol(metadata, number, name).map(|version| match version {
        ProxyProtocolVersion::V1 => ProxyProtocol::V1,
        ProxyProtocolVersion::V2 => ProxyProtocol::V2,
    })
}

/// Do both mean the same port of the machine? An IPv6 socket for all addresses has those of IPv4 too.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

/// Does a socket at one address have what comes to the other too?
pub(crate) fn covers(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() && (one.is_ipv6() || other.is_ipv4())
}

/// Does the service's selector match the pod's labels? A service without selector has no pods of its own.
pub(crate) fn selects(service: &Service, pod: &Pod) -> bool {
    let selector = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref());
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return false;
    };
    let labels = pod.metadata.labels.as_ref();
    service.metadata.namespace == pod.metadata.namespace
        && selector
            .iter()
            .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

pub(crate) fn named_port(pod: &Pod, name: &str, protocol_wanted: Protocol) -> Option<u16> {
    let mut ports = containers(pod).flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| {
        port.name.as_deref() == Some(name)
            && protocol(port.protocol.as_deref()) == Some(protocol_wanted)
    })?;
    u16::try_from(port.container_port).ok()
}

/// Kubernetes' name of a protocol; SCTP is none that the virtual network has.
pub(crate) fn protocol(name: Option<&str>) -> Option<Protocol> {
    match name {
        None | Some("TCP") => Some(Protocol::Tcp),
        Some("UDP") => Some(Protocol::Udp),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(text: &str) -> Result<PublishRule, ParsePublishError> {
        text.parse()
    }

    fn pod() -> Pod {
        let pod = json!({
            "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "tier": "front"}},
            "spec": {"containers": [{"name": "c", "ports": [
                {"containerPort": 8080, "name": "http", "protocol": "TCP"},
                {"containerPort": 53, "hostPort": 5353, "protocol": "UDP", "hostIP": "127.0.0.2"},
            ]}]},
        });
        serde_json::from_value(pod).unwrap()
    }

    fn service(spec: &serde_json::Value) -> Service {
        let service = json!({"metadata": {"name": "svc", "namespace": "default"}, "spec": spec});
        serde_json::from_value(service).unwrap()
    }

    #[test]
    fn rules_read_as_they_are_written() {
        let cases = [
            (
                "8080:web:80",
                "127.0.0.1:8080",
                "web",
                PortRef::Number(80),
                Protocol::Tcp,
            ),
            (
                "0:web:http",
                "127.0.0.1:0",
                "web",
                PortRef::Name("http".into()),
                Protocol::Tcp,
            ),
            (
                "0.0.0.0:53:dns:53/udp",
                "0.0.0.0:53",
                "dns",
                PortRef::Number(53),
                Protocol::Udp,
            ),
            (
                "[::1]:8080:team/web:80",
                "[::1]:8080",
                "team/web",
                PortRef::Number(80),
                Protocol::Tcp,
            ),
        ];
        for (text, host, pod, port, protocol) in cases {
            let expected = PublishRule {
                host: host.parse().unwrap(),
                pod: pod.into(),
                port,
                protocol,
                proxy: None,
            };
            assert_eq!(rule(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rules_that_make_no_sense_say_how_to_write_one() {
        for text in [
            "",
            "8080",
            "8080:web",
            "99999:web:80",
            "80:web:0",
            "80::80",
            "x:80:web:80",
            "[::1:80:web:80",
            "80:web:",
            "80:web:80,",
            "80:web:80,proxy-protocol",
            "80:web:80,proxy-protocol=v3",
            "80:web:80/udp,proxy-protocol=v2",
        ] {
            let error = rule(text).unwrap_err().to_string();
            assert!(error.contains("HOSTPORT:POD:PORT"), "{text:?}: {error}");
        }
    }

    #[test]
    fn rules_and_host_ports_are_published() {
        let found = publications(&pod(), &[], &[rule("0:web:http").unwrap()]).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|p| (p.host.to_string(), p.pod_port, p.source.to_string()))
            .collect();
        let expected = [
            ("127.0.0.1:0", 8080, "published port"),
            ("127.0.0.2:5353", 53, "hostPort of container \"c\""),
        ];
        assert_eq!(
            shown,
            expected.map(|(host, port, source)| (host.to_owned(), port, source.to_owned()))
        );
    }

    #[test]
    fn a_selector_must_match_whole_and_an_empty_one_selects_nothing() {
        for (selector, matches) in [
            (json!({"app": "web"}), true),
            (json!({"app": "web", "tier": "front"}), true),
            (json!({"app": "web", "tier": "back"}), false),
            (json!({}), false),
        ] {
            assert_eq!(
                selects(&service(&json!({"selector": selector})), &pod()),
                matches,
                "{selector}"
            );
        }
    }

    #[test]
    fn a_rule_for_a_port_that_is_not_there_is_an_error() {
        let error = publications(&pod(), &[], &[rule("0:web:grpc").unwrap()]).unwrap_err();
        assert_eq!(error.to_string(), "pod \"web\" has no port named \"grpc\"");
    }

    #[test]
    fn the_proxy_protocol_is_what_the_rule_says_else_the_annotation() {
        let mut pod = pod();
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(publishing::PROXY_PROTOCOL.to_owned(), "http=v1".to_owned());
        for (text, expected) in [
            ("0:web:http", Some(ProxyProtocol::V1)),
            ("0:web:8080", Some(ProxyProtocol::V1)),
            ("0:web:8080,proxy-protocol=v2", Some(ProxyProtocol::V2)),
            ("0:web:8081", None),
        ] {
            let found = publications(&pod, &[], &[rule(text).unwrap()]).unwrap();
            assert_eq!(found[0].proxy, expected, "{text}");
        }
    }

    #[test]
    fn a_port_of_all_addresses_is_also_that_of_each() {
        for (a, b, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.2:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "0.0.0.0:80", true),
        ] {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(overlap(a, b), expected, "{a} {b}");
            assert_eq!(overlap(b, a), expected, "{b} {a}");
        }
    }
}
