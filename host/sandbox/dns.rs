//! A pod's names: its host name, what its network is called, and its `/etc/resolv.conf`.
//!
//! (`dns-pod-service`; the kubelet's `dns.go`.) The cluster's name server is the network's own, which knows the names of
//! services and pods, and asks the machine's resolver for what egress allows. So the file names it, and those that
//! `dnsConfig` lists. With `dnsPolicy: Default`, which would take over the node's own file, it tells only what the machine's
//! resolver knows, and nothing of the cluster.

use std::net::IpAddr;
use std::sync::Arc;

use wasmpod_manifest::k8s::{Pod, PodDNSConfig};
use wasmpod_network::{NAMESERVER, PodNetworkConfig};

use crate::port::PodIdentity;

/// The longest host name, in bytes; Kubernetes cuts a pod's name there (`HOST_NAME_MAX` less one).
const MAX_HOSTNAME_BYTES: usize = 63;

/// The longest full name that can be a host name (`setHostnameAsFQDN`), in bytes: Linux' `HOST_NAME_MAX`. A pod with a
/// longer one is not started.
pub const MAX_FQDN_BYTES: usize = 64;

/// What follows the names of all services.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// How many name servers a file may name: the resolvers' own limit (`MAXNS` of resolv.conf(5)), to which the kubelet cuts
/// the list.
const MAX_NAMESERVERS: usize = 3;

/// The pod's full name is too long to be its host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Failed to construct FQDN from Pod hostname and cluster domain, FQDN {name} is too long ({MAX_FQDN_BYTES} characters is the max, {} characters requested)",
    name.len()
)]
pub struct FqdnTooLong {
    /// The full name.
    pub name: String,
}

/// The pod's names on its network.
pub(crate) fn network_config(pod: &Pod, identity: &PodIdentity) -> PodNetworkConfig {
    let spec = pod.spec.as_ref();
    let own = spec
        .and_then(|spec| spec.hostname.clone())
        .filter(|name| !name.is_empty());
    let hostname = own.unwrap_or_else(|| {
        let cut = identity
            .name
            .get(..MAX_HOSTNAME_BYTES)
            .unwrap_or(&identity.name);
        cut.trim_end_matches(['-', '.']).to_owned()
    });
    let namespace = &identity.namespace;
    let subdomain = spec
        .and_then(|spec| spec.subdomain.as_deref())
        .filter(|name| !name.is_empty());
    let aliases = spec
        .and_then(|spec| spec.host_aliases.as_deref())
        .unwrap_or_default();
    let host_aliases = aliases.iter().filter_map(|alias| {
        let ip: IpAddr = alias.ip.parse().ok()?;
        Some((ip, alias.hostnames.clone().unwrap_or_default()))
    });
    let resolver = Resolver::of(pod, namespace);
    PodNetworkConfig {
        hostname,
        domain: subdomain.map(|name| format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}")),
        host_aliases: host_aliases.collect(),
        namespace: namespace.clone(),
        identity: Arc::from(identity.uid.as_str()),
        knows_cluster: spec.and_then(|spec| spec.dns_policy.as_deref()) != Some("Default"),
        nameservers: resolver.nameservers(),
        ndots: resolver.ndots(),
        search: resolver.search,
        ..PodNetworkConfig::default()
    }
}

/// What `uname` calls the pod: its host name, or its full name with `setHostnameAsFQDN`.
///
/// # Errors
/// The full name is too long.
pub(crate) fn hostname(pod: &Pod, config: &PodNetworkConfig) -> Result<String, FqdnTooLong> {
    let wants_fqdn = pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.set_hostname_as_fqdn == Some(true));
    match &config.domain {
        Some(domain) if wants_fqdn => {
            let name = format!("{}.{domain}", config.hostname);
            if name.len() > MAX_FQDN_BYTES {
                Err(FqdnTooLong { name })
            } else {
                Ok(name)
            }
        }
        _ => Ok(config.hostname.clone()),
    }
}

fn search(namespace: &str) -> Vec<String> {
    vec![
        format!("{namespace}.svc.{CLUSTER_DOMAIN}"),
        format!("svc.{CLUSTER_DOMAIN}"),
        CLUSTER_DOMAIN.to_owned(),
    ]
}

/// The text of `/etc/resolv.conf` (resolv.conf(5)).
pub(crate) fn resolv_conf(pod: &Pod, namespace: &str) -> String {
    Resolver::of(pod, namespace).text()
}

/// What `/etc/resolv.conf` says.
struct Resolver {
    /// As they are written.
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

impl Resolver {
    fn of(pod: &Pod, namespace: &str) -> Self {
        let none = PodDNSConfig::default();
        let spec = pod.spec.as_ref();
        let policy = spec.and_then(|spec| spec.dns_policy.as_deref());
        let config = spec
            .and_then(|spec| spec.dns_config.as_ref())
            .unwrap_or(&none);
        let mut this = match policy {
            Some("Default") => Self {
                servers: vec![NAMESERVER.to_string()],
                search: Vec::new(),
                options: Vec::new(),
            },
            Some("None") => Self {
                servers: Vec::new(),
                search: Vec::new(),
                options: Vec::new(),
            },
            _ => Self {
                servers: vec![NAMESERVER.to_string()],
                search: search(namespace),
                options: vec![("ndots".to_owned(), Some("5".to_owned()))],
            },
        };
        for name in config.searches.iter().flatten() {
            if !this.search.contains(name) {
                this.search.push(name.clone());
            }
        }
        for option in config.options.iter().flatten() {
            let Some(name) = option.name.clone().filter(|name| !name.is_empty()) else {
                continue;
            };
            match this.options.iter_mut().find(|(known, _)| *known == name) {
                Some((_, value)) => value.clone_from(&option.value),
                None => this.options.push((name, option.value.clone())),
            }
        }
        for server in config.nameservers.iter().flatten() {
            if !this.servers.contains(server) {
                this.servers.push(server.clone());
            }
        }
        this.servers.truncate(MAX_NAMESERVERS);
        this
    }

    fn nameservers(&self) -> Vec<IpAddr> {
        let servers = self.servers.iter();
        servers.filter_map(|server| server.parse().ok()).collect()
    }

    /// The last one counts, and without any 1 (resolv.conf(5)).
    fn ndots(&self) -> usize {
        let mut options = self.options.iter().rev();
        let found = options.find(|(name, _)| name == "ndots");
        let value = found.and_then(|(_, value)| value.as_ref()?.parse().ok());
        value.unwrap_or(1)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.servers.is_empty() {
            text.push_str("# This pod has no DNS server: names are those of /etc/hosts.\n");
        }
        if !self.search.is_empty() {
            text.push_str(&format!("search {}\n", self.search.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            let words = self.options.iter().map(|(name, value)| match value {
                Some(value) if !value.is_empty() => format!("{name}:{value}"),
                _ => name.clone(),
            });
            let words: Vec<_> = words.collect();
            text.push_str(&format!("options {}\n", words.join(" ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: &Value) -> Pod {
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    fn identity() -> PodIdentity {
        PodIdentity {
            namespace: "ns".to_owned(),
            name: "web".to_owned(),
            uid: "u".to_owned(),
        }
    }

    #[test]
    fn the_policy_and_the_config_of_a_pod_make_its_resolv_conf() {
        let config = json!({
            "nameservers": ["192.0.2.1", "192.0.2.2"],
            "searches": ["ns1.svc.cluster-domain.example", "cluster.local"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
        });
        for (spec, expected) in [
            (
                json!({"containers": []}),
                "search ns.svc.cluster.local svc.cluster.local cluster.local\n\
                 nameserver 10.96.0.10\noptions ndots:5\n",
            ),
            (
                json!({"containers": [], "dnsPolicy": "None", "dnsConfig": config}),
                "search ns1.svc.cluster-domain.example cluster.local\n\
                 nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:2 edns0\n",
            ),
            (
                json!({"containers": [], "dnsPolicy": "ClusterFirst", "dnsConfig": config}),
                "search ns.svc.cluster.local svc.cluster.local cluster.local ns1.svc.cluster-domain.example\n\
                 nameserver 10.96.0.10\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:2 edns0\n",
            ),
            (
                json!({"containers": [], "dnsPolicy": "Default"}),
                "nameserver 10.96.0.10\n",
            ),
            (
                json!({"containers": [], "dnsPolicy": "None"}),
                "# This pod has no DNS server: names are those of /etc/hosts.\n",
            ),
        ] {
            assert_eq!(resolv_conf(&pod(&spec), "ns"), expected);
        }
    }

    #[test]
    fn the_network_resolves_as_the_file_says() {
        for (spec, servers, dots, first) in [
            (json!({"containers": []}), 1, 5, "ns.svc.cluster.local"),
            (
                json!({"containers": [], "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}}),
                1,
                2,
                "ns.svc.cluster.local",
            ),
            (
                json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {
                    "nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
                    "searches": ["example.org"],
                }}),
                3,
                1,
                "example.org",
            ),
        ] {
            let config = network_config(&pod(&spec), &identity());
            assert_eq!(config.nameservers.len(), servers, "{spec}");
            assert_eq!(config.ndots, dots, "{spec}");
            assert_eq!(config.search[0], first, "{spec}");
        }
    }

    #[test]
    fn a_pod_may_be_called_by_its_full_name_if_that_is_short_enough() {
        let name = |spec: Value| {
            let pod = pod(&spec);
            hostname(&pod, &network_config(&pod, &identity()))
        };
        let full = json!({"containers": [], "subdomain": "sub", "setHostnameAsFQDN": true});
        assert_eq!(name(full).unwrap(), "web.sub.ns.svc.cluster.local");
        let no_domain = json!({"containers": [], "setHostnameAsFQDN": true});
        assert_eq!(name(no_domain).unwrap(), "web");
        let long =
            json!({"containers": [], "subdomain": "s".repeat(60), "setHostnameAsFQDN": true});
        let error = name(long).unwrap_err().to_string();
        assert!(
            error.ends_with("is too long (64 characters is the max, 85 characters requested)"),
            "{error}"
        );
    }
}
