//! Configurations that work, and each way in which one does not.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::error::ConfigError;
use super::model::Config;
use super::tree::Files;
use super::{build, tree};

struct Fake(BTreeMap<String, String>);

impl Files for Fake {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| "2: No such file or directory".to_owned())
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let prefix = format!("{directory}/");
        self.0
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    }
}

fn resolve(name: &str) -> Vec<IpAddr> {
    match name {
        "localhost" => vec![IpAddr::from([127, 0, 0, 1])],
        "backend" => vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])],
        _ => Vec::new(),
    }
}

fn config_of(files: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let files = Fake(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    );
    build::build(&tree::read(&files, "/etc/nginx/nginx.conf")?, &resolve)
}

fn config(text: &str) -> Result<Config, String> {
    config_of(&[("/etc/nginx/nginx.conf", text)]).map_err(|error| error.to_string())
}

#[test]
fn each_mistake_has_the_words_of_nginx_and_its_line() {
    let table = [
        (
            "events {}\nfoo on;",
            "unknown directive \"foo\" in /etc/nginx/nginx.conf:2",
        ),
        (
            "events {}\nhttp {\n  server {\n    listen;\n}}",
            "invalid number of arguments in \"listen\" directive in /etc/nginx/nginx.conf:4",
        ),
        (
            "server {}",
            "\"server\" directive is not allowed here in /etc/nginx/nginx.conf:1",
        ),
        (
            "events {}\n}",
            "unexpected \"}\" in /etc/nginx/nginx.conf:2",
        ),
        (
            "events {\n\n",
            "unexpected end of file, expecting \"}\" in /etc/nginx/nginx.conf:3",
        ),
        (
            "events {} user nginx",
            "unexpected end of file, expecting \";\" or \"}\" in /etc/nginx/nginx.conf:1",
        ),
        (
            "events;",
            "directive \"events\" has no opening \"{\" in /etc/nginx/nginx.conf:1",
        ),
        (
            "pid x { }",
            "directive \"pid\" is not terminated by \";\" in /etc/nginx/nginx.conf:1",
        ),
        (
            "pid a; pid b;",
            "\"pid\" directive is duplicate in /etc/nginx/nginx.conf:1",
        ),
        ("user nginx;", "no \"events\" section in configuration"),
        (
            "include a.conf;",
            "open() \"/etc/nginx/a.conf\" failed (2: No such file or directory) in /etc/nginx/nginx.conf:1",
        ),
        (
            "include nginx.conf;",
            "blocks or includes are nested too deeply in /etc/nginx/nginx.conf:1",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(config(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn mistakes_in_a_server_are_named() {
    let table = [
        (
            "listen 80 ssl;",
            "the \"ssl\" parameter requires ngx_http_ssl_module",
        ),
        (
            "listen 70000;",
            "invalid port in \"70000\" of the \"listen\" directive",
        ),
        (
            "listen web:80;",
            "host not found in \"web:80\" of the \"listen\" directive",
        ),
        ("listen 80 fast;", "invalid parameter \"fast\""),
        (
            "location / { proxy_pass http://nowhere; }",
            "host not found in upstream \"nowhere\"",
        ),
        ("location / { proxy_pass web; }", "invalid URL prefix"),
        (
            "location / { proxy_pass https://web; }",
            "https protocol requires SSL support",
        ),
        (
            "location / { proxy_pass http://$host; }",
            "variables in \"proxy_pass\" are not supported here",
        ),
        ("location / {} location / {}", "duplicate location \"/\""),
        (
            "location /a { location /b {} }",
            "location \"/b\" is outside location \"/a\"",
        ),
        ("location % / {}", "invalid location modifier \"%\""),
        ("location ~ ( {}", "regular expression \"(\" cannot be used"),
        (
            "autoindex yes;",
            "invalid value \"yes\" in \"autoindex\" directive, it must be \"on\" or \"off\"",
        ),
        ("return 1000;", "invalid return code \"1000\""),
        ("set name 1;", "invalid variable name \"name\""),
        ("return 200 $nothing;", "unknown \"nothing\" variable"),
        ("if (1) { return 404; }", "invalid condition \"1\""),
        (
            "if ($uri) { root /a; }",
            "\"root\" directive inside \"if\" is not supported here",
        ),
        ("access_log a main;", "unknown log format \"main\""),
        (
            "error_page 200 /a;",
            "value \"200\" must be between 300 and 599",
        ),
        (
            "keepalive_timeout x;",
            "\"keepalive_timeout\" directive invalid value",
        ),
        (
            "server_name a*b;",
            "invalid server name or wildcard \"a*b\"",
        ),
        ("deny me;", "invalid parameter \"me\""),
        (
            "ssl_certificate a;",
            "unknown directive \"ssl_certificate\"",
        ),
    ];
    for (text, expected) in table {
        let error = config(&format!("events {{}}\nhttp {{ server {{\n{text}\n}} }}")).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
        assert!(
            error.ends_with(" in /etc/nginx/nginx.conf:3"),
            "{text}: {error}"
        );
    }
}

#[test]
fn servers_share_addresses_and_the_default_comes_first() {
    let config = config(
        "events { worker_connections 7; } http { server { server_name a; } server { listen 80 default_server; \
         listen [::]:80; server_name b *.c; } upstream u { server backend weight=3; server localhost:81 backup; } }",
    )
    .unwrap();
    let listens: Vec<_> = config
        .listens
        .iter()
        .map(|l| (l.address.to_string(), l.servers.clone()))
        .collect();
    assert_eq!(
        listens,
        [
            ("0.0.0.0:80".to_owned(), vec![1, 0]),
            ("[::]:80".to_owned(), vec![1])
        ]
    );
    assert_eq!(config.worker_connections, 7);
    let peers: Vec<_> = config.upstreams[0]
        .peers
        .iter()
        .map(|peer| (peer.address.to_string(), peer.weight, peer.backup))
        .collect();
    let expected = [
        ("10.0.0.1:80", 3, false),
        ("10.0.0.2:80", 3, false),
        ("127.0.0.1:81", 1, true),
    ];
    assert_eq!(
        peers,
        expected.map(|(address, weight, backup)| (address.to_owned(), weight, backup))
    );
}

#[test]
fn two_defaults_for_one_address_are_refused() {
    let error = config(
        "events {} http { server { listen 80 default_server; } server { listen 80 default_server; } }",
    );
    assert_eq!(
        error.unwrap_err(),
        "a duplicate default server for 0.0.0.0:80 in /etc/nginx/nginx.conf:1"
    );
}

#[test]
fn includes_follow_patterns_in_the_order_of_names() {
    let config = config_of(&[
        (
            "/etc/nginx/nginx.conf",
            "events {} http { include conf.d/*.conf; include none/*.conf; }",
        ),
        ("/etc/nginx/conf.d/b.conf", "server { server_name b; }"),
        ("/etc/nginx/conf.d/a.conf", "server { server_name a; }"),
        ("/etc/nginx/conf.d/c.txt", "nonsense"),
    ])
    .unwrap();
    let names: Vec<_> = config
        .servers
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn the_image_s_own_configuration_is_good() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/rootfs/etc/nginx");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let config = config_of(&[
        ("/etc/nginx/nginx.conf", &read("nginx.conf")),
        ("/etc/nginx/mime.types", &read("mime.types")),
        (
            "/etc/nginx/conf.d/default.conf",
            &read("conf.d/default.conf"),
        ),
    ])
    .unwrap();
    assert_eq!(config.listens[0].address.to_string(), "0.0.0.0:80");
    let settings = &config.servers[0].base.settings;
    assert_eq!(
        settings.types.get("html").map(String::as_str),
        Some("text/html")
    );
    assert_eq!(settings.default_type, "application/octet-stream");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(events|http|server|location|if|listen|set|root|[ {};$/~@='\"a1]){0,40}") {
        let _ = config(&text);
        let _ = config(&format!("events {{}} http {{ server {{ {text} }} }}"));
    }
}
