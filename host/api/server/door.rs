//! Who may ask, where others than the user reach the server: on a port.
//!
//! A request shows the token of the server, as `Authorization: Bearer` or as the first segment of its path, since
//! `kubectl` sends a token over TLS only and a local port needs no TLS. And it is not one that a web page has a
//! browser send: its host is this machine by name, so that a name of somebody else's that leads here ("DNS rebinding")
//! is refused, and so is another page's origin.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};

use crate::{Address, Status};

/// The way in of one listener.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// What every request must show; nothing for a socket that only its user reaches.
    token: Option<String>,
}

impl Door {
    pub(super) fn of(address: &Address) -> Self {
        Self {
            token: match address {
                Address::Tcp { token, .. } => Some(token.clone()),
                Address::Unix(_) => None,
            },
        }
    }

    /// The path that is asked for, without the token; why not, when the request may not come in.
    pub(super) fn enter<'p>(&self, path: &'p str, headers: &HeaderMap) -> Result<&'p str, Status> {
        let Some(token) = &self.token else {
            return Ok(path);
        };
        check_host(headers)?;
        let segment = path.strip_prefix('/').unwrap_or_default();
        let (first, _) = segment.split_once('/').unwrap_or((segment, ""));
        if is_same(first.as_bytes(), token.as_bytes()) {
            let rest = segment.get(first.len()..).unwrap_or_default();
            return Ok(if rest.is_empty() { "/" } else { rest });
        }
        let shown = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(|shown| is_same(shown, token.as_bytes())) {
            Ok(path)
        } else {
            Err(Status::failure(401, "Unauthorized", "Unauthorized"))
        }
    }
}

/// Compares every byte, so that the time says nothing.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let pairs = shown.iter().zip(token);
    shown.len() == token.len()
        && pairs.fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

fn check_host(headers: &HeaderMap) -> Result<(), Status> {
    let forbidden = |what: &str| Err(Status::failure(403, "Forbidden", what));
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let host = text(&HOST).unwrap_or_default();
    if !is_this_machine(host) {
        return forbidden("the header Host must name this machine: 127.0.0.1, [::1] or localhost");
    }
    match text(&ORIGIN) {
        Some(origin) if origin.strip_prefix("http://") != Some(host) => {
            forbidden("requests of web pages are not answered")
        }
        _ => Ok(()),
    }
}

/// `HOST` or `HOST:PORT`: does it mean the loopback interface, whatever a name server says?
fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    let literal = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn door() -> Door {
        Door::of(&"tcp:127.0.0.1:1?token=secret".parse().unwrap())
    }

    fn enter<'p>(path: &'p str, pairs: &[(HeaderName, &str)]) -> Result<&'p str, u16> {
        let mut all = vec![(HOST, "127.0.0.1:80")];
        all.extend_from_slice(pairs);
        door()
            .enter(path, &headers(&all))
            .map_err(|status| status.code)
    }

    #[test]
    fn the_token_is_shown_in_the_path_or_in_the_header() {
        assert_eq!(enter("/secret/api/v1", &[]), Ok("/api/v1"));
        assert_eq!(enter("/secret/", &[]), Ok("/"));
        assert_eq!(enter("/secret", &[]), Ok("/"));
        assert_eq!(
            enter("/api", &[(AUTHORIZATION, "Bearer secret")]),
            Ok("/api")
        );
        for path in [
            "/",
            "/api",
            "/secre/api",
            "/secrets/api",
            "//secret/api",
            "/api/secret",
            "/%73ecret/api",
        ] {
            assert_eq!(enter(path, &[]), Err(401), "{path}");
        }
        for shown in [
            "Bearer secre",
            "Bearer secrets",
            "secret",
            "Basic secret",
            "",
        ] {
            assert_eq!(
                enter("/api", &[(AUTHORIZATION, shown)]),
                Err(401),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_socket_has_no_token() {
        let door = Door::of(&"unix:/x".parse().unwrap());
        let page = headers(&[(HOST, "example.org"), (ORIGIN, "http://example.org")]);
        assert_eq!(door.enter("/api", &page), Ok("/api"));
    }

    #[test]
    fn names_that_only_lead_here_are_refused() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:1234",
            "localhost:80",
            "LOCALHOST",
            "[::1]:80",
            "[::1]",
            "127.8.9.1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "10.0.0.1:80",
            "localhost.example.org:80",
            "127.0.0.1:x",
            "[::2]:80",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
        let door = door();
        let rebound = headers(&[(HOST, "evil.example:80"), (AUTHORIZATION, "Bearer secret")]);
        assert_eq!(door.enter("/api", &rebound).unwrap_err().code, 403);
        let none = headers(&[(AUTHORIZATION, "Bearer secret")]);
        assert_eq!(door.enter("/api", &none).unwrap_err().code, 403);
    }

    #[test]
    fn web_pages_are_refused() {
        let token = (AUTHORIZATION, "Bearer secret");
        for origin in [
            "http://example.org",
            "null",
            "http://127.0.0.1:81",
            "https://127.0.0.1:80",
            "",
        ] {
            assert_eq!(
                enter("/api", &[token.clone(), (ORIGIN, origin)]),
                Err(403),
                "{origin}"
            );
        }
        assert_eq!(
            enter("/api", &[token, (ORIGIN, "http://127.0.0.1:80")]),
            Ok("/api")
        );
    }
}
