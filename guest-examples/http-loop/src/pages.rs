//! A service that answers every request at once from memory: what a small application needs and no more.

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::clock::{Clock, Instant, SECOND};
use crate::decimal::push_decimal;
use crate::request::{Rejection, Request};
use crate::response::Response;
use crate::service::{Answer, Content, Context, Failure, Service, Timeouts, Transfer};
use crate::status::reason;

/// How long a connection waits for another request.
const KEEP_ALIVE: Instant = 75 * SECOND;
/// The most clients at a time; further ones wait unaccepted.
const MAX_CONNECTIONS: usize = 1024;

/// What one request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The body; a HEAD request gets its length only.
    pub body: Vec<u8>,
}

impl Page {
    /// A page with this text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            body: text.into().into_bytes(),
        }
    }
}

/// Answers with the pages that a function gives, as `text/plain; charset=utf-8`.
pub struct Pages<F> {
    page: F,
}

impl<F> std::fmt::Debug for Pages<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl<F: FnMut(&Context<'_>, &Request<'_>) -> Page> Pages<F> {
    /// A service of what `page` gives.
    pub fn new(page: F) -> Self {
        Self { page }
    }
}

fn send(context: &Context<'_>, page: &Page, keep_alive: bool, is_head: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(out, u64::from(page.status));
    out.push(b' ');
    out.extend_from_slice(reason(page.status).as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(context.clock.http_date());
    out.extend_from_slice(b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
    push_decimal(out, u64::try_from(page.body.len()).unwrap_or(0));
    if !keep_alive {
        out.extend_from_slice(b"\r\nConnection: close");
    }
    out.extend_from_slice(b"\r\n\r\n");
    if !is_head {
        out.extend_from_slice(&page.body);
    }
}

impl<F: FnMut(&Context<'_>, &Request<'_>) -> Page> Service for Pages<F> {
    /// Everything is answered at once.
    type Record = Infallible;

    fn respond(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Answer<Infallible> {
        let page = (self.page)(context, request);
        send(
            context,
            &page,
            request.keep_alive,
            request.method == "HEAD",
            out,
        );
        Answer {
            content: Content::Complete,
            keep_alive: request.keep_alive.then_some(KEEP_ALIVE),
        }
    }

    fn reject(&mut self, context: &Context<'_>, rejection: Rejection, _: &[u8], out: &mut Vec<u8>) {
        if rejection != Rejection::TimedOut {
            let text = format!("{} {}\n", rejection.status(), reason(rejection.status()));
            send(
                context,
                &Page::text(rejection.status(), text),
                false,
                false,
                out,
            );
        }
    }

    fn next_peer(
        &mut self,
        _: &Context<'_>,
        record: &mut Infallible,
        _: Option<Failure>,
    ) -> Option<SocketAddr> {
        match *record {}
    }

    fn forward_head(
        &mut self,
        _: &Context<'_>,
        record: &mut Infallible,
        _: &Response<'_>,
        _: Transfer,
        _: &mut Vec<u8>,
    ) {
        match *record {}
    }

    fn forward_failed(
        &mut self,
        _: &Context<'_>,
        record: Infallible,
        _: Failure,
        _: &mut Vec<u8>,
    ) -> Answer<Infallible> {
        match record {}
    }

    fn finished(&mut self, _: &Context<'_>, record: Infallible, _: u64, _: bool) {
        match record {}
    }

    fn timeouts(&self, _: usize) -> Timeouts {
        Timeouts::default()
    }

    fn max_connections(&self) -> usize {
        MAX_CONNECTIONS
    }

    fn end_turn(&mut self, _: &Clock) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::EventLoop;
    use crate::fake::FakeNet;

    #[test]
    fn pages_are_sent_and_head_gets_their_length() {
        let pages = Pages::new(
            |_: &Context<'_>, request: &Request<'_>| match request.target {
                b"/" => Page::text(200, "hello\n"),
                _ => Page::text(404, "nothing\n"),
            },
        );
        let mut event_loop = EventLoop::new(FakeNet::default(), 1, pages);
        let client = event_loop.net().client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..4 {
            event_loop.turn();
        }
        let answer = client.take();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{answer}");
        let (first, second) = answer.split_once("HTTP/1.1 404 Not Found\r\n").unwrap();
        assert!(
            first.ends_with("Content-Length: 6\r\n\r\nhello\n"),
            "{first}"
        );
        assert!(second.ends_with("Content-Length: 8\r\n\r\n"), "{second}");
    }
}
