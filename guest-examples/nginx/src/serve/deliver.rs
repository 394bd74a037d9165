//! Sends what was decided: texts, redirections, error pages, and requests to other servers.

use std::rc::Rc;

use http_loop::clock::Instant;
use http_loop::request::Request;
use http_loop::service::{Answer, Content as Sent, Context, Forward};

use super::answer::{self, Head};
use super::rewrite::Rewritten;
use super::state::{self, Asked, Record, State};
use super::{Server, Verdict, proxy, route};
use crate::config::model::ProxyPass;

/// The largest body in bytes that is gathered for another server, whatever `client_max_body_size` allows: 413 above.
const MAX_GATHERED_BODY_BYTES: u64 = 16 * 1024 * 1024;

impl Server {
    /// Sends what was found.
    pub(super) fn deliver(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        mut state: State,
        verdict: Verdict,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        match verdict {
            Verdict::Hangup => {
                state.status = 444;
                self.log_access(context, Some(request), request.line, &state, 0, true);
                Answer {
                    content: Sent::Nothing,
                    keep_alive: None,
                }
            }
            Verdict::Status(status) if status >= 300 && state.error_status.is_none() => {
                self.fail(context, request, state, status, out)
            }
            Verdict::Status(status) => self.send_error(context, request, state, status, out),
            Verdict::Redirect(status, location) => {
                let body = answer::error_page(status);
                self.send_text(
                    context,
                    request,
                    state,
                    (status, Some(b"text/html"), &body),
                    Some(&location),
                    out,
                )
            }
            Verdict::Text(status, content_type, body) => {
                let status = state.error_status.unwrap_or(status);
                let settings = &state.location.settings;
                let content_type =
                    content_type.unwrap_or_else(|| settings.default_type.clone().into_bytes());
                self.send_text(
                    context,
                    request,
                    state,
                    (status, Some(&content_type), &body),
                    None,
                    out,
                )
            }
            Verdict::File(file) => self.send_file(context, request, state, &file, out),
            Verdict::Proxy(pass) => self.forward(context, request, state, &pass),
        }
    }

    /// An error: its page, if one is configured.
    pub(super) fn fail(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        mut state: State,
        status: u16,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let pages = Rc::clone(&state.location.settings.error_pages);
        let Some(page) = pages.iter().find(|page| page.statuses.contains(&status)) else {
            return self.send_error(context, request, state, status, out);
        };
        state.error_status = Some(page.answer.filter(|answer| *answer > 0).unwrap_or(status));
        let target = page
            .uri
            .value(&self.view(context, Some(request), request.line, &state));
        if let Some(name) = target.strip_prefix(b"@") {
            let base = state
                .generation
                .config
                .servers
                .get(state.server)
                .map(|server| Rc::clone(&server.base));
            let Some(location) =
                base.and_then(|base| route::named(&base, &String::from_utf8_lossy(name)))
            else {
                return self.send_error(context, request, state, 500, out);
            };
            state.location = location;
            if page.answer.is_none() || page.answer == Some(0) {
                state.error_status = if page.answer == Some(0) {
                    Some(200)
                } else {
                    state.error_status
                };
            }
            let verdict = match self.visit(context, request, &mut state) {
                Rewritten::Verdict(verdict) => verdict,
                _ => self.find(context, request, &mut state),
            };
            return self.deliver(context, request, state, verdict, out);
        }
        if target.starts_with(b"/") {
            state.internal = true;
            state::go_to(&mut state, &target, false);
            let verdict = self.find(context, request, &mut state);
            return match verdict {
                // The page is missing too: the first error is what the client is told.
                Verdict::Status(_) => self.send_error(context, request, state, status, out),
                verdict => self.deliver(context, request, state, verdict, out),
            };
        }
        let redirect = page
            .answer
            .filter(|answer| matches!(answer, 301..=303 | 307 | 308))
            .unwrap_or(302);
        self.deliver(
            context,
            request,
            state,
            Verdict::Redirect(redirect, target),
            out,
        )
    }

    fn send_error(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: State,
        status: u16,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let status = state.error_status.unwrap_or(status);
        if http_loop::status::has_no_body(status) || status < 300 {
            return self.send_text(context, request, state, (status, None, b""), None, out);
        }
        let body = answer::error_page(status);
        self.send_text(
            context,
            request,
            state,
            (status, Some(b"text/html"), &body),
            None,
            out,
        )
    }

    fn send_text(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        mut state: State,
        (status, content_type, body): (u16, Option<&[u8]>, &[u8]),
        location: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Answer<Record> {
        let keep_alive = self.keep_alive(context, request, &state, status);
        state.status = status;
        let start = out.len();
        let absolute = location.map(|location| absolute(request, location));
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let view = self.view(context, Some(request), request.line, &state);
        answer::push_head(
            out,
            &view,
            &Head {
                status,
                content_type: content_type.filter(|_| !body.is_empty() || status == 200),
                length: (!http_loop::status::has_no_body(status)).then_some(length),
                location: absolute.as_deref(),
                keep_alive: keep_alive.is_some(),
                ..Head::default()
            },
        );
        state.head_bytes = u64::try_from(out.len() - start).unwrap_or(0);
        let has_body = request.method != "HEAD";
        if has_body {
            out.extend_from_slice(body);
        }
        self.log_access(
            context,
            Some(request),
            request.line,
            &state,
            if has_body { length } else { 0 },
            true,
        );
        Answer {
            content: Sent::Complete,
            keep_alive,
        }
    }

    /// For how long the connection is kept after this answer.
    pub(super) fn keep_alive(
        &self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &State,
        status: u16,
    ) -> Option<Instant> {
        let settings = &state.location.settings;
        let is_fatal = matches!(status, 400 | 413 | 414 | 500 | 501);
        let kept = request.keep_alive
            && !is_fatal
            && settings.keepalive_timeout > 0
            && context.connection.serial > self.closing_up_to
            && context.connection.requests < settings.keepalive_requests;
        kept.then_some(settings.keepalive_timeout)
    }

    fn forward(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        mut state: State,
        pass: &Rc<ProxyPass>,
    ) -> Answer<Record> {
        state.asked = Asked {
            upstream: Some(pass.upstream),
            began: context.clock.now(),
            ..Asked::default()
        };
        let head = proxy::request_head(
            &self.view(context, Some(request), request.line, &state),
            request,
            pass,
        );
        let settings = Rc::clone(&state.location);
        let settings = &settings.settings;
        let limit = match settings.client_max_body_size {
            0 => MAX_GATHERED_BODY_BYTES,
            limit => limit.min(MAX_GATHERED_BODY_BYTES),
        };
        // Other connections than those to HTTP/1.1 servers that are told so end with their response.
        let balancers = state.generation.balancers.borrow();
        let keeps = balancers
            .get(pass.upstream)
            .map_or(0, |balancer| balancer.keepalive);
        drop(balancers);
        let forward = Forward {
            head,
            connect_timeout: settings.proxy_connect_timeout,
            send_timeout: settings.proxy_send_timeout,
            read_timeout: settings.proxy_read_timeout,
            keep_connections: keeps,
            max_body: limit,
            is_idempotent: !matches!(request.method, "POST" | "PATCH" | "LOCK"),
            to_head: request.method == "HEAD",
            client_is_http_11: request.is_http_11,
            record: Record {
                head: request.raw.to_vec(),
                state,
            },
        };
        let keep_alive = self.keep_alive(context, request, &forward.record.state, 200);
        Answer {
            content: Sent::Forward(Box::new(forward)),
            keep_alive,
        }
    }
}

/// A path as an absolute URL, since nginx's redirections are absolute.
fn absolute(request: &Request<'_>, location: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(host) = request.fields.get("host").filter(|host| !host.is_empty())
        && location.starts_with(b"/")
    {
        out.extend_from_slice(b"http://");
        out.extend_from_slice(host);
    }
    // A line's end in it would be another header.
    out.extend(
        location
            .iter()
            .filter(|byte| !matches!(byte, b'\r' | b'\n')),
    );
    out
}
