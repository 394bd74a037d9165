//! The directives that a location inherits and overrides.

use std::collections::HashMap;
use std::rc::Rc;

use super::build::{Builder, number};
use super::error::{ConfigError, Place};
use super::model::{AccessLog, AccessRule, ErrorLog, ErrorPage, Expires, Level, Settings, Target};
use super::template::Template;
use super::tree::Node;
use super::value;

/// The image's links to the standard streams, and these themselves.
pub(super) fn target(path: &str) -> Target {
    match path {
        "/dev/stdout" | "/var/log/nginx/access.log" | "logs/access.log" => Target::Stdout,
        "stderr" | "/dev/stderr" | "/var/log/nginx/error.log" | "logs/error.log" => Target::Stderr,
        "off" | "/dev/null" => Target::Off,
        path => Target::File(path.to_owned()),
    }
}

pub(super) fn error_log(args: &[String], place: &Place) -> Result<ErrorLog, ConfigError> {
    let path = args.first().map(String::as_str).unwrap_or_default();
    let level = match args.get(1).map_or("error", String::as_str) {
        "emerg" => Level::Emerg,
        "alert" => Level::Alert,
        "crit" => Level::Crit,
        "error" => Level::Error,
        "warn" => Level::Warn,
        "notice" => Level::Notice,
        "info" => Level::Info,
        "debug" => Level::Debug,
        other => {
            return Err(ConfigError::at(
                place,
                format!("invalid log level \"{other}\""),
            ));
        }
    };
    // `off` is a file name for `error_log` in nginx, and a common mistake; nobody wants that file.
    Ok(ErrorLog {
        target: target(path),
        level,
    })
}

/// Sets a time, a size, a switch.
fn set<T>(slot: &mut T, node: &Node, read: fn(&str) -> Option<T>) -> Result<(), ConfigError> {
    let text = node.args.first().map(String::as_str).unwrap_or_default();
    *slot = read(text).ok_or_else(|| {
        ConfigError::at(
            &node.place,
            format!("\"{}\" directive invalid value", node.name),
        )
    })?;
    Ok(())
}

fn set_switch(slot: &mut bool, node: &Node) -> Result<(), ConfigError> {
    let text = node.args.first().map(String::as_str).unwrap_or_default();
    *slot = value::switch(text).ok_or_else(|| {
        let name = &node.name;
        let message = format!(
            "invalid value \"{text}\" in \"{name}\" directive, it must be \"on\" or \"off\""
        );
        ConfigError::at(&node.place, message)
    })?;
    Ok(())
}

/// What several directives of one block gather; nothing gathered means inherited.
#[derive(Default)]
struct Gathered {
    add_headers: Vec<(String, Template, bool)>,
    error_pages: Vec<ErrorPage>,
    access: Vec<AccessRule>,
    access_logs: Option<Vec<AccessLog>>,
    proxy_headers: Vec<(String, Template)>,
    proxy_hide_headers: Vec<String>,
    proxy_redirect: Option<Option<Vec<(String, Template)>>>,
}

impl Builder<'_> {
    /// The settings of a block: what it inherits, with its own directives on top.
    pub(super) fn settings(
        &self,
        nodes: &[Node],
        inherited: &Settings,
    ) -> Result<Settings, ConfigError> {
        let mut settings = inherited.clone();
        let mut gathered = Gathered::default();
        for node in nodes {
            self.setting(node, &mut settings)?;
            self.gather(node, &mut gathered)?;
        }
        if !gathered.add_headers.is_empty() {
            settings.add_headers = Rc::new(gathered.add_headers);
        }
        if !gathered.error_pages.is_empty() {
            settings.error_pages = Rc::new(gathered.error_pages);
        }
        if !gathered.access.is_empty() {
            settings.access = Rc::new(gathered.access);
        }
        if let Some(logs) = gathered.access_logs {
            settings.access_logs = Rc::new(logs);
        }
        if !gathered.proxy_headers.is_empty() {
            settings.proxy_headers = Rc::new(gathered.proxy_headers);
        }
        if !gathered.proxy_hide_headers.is_empty() {
            settings.proxy_hide_headers = Rc::new(gathered.proxy_hide_headers);
        }
        if let Some(redirect) = gathered.proxy_redirect {
            settings.proxy_redirect = redirect.map(Rc::new);
        }
        Ok(settings)
    }

    fn setting(&self, node: &Node, settings: &mut Settings) -> Result<(), ConfigError> {
        let place = &node.place;
        let first = node.args.first().map(String::as_str).unwrap_or_default();
        match node.name.as_str() {
            "root" => {
                settings.root = self.template(first.trim_end_matches('/'), place)?;
                settings.alias = None;
            }
            "alias" => settings.alias = Some(self.template(first, place)?),
            "index" => {
                settings.index = Rc::new(
                    node.args
                        .iter()
                        .map(|text| self.template(text, place))
                        .collect::<Result<_, _>>()?,
                );
            }
            "autoindex" => set_switch(&mut settings.autoindex, node)?,
            "autoindex_exact_size" => set_switch(&mut settings.autoindex_exact_size, node)?,
            "types" => {
                let mut types = HashMap::new();
                for node in &node.children {
                    for ending in &node.args {
                        types.insert(ending.to_ascii_lowercase(), node.name.clone());
                    }
                }
                settings.types = Rc::new(types);
            }
            "default_type" => settings.default_type = first.to_owned(),
            "charset" => settings.charset = (first != "off").then(|| first.to_owned()),
            "etag" => set_switch(&mut settings.etag, node)?,
            "expires" => settings.expires = expires(node)?,
            "client_max_body_size" => set(&mut settings.client_max_body_size, node, value::size)?,
            "keepalive_timeout" => {
                set(&mut settings.keepalive_timeout, node, value::time)?;
                settings.keepalive_header = match node.args.get(1) {
                    Some(text) => Some(
                        value::time(text).ok_or_else(|| {
                            ConfigError::at(place, "\"keepalive_timeout\" directive invalid value")
                        })? / http_loop::clock::SECOND,
                    ),
                    None => None,
                };
            }
            "keepalive_requests" => settings.keepalive_requests = number(node)?,
            "client_header_timeout" => set(&mut settings.client_header_timeout, node, value::time)?,
            "client_body_timeout" => set(&mut settings.client_body_timeout, node, value::time)?,
            "send_timeout" => set(&mut settings.send_timeout, node, value::time)?,
            "error_log" => settings.error_log = error_log(&node.args, place)?,
            "proxy_pass_request_headers" => {
                set_switch(&mut settings.proxy_pass_request_headers, node)?
            }
            "proxy_http_version" => {
                settings.proxy_http_11 = match first {
                    "1.0" => false,
                    "1.1" => true,
                    _ => return Err(ConfigError::at(place, format!("invalid value \"{first}\""))),
                }
            }
            "proxy_connect_timeout" => set(&mut settings.proxy_connect_timeout, node, value::time)?,
            "proxy_send_timeout" => set(&mut settings.proxy_send_timeout, node, value::time)?,
            "proxy_read_timeout" => set(&mut settings.proxy_read_timeout, node, value::time)?,
            _ => {}
        }
        Ok(())
    }

    fn gather(&self, node: &Node, gathered: &mut Gathered) -> Result<(), ConfigError> {
        let place = &node.place;
        let args: Vec<&str> = node.args.iter().map(String::as_str).collect();
        match (node.name.as_str(), args.as_slice()) {
            ("add_header", [name, text, rest @ ..]) => {
                let always = match rest {
                    [] => false,
                    ["always"] => true,
                    _ => {
                        return Err(ConfigError::at(
                            place,
                            format!("invalid parameter \"{}\"", rest.concat()),
                        ));
                    }
                };
                gathered.add_headers.push((
                    (*name).to_owned(),
                    self.template(text, place)?,
                    always,
                ));
            }
            ("error_page", [args @ .., uri]) => gathered
                .error_pages
                .push(self.error_page(args, uri, place)?),
            ("allow" | "deny", [network]) => {
                let network = match *network {
                    "all" => None,
                    text => Some(value::network(text).ok_or_else(|| {
                        ConfigError::at(place, format!("invalid parameter \"{text}\""))
                    })?),
                };
                gathered.access.push(AccessRule {
                    allow: node.name == "allow",
                    network,
                });
            }
            ("access_log", [path, rest @ ..]) => {
                let logs = gathered.access_logs.get_or_insert_default();
                let name = rest
                    .first()
                    .copied()
                    .filter(|text| !text.contains('='))
                    .unwrap_or("combined");
                if let Some(condition) = rest.iter().find(|text| text.starts_with("if=")) {
                    let message = format!("the parameter \"{condition}\" is not supported here");
                    return Err(ConfigError::at(place, message));
                }
                let (_, format) = self
                    .formats
                    .iter()
                    .find(|(known, _)| known == name)
                    .ok_or_else(|| {
                        ConfigError::at(place, format!("unknown log format \"{name}\""))
                    })?;
                let target = target(path);
                if target != Target::Off {
                    logs.push(AccessLog {
                        target,
                        format: Rc::clone(format),
                    });
                }
            }
            ("proxy_set_header", [name, text]) => {
                gathered
                    .proxy_headers
                    .push(((*name).to_owned(), self.template(text, place)?));
            }
            ("proxy_hide_header", [name]) => gathered.proxy_hide_headers.push((*name).to_owned()),
            ("proxy_redirect", ["off"]) => gathered.proxy_redirect = Some(Some(Vec::new())),
            ("proxy_redirect", ["default"]) => gathered.proxy_redirect = Some(None),
            ("proxy_redirect", [from, to]) if !from.starts_with('~') => {
                let to = self.template(to, place)?;
                let list = gathered
                    .proxy_redirect
                    .get_or_insert_default()
                    .get_or_insert_default();
                list.push(((*from).to_owned(), to));
            }
            ("proxy_redirect", _) => {
                return Err(ConfigError::at(
                    place,
                    "invalid parameter in \"proxy_redirect\" directive",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn error_page(
        &self,
        args: &[&str],
        uri: &str,
        place: &Place,
    ) -> Result<ErrorPage, ConfigError> {
        let mut page = ErrorPage {
            statuses: Vec::new(),
            answer: None,
            uri: self.template(uri, place)?,
        };
        for arg in args {
            if let Some(answer) = arg.strip_prefix('=') {
                page.answer = Some(if answer.is_empty() {
                    0
                } else {
                    answer
                        .parse()
                        .map_err(|_| ConfigError::at(place, format!("invalid value \"{arg}\"")))?
                });
                continue;
            }
            let status: u16 = arg
                .parse()
                .map_err(|_| ConfigError::at(place, format!("invalid value \"{arg}\"")))?;
            if !(300..=599).contains(&status) {
                let message = format!("value \"{arg}\" must be between 300 and 599");
                return Err(ConfigError::at(place, message));
            }
            page.statuses.push(status);
        }
        Ok(page)
    }
}

fn expires(node: &Node) -> Result<Expires, ConfigError> {
    let text = node.args.last().map(String::as_str).unwrap_or_default();
    let invalid = || ConfigError::at(&node.place, "invalid value");
    if node.args.len() > 1 {
        return Err(ConfigError::at(
            &node.place,
            "\"expires modified\" is not supported here",
        ));
    }
    Ok(match text {
        "off" => Expires::Off,
        "epoch" => Expires::Epoch,
        "max" => Expires::Max,
        _ => {
            let (sign, digits) = match text.strip_prefix('-') {
                Some(digits) => (-1, digits),
                None => (1, text),
            };
            let seconds = value::time(digits).ok_or_else(invalid)? / http_loop::clock::SECOND;
            Expires::After(sign * i64::try_from(seconds).map_err(|_| invalid())?)
        }
    })
}
