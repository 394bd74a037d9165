//! Response heads and the bodies that this server makes itself, in nginx's form.

use http_loop::date;
use http_loop::decimal::push_decimal;
use http_loop::status::reason;

use super::state::View;
use super::uri;
use crate::config::model::{Expires, Settings};

/// What a head says besides status, date and connection.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    pub(super) status: u16,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) length: Option<u64>,
    pub(super) last_modified: Option<&'a [u8]>,
    pub(super) etag: Option<&'a [u8]>,
    pub(super) location: Option<&'a [u8]>,
    pub(super) content_range: Option<&'a [u8]>,
    pub(super) accept_ranges: bool,
    pub(super) keep_alive: bool,
}

fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the status line, `Server` and `Date`.
pub(super) fn push_start(out: &mut Vec<u8>, status: u16, date: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\nServer: nginx\r\nDate: ");
    out.extend_from_slice(date);
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole head, with its empty line.
pub(super) fn push_head(out: &mut Vec<u8>, view: &View<'_>, head: &Head<'_>) {
    let settings = &view.state.location.settings;
    push_start(out, head.status, view.context.clock.http_date());
    if let Some(content_type) = head.content_type {
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(content_type);
        if let Some(charset) = &settings.charset
            && content_type.starts_with(b"text/")
        {
            out.extend_from_slice(b"; charset=");
            out.extend_from_slice(charset.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    if let Some(length) = head.length {
        out.extend_from_slice(b"Content-Length: ");
        push_decimal(out, length);
        out.extend_from_slice(b"\r\n");
    }
    if let Some(last_modified) = head.last_modified {
        push_field(out, b"Last-Modified", last_modified);
    }
    if let Some(location) = head.location {
        push_field(out, b"Location", location);
    }
    push_connection(out, settings, head.keep_alive);
    if let Some(etag) = head.etag {
        push_field(out, b"ETag", etag);
    }
    push_added(out, view, head.status);
    if head.accept_ranges {
        out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
    }
    if let Some(range) = head.content_range {
        push_field(out, b"Content-Range", range);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends `Connection`, and `Keep-Alive` where it is configured.
pub(super) fn push_connection(out: &mut Vec<u8>, settings: &Settings, keep_alive: bool) {
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
        return;
    }
    out.extend_from_slice(b"Connection: keep-alive\r\n");
    if let Some(seconds) = settings.keepalive_header {
        out.extend_from_slice(b"Keep-Alive: timeout=");
        push_decimal(out, seconds);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends what `expires` and `add_header` say.
pub(super) fn push_added(out: &mut Vec<u8>, view: &View<'_>, status: u16) {
    let settings = &view.state.location.settings;
    let is_good = matches!(
        status,
        200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308
    );
    if is_good {
        push_expires(out, settings.expires, view.context.clock.unix());
    }
    for (name, value, always) in settings.add_headers.iter() {
        if is_good || *always {
            let value = value.value(view);
            // A value with a line's end would be another header.
            if !value.is_empty() && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                push_field(out, name.as_bytes(), &value);
            }
        }
    }
}

fn push_expires(out: &mut Vec<u8>, expires: Expires, now: u64) {
    let date_of = |unix: u64| {
        let mut text = Vec::new();
        date::push_http(&mut text, &date::Parts::of(unix));
        text
    };
    match expires {
        Expires::Off => {}
        Expires::Epoch => {
            push_field(out, b"Expires", b"Thu, 01 Jan 1970 00:00:01 GMT");
            push_field(out, b"Cache-Control", b"no-cache");
        }
        Expires::Max => {
            push_field(out, b"Expires", b"Thu, 31 Dec 2037 23:55:55 GMT");
            push_field(out, b"Cache-Control", b"max-age=315360000");
        }
        Expires::After(seconds) => {
            push_field(
                out,
                b"Expires",
                &date_of(now.saturating_add_signed(seconds)),
            );
            if seconds < 0 {
                push_field(out, b"Cache-Control", b"no-cache");
            } else {
                push_field(
                    out,
                    b"Cache-Control",
                    format!("max-age={seconds}").as_bytes(),
                );
            }
        }
    }
}

/// The page of an error.
pub(super) fn error_page(status: u16) -> Vec<u8> {
    let words = match status {
        400 => "400 Bad Request".to_owned(),
        _ => format!("{status} {}", reason(status)),
    };
    let words = words.trim_end();
    format!(
        "<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    .into_bytes()
}

/// One line of a directory's listing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_dir: bool,
    pub(super) length: u64,
    pub(super) modified: u64,
}

/// A directory's listing, directories first.
pub(super) fn listing(path: &[u8], mut entries: Vec<Entry>, exact_size: bool) -> Vec<u8> {
    entries.sort_unstable_by(|a, b| b.is_dir.cmp(&a.is_dir).then_with(|| a.name.cmp(&b.name)));
    let mut title = Vec::new();
    uri::push_html(&mut title, path);
    let mut out = Vec::new();
    out.extend_from_slice(b"<html>\r\n<head><title>Index of ");
    out.extend_from_slice(&title);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    out.extend_from_slice(&title);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for entry in entries {
        let slash: &[u8] = if entry.is_dir { b"/" } else { b"" };
        out.extend_from_slice(b"<a href=\"");
        uri::push_escaped(&mut out, entry.name.as_bytes());
        out.extend_from_slice(slash);
        out.extend_from_slice(b"\">");
        uri::push_html(&mut out, entry.name.as_bytes());
        out.extend_from_slice(slash);
        out.extend_from_slice(b"</a>");
        // nginx aligns dates at column 51.
        let width = entry.name.chars().count() + slash.len();
        out.extend(std::iter::repeat_n(
            b' ',
            51_usize.saturating_sub(width).max(1),
        ));
        date::push_listing(&mut out, &date::Parts::of(entry.modified));
        let size = match (entry.is_dir, exact_size) {
            (true, _) => "-".to_owned(),
            (false, false) if entry.length >= 1 << 20 => format!("{}M", entry.length >> 20),
            (false, false) if entry.length >= 1 << 10 => format!("{}K", entry.length >> 10),
            (false, _) => entry.length.to_string(),
        };
        out.extend_from_slice(format!(" {size:>19}\r\n").as_bytes());
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
    out
}
