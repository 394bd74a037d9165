//! From directives to servers and locations.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use regex_lite::Regex;

use super::error::{ConfigError, Place};
use super::model::{
    COMBINED, Config, Content, ErrorLog, Fallback, Level, Listen, Location, Matcher, Name, Server,
    Settings, Target, Upstream,
};
use super::template::{SetVariables, Template};
use super::tree::Node;
use super::value::{self, BadAddress};
use super::{rules, settings, upstream};

/// nginx's default of `worker_connections`.
const WORKER_CONNECTIONS: usize = 512;

/// What is known while a configuration is built.
pub(super) struct Builder<'a> {
    pub(super) set: SetVariables,
    pub(super) formats: Vec<(String, Rc<Template>)>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
    warnings: Vec<String>,
}

/// An address with its servers, while they are gathered.
struct Bound {
    address: SocketAddr,
    servers: Vec<usize>,
    default: Option<usize>,
}

/// Builds a configuration; `resolve` finds the addresses of a name.
///
/// # Errors
/// The first thing that is wrong.
pub fn build(nodes: &[Node], resolve: &dyn Fn(&str) -> Vec<IpAddr>) -> Result<Config, ConfigError> {
    let set = SetVariables::default();
    // A variable may be used above its `set`, in another block: all are known before.
    declare_variables(nodes, &set);
    let nowhere = Place {
        file: "".into(),
        line: 0,
    };
    let combined = Rc::new(Template::compile(COMBINED, &set, &nowhere)?);
    let mut builder = Builder {
        set,
        formats: vec![("combined".to_owned(), Rc::clone(&combined))],
        upstreams: Vec::new(),
        resolve,
        warnings: Vec::new(),
    };
    let mut config = Config {
        listens: Vec::new(),
        servers: Vec::new(),
        upstreams: Vec::new(),
        error_log: ErrorLog {
            target: Target::Stderr,
            level: Level::Error,
        },
        pid: None,
        worker_connections: WORKER_CONNECTIONS,
        set_variables: 0,
        warnings: Vec::new(),
    };
    let mut http = None;
    let mut events = None;
    for node in nodes {
        match (node.name.as_str(), node.args.as_slice()) {
            ("error_log", args) => config.error_log = settings::error_log(args, &node.place)?,
            ("pid", [path]) => config.pid = Some(path.clone()),
            ("events", _) if events.replace(node).is_some() => {
                return Err(ConfigError::at(
                    &node.place,
                    "\"events\" directive is duplicate",
                ));
            }
            ("http", _) if http.replace(node).is_some() => {
                return Err(ConfigError::at(
                    &node.place,
                    "\"http\" directive is duplicate",
                ));
            }
            _ => {}
        }
    }
    let Some(events) = events else {
        return Err(ConfigError::whole("no \"events\" section in configuration"));
    };
    for node in events
        .children
        .iter()
        .filter(|node| node.name == "worker_connections")
    {
        config.worker_connections = number(node)?;
    }
    if let Some(http) = http {
        let mut defaults = Settings::defaults(combined.as_ref().clone());
        defaults.error_log = config.error_log.clone();
        let mut bound = Vec::new();
        builder.http(http, &defaults, &mut config.servers, &mut bound)?;
        config.listens = bound
            .into_iter()
            .map(|mut bound| {
                if let Some(default) = bound.default {
                    bound.servers.retain(|server| *server != default);
                    bound.servers.insert(0, default);
                }
                Listen {
                    address: bound.address,
                    servers: bound.servers,
                }
            })
            .collect();
    }
    config.set_variables = builder.set.count();
    config.upstreams = builder.upstreams;
    config.warnings = builder.warnings;
    Ok(config)
}

fn declare_variables(nodes: &[Node], set: &SetVariables) {
    for node in nodes {
        if let ("set", Some(name)) = (node.name.as_str(), node.args.first()) {
            set.number(name.trim_start_matches('$'));
        }
        declare_variables(&node.children, set);
    }
}

/// The one argument of a directive as a number.
pub(super) fn number<T: std::str::FromStr>(node: &Node) -> Result<T, ConfigError> {
    let text = node.args.first().map(String::as_str).unwrap_or_default();
    text.parse()
        .map_err(|_| ConfigError::at(&node.place, "invalid number"))
}

/// A regular expression; PCRE's lookaround and back references are not understood.
pub(super) fn regex(pattern: &str, ignore_case: bool, place: &Place) -> Result<Regex, ConfigError> {
    regex_lite::RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .build()
        .map_err(|error| {
            ConfigError::at(
                place,
                format!("regular expression \"{pattern}\" cannot be used: {error}"),
            )
        })
}

impl Builder<'_> {
    pub(super) fn template(&self, text: &str, place: &Place) -> Result<Template, ConfigError> {
        Template::compile(text, &self.set, place)
    }

    fn http(
        &mut self,
        http: &Node,
        defaults: &Settings,
        servers: &mut Vec<Server>,
        bound: &mut Vec<Bound>,
    ) -> Result<(), ConfigError> {
        for node in http
            .children
            .iter()
            .filter(|node| node.name == "log_format")
        {
            let (Some(name), parts) = (node.args.first(), node.args.get(1..).unwrap_or_default())
            else {
                continue;
            };
            let parts: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| !part.starts_with("escape="))
                .collect();
            let format = self.template(&parts.concat(), &node.place)?;
            if self.formats.iter().any(|(known, _)| known == name) {
                return Err(ConfigError::at(
                    &node.place,
                    format!("duplicate \"log_format\" name \"{name}\""),
                ));
            }
            self.formats.push((name.clone(), Rc::new(format)));
        }
        // A `proxy_pass` may stand before the `upstream` that it names.
        for node in http.children.iter().filter(|node| node.name == "upstream") {
            let upstream = upstream::upstream(node, self.resolve)?;
            if self
                .upstreams
                .iter()
                .any(|known| known.name.eq_ignore_ascii_case(&upstream.name))
            {
                let message = format!("duplicate upstream \"{}\"", upstream.name);
                return Err(ConfigError::at(&node.place, message));
            }
            self.upstreams.push(upstream);
        }
        let inherited = self.settings(&http.children, defaults)?;
        for node in http.children.iter().filter(|node| node.name == "server") {
            let index = servers.len();
            let server = self.server(node, &inherited)?;
            let listens = node.children.iter().filter(|child| child.name == "listen");
            let before = bound.iter().map(|bound| bound.servers.len()).sum::<usize>();
            for listen in listens {
                bind(listen, index, bound)?;
            }
            if before == bound.iter().map(|bound| bound.servers.len()).sum::<usize>() {
                let address = SocketAddr::from(([0, 0, 0, 0], 80));
                add(bound, address, index);
            }
            self.warn_of_conflicts(&server, index, servers, bound);
            servers.push(server);
        }
        Ok(())
    }

    fn warn_of_conflicts(
        &mut self,
        server: &Server,
        index: usize,
        servers: &[Server],
        bound: &[Bound],
    ) {
        for bound in bound.iter().filter(|bound| bound.servers.contains(&index)) {
            let others = bound.servers.iter().filter_map(|other| servers.get(*other));
            for name in others.flat_map(|other| &other.names) {
                if let Name::Exact(name) = name
                    && server
                        .names
                        .iter()
                        .any(|own| matches!(own, Name::Exact(own) if own == name))
                {
                    let address = bound.address;
                    self.warnings.push(format!(
                        "conflicting server name \"{name}\" on {address}, ignored"
                    ));
                }
            }
        }
    }

    fn server(&mut self, node: &Node, inherited: &Settings) -> Result<Server, ConfigError> {
        let mut names = Vec::new();
        let mut first = None;
        for node in node
            .children
            .iter()
            .filter(|node| node.name == "server_name")
        {
            for text in &node.args {
                first.get_or_insert_with(|| text.clone());
                names.push(server_name(text, &node.place)?);
            }
        }
        if names.is_empty() {
            names.push(Name::Exact(String::new()));
        }
        let base = self.location_body(
            &node.children,
            inherited,
            Matcher::Prefix(String::new(), false),
        )?;
        let base = Rc::new(base);
        Ok(Server {
            names,
            name: first.unwrap_or_default(),
            base,
        })
    }

    fn location_body(
        &mut self,
        nodes: &[Node],
        inherited: &Settings,
        matcher: Matcher,
    ) -> Result<Location, ConfigError> {
        let settings = self.settings(nodes, inherited)?;
        let mut location = Location {
            matcher,
            internal: nodes.iter().any(|node| node.name == "internal"),
            rules: rules::rules(self, nodes)?,
            content: Content::Static,
            children: Vec::new(),
            try_files: None,
            settings,
        };
        for node in nodes {
            match node.name.as_str() {
                "proxy_pass" => {
                    location.content = Content::Proxy(Rc::new(upstream::proxy_pass(
                        self,
                        node,
                        &location.matcher,
                    )?))
                }
                "stub_status" => location.content = Content::StubStatus,
                "try_files" => location.try_files = Some(Rc::new(self.try_files(node)?)),
                _ => {}
            }
        }
        for node in nodes.iter().filter(|node| node.name == "location") {
            let child = self.location(node, &location.settings)?;
            check_nesting(&location, &child, node)?;
            location.children.push(Rc::new(child));
        }
        Ok(location)
    }

    fn location(&mut self, node: &Node, inherited: &Settings) -> Result<Location, ConfigError> {
        let matcher = match node.args.as_slice() {
            [path] => match path.strip_prefix('=') {
                Some(path) if path.starts_with('/') => Matcher::Exact(path.to_owned()),
                _ => match path.strip_prefix('@') {
                    Some(name) => Matcher::Named(name.to_owned()),
                    None => match path.strip_prefix("^~").or(None) {
                        Some(path) => Matcher::Prefix(path.to_owned(), true),
                        None => Matcher::Prefix(path.clone(), false),
                    },
                },
            },
            [modifier, path] => match modifier.as_str() {
                "=" => Matcher::Exact(path.clone()),
                "^~" => Matcher::Prefix(path.clone(), true),
                "~" => Matcher::Pattern(regex(path, false, &node.place)?),
                "~*" => Matcher::Pattern(regex(path, true, &node.place)?),
                _ => {
                    return Err(ConfigError::at(
                        &node.place,
                        format!("invalid location modifier \"{modifier}\""),
                    ));
                }
            },
            _ => {
                return Err(ConfigError::at(
                    &node.place,
                    "invalid number of arguments in \"location\" directive",
                ));
            }
        };
        self.location_body(&node.children, inherited, matcher)
    }

    fn try_files(&self, node: &Node) -> Result<(Vec<Template>, Fallback), ConfigError> {
        let (last, candidates) = match node.args.split_last() {
            Some(found) => found,
            None => {
                return Err(ConfigError::at(
                    &node.place,
                    "invalid number of arguments in \"try_files\" directive",
                ));
            }
        };
        let candidates = candidates
            .iter()
            .map(|text| self.template(text, &node.place))
            .collect::<Result<_, _>>()?;
        let fallback =
            if let Some(code) = last.strip_prefix('=') {
                let status = code.parse().ok().filter(|status| *status < 1000);
                Fallback::Status(status.ok_or_else(|| {
                    ConfigError::at(&node.place, format!("invalid code \"{code}\""))
                })?)
            } else if let Some(name) = last.strip_prefix('@') {
                Fallback::Named(name.to_owned())
            } else {
                Fallback::Uri(self.template(last, &node.place)?)
            };
        Ok((candidates, fallback))
    }
}

fn check_nesting(parent: &Location, child: &Location, node: &Node) -> Result<(), ConfigError> {
    let shown = |location: &Location| match &location.matcher {
        Matcher::Exact(path) | Matcher::Prefix(path, _) => path.clone(),
        Matcher::Named(name) => format!("@{name}"),
        Matcher::Pattern(pattern) => pattern.as_str().to_owned(),
    };
    let name = shown(child);
    let is_same = |other: &&Rc<Location>| match (&other.matcher, &child.matcher) {
        (Matcher::Exact(a), Matcher::Exact(b))
        | (Matcher::Prefix(a, _), Matcher::Prefix(b, _))
        | (Matcher::Named(a), Matcher::Named(b)) => a == b,
        _ => false,
    };
    if parent.children.iter().any(|other| is_same(&other)) {
        return Err(ConfigError::at(
            &node.place,
            format!("duplicate location \"{name}\""),
        ));
    }
    match (&parent.matcher, &child.matcher) {
        (Matcher::Exact(_), _) => {
            let message = format!(
                "location \"{name}\" cannot be inside the exact location \"{}\"",
                shown(parent)
            );
            Err(ConfigError::at(&node.place, message))
        }
        (Matcher::Prefix(outer, _), Matcher::Prefix(inner, _) | Matcher::Exact(inner))
            if !inner.starts_with(outer.as_str()) =>
        {
            Err(ConfigError::at(
                &node.place,
                format!("location \"{inner}\" is outside location \"{outer}\""),
            ))
        }
        (Matcher::Prefix(outer, _), Matcher::Named(_)) if !outer.is_empty() => {
            let message = format!("named location \"{name}\" can be on the server level only");
            Err(ConfigError::at(&node.place, message))
        }
        _ => Ok(()),
    }
}

fn server_name(text: &str, place: &Place) -> Result<Name, ConfigError> {
    let lower = text.to_ascii_lowercase();
    if let Some(pattern) = text.strip_prefix('~') {
        return Ok(Name::Pattern(regex(pattern, true, place)?));
    }
    let name = if let Some(rest) = lower.strip_prefix("*.") {
        Name::Suffix(format!(".{rest}"))
    } else if let Some(rest) = lower.strip_suffix(".*") {
        Name::Prefix(format!("{rest}."))
    } else if lower.starts_with('.') {
        Name::Suffix(lower.clone())
    } else {
        Name::Exact(lower.clone())
    };
    let rest = match &name {
        Name::Exact(rest) | Name::Suffix(rest) | Name::Prefix(rest) => rest,
        Name::Pattern(_) => return Ok(name),
    };
    if rest.contains('*') || rest.contains('/') {
        return Err(ConfigError::at(
            place,
            format!("invalid server name or wildcard \"{text}\""),
        ));
    }
    Ok(name)
}

fn add(bound: &mut Vec<Bound>, address: SocketAddr, server: usize) -> usize {
    let at = bound
        .iter()
        .position(|bound| bound.address == address)
        .unwrap_or_else(|| {
            bound.push(Bound {
                address,
                servers: Vec::new(),
                default: None,
            });
            bound.len() - 1
        });
    if let Some(bound) = bound.get_mut(at)
        && !bound.servers.contains(&server)
    {
        bound.servers.push(server);
    }
    at
}

/// What may follow an address and changes nothing here.
const LISTEN_OPTIONS: [&str; 8] = [
    "reuseport",
    "deferred",
    "bind",
    "ipv6only",
    "backlog",
    "rcvbuf",
    "sndbuf",
    "so_keepalive",
];

fn bind(node: &Node, server: usize, bound: &mut Vec<Bound>) -> Result<(), ConfigError> {
    let error = |message: String| Err(ConfigError::at(&node.place, message));
    let (Some(text), options) = (node.args.first(), node.args.get(1..).unwrap_or_default()) else {
        return error("invalid number of arguments in \"listen\" directive".to_owned());
    };
    let address = match value::listen_address(text) {
        Ok(address) => address,
        Err(BadAddress::Port) => {
            return error(format!(
                "invalid port in \"{text}\" of the \"listen\" directive"
            ));
        }
        Err(BadAddress::Host) => {
            return error(format!(
                "host not found in \"{text}\" of the \"listen\" directive"
            ));
        }
        Err(BadAddress::Unix) => {
            return error(format!(
                "Unix domain sockets are not supported here: \"{text}\""
            ));
        }
    };
    let at = add(bound, address, server);
    for option in options {
        match option.as_str() {
            "default_server" | "default" => {
                let Some(bound) = bound.get_mut(at) else {
                    continue;
                };
                if bound.default.is_some_and(|default| default != server) {
                    return error(format!("a duplicate default server for {address}"));
                }
                bound.default = Some(server);
            }
            "ssl" => return error("the \"ssl\" parameter requires ngx_http_ssl_module".to_owned()),
            "http2" => {
                return error("the \"http2\" parameter requires ngx_http_v2_module".to_owned());
            }
            "quic" => {
                return error("the \"quic\" parameter requires ngx_http_v3_module".to_owned());
            }
            other => {
                let name = other.split('=').next().unwrap_or(other);
                if !LISTEN_OPTIONS.contains(&name) {
                    return error(format!("invalid parameter \"{other}\""));
                }
            }
        }
    }
    Ok(())
}
