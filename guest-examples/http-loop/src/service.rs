//! What is answered: the half of a server that the loop leaves to its user.

use std::fs::File;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::clock::{Clock, Instant, SECOND};
use crate::net::ConnectError;
use crate::request::{Rejection, Request};
use crate::response::Response;

/// One client's connection, as answers and logs see it.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Whose it is.
    pub peer: SocketAddr,
    /// Which of the listeners accepted it.
    pub listener: usize,
    /// Counts the connections of this process, from 1.
    pub serial: u64,
    /// Counts the requests on this connection, from 1.
    pub requests: u64,
}

/// The loop's own counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Connections accepted ever.
    pub accepted: u64,
    /// Requests read ever.
    pub requests: u64,
    /// Connections open now.
    pub active: u64,
    /// Of these, how many wait for a request.
    pub waiting: u64,
}

/// What surrounds one request.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of this turn.
    pub clock: &'a Clock,
    /// The connection.
    pub connection: &'a Connection,
    /// The loop's counters.
    pub counters: &'a Counters,
    /// When the request's head was complete.
    pub started: Instant,
}

/// A part of an open file that is the body of an answer.
#[derive(Debug)]
pub struct FileBody {
    /// The file; its own position is not kept.
    pub file: Rc<File>,
    /// Where the next byte is.
    pub offset: u64,
    /// How many bytes are still to be sent.
    pub left: u64,
}

/// A request that another server shall answer.
#[derive(Debug)]
pub struct Forward<R> {
    /// The head to send, without the field `Content-Length` and without the empty line: the loop adds both.
    pub head: Vec<u8>,
    /// Nanoseconds until a connection must stand.
    pub connect_timeout: Instant,
    /// Nanoseconds that one write may take.
    pub send_timeout: Instant,
    /// Nanoseconds until the next byte of the response must come.
    pub read_timeout: Instant,
    /// How many idle connections to such servers may be kept; 0 keeps none.
    pub keep_connections: usize,
    /// The largest body in bytes that is gathered before it is sent; 413 above.
    pub max_body: u64,
    /// A request that was sent may be sent again to another server, RFC 9110 section 9.2.2.
    pub is_idempotent: bool,
    /// The request's method is HEAD.
    pub to_head: bool,
    /// The client understands chunks.
    pub client_is_http_11: bool,
    /// The service's own notes.
    pub record: R,
}

/// How a forwarded response's body reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// There is none.
    None,
    /// With a `Content-Length`.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

/// Why another server gave no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Connect(ConnectError),
    /// No connection in time.
    ConnectTimedOut,
    /// It did not take the request in time.
    SendTimedOut,
    /// It did not answer in time.
    ReadTimedOut,
    /// It closed the connection before its response's head.
    Closed,
    /// It sent what is no HTTP response.
    Malformed,
    /// It sent a head over the limit.
    TooLarge,
    /// Not its fault: the client's body is larger than `Forward::max_body`, or no body at all.
    ClientBody {
        /// 413 or 400.
        status: u16,
    },
}

/// An answer.
#[derive(Debug)]
pub struct Answer<R> {
    /// What is sent.
    pub content: Content<R>,
    /// For how many nanoseconds the connection waits for another request; `None` closes it.
    pub keep_alive: Option<Instant>,
}

/// What is sent as an answer.
#[derive(Debug)]
pub enum Content<R> {
    /// All of it was appended to the output.
    Complete,
    /// The head was appended; this follows.
    File(FileBody, R),
    /// What another server says.
    Forward(Box<Forward<R>>),
    /// Nothing: the connection is closed.
    Nothing,
}

/// How long a client may take, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a request's head.
    pub head: Instant,
    /// Between two pieces of a body.
    pub body: Instant,
    /// Between two writes that it takes.
    pub send: Instant,
}

impl Default for Timeouts {
    /// nginx's defaults: 60 s each.
    fn default() -> Self {
        Self {
            head: 60 * SECOND,
            body: 60 * SECOND,
            send: 60 * SECOND,
        }
    }
}

/// Answers requests. Output is appended to `out`, never removed from it.
pub trait Service {
    /// What is remembered while a file is sent or another server asked, for `finished`.
    type Record;

    /// Answers one request.
    fn respond(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Answer<Self::Record>;

    /// Answers what is no request; the connection ends with it. `line` is what is known of the request line.
    fn reject(
        &mut self,
        context: &Context<'_>,
        rejection: Rejection,
        line: &[u8],
        out: &mut Vec<u8>,
    );

    /// Which server to ask first, or next after `failure`.
    fn next_peer(
        &mut self,
        context: &Context<'_>,
        record: &mut Self::Record,
        failure: Option<Failure>,
    ) -> Option<SocketAddr>;

    /// Turns the other server's response head into ours; the body follows as `transfer` says.
    fn forward_head(
        &mut self,
        context: &Context<'_>,
        record: &mut Self::Record,
        response: &Response<'_>,
        transfer: Transfer,
        out: &mut Vec<u8>,
    );

    /// Answers in place of the servers that all failed.
    fn forward_failed(
        &mut self,
        context: &Context<'_>,
        record: Self::Record,
        failure: Failure,
        out: &mut Vec<u8>,
    ) -> Answer<Self::Record>;

    /// An answer from a file or another server has ended, after `body_bytes` of its body; `whole` unless it broke off.
    fn finished(
        &mut self,
        context: &Context<'_>,
        record: Self::Record,
        body_bytes: u64,
        whole: bool,
    );

    /// The limits for clients of a listener.
    fn timeouts(&self, listener: usize) -> Timeouts;

    /// The most connections at a time; further clients wait unaccepted.
    fn max_connections(&self) -> usize;

    /// A turn of the loop ends: logs are to be written now.
    fn end_turn(&mut self, clock: &Clock);
}
