//! What a pod or a service says about its published ports beyond Kubernetes: the annotation [`PROXY_PROTOCOL`].
//!
//! Here it is only read; what is done about it is the network's business.

use crate::k8s::ObjectMeta;

/// The annotation by which the servers behind published ports are told of their clients, by the PROXY protocol: `v1` or
/// `v2` for all TCP ports, or `PORT=v1` and `PORT=v2` separated by commas, with the numbers or names of the pod's (the
/// service's) ports. On a pod it counts for `hostPort` and `--publish`, on a service for its NodePorts.
pub const PROXY_PROTOCOL: &str = "wasmpod.dev/proxy-protocol";

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocolVersion {
    /// `v1`
    V1,
    /// `v2`
    V2,
}

/// The version for the port with this number and perhaps this name, of an object that was validated.
#[must_use]
pub fn proxy_protocol(
    metadata: &ObjectMeta,
    number: u16,
    name: Option<&str>,
) -> Option<ProxyProtocolVersion> {
    let text = metadata.annotations.as_ref()?.get(PROXY_PROTOCOL)?;
    let mut parts = text.split(',').map(str::trim);
    let of_port = |port: &str| port == number.to_string() || Some(port) == name;
    parts.find_map(|part| match part.split_once('=') {
        Some((port, version)) if of_port(port.trim()) => parse_version(version.trim()).ok(),
        Some(_) => None,
        None => parse_version(part).ok(),
    })
}

/// What is wrong with the annotation's text.
pub(crate) fn check(text: &str) -> Result<(), String> {
    for part in text.split(',').map(str::trim) {
        let version = match part.split_once('=') {
            Some((port, _)) if port.trim().is_empty() => {
                return Err("write PORT=v1 or PORT=v2".to_owned());
            }
            Some((_, version)) => version.trim(),
            None => part,
        };
        parse_version(version)?;
    }
    Ok(())
}

fn parse_version(text: &str) -> Result<ProxyProtocolVersion, String> {
    match text {
        "v1" => Ok(ProxyProtocolVersion::V1),
        "v2" => Ok(ProxyProtocolVersion::V2),
        _ => Err("must be v1, v2, or PORT=v1 and the like separated by commas".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_is_for_all_ports_or_for_those_that_it_names() {
        use ProxyProtocolVersion::{V1, V2};
        let of = |text: &str, number, name| {
            let metadata = ObjectMeta {
                annotations: Some([(PROXY_PROTOCOL.to_owned(), text.to_owned())].into()),
                ..ObjectMeta::default()
            };
            proxy_protocol(&metadata, number, name)
        };
        for (text, number, name, expected) in [
            ("v2", 80, None, Some(V2)),
            ("80=v1, https=v2", 80, None, Some(V1)),
            ("80=v1, https=v2", 443, Some("https"), Some(V2)),
            ("80=v1, https=v2", 8080, Some("http"), None),
            ("80=v1,v2", 81, None, Some(V2)),
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
            assert_eq!(of(text, number, name), expected, "{text} {number}");
        }
        for text in ["", "v3", "80", "80=", "=v1", "v1,"] {
            assert!(check(text).is_err(), "{text:?}");
        }
        assert_eq!(proxy_protocol(&ObjectMeta::default(), 80, None), None);
    }
}
