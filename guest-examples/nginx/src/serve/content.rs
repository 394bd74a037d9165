//! Files: index pages, directory listings, ranges and conditions (RFC 9110 sections 13 and 14).

use std::rc::Rc;

use http_loop::date;
use http_loop::decimal::parse_decimal;
use http_loop::request::Request;
use http_loop::service::{Answer, Content as Sent, Context, FileBody};

use super::answer::{self, Entry, Head};
use super::files::{Found, OpenFile};
use super::rewrite::Rewritten;
use super::state::{Record, State, go_to};
use super::{Server, Verdict, uri};
use crate::config::model::{Level, Settings};

/// The most entries of a directory's listing.
const MAX_LISTED: usize = 10_000;

impl Server {
    /// Finds the file, index or listing for the path in `state`.
    pub(super) fn content(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
    ) -> Rewritten {
        if !matches!(request.method, "GET" | "HEAD") && state.error_status.is_none() {
            return Rewritten::Verdict(Verdict::Status(405));
        }
        if state.uri.ends_with(b"/") {
            return self.directory(context, request, state);
        }
        let path = self.path(context, request, state);
        match self.files.find(&path, context.clock.now()) {
            Found::File(file) => Rewritten::Verdict(Verdict::File(file)),
            Found::Directory => {
                let mut location = Vec::new();
                uri::push_escaped(&mut location, &state.uri);
                location.push(b'/');
                if !state.args.is_empty() {
                    location.push(b'?');
                    location.extend_from_slice(&state.args);
                }
                Rewritten::Verdict(Verdict::Redirect(301, location))
            }
            found => Rewritten::Verdict(self.not_found(context, request, state, &path, &found)),
        }
    }

    fn path(&self, context: &Context<'_>, request: &Request<'_>, state: &State) -> String {
        let mut path = Vec::new();
        self.view(context, Some(request), request.line, state)
            .filename(&mut path);
        String::from_utf8(path)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn not_found(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &State,
        path: &str,
        found: &Found,
    ) -> Verdict {
        let (status, errno) = match found {
            Found::Denied(errno) => (403, errno.as_str()),
            _ => (404, "2: No such file or directory"),
        };
        let message = format!("open() \"{path}\" failed ({errno})");
        self.error(context, request, state, Level::Error, &message);
        Verdict::Status(status)
    }

    fn directory(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
    ) -> Rewritten {
        let now = context.clock.now();
        let folder = self.path(context, request, state);
        for index in Rc::clone(&state.location.settings.index).iter() {
            let name = index.value(&self.view(context, Some(request), request.line, state));
            let name = String::from_utf8_lossy(&name).into_owned();
            if name.starts_with('/') {
                go_to(state, name.as_bytes(), true);
                return Rewritten::Again;
            }
            if let Found::File(file) = self.files.find(&format!("{folder}{name}"), now) {
                // The index is a request of its own in nginx: another location may answer it.
                let rewritten = state.rewritten;
                let mut target = state.uri.clone();
                target.extend_from_slice(name.as_bytes());
                let Some(base) = state
                    .generation
                    .config
                    .servers
                    .get(state.server)
                    .map(|server| Rc::clone(&server.base))
                else {
                    return Rewritten::Verdict(Verdict::Status(500));
                };
                let (location, _) = super::route::location(&base, &target);
                state.uri = target;
                if Rc::ptr_eq(&location, &state.location) {
                    state.rewritten = rewritten;
                    return Rewritten::Verdict(Verdict::File(file));
                }
                state.rewritten = true;
                return Rewritten::Again;
            }
        }
        match self.files.find(folder.trim_end_matches('/'), now) {
            Found::Directory if state.location.settings.autoindex => {
                let exact = state.location.settings.autoindex_exact_size;
                let page = answer::listing(&state.uri, entries(&folder), exact);
                Rewritten::Verdict(Verdict::Text(200, Some(b"text/html".to_vec()), page))
            }
            Found::Directory => {
                let message = format!("directory index of \"{folder}\" is forbidden");
                self.error(context, request, state, Level::Error, &message);
                Rewritten::Verdict(Verdict::Status(403))
            }
            Found::Missing if folder == "/" => Rewritten::Verdict(Verdict::Status(403)),
            found => {
                let first = state
                    .location
                    .settings
                    .index
                    .first()
                    .and_then(|index| index.as_text())
                    .unwrap_or("");
                let path = format!("{folder}{first}");
                Rewritten::Verdict(self.not_found(context, request, state, &path, &found))
            }
        }
    }

    /// Sends a file, or the part of it that was asked for, or says that it has not changed.
    pub(super) fn send_file(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        mut state: State,
        file: &Rc<OpenFile>,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let location = Rc::clone(&state.location);
        let settings = &location.settings;
        let mut status = state.error_status.unwrap_or(200);
        let mut range = Span {
            start: 0,
            length: file.length,
        };
        let mut content_range = None;
        if status == 200 {
            match conditions(request, settings, file) {
                Condition::Send => {}
                Condition::NotModified => status = 304,
                Condition::Failed => return self.fail(context, request, state, 412, out),
            }
            if status == 200 {
                match asked_range(request, file) {
                    Range::Whole => {}
                    Range::Part(part) => {
                        status = 206;
                        let last = part.start + part.length - 1;
                        content_range =
                            Some(format!("bytes {}-{last}/{}", part.start, file.length));
                        range = part;
                    }
                    Range::Unsatisfiable => {
                        // nginx keeps the entity's length in the header, and sends its page of 416.
                        content_range = Some(format!("bytes */{}", file.length));
                        status = 416;
                    }
                }
            }
        }
        let keep_alive = self.keep_alive(context, request, &state, status);
        state.status = status;
        let page = if status == 416 {
            answer::error_page(416)
        } else {
            Vec::new()
        };
        let length = if status == 416 {
            u64::try_from(page.len()).unwrap_or(0)
        } else {
            range.length
        };
        let is_entity = matches!(status, 200 | 206 | 304);
        let start = out.len();
        let path_type;
        let content_type = if status == 416 {
            b"text/html".as_slice()
        } else {
            path_type = content_type(settings, &state.uri);
            path_type.as_bytes()
        };
        answer::push_head(
            out,
            &self.view(context, Some(request), request.line, &state),
            &Head {
                status,
                content_type: (status != 304).then_some(content_type),
                length: (status != 304).then_some(length),
                last_modified: is_entity.then_some(&file.last_modified),
                etag: (is_entity && settings.etag).then_some(&file.etag),
                content_range: content_range.as_deref().map(str::as_bytes),
                accept_ranges: status == 200,
                keep_alive: keep_alive.is_some(),
                ..Head::default()
            },
        );
        state.head_bytes = u64::try_from(out.len() - start).unwrap_or(0);
        if request.method == "HEAD" || status == 304 {
            self.log_access(context, Some(request), request.line, &state, 0, true);
            return Answer {
                content: Sent::Complete,
                keep_alive,
            };
        }
        if status == 416 {
            out.extend_from_slice(&page);
            self.log_access(context, Some(request), request.line, &state, length, true);
            return Answer {
                content: Sent::Complete,
                keep_alive,
            };
        }
        if let Some(content) = &file.content {
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(range.length).unwrap_or(usize::MAX));
            out.extend_from_slice(content.get(start..end).unwrap_or_default());
            self.log_access(
                context,
                Some(request),
                request.line,
                &state,
                range.length,
                true,
            );
            return Answer {
                content: Sent::Complete,
                keep_alive,
            };
        }
        let body = FileBody {
            file: Rc::clone(&file.file),
            offset: range.start,
            left: range.length,
        };
        let record = Record {
            head: request.raw.to_vec(),
            state,
        };
        Answer {
            content: Sent::File(body, record),
            keep_alive,
        }
    }
}

fn entries(folder: &str) -> Vec<Entry> {
    let Ok(found) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    found
        .flatten()
        .take(MAX_LISTED)
        .filter_map(|entry| {
            let name = entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| !name.starts_with('.'))?;
            let metadata = std::fs::metadata(entry.path()).ok()?;
            let modified = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let modified = modified.map_or(0, |since| since.as_secs());
            Some(Entry {
                name,
                is_dir: metadata.is_dir(),
                length: metadata.len(),
                modified,
            })
        })
        .collect()
}

fn content_type<'a>(settings: &'a Settings, path: &[u8]) -> &'a str {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let ending = match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if dot > 0 => name.get(dot + 1..).unwrap_or_default(),
        _ => b"",
    };
    let known = str::from_utf8(ending).ok().and_then(|ending| {
        settings
            .types
            .get(ending)
            .or_else(|| settings.types.get(ending.to_ascii_lowercase().as_str()))
    });
    known.map_or(settings.default_type.as_str(), String::as_str)
}

/// What the conditions in a request ask for.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Send,
    NotModified,
    Failed,
}

fn conditions(request: &Request<'_>, settings: &Settings, file: &OpenFile) -> Condition {
    let fields = &request.fields;
    let lists = |value: &[u8], weak: bool| {
        value
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| {
                let tag = if weak {
                    tag.strip_prefix(b"W/").unwrap_or(tag)
                } else {
                    tag
                };
                tag == b"*" || (settings.etag && tag == file.etag)
            })
    };
    if let Some(value) = fields.get("if-match") {
        if !lists(value, false) {
            return Condition::Failed;
        }
    } else if let Some(since) = fields.get("if-unmodified-since").and_then(date::parse_http)
        && file.modified > since
    {
        return Condition::Failed;
    }
    if let Some(value) = fields.get("if-none-match") {
        return if lists(value, true) {
            Condition::NotModified
        } else {
            Condition::Send
        };
    }
    // nginx's default of `if_modified_since` is `exact`.
    match fields.get("if-modified-since").and_then(date::parse_http) {
        Some(since) if since == file.modified => Condition::NotModified,
        _ => Condition::Send,
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u64,
    length: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part(Span),
    Unsatisfiable,
}

fn asked_range(request: &Request<'_>, file: &OpenFile) -> Range {
    let Some(value) = request.fields.get("range") else {
        return Range::Whole;
    };
    if let Some(condition) = request.fields.get("if-range") {
        let is_same = condition == file.etag || date::parse_http(condition) == Some(file.modified);
        if !is_same {
            return Range::Whole;
        }
    }
    parse_range(value, file.length)
}

/// One range; several are answered with the whole, as RFC 9110 section 14.2 allows.
fn parse_range(value: &[u8], length: u64) -> Range {
    let Some(spec) = value.strip_prefix(b"bytes=") else {
        return Range::Whole;
    };
    if spec.contains(&b',') {
        return Range::Whole;
    }
    let Some(hyphen) = spec.iter().position(|byte| *byte == b'-') else {
        return Range::Unsatisfiable;
    };
    let (first, last) = spec.split_at(hyphen);
    let (first, last) = (
        first.trim_ascii(),
        last.get(1..).unwrap_or_default().trim_ascii(),
    );
    let (start, end) = match (parse_decimal(first), parse_decimal(last)) {
        (Some(start), Some(last)) if last >= start => (start, last.saturating_add(1).min(length)),
        (Some(start), None) if last.is_empty() => (start, length),
        (None, Some(count)) if first.is_empty() && count > 0 => {
            (length.saturating_sub(count), length)
        }
        _ => return Range::Unsatisfiable,
    };
    if start >= end {
        return Range::Unsatisfiable;
    }
    Range::Part(Span {
        start,
        length: end - start,
    })
}

#[cfg(test)]
mod range_tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file_or_refused() {
        let part = |start, length| Range::Part(Span { start, length });
        let table = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-", part(2, 8)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=5-99", part(5, 5)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=3-2", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=x", Range::Unsatisfiable),
            ("bytes=0-1,3-4", Range::Whole),
            ("lines=1-2", Range::Whole),
        ];
        for (value, expected) in table {
            assert_eq!(parse_range(value.as_bytes(), 10), expected, "{value}");
        }
        assert_eq!(parse_range(b"bytes=0-", 0), Range::Unsatisfiable);
    }
}
