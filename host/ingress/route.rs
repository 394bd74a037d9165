//! Which backend a request has: pure.
//!
//! Standard: `services-networking/ingress`, sections "Path types", "Multiple matches", "Hostname wildcards" and
//! "DefaultBackend". What it leaves open:
//!
//! * A host's rules are those of the most specific host that matches (exact, then wildcard, then none); when none of their
//!   paths match, the rules of less specific hosts are not asked, but a default backend is.
//! * Of two ingresses with the same host and path the one that was given first has it; the caller gives older ones first.
//! * `ImplementationSpecific` is `Prefix`.
//!
//! Paths are compared as they come: nothing is decoded, and `..` stays.

use std::collections::HashMap;

use wasmpod_network::ServiceName;

/// Where requests go: a port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The service.
    pub service: ServiceName,
    /// Its port.
    pub port: BackendPort,
}

/// A service's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendPort {
    /// By its number, 1 to 65535.
    Number(u16),
    /// By its name.
    Name(String),
}

/// The rules of one ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressRules {
    /// Rules for hosts.
    pub rules: Vec<HostRule>,
    /// Who gets what no rule of this ingress matches.
    pub default_backend: Option<Backend>,
}

/// The paths of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRule {
    /// A name, `*.` and a name, or empty for every host.
    pub host: String,
    /// In any order.
    pub paths: Vec<PathRule>,
}

/// A path and who gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// The path.
    pub path: PathMatch,
    /// Who gets it.
    pub backend: Backend,
}

/// What a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// Just this.
    Exact(String),
    /// This or below it, element by element; a slash at its end means nothing.
    Prefix(String),
}

/// The rules of all ingresses, ready to be asked.
///
/// ```
/// use wasmpod_ingress::{Backend, BackendPort, HostRule, IngressRules, PathMatch, PathRule, Routes};
/// use wasmpod_network::ServiceName;
///
/// let service = ServiceName { namespace: "default".into(), name: "web".into() };
/// let backend = Backend { service, port: BackendPort::Number(80) };
/// let path = PathRule { path: PathMatch::Prefix("/shop".into()), backend: backend.clone() };
/// let rule = HostRule { host: "*.example.com".into(), paths: vec![path] };
/// let routes = Routes::new([IngressRules { rules: vec![rule], default_backend: None }]);
///
/// assert_eq!(routes.find("www.example.com", "/shop/cart"), Some(&backend));
/// assert_eq!(routes.find("www.example.com", "/shopping"), None);
/// assert_eq!(routes.find("example.com", "/shop"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    exact: HashMap<String, Host>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Host>,
    any: Host,
    /// Who gets what no host has.
    default: Option<Backend>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Host {
    /// The best one first.
    paths: Vec<PathRule>,
    default: Option<Backend>,
}

impl Routes {
    /// The rules of these ingresses, the first of which wins.
    pub fn new(ingresses: impl IntoIterator<Item = IngressRules>) -> Self {
        let mut this = Self::default();
        let mut default_of_rules = None;
        for ingress in ingresses {
            let default = ingress.default_backend;
            let place = if ingress.rules.is_empty() {
                &mut this.default
            } else {
                &mut default_of_rules
            };
            if place.is_none() {
                place.clone_from(&default);
            }
            for rule in ingress.rules {
                let host = this.host_mut(&rule.host);
                host.paths.extend(rule.paths);
                if host.default.is_none() {
                    host.default.clone_from(&default);
                }
            }
        }
        this.default = this.default.or(default_of_rules);
        let hosts = this.exact.values_mut().chain(this.wildcard.values_mut());
        for host in hosts.chain([&mut this.any]) {
            // Stable: of equals the first stays first.
            host.paths.sort_by_key(|rule| rule.path.rank());
        }
        this
    }

    fn host_mut(&mut self, host: &str) -> &mut Host {
        let host = host.to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(rest) => self.wildcard.entry(rest.to_owned()).or_default(),
            None if host.is_empty() => &mut self.any,
            None => self.exact.entry(host).or_default(),
        }
    }

    /// The backend of a request for `path` (without its query) at `host` (without its port, in lower case).
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Backend> {
        let wildcard = || self.wildcard.get(host.split_once('.')?.1);
        let found = self.exact.get(host).or_else(wildcard).unwrap_or(&self.any);
        let rule = found.paths.iter().find(|rule| rule.path.matches(path));
        rule.map(|rule| &rule.backend)
            .or(found.default.as_ref())
            .or(self.default.as_ref())
    }
}

impl PathMatch {
    /// Longer paths first; of equally long ones the exact one.
    fn rank(&self) -> (std::cmp::Reverse<usize>, bool) {
        match self {
            Self::Exact(path) => (std::cmp::Reverse(path.len()), false),
            Self::Prefix(path) => (std::cmp::Reverse(bare(path).len()), true),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => path == wanted,
            Self::Prefix(prefix) => {
                let prefix = bare(prefix);
                let rest = path.strip_prefix(prefix);
                prefix.is_empty()
                    || rest.is_some_and(|rest| matches!(rest.chars().next(), None | Some('/')))
            }
        }
    }
}

/// A prefix without the slash at its end.
fn bare(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(name: &str) -> Backend {
        Backend {
            service: ServiceName {
                namespace: "default".to_owned(),
                name: name.to_owned(),
            },
            port: BackendPort::Number(80),
        }
    }

    /// `Exact /foo` and `Prefix /foo`; the backend has the same name.
    fn path(text: &str) -> PathRule {
        let (kind, path) = text.split_once(' ').unwrap();
        let path = path.to_owned();
        PathRule {
            path: match kind {
                "Exact" => PathMatch::Exact(path),
                _ => PathMatch::Prefix(path),
            },
            backend: backend(text),
        }
    }

    fn rule(host: &str, paths: &[&str]) -> HostRule {
        HostRule {
            host: host.to_owned(),
            paths: paths.iter().map(|text| path(text)).collect(),
        }
    }

    fn ingress(rules: &[HostRule], default: Option<&str>) -> IngressRules {
        IngressRules {
            rules: rules.to_vec(),
            default_backend: default.map(backend),
        }
    }

    fn found<'a>(routes: &'a Routes, host: &str, path: &str) -> &'a str {
        let found = routes.find(host, path);
        found.map_or("", |backend| backend.service.name.as_str())
    }

    /// The table "Examples" of `ingress#path-types`.
    #[test]
    fn paths_match_as_in_kubernetes_table() {
        for (paths, request, expected) in [
            (&["Prefix /"][..], "/any/path", "Prefix /"),
            (&["Exact /foo"], "/foo", "Exact /foo"),
            (&["Exact /foo"], "/bar", ""),
            (&["Exact /foo"], "/foo/", ""),
            (&["Exact /foo/"], "/foo", ""),
            (&["Prefix /foo"], "/foo", "Prefix /foo"),
            (&["Prefix /foo"], "/foo/", "Prefix /foo"),
            (&["Prefix /foo/"], "/foo", "Prefix /foo/"),
            (&["Prefix /foo/"], "/foo/", "Prefix /foo/"),
            (&["Prefix /aaa/bb"], "/aaa/bbb", ""),
            (&["Prefix /aaa/bbb"], "/aaa/bbb", "Prefix /aaa/bbb"),
            (&["Prefix /aaa/bbb/"], "/aaa/bbb", "Prefix /aaa/bbb/"),
            (&["Prefix /aaa/bbb"], "/aaa/bbb/", "Prefix /aaa/bbb"),
            (&["Prefix /aaa/bbb"], "/aaa/bbb/ccc", "Prefix /aaa/bbb"),
            (&["Prefix /aaa/bbb"], "/aaa/bbbxyz", ""),
            (&["Prefix /", "Prefix /aaa"], "/aaa/ccc", "Prefix /aaa"),
            (
                &["Prefix /", "Prefix /aaa", "Prefix /aaa/bbb"],
                "/aaa/bbb",
                "Prefix /aaa/bbb",
            ),
            (
                &["Prefix /", "Prefix /aaa", "Prefix /aaa/bbb"],
                "/ccc",
                "Prefix /",
            ),
            (&["Prefix /aaa"], "/ccc", ""),
            (&["Prefix /foo", "Exact /foo"], "/foo", "Exact /foo"),
            // Not of the table: the slash at its end does not make a prefix longer.
            (&["Prefix /foo/", "Exact /foo"], "/foo", "Exact /foo"),
            (&["Exact /"], "/", "Exact /"),
            (&["Exact /", "Prefix /"], "/", "Exact /"),
            (&["Prefix /foo"], "/FOO", ""),
            (&["Prefix /"], "*", "Prefix /"),
        ] {
            let routes = Routes::new([ingress(&[rule("", paths)], None)]);
            assert_eq!(
                found(&routes, "any.example", request),
                expected,
                "{paths:?} {request}"
            );
        }
    }

    /// The table of `ingress#hostname-wildcards`.
    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (host, request, matches) in [
            ("*.foo.com", "bar.foo.com", true),
            ("*.foo.com", "baz.bar.foo.com", false),
            ("*.foo.com", "foo.com", false),
            ("foo.com", "foo.com", true),
            ("Foo.com", "foo.com", true),
            ("foo.com", "bar.foo.com", false),
            ("", "10.0.0.1", true),
        ] {
            let routes = Routes::new([ingress(&[rule(host, &["Prefix /"])], None)]);
            let is_found = routes.find(request, "/").is_some();
            assert_eq!(is_found, matches, "{host} {request}");
        }
    }

    #[test]
    fn the_most_specific_host_decides_and_then_default_backends() {
        let routes = Routes::new([
            ingress(&[rule("", &["Prefix /any"])], None),
            ingress(
                &[rule("*.foo.com", &["Prefix /wild"])],
                Some("wild-default"),
            ),
            ingress(&[rule("bar.foo.com", &["Prefix /bar"])], None),
            ingress(&[], Some("everything")),
        ]);
        for (host, path, expected) in [
            ("bar.foo.com", "/bar", "Prefix /bar"),
            ("bar.foo.com", "/wild", "everything"),
            ("baz.foo.com", "/wild", "Prefix /wild"),
            ("baz.foo.com", "/any", "wild-default"),
            ("other.com", "/any", "Prefix /any"),
            ("other.com", "/wild", "everything"),
        ] {
            assert_eq!(found(&routes, host, path), expected, "{host}{path}");
        }
    }

    #[test]
    fn hosts_of_several_ingresses_are_one_and_the_first_has_what_is_equal() {
        let first = IngressRules {
            rules: vec![HostRule {
                host: "a.com".to_owned(),
                paths: vec![PathRule {
                    path: PathMatch::Prefix("/x".to_owned()),
                    backend: backend("first"),
                }],
            }],
            default_backend: None,
        };
        let second = ingress(
            &[rule("a.com", &["Prefix /x", "Prefix /y"])],
            Some("default"),
        );
        let routes = Routes::new([first, second]);
        assert_eq!(found(&routes, "a.com", "/x"), "first");
        assert_eq!(found(&routes, "a.com", "/y"), "Prefix /y");
        assert_eq!(found(&routes, "a.com", "/z"), "default");
        // A default backend beside rules gets what no ingress has, unless one has no rules at all.
        assert_eq!(found(&routes, "b.com", "/"), "default");
    }

    #[test]
    fn without_ingresses_nothing_has_a_backend() {
        assert_eq!(Routes::new([]).find("a.com", "/"), None);
        let bare = ingress(&[rule("a.com", &[])], None);
        assert_eq!(Routes::new([bare]).find("a.com", "/"), None);
    }
}
