//! Requests through a whole server, on the scripted network and a folder of its own.

use std::cell::RefCell;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use http_loop::clock::SECOND;
use http_loop::event_loop::EventLoop;
use http_loop::fake::{FakeNet, Peer};
use http_loop::net::ConnectError;

use super::Server;
use super::files::VALIDITY;
use super::logs::Logs;
use crate::config::{build, tree};

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Fixture {
    event_loop: EventLoop<FakeNet, Server>,
    folder: tempfile::TempDir,
    access: Shared,
    errors: Shared,
}

const UPSTREAM: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);

impl Fixture {
    /// A server with these directives in its `server` block; `ROOT` stands for its folder.
    fn new(server: &str) -> Self {
        Self::with_http(&format!("root ROOT; server {{ {server} }}"))
    }

    fn with_http(http: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let text = format!(
            "error_log stderr info; events {{}} http {{ types {{ text/html html; text/css css; }} \
             default_type application/octet-stream; {} }}",
            http.replace("ROOT", root)
        );
        let nodes = tree::read_text(&tree::RealFiles, &text, "test.conf").unwrap();
        let resolve = |_: &str| vec![IpAddr::from(UPSTREAM.0)];
        let config = build::build(&nodes, &resolve).unwrap();
        let (access, errors) = (Shared::default(), Shared::default());
        let logs = Logs::new(Box::new(access.clone()), Box::new(errors.clone()));
        let server = Server::new(Rc::new(config), logs, "host".to_owned());
        let mut event_loop = EventLoop::new(FakeNet::default(), 1, server);
        event_loop.net().server(SocketAddr::from(UPSTREAM), Ok(()));
        let fixture = Self {
            event_loop,
            folder,
            access,
            errors,
        };
        fixture.write("index.html", "<p>home");
        fixture.write("style.css", "0123456789");
        fixture.write("a/page", "page");
        fixture
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.event_loop.turn();
        }
    }

    fn client(&mut self) -> Peer {
        self.event_loop.net().client()
    }

    /// The answer to a request on a connection of its own.
    fn ask(&mut self, request: &str) -> String {
        let client = self.client();
        client.send(request);
        self.settle();
        client.close();
        self.settle();
        client.take()
    }

    fn get(&mut self, path: &str) -> String {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: Web.test:80\r\nConnection: close\r\n\r\n"
        ))
    }

    fn get_with(&mut self, path: &str, fields: &str) -> String {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: web.test\r\n{fields}\r\n\r\n"
        ))
    }

    /// What another server is asked, when it answers so.
    fn proxied(&mut self, request: &str, response: &str) -> (String, String) {
        let client = self.client();
        client.send(request);
        self.settle();
        let (_, upstream) = self
            .event_loop
            .net()
            .connections
            .last()
            .expect("another server is asked")
            .clone();
        let asked = upstream.take();
        upstream.send(response);
        upstream.close();
        self.settle();
        (asked, client.take())
    }

    fn errors(&self) -> String {
        String::from_utf8(self.errors.0.borrow().clone()).unwrap()
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[track_caller]
fn has(answer: &str, line: &str) {
    assert!(
        answer.contains(&format!("\r\n{line}\r\n")),
        "{line:?} is not in {answer}"
    );
}

#[test]
fn a_file_is_sent_with_what_nginx_says_of_it() {
    let mut fixture = Fixture::new("");
    let answer = fixture.get_with("/", "User-Agent: me");
    assert!(
        answer.starts_with(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
        ),
        "{answer}"
    );
    for line in [
        "Content-Type: text/html",
        "Content-Length: 7",
        "Connection: keep-alive",
        "Accept-Ranges: bytes",
    ] {
        has(&answer, line);
    }
    assert_eq!(body(&answer), "<p>home");
    let log = String::from_utf8(fixture.access.0.borrow().clone()).unwrap();
    assert_eq!(
        log,
        "10.0.0.9 - - [21/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 7 \"-\" \"me\"\n"
    );
}

#[test]
fn paths_give_files_redirections_or_errors() {
    let mut fixture = Fixture::new("");
    let table = [
        ("/index.html", "200"),
        ("/a/page", "200"),
        ("/%61/./../a//page?q", "200"),
        ("/a", "301"),
        ("/a/", "403"),
        ("/none", "404"),
        ("/a/page/", "404"),
        ("/../etc/passwd", "400"),
        ("/%2e%2e/%2e%2e/etc/passwd", "400"),
        ("/a%00b", "400"),
        ("http://web.test/index.html", "200"),
    ];
    for (path, expected) in table {
        assert_eq!(status(&fixture.get(path)), expected, "{path}");
    }
    has(
        &fixture.get("/a?x=1"),
        "Location: http://Web.test:80/a/?x=1",
    );
    assert_eq!(
        status(&fixture.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n")),
        "405"
    );
    assert!(
        fixture.errors().contains("[error] 1#1: *"),
        "{}",
        fixture.errors()
    );
    assert!(fixture.errors().contains(
        "(2: No such file or directory), client: 10.0.0.9, server: , request: \"GET /none"
    ));
}

#[test]
fn a_head_request_has_the_head_alone_and_an_error_the_page_of_nginx() {
    let mut fixture = Fixture::new("");
    let answer = fixture.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    has(&answer, "Content-Length: 7");
    assert_eq!(body(&answer), "");
    let answer = fixture.get("/none");
    has(&answer, "Connection: close");
    assert!(
        body(&answer).starts_with("<html>\r\n<head><title>404 Not Found</title></head>\r\n"),
        "{answer}"
    );
    assert!(
        body(&answer).ends_with("<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
        "{answer}"
    );
    assert_eq!(status(&fixture.ask("GET / HTTP/1.1\r\n\r\n")), "400");
    assert_eq!(status(&fixture.ask("NONSENSE\r\n\r\n")), "400");
}

#[test]
fn conditions_and_ranges_follow_rfc_9110() {
    let mut fixture = Fixture::new("");
    let answer = fixture.get("/style.css");
    let field = |name: &str| {
        answer
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let (etag, modified) = (field("ETag: "), field("Last-Modified: "));
    let table = [
        (format!("If-None-Match: {etag}"), "304"),
        (format!("If-None-Match: \"x\", W/{etag}"), "304"),
        ("If-None-Match: \"x\"".to_owned(), "200"),
        (format!("If-Modified-Since: {modified}"), "304"),
        (
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
            "200",
        ),
        ("If-Match: \"x\"".to_owned(), "412"),
        (
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
            "412",
        ),
        ("Range: bytes=2-4".to_owned(), "206"),
        (format!("Range: bytes=2-4\r\nIf-Range: {etag}"), "206"),
        ("Range: bytes=2-4\r\nIf-Range: \"x\"".to_owned(), "200"),
        ("Range: bytes=10-".to_owned(), "416"),
    ];
    for (fields, expected) in table {
        assert_eq!(
            status(&fixture.get_with("/style.css", &fields)),
            expected,
            "{fields}"
        );
    }
    let part = fixture.get_with("/style.css", "Range: bytes=2-4");
    has(&part, "Content-Range: bytes 2-4/10");
    assert_eq!(body(&part), "234");
    has(
        &fixture.get_with("/style.css", "Range: bytes=10-"),
        "Content-Range: bytes */10",
    );
}

#[test]
fn a_page_that_another_container_changes_is_seen_at_once() {
    let mut fixture = Fixture::new("");
    assert_eq!(body(&fixture.get("/")), "<p>home");
    fixture.write("index.html", "<p>home and more");
    fixture.event_loop.net().now += VALIDITY;
    assert_eq!(body(&fixture.get("/")), "<p>home and more");
}

#[test]
fn locations_are_chosen_as_in_nginx() {
    let mut fixture = Fixture::new(
        "location / { return 200 root; } location = /a { return 200 exact; } location /a { return 200 prefix; } \
         location ^~ /img/ { return 200 final; } location ~ \\.png$ { return 200 case; } \
         location ~* \\.(jpg|gif)$ { return 200 \"nocase $1\"; } location /n/ { location /n/m { return 200 nested; } }",
    );
    let table = [
        ("/", "root"),
        ("/a", "exact"),
        ("/ab", "prefix"),
        ("/a.png", "case"),
        ("/a.PNG", "prefix"),
        ("/b.JPG", "nocase JPG"),
        ("/img/a.png", "final"),
        ("/n/mo", "nested"),
    ];
    for (path, expected) in table {
        assert_eq!(body(&fixture.get(path)), expected, "{path}");
    }
}

#[test]
fn servers_are_chosen_by_name() {
    let mut fixture = Fixture::with_http(
        "server { server_name default; return 200 default; } server { server_name a.test .b.test; return 200 ab; } \
         server { server_name *.a.test; return 200 star; } server { server_name www.*; return 200 www; } \
         server { server_name ~^v\\d+$; return 200 pattern; }",
    );
    let table = [
        ("a.test", "ab"),
        ("A.Test:8080", "ab"),
        ("b.test", "ab"),
        ("x.b.test", "ab"),
        ("x.a.test", "star"),
        ("www.a.test", "star"),
        ("www.c.org", "www"),
        ("v12", "pattern"),
        ("other", "default"),
    ];
    for (host, expected) in table {
        let answer = fixture.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(body(&answer), expected, "{host}");
    }
}

#[test]
fn rewriting_follows_its_flags() {
    let mut fixture = Fixture::new(
        "set $who world; rewrite ^/old/(.*)$ /new/$1 last; rewrite ^/gone$ /a/page permanent; \
         if ($request_method = PUT) { return 403; } if ($arg_q ~ ^x(.)) { return 200 \"q $1\"; } \
         location /new/ { return 200 \"$uri $args hello $who\"; } location /moved { return 302 /there; } \
         location /in { rewrite ^/in$ /a/page break; } location /loop { rewrite ^ /loop last; } \
         location /quiet { return 444; }",
    );
    assert_eq!(body(&fixture.get("/old/x?y=1")), "/new/x y=1 hello world");
    has(
        &fixture.get("/gone?z"),
        "Location: http://Web.test:80/a/page?z",
    );
    has(&fixture.get("/moved"), "Location: http://Web.test:80/there");
    assert_eq!(body(&fixture.get("/in")), "page");
    assert_eq!(body(&fixture.get("/?q=xy")), "q y");
    assert_eq!(status(&fixture.get("/loop")), "500");
    assert_eq!(fixture.get("/quiet"), "");
    assert_eq!(
        status(&fixture.ask("PUT / HTTP/1.1\r\nHost: a\r\n\r\n")),
        "403"
    );
}

#[test]
fn errors_have_their_pages_and_try_files_its_fallbacks() {
    let mut fixture = Fixture::new(
        "error_page 404 /missing.html; error_page 403 =200 /index.html; error_page 405 @other; \
         location /app { try_files $uri $uri/ /index.html; } location /strict { try_files $uri =410; } \
         location /named { try_files $uri @other; } location @other { return 202 other; } \
         location /secret { deny all; } location /mine { allow 10.0.0.0/8; deny all; return 200 mine; } \
         location = /missing.html { internal; }",
    );
    fixture.write("missing.html", "not here");
    let answer = fixture.get("/none");
    assert_eq!((status(&answer), body(&answer)), ("404", "not here"));
    assert_eq!(status(&fixture.get("/missing.html")), "404");
    let answer = fixture.get("/secret/x");
    assert_eq!((status(&answer), body(&answer)), ("200", "<p>home"));
    assert_eq!(body(&fixture.get("/mine")), "mine");
    assert_eq!(body(&fixture.get("/app/deep/link")), "<p>home");
    assert_eq!(status(&fixture.get("/strict/x")), "410");
    assert_eq!(body(&fixture.get("/named")), "other");
    assert_eq!(
        body(&fixture.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n")),
        "other"
    );
}

#[test]
fn headers_aliases_listings_and_counters_are_as_configured() {
    let mut fixture = Fixture::new(
        "add_header X-A $uri; location /files/ { alias ROOT/a/; autoindex on; expires 1h; } \
         location /status { stub_status; } location /always { add_header X-B b always; return 404; } \
         charset utf-8;",
    );
    let answer = fixture.get("/files/page");
    assert_eq!(body(&answer), "page");
    has(&answer, "X-A: /files/page");
    has(&answer, "Cache-Control: max-age=3600");
    has(&answer, "Expires: Sat, 21 Nov 2026 11:00:00 GMT");
    fixture.write("a/<b>", "");
    let answer = fixture.get("/files/");
    assert!(
        body(&answer).contains("<a href=\"%3Cb%3E\">&lt;b&gt;</a>"),
        "{answer}"
    );
    has(&answer, "Content-Type: text/html; charset=utf-8");
    assert!(
        body(&fixture.get("/status"))
            .starts_with("Active connections: 1 \nserver accepts handled requests\n 3 3 3 \n")
    );
    let answer = fixture.get("/always");
    has(&answer, "X-B: b");
    assert!(!answer.contains("X-A"), "{answer}");
}

#[test]
fn bodies_over_the_limit_are_refused_and_others_dropped() {
    let mut fixture = Fixture::new("client_max_body_size 4; location / { return 200 ok; }");
    let post = |length: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    assert_eq!(body(&fixture.ask(&post("4", "abcd"))), "ok");
    let mut fixture = Fixture::new("client_max_body_size 4;");
    let answer = fixture.ask(&post("5", ""));
    assert_eq!(status(&answer), "413");
    has(&answer, "Connection: close");
}

#[test]
fn a_proxied_request_says_what_the_configuration_says() {
    let request = "GET /app/x%20y?q=1 HTTP/1.1\r\nHost: web.test\r\nX-Up: 1\r\nConnection: x-up\r\nAccept: */*\r\n\r\n";
    let table = [
        (
            "proxy_pass http://127.0.0.1:5000;",
            "GET /app/x%20y?q=1 HTTP/1.0\r\nHost: 127.0.0.1:5000\r\nConnection: close\r\nAccept: */*\r\n\r\n",
        ),
        (
            "proxy_pass http://127.0.0.1:5000/;",
            "GET /x%20y?q=1 HTTP/1.0\r\nHost: 127.0.0.1:5000\r\nConnection: close\r\nAccept: */*\r\n\r\n",
        ),
        (
            "proxy_pass http://127.0.0.1:5000/base/; proxy_http_version 1.1; proxy_set_header Host $host; \
             proxy_set_header Connection \"\"; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             proxy_set_header Accept none;",
            "GET /base/x%20y?q=1 HTTP/1.1\r\nHost: web.test\r\nX-Forwarded-For: 10.0.0.9\r\nAccept: none\r\n\r\n",
        ),
    ];
    for (directives, expected) in table {
        let mut fixture = Fixture::new(&format!("location /app/ {{ {directives} }}"));
        let (asked, _) = fixture.proxied(request, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(asked, expected, "{directives}");
    }
}

#[test]
fn a_proxied_answer_loses_what_concerns_the_other_connection_only() {
    let mut fixture = Fixture::new(
        "location /app/ { proxy_pass http://127.0.0.1:5000/; proxy_hide_header X-Secret; }",
    );
    let (_, answer) = fixture.proxied(
        "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.0 302 Found\r\nServer: other\r\nX-Secret: 1\r\nX-Open: 2\r\nKeep-Alive: x\r\n\
         Location: http://127.0.0.1:5000/there\r\nContent-Length: 2\r\n\r\nok",
    );
    assert!(
        answer.starts_with("HTTP/1.1 302 Found\r\nServer: nginx\r\n"),
        "{answer}"
    );
    has(&answer, "Location: /app/there");
    has(&answer, "X-Open: 2");
    for gone in ["X-Secret", "other", "Keep-Alive: x"] {
        assert!(!answer.contains(gone), "{gone}: {answer}");
    }
    let log = String::from_utf8(fixture.access.0.borrow().clone()).unwrap();
    assert!(log.contains("\"GET /app/ HTTP/1.1\" 302 2 "), "{log}");
}

#[test]
fn a_server_that_cannot_be_reached_is_502_and_one_that_is_silent_504() {
    let mut fixture = Fixture::new(
        "error_page 504 /index.html; location /app { proxy_pass http://u.test:5000; proxy_read_timeout 3s; }",
    );
    fixture
        .event_loop
        .net()
        .server(SocketAddr::from(UPSTREAM), Err(ConnectError::Refused));
    let answer = fixture.get("/app");
    assert_eq!(status(&answer), "502");
    let line = "[error] 1#1: *1 connect() failed (111: Connection refused) while connecting to upstream, client: \
                10.0.0.9, server: , request: \"GET /app HTTP/1.1\", upstream: \"http://127.0.0.1:5000\", host: ";
    assert!(fixture.errors().contains(line), "{}", fixture.errors());

    fixture
        .event_loop
        .net()
        .server(SocketAddr::from(UPSTREAM), Ok(()));
    let client = fixture.client();
    client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
    fixture.settle();
    fixture.event_loop.net().now += 4 * SECOND;
    fixture.settle();
    let answer = client.take();
    assert_eq!((status(&answer), body(&answer)), ("504", "<p>home"));
}

#[test]
fn what_a_client_sends_cannot_forge_a_log_line() {
    let mut fixture = Fixture::new("");
    fixture.get_with("/", "User-Agent: a\" \\ \u{7f}\u{e9}");
    let log = String::from_utf8(fixture.access.0.borrow().clone()).unwrap();
    assert!(
        log.ends_with(" \"a\\x22 \\x5C \\x7F\\xC3\\xA9\"\n"),
        "{log}"
    );
}
