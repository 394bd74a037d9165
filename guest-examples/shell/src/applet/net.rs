//! Utilities of the network, over the pod's own sockets: `wget`, `curl`, `nc`, `nslookup`, `getent`.
//!
//! HTTP/1.1 (RFC 9112) without TLS: certificates and keys would multiply the size of this program. A socket blocks the
//! whole guest: other tasks of the shell wait meanwhile.

use super::{Call, Fail, Options, Outcome};
use crate::io::{Fd, strerror};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How many redirections are followed (curl: 50, wget: 20).
const MAX_REDIRECTS: usize = 20;
/// The longest header line that is accepted (nginx and others: 8 KiB).
const MAX_HEADER_BYTES: u64 = 16 * 1024;
/// How many header lines are accepted.
const MAX_HEADERS: usize = 200;

struct Url {
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err("https is not supported: this program has no TLS".into());
            }
            Some((scheme, _)) => return Err(format!("{scheme} is not supported")),
            None => text,
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = path.split('#').next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (
                host,
                port.parse().map_err(|_| format!("bad port in '{text}'"))?,
            ),
            _ => (authority, 80),
        };
        if host.is_empty() {
            return Err(format!("bad address '{text}'"));
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path,
        })
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == 80 {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

struct Request<'r> {
    method: &'r str,
    headers: Vec<String>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    agent: &'r str,
}

struct Response {
    status: u16,
    head: String,
    location: Option<String>,
    body: Box<dyn Read>,
}

fn connect(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        let stream = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout).or_else(|error| {
                // Where the host has no timed connect: without.
                if error.kind() == io::ErrorKind::Unsupported {
                    TcpStream::connect(address)
                } else {
                    Err(error)
                }
            }),
            None => TcpStream::connect(address),
        };
        match stream {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

fn send(url: &Url, request: &Request<'_>) -> io::Result<Response> {
    let mut stream = connect(&url.host, url.port, request.timeout)?;
    if request.timeout.is_some() {
        // A host without timeouts waits longer; that is no reason to fail.
        let _ = stream.set_read_timeout(request.timeout);
    }
    let has = |name: &str| {
        request
            .headers
            .iter()
            .any(|header| header.to_lowercase().starts_with(&format!("{name}:")))
    };
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, url.path);
    if !has("host") {
        head.push_str(&format!("Host: {}\r\n", url.authority()));
    }
    if !has("user-agent") {
        head.push_str(&format!("User-Agent: {}\r\n", request.agent));
    }
    if !has("accept") {
        head.push_str("Accept: */*\r\n");
    }
    for header in &request.headers {
        head.push_str(&format!("{header}\r\n"));
    }
    if !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH") {
        if !has("content-type") && request.method == "POST" {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    head.push_str("Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&request.body)?;
    receive(BufReader::new(stream), request.method == "HEAD")
}

fn header_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    input
        .by_ref()
        .take(MAX_HEADER_BYTES)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn receive(mut input: BufReader<TcpStream>, no_body: bool) -> io::Result<Response> {
    let invalid = || io::Error::other("the answer is not HTTP");
    loop {
        let first = header_line(&mut input)?;
        let status: u16 = first
            .strip_prefix("HTTP/")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(invalid)?;
        let mut head = format!("{first}\r\n");
        let (mut length, mut chunked, mut location) = (None, false, None);
        for count in 0.. {
            let line = header_line(&mut input)?;
            if line.is_empty() {
                break;
            }
            if count >= MAX_HEADERS {
                return Err(io::Error::other("too many headers"));
            }
            head.push_str(&format!("{line}\r\n"));
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.trim().parse::<u64>().ok(),
                "transfer-encoding" => chunked = value.to_lowercase().contains("chunked"),
                "location" => location = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        head.push_str("\r\n");
        if (100..200).contains(&status) {
            continue;
        }
        let body: Box<dyn Read> = match length {
            _ if no_body || status == 204 || status == 304 => Box::new(io::empty()),
            _ if chunked => Box::new(Chunks {
                input,
                left: 0,
                started: false,
                ended: false,
            }),
            Some(length) => Box::new(input.take(length)),
            None => Box::new(input),
        };
        return Ok(Response {
            status,
            head,
            location,
            body,
        });
    }
}

/// The chunked transfer coding (RFC 9112 7.1).
struct Chunks {
    input: BufReader<TcpStream>,
    left: u64,
    started: bool,
    ended: bool,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        if self.left == 0 {
            if std::mem::replace(&mut self.started, true) {
                header_line(&mut self.input)?;
            }
            let line = header_line(&mut self.input)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16).map_err(|_| io::Error::other("bad chunk"))?;
            if self.left == 0 {
                self.ended = true;
                return Ok(0);
            }
        }
        let count = self.input.by_ref().take(self.left).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(count).unwrap_or(self.left);
        Ok(count)
    }
}

/// Follows redirections.
fn fetch(
    url: &str,
    request: &Request<'_>,
    follows: bool,
) -> Result<(Url, Response), (String, i32)> {
    let mut url = Url::parse(url).map_err(|message| (message, 3))?;
    for _ in 0..MAX_REDIRECTS {
        let response = send(&url, request).map_err(|error| {
            let code = match error.kind() {
                io::ErrorKind::ConnectionRefused => 7,
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => 28,
                _ => 6,
            };
            let reason = if code == 6 {
                format!("{}: {}", url.host, strerror(&error))
            } else {
                format!(
                    "can't connect to {}:{}: {}",
                    url.host,
                    url.port,
                    strerror(&error)
                )
            };
            (reason, code)
        })?;
        match &response.location {
            Some(location) if follows && (300..400).contains(&response.status) => {
                url = if location.starts_with('/') {
                    Url {
                        path: location.clone(),
                        ..url
                    }
                } else {
                    Url::parse(location).map_err(|message| (message, 3))?
                };
            }
            _ => return Ok((url, response)),
        }
    }
    Err(("too many redirections".into(), 47))
}

async fn copy_body(
    call: &mut Call<'_>,
    body: &mut dyn Read,
    target: Option<&Fd>,
) -> Result<(), Fail> {
    let mut block = vec![0; crate::io::READ_BYTES];
    loop {
        let count = body.read(&mut block)?;
        if count == 0 {
            return Ok(());
        }
        match target {
            Some(fd) => fd.write(&block[..count]).await?,
            None => {
                call.put(&block[..count]).await?;
                call.flush().await?;
            }
        }
    }
}

fn seconds(options: &Options, option: char) -> Option<Duration> {
    options
        .value(option)
        .and_then(|text| text.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|d| !d.is_zero())
}

fn create(call: &Call<'_>, name: &str) -> Result<Option<Fd>, Fail> {
    if name == "-" {
        return Ok(None);
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let fd = crate::exec::open_path(call.shell, name, &options);
    fd.map(Some)
        .map_err(|error| Fail::new(format!("can't open '{name}': {}", strerror(&error))))
}

/// `wget [-q] [-O file] [-P folder] [-T seconds] [-S] [--spider] [--header h] [--post-data d] url…`.
pub async fn wget(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("quiet", 'q'),
        ("output-document", 'O'),
        ("timeout", 'T'),
        ("tries", 't'),
        ("header", 'H'),
        ("post-data", 'd'),
        ("spider", 's'),
        ("server-response", 'S'),
        ("no-check-certificate", 'N'),
        ("no-verbose", 'q'),
        ("directory-prefix", 'P'),
        ("user-agent", 'U'),
    ];
    let options = call.options("qO:T:t:H:d:sSNP:cU:n:", &long)?;
    if call.args.is_empty() {
        return Err(Fail::new("missing URL"));
    }
    let data = options.value('d');
    let mut headers: Vec<String> = options
        .iter()
        .filter(|(option, _)| *option == 'H')
        .map(|(_, value)| value.to_owned())
        .collect();
    headers.extend(
        options
            .value('U')
            .map(|agent| format!("User-Agent: {agent}")),
    );
    let mut status = 0;
    for text in std::mem::take(&mut call.args) {
        let request = Request {
            method: if data.is_some() { "POST" } else { "GET" },
            headers: headers.clone(),
            body: data.unwrap_or_default().as_bytes().to_vec(),
            timeout: seconds(&options, 'T'),
            agent: "Wget",
        };
        let (url, mut response) = match fetch(&text, &request, true) {
            Ok(found) => found,
            Err((message, _)) => {
                call.warn(message).await?;
                status = 1;
                continue;
            }
        };
        if options.has('S') {
            for line in response.head.lines() {
                call.warn(format!("  {line}")).await?;
            }
        }
        if response.status >= 400 {
            let line = response.head.lines().next().unwrap_or_default().to_owned();
            call.warn(format!("server returned error: {line}")).await?;
            status = 1;
            continue;
        }
        if options.has('s') {
            continue;
        }
        let base = url
            .path
            .split('?')
            .next()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .filter(|base| !base.is_empty());
        let folder = options
            .value('P')
            .map(|folder| format!("{folder}/"))
            .unwrap_or_default();
        let name = options.value('O').map_or_else(
            || format!("{folder}{}", base.unwrap_or("index.html")),
            str::to_owned,
        );
        let target = create(call, &name)?;
        copy_body(call, &mut response.body, target.as_ref()).await?;
        if !options.has('q') && name != "-" {
            call.warn(format!("'{name}' saved")).await?;
        }
    }
    Ok(status)
}

/// `curl [-sSfLiIv] [-o file] [-O] [-X method] [-H header] [-d data] [-m seconds] [-w format] url…`.
pub async fn curl(call: &mut Call<'_>) -> Outcome {
    let long = [
        ("silent", 's'),
        ("show-error", 'S'),
        ("fail", 'f'),
        ("location", 'L'),
        ("include", 'i'),
        ("head", 'I'),
        ("output", 'o'),
        ("remote-name", 'O'),
        ("request", 'X'),
        ("header", 'H'),
        ("data", 'd'),
        ("data-raw", 'd'),
        ("max-time", 'm'),
        ("connect-timeout", 'm'),
        ("write-out", 'w'),
        ("insecure", 'k'),
        ("verbose", 'v'),
        ("user-agent", 'A'),
        ("retry", 'R'),
        ("no-progress-meter", 's'),
    ];
    let options = call.options("sSfLiIo:OX:H:d:m:w:kvA:R:gN4", &long)?;
    if call.args.is_empty() {
        return Err(Fail::usage("no URL specified"));
    }
    let data: Vec<&str> = options
        .iter()
        .filter(|(option, _)| *option == 'd')
        .map(|(_, value)| value)
        .collect();
    let mut headers: Vec<String> = options
        .iter()
        .filter(|(option, _)| *option == 'H')
        .map(|(_, value)| value.to_owned())
        .collect();
    headers.extend(
        options
            .value('A')
            .map(|agent| format!("User-Agent: {agent}")),
    );
    let implied = if options.has('I') {
        "HEAD"
    } else if data.is_empty() {
        "GET"
    } else {
        "POST"
    };
    let method = options.value('X').unwrap_or(implied).to_owned();
    let mut body = data.join("&").into_bytes();
    if let [one] = data.as_slice()
        && let Some(name) = one.strip_prefix('@')
    {
        body = call.open(name)?.read_to_end().await?;
    }
    for text in std::mem::take(&mut call.args) {
        let request = Request {
            method: &method,
            headers: headers.clone(),
            body: body.clone(),
            timeout: seconds(&options, 'm'),
            agent: "curl",
        };
        let (url, mut response) = match fetch(&text, &request, options.has('L')) {
            Ok(found) => found,
            Err((message, code)) => {
                let quiet = options.has('s') && !options.has('S');
                if !quiet {
                    call.warn(format!("({code}) {message}")).await?;
                }
                return Ok(code);
            }
        };
        if options.has('f') && response.status >= 400 {
            if !options.has('s') || options.has('S') {
                call.warn(format!(
                    "(22) The requested URL returned error: {}",
                    response.status
                ))
                .await?;
            }
            return Ok(22);
        }
        let base = url.path.rsplit('/').next().unwrap_or_default().to_owned();
        let target = match (options.value('o'), options.has('O')) {
            (Some(name), _) => create(call, name)?,
            (None, true) => create(call, &base)?,
            _ => None,
        };
        if options.last_of("iI").is_some() {
            let head = response.head.clone();
            match &target {
                Some(fd) => fd.write(head.as_bytes()).await?,
                None => call.put(head).await?,
            }
        }
        copy_body(call, &mut response.body, target.as_ref()).await?;
        if let Some(format) = options.value('w') {
            let text = format
                .replace("%{http_code}", &response.status.to_string())
                .replace("%{response_code}", &response.status.to_string());
            call.put(crate::escape::unescape(&text, crate::escape::Style::Quote).0)
                .await?;
        }
    }
    Ok(0)
}

/// `nc [-lkvzn] [-p port] [-w seconds] [host] port`: stdin goes out, then what comes back goes to stdout.
pub async fn nc(call: &mut Call<'_>) -> Outcome {
    let options = call.options("lkvznp:w:q:uN", &[])?;
    let timeout = seconds(&options, 'w');
    if options.has('u') {
        return Err(Fail::new("UDP is not supported"));
    }
    let port_of = |text: Option<&str>| {
        text.and_then(|port| port.parse::<u16>().ok())
            .ok_or_else(|| Fail::new("missing port"))
    };
    if options.has('l') {
        let port = port_of(options.value('p').or(call.args.last().map(String::as_str)))?;
        let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
        loop {
            call.flush().await?;
            let (stream, _) = listener.accept()?;
            converse(call, &stream).await?;
            if !options.has('k') {
                return Ok(0);
            }
        }
    }
    let [host, ports @ ..] = call.args.as_slice() else {
        return Err(Fail::new("missing host"));
    };
    let (host, port) = (host.clone(), port_of(ports.first().map(String::as_str))?);
    match connect(&host, port, timeout) {
        Ok(stream) => {
            if options.has('v') {
                call.warn(format!("{host} ({port}) open")).await?;
            }
            if !options.has('z') {
                converse(call, &stream).await?;
            }
            Ok(0)
        }
        Err(error) => {
            if options.has('v') || !options.has('z') {
                call.warn(format!("{host} ({port}): {}", strerror(&error)))
                    .await?;
            }
            Ok(1)
        }
    }
}

async fn converse(call: &mut Call<'_>, mut stream: &TcpStream) -> Result<(), Fail> {
    let input = call.stdin()?;
    loop {
        let part = input.read().await?;
        if part.is_empty() {
            break;
        }
        stream.write_all(&part)?;
    }
    // The peer may have closed already.
    let _ = stream.shutdown(Shutdown::Write);
    copy_body(call, &mut stream, None).await
}

/// `nslookup name`.
pub async fn nslookup(call: &mut Call<'_>) -> Outcome {
    call.options("q:t:", &[])?;
    let Some(name) = call.args.first().cloned() else {
        return Err(Fail::new("missing name"));
    };
    let server = std::fs::read_to_string(call.path("/etc/resolv.conf")).unwrap_or_default();
    let server = server
        .lines()
        .find_map(|line| line.strip_prefix("nameserver "))
        .unwrap_or("127.0.0.1")
        .trim()
        .to_owned();
    call.line(format!("Server:\t\t{server}\nAddress:\t{server}:53\n"))
        .await?;
    match addresses(&name) {
        Ok(found) => {
            for address in found {
                call.line(format!("Name:\t{name}\nAddress: {address}"))
                    .await?;
            }
            Ok(0)
        }
        Err(_) => {
            call.line(format!("** server can't find {name}: NXDOMAIN"))
                .await?;
            Ok(1)
        }
    }
}

fn addresses(name: &str) -> io::Result<Vec<String>> {
    let mut found: Vec<String> = (name, 0)
        .to_socket_addrs()?
        .map(|address| address.ip().to_string())
        .collect();
    found.dedup();
    if found.is_empty() {
        Err(io::ErrorKind::NotFound.into())
    } else {
        Ok(found)
    }
}

/// `getent hosts name…`.
pub async fn getent(call: &mut Call<'_>) -> Outcome {
    if !matches!(
        call.args.first().map(String::as_str),
        Some("hosts" | "ahosts" | "ahostsv4")
    ) {
        return Err(Fail::new("only the database hosts is supported"));
    }
    let mut status = 0;
    for name in call.args.split_off(1) {
        match addresses(&name) {
            Ok(found) => {
                for address in found {
                    call.line(format!("{address:<15} {name}")).await?;
                }
            }
            Err(_) => status = 2,
        }
    }
    Ok(status)
}
