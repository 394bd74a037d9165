//! From Ingress objects and Secrets to what the proxy serves: pure functions; and the ports at which it does.
//!
//! Standard: `services-networking/ingress`. Every ingress is served, whatever its class: there is one controller here. Of
//! two rules for the same requests the older object's counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use wasmpod_ingress::{
    Backend, BackendPort, Certificate, Certificates, Door, Front, HostRule, IngressRules,
    PathMatch, PathRule, Routes, Scheme, Site,
};
use wasmpod_manifest::k8s::{
    HTTPIngressPath, Ingress, IngressBackend, IngressLoadBalancerIngress,
    IngressLoadBalancerStatus, IngressPortStatus, IngressRule, IngressTLS, ObjectMeta, Secret,
};
use wasmpod_network::{Network, ServiceName};

use crate::error::NodeError;
use crate::machine::HOST_IP;

/// Where ingresses are served. By default nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngressConfig {
    /// For HTTP; port 0 lets the system pick one.
    pub http: Option<SocketAddr>,
    /// For HTTPS, by the certificates of `spec.tls`.
    pub https: Option<SocketAddr>,
}

/// The proxy, and the ports of the machine where it is reached.
#[derive(Debug)]
pub(crate) struct Ingresses {
    pub(crate) front: Front,
    pub(crate) doors: Vec<(Scheme, SocketAddr)>,
}

impl Ingresses {
    /// Binds the ports; what is to be served there follows.
    pub(crate) fn open(
        config: IngressConfig,
        network: &Network,
    ) -> Result<(Self, Vec<Door>), NodeError> {
        let wanted = [(config.http, Scheme::Http), (config.https, Scheme::Https)];
        let wanted = wanted
            .into_iter()
            .filter_map(|(host, scheme)| Some((host?, scheme)));
        let doors: Vec<_> = wanted
            .map(|(host, scheme)| {
                Door::open(host, scheme).map_err(|source| NodeError::IngressPort { host, source })
            })
            .collect::<Result<_, _>>()?;
        let this = Self {
            front: Front::new(network.clone()),
            doors: doors
                .iter()
                .map(|door| (door.scheme(), door.local_addr()))
                .collect(),
        };
        Ok((this, doors))
    }

    pub(crate) fn has(&self, scheme: Scheme) -> bool {
        self.doors.iter().any(|(found, _)| *found == scheme)
    }

    /// `status.loadBalancer` of every ingress.
    pub(crate) fn status(&self) -> IngressLoadBalancerStatus {
        let mut by_ip: BTreeMap<String, Vec<IngressPortStatus>> = BTreeMap::new();
        for (_, at) in &self.doors {
            let ip = if at.ip().is_unspecified() {
                HOST_IP.to_owned()
            } else {
                at.ip().to_string()
            };
            by_ip.entry(ip).or_default().push(IngressPortStatus {
                error: None,
                port: at.port().into(),
                protocol: "TCP".to_owned(),
            });
        }
        let points = by_ip
            .into_iter()
            .map(|(ip, ports)| IngressLoadBalancerIngress {
                hostname: None,
                ip: Some(ip),
                ports: Some(ports),
            });
        let points: Vec<_> = points.collect();
        IngressLoadBalancerStatus {
            ingress: (!points.is_empty()).then_some(points),
        }
    }
}

/// What is served of these ingresses. `secret` finds a Secret by namespace and name; one that is no certificate is left
/// out, and the hosts for which it is meant are refused.
pub(crate) fn site(
    mut ingresses: Vec<Arc<Ingress>>,
    secret: impl Fn(&str, &str) -> Option<Arc<Secret>>,
) -> Site {
    ingresses.sort_by(|a, b| age_of(&a.metadata).cmp(&age_of(&b.metadata)));
    let mut certificates = Certificates::default();
    for ingress in &ingresses {
        for tls in tls_of(ingress) {
            let Ok(Some(certificate)) = certificate(&ingress.metadata, tls, &secret) else {
                continue;
            };
            let hosts = tls.hosts.as_deref().unwrap_or_default();
            for host in hosts {
                certificates.add(host, certificate.clone());
            }
            if hosts.is_empty() {
                certificates.add("", certificate);
            }
        }
    }
    Site {
        routes: Routes::new(ingresses.iter().map(|ingress| rules(ingress))),
        certificates,
    }
}

/// What is wrong with the certificates of an ingress, in words.
pub(crate) fn problems(
    ingress: &Ingress,
    secret: impl Fn(&str, &str) -> Option<Arc<Secret>>,
) -> Vec<String> {
    let all = tls_of(ingress).map(|tls| certificate(&ingress.metadata, tls, &secret));
    all.filter_map(Result::err).collect()
}

pub(crate) fn tls_of(ingress: &Ingress) -> impl Iterator<Item = &IngressTLS> {
    let spec = ingress.spec.iter();
    spec.flat_map(|spec| spec.tls.iter().flatten())
}

fn age_of(metadata: &ObjectMeta) -> (Option<i128>, Option<&str>, Option<&str>) {
    let created = metadata.creation_timestamp.as_ref();
    (
        created.map(|time| time.0.as_nanosecond()),
        metadata.namespace.as_deref(),
        metadata.name.as_deref(),
    )
}

/// The certificate of a `tls` entry; nothing when it names none.
fn certificate(
    metadata: &ObjectMeta,
    tls: &IngressTLS,
    secret: &impl Fn(&str, &str) -> Option<Arc<Secret>>,
) -> Result<Option<Certificate>, String> {
    let Some(name) = tls.secret_name.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let found = secret(namespace, name)
        .ok_or_else(|| format!("secret \"{namespace}/{name}\" not found"))?;
    let value = |key: &str| {
        let value = found.data.as_ref().and_then(|data| data.get(key));
        value.ok_or_else(|| format!("secret \"{namespace}/{name}\" has no key \"{key}\""))
    };
    let (chain, key) = (value("tls.crt")?, value("tls.key")?);
    let certificate = Certificate::from_pem(&chain.0, &key.0);
    certificate
        .map(Some)
        .map_err(|error| format!("secret \"{namespace}/{name}\": {error}"))
}

fn rules(ingress: &Ingress) -> IngressRules {
    let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
    let Some(spec) = &ingress.spec else {
        return IngressRules::default();
    };
    let default = spec.default_backend.as_ref();
    let rules = spec.rules.iter().flatten();
    IngressRules {
        rules: rules.map(|rule| host_rule(rule, namespace)).collect(),
        default_backend: default.and_then(|default| backend(default, namespace)),
    }
}

fn host_rule(rule: &IngressRule, namespace: &str) -> HostRule {
    let paths = rule.http.iter().flat_map(|http| &http.paths);
    HostRule {
        host: rule.host.clone().unwrap_or_default(),
        paths: paths
            .filter_map(|path| path_rule(path, namespace))
            .collect(),
    }
}

fn path_rule(rule: &HTTPIngressPath, namespace: &str) -> Option<PathRule> {
    let path = rule.path.clone().filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| "/".to_owned());
    Some(PathRule {
        path: match rule.path_type.as_str() {
            "Exact" => PathMatch::Exact(path),
            _ => PathMatch::Prefix(path),
        },
        backend: backend(&rule.backend, namespace)?,
    })
}

fn backend(backend: &IngressBackend, namespace: &str) -> Option<Backend> {
    let service = backend.service.as_ref()?;
    let port = service.port.as_ref()?;
    let port = match port.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => BackendPort::Name(name.to_owned()),
        None => BackendPort::Number(u16::try_from(port.number?).ok()?),
    };
    let service = ServiceName {
        namespace: namespace.to_owned(),
        name: service.name.clone(),
    };
    Some(Backend { service, port })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ingress(name: &str, created: &str, spec: &Value) -> Arc<Ingress> {
        let value = json!({"metadata": {"name": name, "namespace": "default", "creationTimestamp": created}, "spec": spec});
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn leads_to(service: &str) -> Value {
        json!({"service": {"name": service, "port": {"number": 80}}})
    }

    fn no_secret(_: &str, _: &str) -> Option<Arc<Secret>> {
        None
    }

    #[test]
    fn objects_become_rules_and_older_ones_win() {
        let paths = |service: &str| {
            json!([{"path": "/a", "pathType": "Prefix", "backend": leads_to(service)},
                {"pathType": "ImplementationSpecific", "backend": {"service": {"name": service, "port": {"name": "web"}}}}])
        };
        let rules = |service: &str| json!({"rules": [{"host": "a.example", "http": {"paths": paths(service)}}]});
        let newer = ingress("a", "2026-11-21T12:00:01Z", &rules("newer"));
        let older = ingress("b", "2026-11-21T12:00:00Z", &rules("older"));
        let default = ingress(
            "c",
            "2026-11-21T12:00:02Z",
            &json!({"defaultBackend": leads_to("default")}),
        );
        let site = site(vec![newer, older, default], no_secret);
        let found = |host, path| {
            let found = site.routes.find(host, path).unwrap();
            (found.service.to_string(), found.port.clone())
        };
        let (number, name) = (BackendPort::Number(80), BackendPort::Name("web".to_owned()));
        assert_eq!(
            found("a.example", "/a/b"),
            ("default/older".to_owned(), number.clone())
        );
        assert_eq!(found("a.example", "/b"), ("default/older".to_owned(), name));
        assert_eq!(
            found("b.example", "/a"),
            ("default/default".to_owned(), number)
        );
    }

    #[test]
    fn what_is_no_certificate_is_told_and_left_out() {
        let tls =
            json!({"tls": [{"hosts": ["a.example"], "secretName": "s"}, {"hosts": ["b.example"]}]});
        let of = |data: &Value| -> Arc<Secret> {
            Arc::new(serde_json::from_value(json!({"metadata": {}, "data": data})).unwrap())
        };
        let ingress = ingress("a", "2026-11-21T12:00:00Z", &tls);
        for (secret, says) in [
            (None, "secret \"default/s\" not found"),
            (
                Some(of(&json!({"tls.crt": "eA=="}))),
                "secret \"default/s\" has no key \"tls.key\"",
            ),
            (
                Some(of(&json!({"tls.crt": "eA==", "tls.key": "eA=="}))),
                "secret \"default/s\": there is no certificate in it",
            ),
        ] {
            let find = |_: &str, _: &str| secret.clone();
            assert_eq!(problems(&ingress, find), [says]);
            let site = site(vec![Arc::clone(&ingress)], find);
            assert!(site.certificates.find(Some("a.example")).is_none());
        }
    }

    #[test]
    fn the_status_has_the_addresses_with_their_ports() {
        let at = |doors: &[(Scheme, &str)]| {
            let doors = doors
                .iter()
                .map(|(scheme, at)| (*scheme, at.parse().unwrap()));
            let this = Ingresses {
                front: Front::new(Network::new()),
                doors: doors.collect(),
            };
            serde_json::to_value(this.status()).unwrap()
        };
        let tcp = |port: u16| json!({"port": port, "protocol": "TCP"});
        assert_eq!(at(&[]), json!({}));
        assert_eq!(
            at(&[
                (Scheme::Http, "127.0.0.1:80"),
                (Scheme::Https, "0.0.0.0:443")
            ]),
            json!({"ingress": [{"ip": "127.0.0.1", "ports": [tcp(80), tcp(443)]}]})
        );
    }
}
