//! What an intermediary changes in a message: pure.
//!
//! Standard: RFC 9110 7.6.1 (fields of one connection are not forwarded), and what reverse proxies tell their backends in
//! `X-Forwarded-*`. These are set and not added to: this is where requests come into the network, so what a client
//! says about its own way proves nothing.

use std::net::SocketAddr;

use hyper::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Uri};

/// The fields that concern one connection, besides those that `Connection` names.
const OF_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

const TRAILERS: &str = "trailers";

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    pub(crate) from: SocketAddr,
    pub(crate) port: u16,
    pub(crate) scheme: &'static str,
}

/// The host of a request as it was written: of its target, else of its `Host` field. Nothing when there is none, or more
/// than one (RFC 9112 3.2).
pub(crate) fn authority(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(HOST).iter();
    let field = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    let text = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => field?.to_str().ok()?,
    };
    (!text.is_empty() && !text.contains('@')).then(|| text.to_owned())
}

/// A host without its port, in lower case, as rules have it.
pub(crate) fn host_of(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(ip6) => ip6.split_once(']').map_or(ip6, |(ip6, _)| ip6),
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _)| host),
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// The protocol to which both sides may change, if the sender asks for it (RFC 9110 7.8).
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_asked = tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| is_asked).cloned()
}

/// What `Connection` names.
fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(CONNECTION).iter();
    let texts = fields.filter_map(|field| field.to_str().ok());
    texts.flat_map(|text| text.split(',').map(str::trim))
}

/// Removes what concerns one connection only.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers)
        .filter_map(|token| token.parse().ok())
        .collect();
    for name in named.iter().chain(&OF_CONNECTION) {
        headers.remove(name);
    }
}

/// Whether the sender takes trailers, as gRPC wants to be told (RFC 9110 10.1.4).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(TE).iter();
    let texts = fields.filter_map(|field| field.to_str().ok());
    let mut codings = texts.flat_map(|text| text.split(','));
    codings.any(|coding| coding.trim().eq_ignore_ascii_case(TRAILERS))
}

/// Says so to a backend of HTTP/2, where `TE` has no other use (RFC 9113 8.2.2).
pub(crate) fn set_takes_trailers(headers: &mut HeaderMap, takes_trailers: bool) {
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static(TRAILERS));
    }
}

/// Asks for a change of protocol, or agrees to it.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Tells the backend where the request came from.
pub(crate) fn forward(headers: &mut HeaderMap, came: Came, authority: &str) {
    let client = came.from.ip().to_canonical().to_string();
    headers.remove(FORWARDED);
    let fields = [
        ("host", authority),
        ("x-forwarded-for", &client),
        ("x-forwarded-host", authority),
        ("x-forwarded-port", &came.port.to_string()),
        ("x-forwarded-proto", came.scheme),
        ("x-real-ip", &client),
    ];
    for (name, text) in fields {
        // Each is text that was a field or part of a target before, or an address.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    fn shown(map: &HeaderMap) -> Vec<String> {
        let fields = map.iter();
        let mut all: Vec<_> = fields
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_host_is_that_of_the_target_or_the_only_one_of_the_field() {
        for (uri, hosts, expected) in [
            ("/", &["a.com"][..], Some("a.com")),
            ("http://b.com:8080/x", &["a.com"], Some("b.com:8080")),
            ("/", &[], None),
            ("/", &[""], None),
            ("/", &["a.com", "b.com"], None),
            ("/", &["user@a.com"], None),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let found = authority(&uri.parse().unwrap(), &map(&fields));
            assert_eq!(found.as_deref(), expected, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn rules_see_a_host_without_port_and_in_lower_case() {
        for (authority, host) in [
            ("a.com", "a.com"),
            ("A.com:8080", "a.com"),
            ("a.com.", "a.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }

    #[test]
    fn fields_of_one_connection_go_no_further() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "upgrade"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "secret"),
            ("authorization", "mine"),
            ("content-length", "3"),
        ]);
        assert_eq!(upgrade(&headers).unwrap(), "websocket");
        strip(&mut headers);
        assert_eq!(
            shown(&headers),
            ["authorization: mine", "content-length: 3"]
        );
        assert_eq!(upgrade(&map(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn a_backend_is_told_of_the_client_whatever_the_client_said() {
        let mut headers = map(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
        ]);
        let came = Came {
            from: "[::ffff:192.0.2.1]:4000".parse().unwrap(),
            port: 443,
            scheme: "https",
        };
        forward(&mut headers, came, "a.com:443");
        let expected = [
            "host: a.com:443",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: a.com:443",
            "x-forwarded-port: 443",
            "x-forwarded-proto: https",
            "x-real-ip: 192.0.2.1",
        ];
        assert_eq!(shown(&headers), expected);
    }
}
