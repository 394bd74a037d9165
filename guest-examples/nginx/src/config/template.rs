//! Texts with variables, compiled once: `$name`, `${name}`, and `$1` to `$9` for captures.

use std::cell::RefCell;

use super::error::{ConfigError, Place};

/// A variable of nginx that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant is the variable of that name in nginx's reference"
)]
pub enum Variable {
    Args,
    BodyBytesSent,
    BytesSent,
    Connection,
    ConnectionRequests,
    ContentLength,
    ContentType,
    DocumentRoot,
    Host,
    Hostname,
    HttpHost,
    IsArgs,
    Msec,
    NginxVersion,
    Pid,
    ProxyAddXForwardedFor,
    ProxyHost,
    ProxyPort,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    Request,
    RequestCompletion,
    RequestFilename,
    RequestLength,
    RequestMethod,
    RequestTime,
    RequestUri,
    Scheme,
    ServerAddr,
    ServerName,
    ServerPort,
    ServerProtocol,
    Status,
    TimeIso8601,
    TimeLocal,
    UpstreamAddr,
    UpstreamResponseTime,
    UpstreamStatus,
    Uri,
    Empty,
    ConnectionsActive,
    ConnectionsWaiting,
    /// `$http_NAME`, the field's name with hyphens.
    Field(String),
    /// `$arg_NAME`
    Argument(String),
    /// `$cookie_NAME`
    Cookie(String),
    /// `$1` to `$9`
    Capture(usize),
    /// Made with `set`: its number.
    Set(usize),
}

/// The variables made with `set`, by number.
#[derive(Debug, Default)]
pub struct SetVariables(RefCell<Vec<String>>);

impl SetVariables {
    /// The number of a variable, a new one if it was not known.
    pub fn number(&self, name: &str) -> usize {
        let mut names = self.0.borrow_mut();
        names
            .iter()
            .position(|known| known == name)
            .unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.borrow().iter().position(|known| known == name)
    }
}

/// Variables that nginx has and whose value is always empty here, since there is no TLS, no FastCGI, no proxy
/// protocol.
const EMPTY: [&str; 10] = [
    "https",
    "http2",
    "http3",
    "pipe",
    "ssl_protocol",
    "ssl_cipher",
    "gzip_ratio",
    "upstream_cache_status",
    "limit_rate",
    "content_encoding",
];

/// The variable of this name, without `$`.
#[must_use]
pub fn find(name: &str, set: &SetVariables) -> Option<Variable> {
    use Variable as V;
    Some(match name {
        "args" | "query_string" => V::Args,
        "body_bytes_sent" => V::BodyBytesSent,
        "bytes_sent" => V::BytesSent,
        "connection" => V::Connection,
        "connection_requests" => V::ConnectionRequests,
        "content_length" => V::ContentLength,
        "content_type" => V::ContentType,
        "document_root" | "realpath_root" => V::DocumentRoot,
        "host" => V::Host,
        "hostname" => V::Hostname,
        "http_host" => V::HttpHost,
        "is_args" => V::IsArgs,
        "msec" => V::Msec,
        "nginx_version" => V::NginxVersion,
        "pid" => V::Pid,
        "proxy_add_x_forwarded_for" => V::ProxyAddXForwardedFor,
        "proxy_host" => V::ProxyHost,
        "proxy_port" => V::ProxyPort,
        "remote_addr" => V::RemoteAddr,
        "remote_port" => V::RemotePort,
        "remote_user" => V::RemoteUser,
        "request" => V::Request,
        "request_completion" => V::RequestCompletion,
        "request_filename" => V::RequestFilename,
        "request_length" => V::RequestLength,
        "request_method" => V::RequestMethod,
        "request_time" => V::RequestTime,
        "request_uri" => V::RequestUri,
        "scheme" => V::Scheme,
        "server_addr" => V::ServerAddr,
        "server_name" => V::ServerName,
        "server_port" => V::ServerPort,
        "server_protocol" => V::ServerProtocol,
        "status" => V::Status,
        "time_iso8601" => V::TimeIso8601,
        "time_local" => V::TimeLocal,
        "upstream_addr" => V::UpstreamAddr,
        "upstream_response_time" | "upstream_connect_time" | "upstream_header_time" => {
            V::UpstreamResponseTime
        }
        "upstream_status" => V::UpstreamStatus,
        "uri" | "document_uri" => V::Uri,
        "connections_active" => V::ConnectionsActive,
        "connections_waiting" => V::ConnectionsWaiting,
        _ => return find_by_prefix(name, set),
    })
}

fn find_by_prefix(name: &str, set: &SetVariables) -> Option<Variable> {
    if let Some(digit) = name
        .parse::<usize>()
        .ok()
        .filter(|digit| (1..=9).contains(digit))
    {
        return Some(Variable::Capture(digit));
    }
    if EMPTY.contains(&name) {
        return Some(Variable::Empty);
    }
    if let Some(field) = name.strip_prefix("http_") {
        return Some(Variable::Field(field.replace('_', "-")));
    }
    if let Some(argument) = name.strip_prefix("arg_") {
        return Some(Variable::Argument(argument.to_owned()));
    }
    if let Some(cookie) = name.strip_prefix("cookie_") {
        return Some(Variable::Cookie(cookie.to_owned()));
    }
    set.find(name).map(Variable::Set)
}

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// The value of a variable.
    Variable(Variable),
}

/// A text with variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// Its pieces in order.
    pub parts: Vec<Part>,
}

/// Where values come from.
pub trait Values {
    /// Appends a variable's value; nothing if it has none.
    fn push(&self, variable: &Variable, out: &mut Vec<u8>);
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// When a variable is not known or a brace not closed.
    pub fn compile(text: &str, set: &SetVariables, place: &Place) -> Result<Self, ConfigError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            let (name, behind) = if let Some(braced) = after.strip_prefix('{') {
                braced.split_once('}').ok_or_else(|| {
                    ConfigError::at(
                        place,
                        format!("the closing bracket in \"{braced}\" variable is missing"),
                    )
                })?
            } else {
                let is_capture = after.starts_with(|first: char| first.is_ascii_digit());
                let end = if is_capture {
                    1
                } else {
                    after
                        .find(|next: char| !next.is_ascii_alphanumeric() && next != '_')
                        .unwrap_or(after.len())
                };
                after.split_at(end)
            };
            if name.is_empty() {
                // A regular expression's end, in texts that are not templates in nginx either.
                plain.push('$');
                rest = behind;
                continue;
            }
            let variable = find(name, set)
                .ok_or_else(|| ConfigError::at(place, format!("unknown \"{name}\" variable")))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(variable));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// A template without variables.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            parts: vec![Part::Text(text.to_owned())],
        }
    }

    /// The text, if there are no variables in it.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the text with the variables' values.
    pub fn push(&self, values: &impl Values, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => values.push(variable, out),
            }
        }
    }

    /// The text with the variables' values.
    #[must_use]
    pub fn value(&self, values: &impl Values) -> Vec<u8> {
        let mut out = Vec::new();
        self.push(values, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Names;
    impl Values for Names {
        fn push(&self, variable: &Variable, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("<{variable:?}>").as_bytes());
        }
    }

    #[test]
    fn variables_are_found_in_text_and_the_rest_stays() {
        let set = SetVariables::default();
        set.number("mine");
        let place = Place {
            file: "f".into(),
            line: 4,
        };
        let table = [
            ("a$uri-b", "a<Uri>-b"),
            (
                "${host}x$1y$http_user_agent",
                "<Host>x<Capture(1)>y<Field(\"user-agent\")>",
            ),
            ("$mine$arg_q", "<Set(0)><Argument(\"q\")>"),
            ("price 5$", "price 5$"),
        ];
        for (text, expected) in table {
            let value = Template::compile(text, &set, &place).unwrap().value(&Names);
            assert_eq!(String::from_utf8(value).unwrap(), expected, "{text}");
        }
        let error = |text| {
            Template::compile(text, &set, &place)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(error("$nope"), "unknown \"nope\" variable in f:4");
        assert_eq!(
            error("${uri"),
            "the closing bracket in \"uri\" variable is missing in f:4"
        );
    }
}
