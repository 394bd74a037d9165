//! A configuration as it is served from: what the blocks and directives mean, inheritance done.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use http_loop::clock::{Instant, SECOND};
use regex_lite::Regex;

use super::template::Template;

/// A whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The addresses to listen on.
    pub listens: Vec<Listen>,
    /// All servers.
    pub servers: Vec<Server>,
    /// All groups of servers to proxy to, those of a single `proxy_pass` included.
    pub upstreams: Vec<Upstream>,
    /// The main error log.
    pub error_log: ErrorLog,
    /// Where the process writes its number.
    pub pid: Option<String>,
    /// The most connections at a time, those to upstreams not counted.
    pub worker_connections: usize,
    /// How many variables `set` makes.
    pub set_variables: usize,
    /// What is odd but no error.
    pub warnings: Vec<String>,
}

/// One address.
#[derive(Debug)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// Indexes of its servers, the default one first.
    pub servers: Vec<usize>,
}

/// How loud an error log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "nginx's levels, most severe first")]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output; also `/var/log/nginx/access.log`, a link to it in the image.
    Stdout,
    /// Standard error; also `/var/log/nginx/error.log`.
    Stderr,
    /// A file, appended to.
    File(String),
    /// Nowhere.
    Off,
}

/// An error log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where to.
    pub target: Target,
    /// From which level on.
    pub level: Level,
}

/// A name in `server_name`.
#[derive(Debug)]
pub enum Name {
    /// All of it, lower case.
    Exact(String),
    /// `*.example.org`: what follows the star.
    Suffix(String),
    /// `mail.*`: what precedes the star.
    Prefix(String),
    /// `~^www\d+`
    Pattern(Regex),
}

/// One `server` block.
#[derive(Debug)]
pub struct Server {
    /// Its names.
    pub names: Vec<Name>,
    /// The first name as written, for `$server_name`.
    pub name: String,
    /// What the server itself says; its children are the locations.
    pub base: Rc<Location>,
}

/// How a location is found.
#[derive(Debug)]
pub enum Matcher {
    /// `=`
    Exact(String),
    /// A prefix; with `^~` regular expressions are not tried.
    Prefix(String, bool),
    /// `~` and `~*`
    Pattern(Regex),
    /// `@name`: only through `error_page` and `try_files`.
    Named(String),
}

/// One `location` block.
#[derive(Debug)]
pub struct Location {
    /// What it is for.
    pub matcher: Matcher,
    /// Not for requests from outside.
    pub internal: bool,
    /// What holds in it, inherited or its own.
    pub settings: Settings,
    /// Its rewriting, in the order of the file.
    pub rules: Vec<Rule>,
    /// Who answers.
    pub content: Content,
    /// Nested locations.
    pub children: Vec<Rc<Self>>,
    /// `try_files`: candidates, then the last resort.
    pub try_files: Option<Rc<(Vec<Template>, Fallback)>>,
}

/// Who answers in a location.
#[derive(Debug, Clone)]
pub enum Content {
    /// Files.
    Static,
    /// Other servers.
    Proxy(Rc<ProxyPass>),
    /// The counters.
    StubStatus,
}

/// The last argument of `try_files`.
#[derive(Debug)]
pub enum Fallback {
    /// `=404`
    Status(u16),
    /// `@name`
    Named(String),
    /// A URI to start again with.
    Uri(Template),
}

/// Where `proxy_pass` leads.
#[derive(Debug)]
pub struct ProxyPass {
    /// Index of the upstream.
    pub upstream: usize,
    /// Host and port as written: `$proxy_host`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The part behind the host, if it was written; it replaces the location's prefix.
    pub uri: Option<String>,
    /// The location's prefix.
    pub location: String,
}

/// A group of servers.
#[derive(Debug, Default)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub peers: Vec<Peer>,
    /// Fewest connections first, instead of taking turns.
    pub least_conn: bool,
    /// How many idle connections are kept.
    pub keepalive: usize,
}

/// One server of an upstream.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its share of the requests, at least 1.
    pub weight: u32,
    /// Only asked when all others have failed.
    pub backup: bool,
    /// Never asked.
    pub down: bool,
    /// So many failures in `fail_timeout` put it aside for that long; 0 never does.
    pub max_fails: u32,
    /// Nanoseconds.
    pub fail_timeout: Instant,
}

/// A step of rewriting.
#[derive(Debug)]
pub enum Rule {
    /// `set`: the variable's number, and its value.
    Set(usize, Template),
    /// `return`
    Return(u16, Option<Template>),
    /// `rewrite`
    Rewrite(Regex, Template, RewriteFlag),
    /// `break`
    Break,
    /// `if`
    If(Condition, Vec<Self>),
}

/// The last argument of `rewrite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewriteFlag {
    /// None: the next rule.
    Next,
    /// Search the location again.
    Last,
    /// No more rules.
    Break,
    /// 302
    Redirect,
    /// 301
    Permanent,
}

/// The condition of `if`.
#[derive(Debug)]
pub enum Condition {
    /// Neither empty nor `0`.
    True(Template),
    /// `=`, or `!=` when negated.
    Equal(Template, Template, bool),
    /// `~` and `~*`, or negated.
    Match(Template, Regex, bool),
    /// `-f -d -e`, or negated.
    File(char, Template, bool),
}

/// One `access_log`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where to.
    pub target: Target,
    /// The line.
    pub format: Rc<Template>,
}

/// `error_page`: for these statuses.
#[derive(Debug)]
pub struct ErrorPage {
    /// Which statuses.
    pub statuses: Vec<u16>,
    /// `=200`: this status instead; `Some(0)` is `=`, the page's own.
    pub answer: Option<u16>,
    /// A path, `@name`, or an absolute URL.
    pub uri: Template,
}

/// `expires`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// No such fields.
    Off,
    /// Seconds from now; negative is the past and `no-cache`.
    After(i64),
    /// 1970, `no-cache`.
    Epoch,
    /// Ten years.
    Max,
}

/// An `allow` or `deny`.
#[derive(Debug, Clone, Copy)]
pub struct AccessRule {
    /// Whether it allows.
    pub allow: bool,
    /// The network, `None` for all.
    pub network: Option<(IpAddr, u8)>,
}

/// What holds in a location.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is the directive of that name")]
pub struct Settings {
    pub root: Template,
    pub alias: Option<Template>,
    pub index: Rc<Vec<Template>>,
    pub autoindex: bool,
    pub autoindex_exact_size: bool,
    pub types: Rc<HashMap<String, String>>,
    pub default_type: String,
    pub charset: Option<String>,
    pub etag: bool,
    pub expires: Expires,
    pub add_headers: Rc<Vec<(String, Template, bool)>>,
    pub error_pages: Rc<Vec<ErrorPage>>,
    pub access: Rc<Vec<AccessRule>>,
    pub client_max_body_size: u64,
    pub keepalive_timeout: Instant,
    pub keepalive_header: Option<u64>,
    pub keepalive_requests: u64,
    pub client_header_timeout: Instant,
    pub client_body_timeout: Instant,
    pub send_timeout: Instant,
    pub access_logs: Rc<Vec<AccessLog>>,
    pub error_log: ErrorLog,
    pub proxy_headers: Rc<Vec<(String, Template)>>,
    pub proxy_pass_request_headers: bool,
    pub proxy_hide_headers: Rc<Vec<String>>,
    /// `None` is `default`.
    pub proxy_redirect: Option<Rc<Vec<(String, Template)>>>,
    pub proxy_http_11: bool,
    pub proxy_connect_timeout: Instant,
    pub proxy_send_timeout: Instant,
    pub proxy_read_timeout: Instant,
}

/// The combined format of access logs.
pub const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                            \"$http_referer\" \"$http_user_agent\"";
/// nginx's default of `client_max_body_size`, 1 MiB.
pub const CLIENT_MAX_BODY_SIZE: u64 = 1 << 20;
/// nginx's default of `keepalive_requests`.
pub const KEEPALIVE_REQUESTS: u64 = 1000;

impl Settings {
    /// nginx's defaults.
    #[must_use]
    pub fn defaults(combined: Template) -> Self {
        let types = [
            ("html", "text/html"),
            ("gif", "image/gif"),
            ("jpg", "image/jpeg"),
        ];
        Self {
            root: Template::text("/etc/nginx/html"),
            alias: None,
            index: Rc::new(vec![Template::text("index.html")]),
            autoindex: false,
            autoindex_exact_size: true,
            types: Rc::new(
                types
                    .map(|(ending, of)| (ending.to_owned(), of.to_owned()))
                    .into(),
            ),
            default_type: "text/plain".to_owned(),
            charset: None,
            etag: true,
            expires: Expires::Off,
            add_headers: Rc::default(),
            error_pages: Rc::default(),
            access: Rc::default(),
            client_max_body_size: CLIENT_MAX_BODY_SIZE,
            keepalive_timeout: 75 * SECOND,
            keepalive_header: None,
            keepalive_requests: KEEPALIVE_REQUESTS,
            client_header_timeout: 60 * SECOND,
            client_body_timeout: 60 * SECOND,
            send_timeout: 60 * SECOND,
            access_logs: Rc::new(vec![AccessLog {
                target: Target::Stdout,
                format: Rc::new(combined),
            }]),
            error_log: ErrorLog {
                target: Target::Stderr,
                level: Level::Error,
            },
            proxy_headers: Rc::default(),
            proxy_pass_request_headers: true,
            proxy_hide_headers: Rc::default(),
            proxy_redirect: None,
            proxy_http_11: false,
            proxy_connect_timeout: 60 * SECOND,
            proxy_send_timeout: 60 * SECOND,
            proxy_read_timeout: 60 * SECOND,
        }
    }
}
