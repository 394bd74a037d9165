//! The addresses of services.
//!
//! Standard: `cluster-ip-allocation`. Routes to them are the network's business; here they are numbers that environment
//! variables and `get services` show.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use wasmpod_manifest::k8s::Service;
use wasmpod_store::{Kind, Object, Store};

/// The range of cluster IPs is 10.96.0.0/12, kubeadm's; its first address would be that of the service `kubernetes`.
const FIRST_CLUSTER_IP: u32 = u32::from_be_bytes([10, 96, 0, 10]);

/// How many services can have a cluster IP; one more gets none. Ours: far from filling the range of a million.
const MAX_CLUSTER_IPS: u32 = 65_536;

/// Gives a service a cluster IP if it wants one and has none.
pub(crate) fn give_address(store: &Store, service: &mut Service) {
    let Some(spec) = &mut service.spec else {
        return;
    };
    if spec.type_.as_deref() == Some("ExternalName") {
        return;
    }
    if spec.cluster_ip.as_deref().is_none_or(str::is_empty) {
        let taken = taken(store);
        let mut candidates = (0..MAX_CLUSTER_IPS)
            .map(|offset| Ipv4Addr::from(FIRST_CLUSTER_IP.saturating_add(offset)).to_string());
        spec.cluster_ip = candidates.find(|ip| !taken.contains(ip));
    }
    if spec.cluster_ips.is_none() {
        spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
    }
    spec.ip_families
        .get_or_insert_with(|| vec!["IPv4".to_owned()]);
    spec.ip_family_policy
        .get_or_insert_with(|| "SingleStack".to_owned());
}

/// A service that is changed keeps the address that it had, unless it asks for another.
pub(crate) fn keep_address(new: &mut Service, old: &Service) {
    if let (Some(new), Some(old)) = (&mut new.spec, &old.spec) {
        new.cluster_ip.clone_from(&old.cluster_ip);
        new.cluster_ips.clone_from(&old.cluster_ips);
    }
}

fn taken(store: &Store) -> BTreeSet<String> {
    let (services, _) = store.list(Kind::Service, None);
    let addresses = services.iter().filter_map(|object| match object {
        Object::Service(service) => service.spec.as_ref()?.cluster_ip.clone(),
        _ => None,
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, spec: &serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    fn address(store: &Store, name: &str, spec: &serde_json::Value) -> Option<String> {
        let mut service = service(name, spec);
        give_address(store, &mut service);
        store.create(service.clone().into()).unwrap();
        service.spec.unwrap().cluster_ip
    }

    #[test]
    fn each_service_that_wants_an_address_gets_one_of_its_own() {
        let store = Store::new(|| wasmpod_manifest::k8s::jiff::Timestamp::UNIX_EPOCH);
        let none = json!({});
        assert_eq!(address(&store, "a", &none).as_deref(), Some("10.96.0.10"));
        let fixed = json!({"clusterIP": "10.96.0.11"});
        assert_eq!(address(&store, "b", &fixed).as_deref(), Some("10.96.0.11"));
        assert_eq!(address(&store, "c", &none).as_deref(), Some("10.96.0.12"));
        assert_eq!(
            address(&store, "d", &json!({"clusterIP": "None"})).as_deref(),
            Some("None")
        );
        assert_eq!(address(&store, "e", &json!({"type": "ExternalName"})), None);
    }
}
