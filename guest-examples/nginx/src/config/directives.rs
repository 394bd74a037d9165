//! The directives that are known: where each may stand and with how many arguments.
//!
//! The table follows the reference on nginx.org. `Effect::None` marks what is accepted and changes nothing here;
//! what would change meaning or security if it were ignored is not accepted at all.

/// Contexts, as bits.
pub mod context {
    /// Outside of all blocks.
    pub const MAIN: u8 = 1;
    /// In `events`.
    pub const EVENTS: u8 = 2;
    /// In `http`.
    pub const HTTP: u8 = 4;
    /// In `server`.
    pub const SERVER: u8 = 8;
    /// In `location`.
    pub const LOCATION: u8 = 16;
    /// In `upstream`.
    pub const UPSTREAM: u8 = 32;
    /// In `if`, of a server or a location.
    pub const IF: u8 = 64;
    /// Wherever a location's settings may stand.
    pub const HSL: u8 = HTTP | SERVER | LOCATION;
}
use context::{EVENTS, HSL, HTTP, IF, LOCATION, MAIN, SERVER, UPSTREAM};

/// Whether a directive does anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It works.
    Works,
    /// It is accepted and has no effect: performance of a process model that is not ours, or compression that is
    /// the client's choice anyway.
    None,
}

/// One directive.
#[derive(Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub contexts: u8,
    /// The least number of arguments.
    pub least: usize,
    /// The greatest number of arguments.
    pub most: usize,
    /// The context that its block opens, if it has one.
    pub block: Option<u8>,
    /// Whether it may stand only once in a block.
    pub once: bool,
    /// Whether it does anything.
    pub effect: Effect,
}

const MANY: usize = usize::MAX;

const fn works(name: &'static str, contexts: u8, least: usize, most: usize) -> Directive {
    Directive {
        name,
        contexts,
        least,
        most,
        block: None,
        once: true,
        effect: Effect::Works,
    }
}

const fn many(name: &'static str, contexts: u8, least: usize, most: usize) -> Directive {
    Directive {
        once: false,
        ..works(name, contexts, least, most)
    }
}

const fn block(
    name: &'static str,
    contexts: u8,
    least: usize,
    most: usize,
    inside: u8,
) -> Directive {
    Directive {
        block: Some(inside),
        ..many(name, contexts, least, most)
    }
}

const fn ignored(name: &'static str, contexts: u8, least: usize, most: usize) -> Directive {
    Directive {
        effect: Effect::None,
        ..many(name, contexts, least, most)
    }
}

/// The directive of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.name == name)
}

/// All of them: first what works, then what is accepted without effect.
pub static DIRECTIVES: &[Directive] = &[
    // The process.
    many("daemon", MAIN, 1, 1),
    works("pid", MAIN, 1, 1),
    many("error_log", MAIN | HSL, 1, 2),
    many("include", MAIN | EVENTS | HSL | UPSTREAM | IF, 1, 1),
    block("events", MAIN, 0, 0, EVENTS),
    works("worker_connections", EVENTS, 1, 1),
    block("http", MAIN, 0, 0, HTTP),
    // Servers and locations.
    block("server", HTTP, 0, 0, SERVER),
    many("listen", SERVER, 1, MANY),
    many("server_name", SERVER, 1, MANY),
    block("location", SERVER | LOCATION, 1, 2, LOCATION),
    many("internal", LOCATION, 0, 0),
    // Files.
    works("root", HSL | IF, 1, 1),
    works("alias", LOCATION, 1, 1),
    works("index", HSL, 1, MANY),
    works("try_files", SERVER | LOCATION, 2, MANY),
    works("autoindex", HSL, 1, 1),
    works("autoindex_exact_size", HSL, 1, 1),
    block("types", HSL, 0, 0, 0),
    works("default_type", HSL, 1, 1),
    works("charset", HSL | IF, 1, 1),
    works("etag", HSL, 1, 1),
    many("expires", HSL | IF, 1, 2),
    many("add_header", HSL | IF, 2, 3),
    many("error_page", HSL, 2, MANY),
    // Rewriting.
    many("return", SERVER | LOCATION | IF, 1, 2),
    many("rewrite", SERVER | LOCATION | IF, 2, 3),
    many("set", SERVER | LOCATION | IF, 2, 2),
    many("break", SERVER | LOCATION | IF, 0, 0),
    block("if", SERVER | LOCATION, 1, MANY, IF),
    // Access.
    many("allow", HSL, 1, 1),
    many("deny", HSL, 1, 1),
    works("client_max_body_size", HSL, 1, 1),
    // Connections.
    works("keepalive_timeout", HSL | UPSTREAM, 1, 2),
    works("keepalive_requests", HSL | UPSTREAM, 1, 1),
    works("client_header_timeout", HTTP | SERVER, 1, 1),
    works("client_body_timeout", HSL, 1, 1),
    works("send_timeout", HSL, 1, 1),
    // Logs.
    many("log_format", HTTP, 2, MANY),
    many("access_log", HSL | IF, 1, MANY),
    many("stub_status", SERVER | LOCATION, 0, 1),
    // Proxying.
    block("upstream", HTTP, 1, 1, UPSTREAM),
    many("server", UPSTREAM, 1, MANY),
    many("least_conn", UPSTREAM, 0, 0),
    works("keepalive", UPSTREAM, 1, 1),
    many("proxy_pass", LOCATION | IF, 1, 1),
    many("proxy_set_header", HSL, 2, 2),
    works("proxy_pass_request_headers", HSL, 1, 1),
    many("proxy_hide_header", HSL, 1, 1),
    many("proxy_redirect", HSL, 1, 2),
    works("proxy_http_version", HSL, 1, 1),
    works("proxy_connect_timeout", HSL, 1, 1),
    works("proxy_send_timeout", HSL, 1, 1),
    works("proxy_read_timeout", HSL, 1, 1),
    // Without effect: how nginx's processes work, and what this program's loop decides itself.
    ignored("user", MAIN, 1, 2),
    ignored("worker_processes", MAIN, 1, 1),
    ignored("worker_rlimit_nofile", MAIN, 1, 1),
    ignored("worker_priority", MAIN, 1, 1),
    ignored("worker_cpu_affinity", MAIN, 1, MANY),
    ignored("worker_shutdown_timeout", MAIN, 1, 1),
    ignored("master_process", MAIN, 1, 1),
    ignored("pcre_jit", MAIN, 1, 1),
    ignored("timer_resolution", MAIN, 1, 1),
    ignored("env", MAIN, 1, 1),
    ignored("use", EVENTS, 1, 1),
    ignored("multi_accept", EVENTS, 1, 1),
    ignored("accept_mutex", EVENTS, 1, 1),
    ignored("sendfile", HSL | IF, 1, 1),
    ignored("sendfile_max_chunk", HSL, 1, 1),
    ignored("aio", HSL, 1, 1),
    ignored("directio", HSL, 1, 1),
    ignored("tcp_nopush", HSL, 1, 1),
    ignored("tcp_nodelay", HSL, 1, 1),
    ignored("reset_timedout_connection", HSL, 1, 1),
    ignored("lingering_close", HSL, 1, 1),
    ignored("lingering_timeout", HSL, 1, 1),
    ignored("output_buffers", HSL, 2, 2),
    ignored("client_header_buffer_size", HTTP | SERVER, 1, 1),
    ignored("large_client_header_buffers", HTTP | SERVER, 2, 2),
    ignored("client_body_buffer_size", HSL, 1, 1),
    ignored("client_body_temp_path", HSL, 1, 4),
    ignored("types_hash_max_size", HSL, 1, 1),
    ignored("types_hash_bucket_size", HSL, 1, 1),
    ignored("variables_hash_max_size", HTTP, 1, 1),
    ignored("variables_hash_bucket_size", HTTP, 1, 1),
    ignored("server_names_hash_max_size", HTTP, 1, 1),
    ignored("server_names_hash_bucket_size", HTTP, 1, 1),
    ignored("server_tokens", HSL, 1, 1),
    ignored("server_name_in_redirect", HSL, 1, 1),
    ignored("log_not_found", HSL, 1, 1),
    ignored("log_subrequest", HSL, 1, 1),
    ignored("rewrite_log", HSL | IF, 1, 1),
    ignored("open_file_cache", HSL, 1, 2),
    ignored("open_file_cache_valid", HSL, 1, 1),
    ignored("open_file_cache_min_uses", HSL, 1, 1),
    ignored("open_file_cache_errors", HSL, 1, 1),
    ignored("open_log_file_cache", HSL, 1, 4),
    ignored("resolver", HSL | UPSTREAM, 1, MANY),
    ignored("resolver_timeout", HSL | UPSTREAM, 1, 1),
    ignored("zone", UPSTREAM, 1, 2),
    ignored("autoindex_localtime", HSL, 1, 1),
    // Answers are not compressed: a client that accepts gzip accepts them as they are.
    ignored("gzip", HSL | IF, 1, 1),
    ignored("gzip_static", HSL, 1, 1),
    ignored("gzip_buffers", HSL, 2, 2),
    ignored("gzip_comp_level", HSL, 1, 1),
    ignored("gzip_disable", HSL, 1, MANY),
    ignored("gzip_http_version", HSL, 1, 1),
    ignored("gzip_min_length", HSL, 1, 1),
    ignored("gzip_proxied", HSL, 1, MANY),
    ignored("gzip_types", HSL, 1, MANY),
    ignored("gzip_vary", HSL, 1, 1),
    // Bodies stream in bounded memory both ways; requests' bodies are gathered first, as by default in nginx.
    ignored("proxy_buffering", HSL, 1, 1),
    ignored("proxy_buffer_size", HSL, 1, 1),
    ignored("proxy_buffers", HSL, 2, 2),
    ignored("proxy_busy_buffers_size", HSL, 1, 1),
    ignored("proxy_request_buffering", HSL, 1, 1),
    ignored("proxy_max_temp_file_size", HSL, 1, 1),
    ignored("proxy_temp_file_write_size", HSL, 1, 1),
    ignored("proxy_temp_path", HSL, 1, 4),
    ignored("proxy_headers_hash_max_size", HSL, 1, 1),
    ignored("proxy_headers_hash_bucket_size", HSL, 1, 1),
    ignored("proxy_socket_keepalive", HSL, 1, 1),
];
