//! Where an HTTP call of a probe or hook goes, and where a redirect leads.
//!
//! Only what the kubelet's URLs can be: `http` or `https`, a host, a port, a path with its query. Paths are repaired as
//! Go's `net/url` repairs them, because a manifest's `path` is free text. Redirects follow RFC 3986 section 5.2.

use std::fmt;

use super::dial::host_port;

/// One URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_https: bool,
    pub(crate) host: String,
    /// `None`: the scheme's own.
    port: Option<u16>,
    /// Path and query, beginning with a slash; nothing in it that a request line could not hold.
    pub(crate) target: String,
}

impl Url {
    pub(crate) fn new(is_https: bool, host: &str, port: u16, path: &str) -> Self {
        Self {
            is_https,
            host: host.to_owned(),
            port: Some(port),
            target: target(path),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https { 443 } else { 80 })
    }

    /// The `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => host_port(&self.host, port),
            None if self.host.contains(':') => format!("[{}]", self.host),
            None => self.host.clone(),
        }
    }

    /// Where a `Location` leads that was found here; `None` if it is no such URL.
    pub(crate) fn join(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        let absolute = [("http://", false), ("https://", true)];
        for (prefix, is_https) in absolute {
            if let Some(rest) = strip_prefix_ignoring_case(location, prefix) {
                return Self::parse_rest(is_https, rest);
            }
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse_rest(self.is_https, rest);
        }
        let has_scheme = location
            .split_once(':')
            .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?']));
        if has_scheme {
            return None;
        }
        let base = self.target.split('?').next().unwrap_or_default();
        let path = if location.is_empty() {
            self.target.clone()
        } else if location.starts_with('?') {
            format!("{base}{location}")
        } else if location.starts_with('/') {
            without_dots(location)
        } else {
            let folder = base.rfind('/').and_then(|end| base.get(..=end));
            without_dots(&format!("{}{location}", folder.unwrap_or("/")))
        };
        Some(Self {
            target: target(&path),
            ..self.clone()
        })
    }

    /// What follows `http://`.
    fn parse_rest(is_https: bool, rest: &str) -> Option<Self> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':'))
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        (!host.is_empty()).then(|| Self {
            is_https,
            host: host.to_owned(),
            port,
            target: target(&without_dots(path)),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A request target: a slash in front, no fragment, and everything escaped that a request line must not hold.
fn target(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut target = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    for byte in path.bytes() {
        let is_plain = byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if is_plain {
            target.push(char::from(byte));
        } else {
            target.push_str(&format!("%{byte:02X}"));
        }
    }
    target
}

/// Removes `.` and `..` from a path (RFC 3986 section 5.2.4); the query stays.
fn without_dots(path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    let path = format!("/{}", kept.join("/"));
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::new(false, "10.244.0.2", 8080, path)
    }

    #[test]
    fn a_path_of_a_manifest_becomes_a_request_target() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("healthz", "/healthz"),
            ("/a b?c=d e", "/a%20b?c=d%20e"),
            ("/x#fragment", "/x"),
            ("/ä\r\nHost: evil", "/%C3%A4%0D%0AHost:%20evil"),
            ("/already%20done", "/already%20done"),
        ] {
            assert_eq!(url(path).target, expected, "{path:?}");
        }
        assert_eq!(url("/x").to_string(), "http://10.244.0.2:8080/x");
        assert_eq!(
            Url::new(true, "::1", 1, "/").to_string(),
            "https://[::1]:1/"
        );
    }

    #[test]
    fn a_redirect_leads_where_rfc_3986_says() {
        for (location, expected) in [
            ("/other", "http://10.244.0.2:8080/other"),
            ("sub", "http://10.244.0.2:8080/a/sub"),
            ("../up?q", "http://10.244.0.2:8080/up?q"),
            ("?only=query", "http://10.244.0.2:8080/a/b?only=query"),
            ("//10.244.0.2/x", "http://10.244.0.2/x"),
            ("HTTP://host:81", "http://host:81/"),
            ("https://host/x/../y", "https://host/y"),
            ("http://[fd00::1]:9/", "http://[fd00::1]:9/"),
            ("./", "http://10.244.0.2:8080/a/"),
        ] {
            let joined = url("/a/b?c").join(location).map(|url| url.to_string());
            assert_eq!(joined.as_deref(), Some(expected), "{location}");
        }
        for wrong in ["ftp://host/", "mailto:x", "http://", "http://host:x/"] {
            assert_eq!(url("/").join(wrong), None, "{wrong}");
        }
    }
}
