//! What Endpoints and EndpointSlices must be like that somebody writes by hand: defaults, and the API server's rules.
//!
//! Standard: `ValidateEndpoints` and `ValidateEndpointSlice` of Kubernetes' own validation, with its words; names and
//! labels are checked where the object is read. Zones and hints are kept and not looked at.

use std::net::IpAddr;
use std::sync::Arc;

use wasmpod_manifest::k8s::{EndpointSlice, Endpoints};
use wasmpod_store::{Object, StoreError};

use crate::admission::publish::protocol;

/// `maxEndpoints` and `maxPorts` of the validation, and how many addresses an endpoint may have (`maxAddresses`). More
/// are violations.
const MAX_ENDPOINTS: usize = 1000;
const MAX_PORTS: usize = 20_000;
const MAX_ADDRESSES: usize = 100;

/// Fills in what is not said, and checks the rest; other kinds pass.
pub(crate) fn complete(object: &mut Object) -> Result<(), StoreError> {
    let wrong = match object {
        Object::Endpoints(endpoints) => {
            let endpoints = Arc::make_mut(endpoints);
            let subsets = endpoints.subsets.iter_mut().flatten();
            for port in subsets.flat_map(|subset| subset.ports.iter_mut().flatten()) {
                port.protocol.get_or_insert_with(|| "TCP".to_owned());
            }
            of_endpoints(endpoints)
        }
        Object::EndpointSlice(slice) => {
            let slice = Arc::make_mut(slice);
            for port in slice.ports.iter_mut().flatten() {
                port.protocol.get_or_insert_with(|| "TCP".to_owned());
                port.name.get_or_insert_default();
            }
            of_slice(slice)
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |detail| {
        Err(StoreError::Invalid {
            kind: object.kind(),
            name: object.name().to_owned(),
            detail,
        })
    })
}

fn of_endpoints(endpoints: &Endpoints) -> Option<String> {
    let mut subsets = endpoints.subsets.iter().flatten().enumerate();
    subsets.find_map(|(index, subset)| {
        let path = format!("subsets[{index}]");
        let lists = [
            ("addresses", &subset.addresses),
            ("notReadyAddresses", &subset.not_ready_addresses),
        ];
        if lists
            .iter()
            .all(|(_, list)| list.iter().flatten().next().is_none())
        {
            return Some(format!(
                "{path}: Required value: must specify `addresses` or `notReadyAddresses`"
            ));
        }
        let addresses = lists.iter().find_map(|(field, list)| {
            let mut list = list.iter().flatten().enumerate();
            list.find_map(|(at, one)| address(&format!("{path}.{field}[{at}].ip"), &one.ip))
        });
        let ports: Vec<_> = subset.ports.iter().flatten().collect();
        let found = ports.iter().enumerate().find_map(|(at, one)| {
            let path = format!("{path}.ports[{at}]");
            let is_nameless = one.name.as_deref().is_none_or(str::is_empty);
            if ports.len() > 1 && is_nameless {
                return Some(format!("{path}.name: Required value"));
            }
            port(&path, Some(one.port), one.protocol.as_deref())
        });
        addresses.or(found)
    })
}

fn of_slice(slice: &EndpointSlice) -> Option<String> {
    let kind = slice.address_type.as_str();
    if !["FQDN", "IPv4", "IPv6"].contains(&kind) {
        return Some(format!(
            "addressType: Unsupported value: {kind:?}: supported values: \"FQDN\", \"IPv4\", \"IPv6\""
        ));
    }
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    let ports = slice.ports.as_deref().unwrap_or_default();
    for (path, count, max) in [
        ("endpoints", endpoints.len(), MAX_ENDPOINTS),
        ("ports", ports.len(), MAX_PORTS),
    ] {
        if count > max {
            return Some(format!(
                "{path}: Too many: {count}: must have at most {max} items"
            ));
        }
    }
    let found = endpoints.iter().enumerate().find_map(|(index, endpoint)| {
        let path = format!("endpoints[{index}].addresses");
        let count = endpoint.addresses.len();
        if count == 0 {
            return Some(format!(
                "{path}: Required value: must contain at least 1 address"
            ));
        }
        if count > MAX_ADDRESSES {
            return Some(format!(
                "{path}: Too many: {count}: must have at most {MAX_ADDRESSES} items"
            ));
        }
        let mut all = endpoint.addresses.iter().enumerate();
        all.find_map(|(at, ip)| {
            let path = format!("{path}[{at}]");
            let is_v4 = ip.parse::<IpAddr>().map(|ip| ip.is_ipv4());
            match (kind, is_v4) {
                ("FQDN", _) => None,
                ("IPv4", Ok(false)) => Some(format!(
                    "{path}: Invalid value: {ip:?}: must be an IPv4 address"
                )),
                ("IPv6", Ok(true)) => Some(format!(
                    "{path}: Invalid value: {ip:?}: must be an IPv6 address"
                )),
                _ => address(&path, ip),
            }
        })
    });
    found.or_else(|| {
        let mut names = Vec::new();
        ports.iter().enumerate().find_map(|(at, one)| {
            let path = format!("ports[{at}]");
            let name = one.name.as_deref().unwrap_or_default();
            if names.contains(&name) {
                return Some(format!("{path}.name: Duplicate value: {name:?}"));
            }
            names.push(name);
            // Without a number it means every port.
            port(&path, one.port, one.protocol.as_deref())
        })
    })
}

/// What is wrong with the address of an endpoint: this machine's own are nobody's endpoint.
fn address(path: &str, text: &str) -> Option<String> {
    let Ok(ip) = text.parse::<IpAddr>() else {
        return Some(format!(
            "{path}: Invalid value: {text:?}: must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        ));
    };
    let why = if ip.is_unspecified() {
        "may not be unspecified (0.0.0.0 or ::)"
    } else if ip.is_loopback() {
        "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    } else if ip.is_multicast() {
        "may not be in the multicast range (224.0.0.0/4, ff00::/8)"
    } else {
        return None;
    };
    Some(format!("{path}: Invalid value: {text:?}: {why}"))
}

fn port(path: &str, number: Option<i32>, name: Option<&str>) -> Option<String> {
    if let Some(number) = number.filter(|number| !(1..=65_535).contains(number)) {
        return Some(format!(
            "{path}.port: Invalid value: {number}: must be between 1 and 65535, inclusive"
        ));
    }
    let is_known = protocol(name).is_some() || name == Some("SCTP");
    (!is_known).then(|| {
        format!(
            "{path}.protocol: Unsupported value: {:?}: supported values: \"SCTP\", \"TCP\", \"UDP\"",
            name.unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wasmpod_store::Kind;

    use super::*;

    fn told(kind: Kind, value: Value) -> Option<String> {
        let mut object = Object::from_json(kind, value).unwrap();
        complete(&mut object).err().map(|error| error.to_string())
    }

    #[test]
    fn endpoints_that_nothing_could_connect_to_are_refused() {
        let of = |subset: Value| {
            told(
                Kind::Endpoints,
                json!({"metadata": {"name": "e"}, "subsets": [subset]}),
            )
        };
        let some = json!([{"ip": "10.0.0.1"}]);
        let two = json!([{"name": "a", "port": 1}, {"port": 2}]);
        for (subset, expected) in [
            (json!({"addresses": some, "ports": [{"port": 80}]}), None),
            (json!({"notReadyAddresses": some}), None),
            (
                json!({"ports": [{"port": 80}]}),
                Some("subsets[0]: Required value"),
            ),
            (
                json!({"addresses": [{"ip": "web"}]}),
                Some("subsets[0].addresses[0].ip: Invalid value: \"web\""),
            ),
            (
                json!({"addresses": [{"ip": "127.0.0.1"}]}),
                Some("loopback range"),
            ),
            (
                json!({"addresses": some, "ports": [{"port": 0}]}),
                Some("subsets[0].ports[0].port: Invalid value: 0"),
            ),
            (
                json!({"addresses": some, "ports": two}),
                Some("subsets[0].ports[1].name: Required value"),
            ),
        ] {
            let found = of(subset.clone());
            assert_eq!(found.is_some(), expected.is_some(), "{subset}: {found:?}");
            let found = found.unwrap_or_default();
            assert!(found.contains(expected.unwrap_or_default()), "{found}");
        }
    }

    #[test]
    fn slices_have_addresses_of_their_type_and_ports_of_different_names() {
        let of = |kind: &str, address: &str, ports: Value| {
            let endpoints = json!([{"addresses": [address]}]);
            told(
                Kind::EndpointSlice,
                json!({"metadata": {"name": "s"}, "addressType": kind, "endpoints": endpoints, "ports": ports}),
            )
        };
        let one = json!([{"port": 80}]);
        for (kind, address, ports, expected) in [
            ("IPv4", "10.0.0.1", one.clone(), None),
            ("IPv6", "fd00::1", one.clone(), None),
            ("FQDN", "example.com", one.clone(), None),
            (
                "IPv4",
                "fd00::1",
                one.clone(),
                Some("must be an IPv4 address"),
            ),
            (
                "IPv9",
                "10.0.0.1",
                one,
                Some("addressType: Unsupported value: \"IPv9\""),
            ),
            (
                "IPv4",
                "10.0.0.1",
                json!([{"port": 80}, {"port": 81}]),
                Some("ports[1].name: Duplicate value: \"\""),
            ),
            (
                "IPv4",
                "10.0.0.1",
                json!([{"port": 80, "protocol": "IP"}]),
                Some("ports[0].protocol: Unsupported value"),
            ),
        ] {
            let found = of(kind, address, ports.clone());
            assert_eq!(
                found.is_some(),
                expected.is_some(),
                "{kind} {address} {ports}: {found:?}"
            );
            let found = found.unwrap_or_default();
            assert!(found.contains(expected.unwrap_or_default()), "{found}");
        }
    }

    #[test]
    fn a_port_is_of_tcp_unless_it_says_otherwise() {
        let slice = json!({
            "metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [], "ports": [{"port": 80}],
        });
        let mut object = Object::from_json(Kind::EndpointSlice, slice).unwrap();
        complete(&mut object).unwrap();
        let port = serde_json::to_value(object).unwrap()["ports"][0].clone();
        assert_eq!(port, json!({"name": "", "port": 80, "protocol": "TCP"}));
    }
}
