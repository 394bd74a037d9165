//! The loop on the scripted network.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::EventLoop;
use crate::clock::{Clock, SECOND};
use crate::fake::{FakeNet, Peer};
use crate::net::ConnectError;
use crate::request::{Rejection, Request};
use crate::response::Response;
use crate::service::{
    Answer, Content, Context, Failure, FileBody, Forward, Service, Timeouts, Transfer,
};

/// Answers with the path; `/file` with a file, `/ask` with what another server says.
#[derive(Default)]
struct Echo {
    finished: Vec<(u64, bool)>,
    asked: usize,
    keep_connections: usize,
    max_connections: Option<usize>,
}

fn server(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9000 + number))
}

impl Service for Echo {
    type Record = ();

    fn respond(&mut self, _: &Context<'_>, request: &Request<'_>, out: &mut Vec<u8>) -> Answer<()> {
        let keep_alive = request.keep_alive.then_some(10 * SECOND);
        let content = match request.target {
            b"/hangup" => Content::Nothing,
            b"/file" => {
                let mut file = tempfile();
                std::io::Write::write_all(&mut file, &vec![b'f'; 300_000]).unwrap();
                out.extend_from_slice(b"HEAD;");
                Content::File(
                    FileBody {
                        file: std::rc::Rc::new(file),
                        offset: 100_000,
                        left: 200_000,
                    },
                    (),
                )
            }
            b"/ask" => Content::Forward(Box::new(Forward {
                head: b"GET /asked HTTP/1.1\r\n".to_vec(),
                connect_timeout: 2 * SECOND,
                send_timeout: 2 * SECOND,
                read_timeout: 3 * SECOND,
                keep_connections: self.keep_connections,
                max_body: 10,
                is_idempotent: true,
                to_head: false,
                client_is_http_11: request.is_http_11,
                record: (),
            })),
            path => {
                out.extend_from_slice(path);
                out.push(b';');
                Content::Complete
            }
        };
        self.asked = 0;
        Answer {
            content,
            keep_alive,
        }
    }

    fn reject(&mut self, _: &Context<'_>, rejection: Rejection, _: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!("rejected {};", rejection.status()).as_bytes());
    }

    fn next_peer(
        &mut self,
        _: &Context<'_>,
        (): &mut (),
        _: Option<Failure>,
    ) -> Option<SocketAddr> {
        self.asked += 1;
        (self.asked <= 2).then(|| server(u16::try_from(self.asked).unwrap()))
    }

    fn forward_head(
        &mut self,
        _: &Context<'_>,
        (): &mut (),
        response: &Response<'_>,
        transfer: Transfer,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(format!("{} {transfer:?}:", response.status).as_bytes());
    }

    fn forward_failed(
        &mut self,
        _: &Context<'_>,
        (): (),
        failure: Failure,
        out: &mut Vec<u8>,
    ) -> Answer<()> {
        out.extend_from_slice(format!("{failure:?};").as_bytes());
        Answer {
            content: Content::Complete,
            keep_alive: Some(SECOND),
        }
    }

    fn finished(&mut self, _: &Context<'_>, (): (), body_bytes: u64, whole: bool) {
        self.finished.push((body_bytes, whole));
    }

    fn timeouts(&self, _: usize) -> Timeouts {
        Timeouts {
            head: 4 * SECOND,
            body: 4 * SECOND,
            send: 4 * SECOND,
        }
    }

    fn max_connections(&self) -> usize {
        self.max_connections.unwrap_or(2)
    }

    fn end_turn(&mut self, _: &Clock) {}
}

fn tempfile() -> std::fs::File {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("http-loop-{}-{number}", std::process::id()));
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

struct Fixture(EventLoop<FakeNet, Echo>);

impl Fixture {
    fn new() -> Self {
        Self(EventLoop::new(FakeNet::default(), 1, Echo::default()))
    }

    /// Turns until nothing is left to do, which all tests reach within these.
    fn settle(&mut self) {
        for _ in 0..20 {
            self.0.turn();
        }
    }

    fn ask(&mut self, client: &Peer, request: &str) -> String {
        client.send(request);
        self.settle();
        client.take()
    }

    fn pass(&mut self, seconds: u64) {
        self.0.net().now += seconds * SECOND;
        self.settle();
    }
}

const GET: &str = " HTTP/1.1\r\nHost: a\r\n\r\n";

fn get(path: &str) -> String {
    format!("GET {path}{GET}")
}

#[test]
fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let text = [
        get("/a"),
        format!(
            "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz{}",
            get("/c")
        ),
    ]
    .concat();
    for cut in 0..text.len() {
        let mut fixture = Fixture::new();
        let client = fixture.0.net().client();
        let mut answer = fixture.ask(&client, &text[..cut]);
        answer += &fixture.ask(&client, &text[cut..]);
        assert_eq!(answer, "/a;/b;/c;", "cut at {cut}");
        assert!(!client.is_closed());
    }
}

#[test]
fn the_connection_ends_when_either_side_says_so() {
    let mut fixture = Fixture::new();
    let client = fixture.0.net().client();
    assert_eq!(
        fixture.ask(&client, "GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"),
        "/a;"
    );
    assert!(client.0.borrow().shut);
    client.close();
    fixture.settle();
    assert!(client.0.borrow().dropped);
    let client = fixture.0.net().client();
    assert_eq!(fixture.ask(&client, &get("/hangup")), "");
    assert!(client.0.borrow().dropped);
    let client = fixture.0.net().client();
    assert_eq!(fixture.ask(&client, "nonsense\r\n"), "rejected 400;");
    assert!(client.is_closed());
}

#[test]
fn a_closed_side_lingers_for_the_other_only_so_long() {
    let mut fixture = Fixture::new();
    let client = fixture.0.net().client();
    fixture.ask(&client, "GET /a HTTP/1.0\r\n\r\n");
    fixture.pass(4);
    assert!(!client.0.borrow().dropped);
    fixture.pass(2);
    assert!(client.0.borrow().dropped);
}

#[test]
fn slow_clients_time_out_in_each_state() {
    let mut fixture = Fixture::new();
    let silent = fixture.0.net().client();
    let dripping = fixture.0.net().client();
    fixture.settle();
    fixture.ask(&dripping, "GET /");
    fixture.pass(3);
    assert!(!silent.is_closed());
    assert_eq!(fixture.ask(&dripping, "a"), "");
    fixture.pass(2);
    assert!(
        silent.0.borrow().dropped,
        "nothing was sent in the time for a head"
    );
    assert_eq!(
        dripping.take(),
        "rejected 408;",
        "one byte now and then does not prolong a head's time"
    );
    let kept = fixture.0.net().client();
    fixture.pass(10);
    let kept = if kept.is_closed() {
        fixture.0.net().client()
    } else {
        kept
    };
    assert_eq!(fixture.ask(&kept, &get("/a")), "/a;");
    fixture.pass(9);
    assert!(!kept.is_closed());
    fixture.pass(2);
    assert!(kept.0.borrow().dropped, "the keep-alive time has passed");
}

#[test]
fn an_idle_loop_sleeps_until_its_next_deadline_and_without_clients_for_ever() {
    let mut fixture = Fixture::new();
    fixture.settle();
    assert_eq!(fixture.0.net().slept_until, None);
    let client = fixture.0.net().client();
    fixture.ask(&client, &get("/a"));
    assert_eq!(fixture.0.net().waited_for, 1);
    assert!(
        fixture
            .0
            .net()
            .slept_until
            .is_some_and(|until| until >= 4 * SECOND)
    );
}

#[test]
fn more_clients_than_allowed_wait_until_one_has_gone() {
    let mut fixture = Fixture::new();
    let clients = [
        fixture.0.net().client(),
        fixture.0.net().client(),
        fixture.0.net().client(),
    ];
    for client in &clients {
        client.send(get("/a"));
    }
    fixture.settle();
    assert_eq!(
        [clients[0].take(), clients[1].take(), clients[2].take()],
        ["/a;", "/a;", ""]
    );
    clients[0].close();
    fixture.settle();
    assert_eq!(clients[2].take(), "/a;");
}

#[test]
fn many_clients_at_once_are_all_answered_again_and_again() {
    let mut fixture = Fixture::new();
    fixture.0.service().max_connections = Some(1000);
    let clients: Vec<Peer> = (0..500).map(|_| fixture.0.net().client()).collect();
    for _ in 0..3 {
        for client in &clients {
            client.send(get("/a"));
        }
        fixture.settle();
        assert!(clients.iter().all(|client| client.take() == "/a;"));
    }
}

#[test]
fn a_client_that_takes_little_gets_all_and_holds_up_nobody() {
    let mut fixture = Fixture::new();
    let (slow, other) = (fixture.0.net().client(), fixture.0.net().client());
    slow.0.borrow_mut().room = Some(0);
    slow.send(get("/file"));
    fixture.settle();
    assert_eq!(fixture.ask(&other, &get("/a")), "/a;");
    let mut taken = String::new();
    for _ in 0..100 {
        slow.0.borrow_mut().room = Some(3_000);
        fixture.0.turn();
        taken += &slow.take();
    }
    assert_eq!(taken.len(), 200_005);
    assert!(taken.starts_with("HEAD;fff"));
    assert_eq!(fixture.0.service().finished, [(200_000, true)]);
    slow.0.borrow_mut().room = None;
    assert_eq!(fixture.ask(&slow, &get("/b")), "/b;");
}

#[test]
fn a_client_that_takes_nothing_is_dropped() {
    let mut fixture = Fixture::new();
    let client = fixture.0.net().client();
    client.0.borrow_mut().room = Some(7);
    fixture.ask(&client, &get("/file"));
    fixture.pass(5);
    assert!(client.0.borrow().dropped);
    assert_eq!(fixture.0.service().finished.len(), 1);
    assert!(!fixture.0.service().finished[0].1);
}

#[test]
fn another_server_is_asked_and_its_answer_framed_anew() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "200 Length(3):abc",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "200 Chunked:3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "204 None:",
        ),
    ];
    for (response, expected) in table {
        let mut fixture = Fixture::new();
        fixture.0.net().server(server(1), Ok(()));
        let client = fixture.0.net().client();
        assert_eq!(fixture.ask(&client, &get("/ask")), "");
        let upstream = fixture.0.net().connections[0].1.clone();
        assert_eq!(upstream.take(), "GET /asked HTTP/1.1\r\n\r\n");
        // In two pieces, the cut within the head.
        upstream.send(&response[..12]);
        fixture.settle();
        upstream.send(&response[12..]);
        fixture.settle();
        assert_eq!(client.take(), expected);
        assert!(upstream.0.borrow().dropped, "no connections are kept");
        assert_eq!(fixture.ask(&client, &get("/b")), "/b;");
    }
}

#[test]
fn a_body_until_close_is_chunked_for_http_11_and_closes_for_http_10() {
    for (request, expected, closes) in [
        (get("/ask"), "200 Chunked:3\r\nabc\r\n0\r\n\r\n", false),
        (
            "GET /ask HTTP/1.0\r\n\r\n".to_owned(),
            "200 UntilClose:abc",
            true,
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.0.net().server(server(1), Ok(()));
        let client = fixture.0.net().client();
        fixture.ask(&client, &request);
        let upstream = fixture.0.net().connections[0].1.clone();
        upstream.send("HTTP/1.0 200 OK\r\n\r\nabc");
        upstream.close();
        fixture.settle();
        assert_eq!(client.take(), expected);
        assert_eq!(client.is_closed(), closes);
    }
}

#[test]
fn a_failed_server_is_followed_by_the_next_and_at_last_by_an_error() {
    let mut fixture = Fixture::new();
    fixture
        .0
        .net()
        .server(server(1), Err(ConnectError::Refused));
    fixture.0.net().server(server(2), Ok(()));
    let client = fixture.0.net().client();
    fixture.ask(&client, &get("/ask"));
    fixture.0.net().connections[1]
        .1
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    fixture.settle();
    assert_eq!(client.take(), "200 Length(1):x");

    fixture
        .0
        .net()
        .server(server(2), Err(ConnectError::Refused));
    assert_eq!(fixture.ask(&client, &get("/ask")), "Connect(Refused);");
}

#[test]
fn servers_that_do_not_connect_or_answer_time_out() {
    let mut fixture = Fixture::new();
    fixture.0.net().server(server(2), Ok(()));
    let client = fixture.0.net().client();
    fixture.ask(&client, &get("/ask"));
    fixture.pass(3);
    assert_eq!(
        fixture.0.net().connections.len(),
        2,
        "the first never connected"
    );
    fixture.pass(4);
    assert_eq!(client.take(), "ReadTimedOut;");
}

#[test]
fn what_is_no_http_and_what_breaks_off_are_failures() {
    let mut fixture = Fixture::new();
    fixture.0.net().server(server(1), Ok(()));
    fixture.0.net().server(server(2), Ok(()));
    let client = fixture.0.net().client();
    fixture.ask(&client, &get("/ask"));
    fixture.0.net().connections[0].1.send("SSH-2.0\r\n");
    fixture.settle();
    fixture.0.net().connections[1].1.close();
    fixture.settle();
    assert_eq!(client.take(), "Closed;");
    fixture.ask(&client, &get("/ask"));
    let upstream = fixture.0.net().connections[2].1.clone();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    upstream.close();
    fixture.settle();
    assert_eq!(client.take(), "200 Length(9):abc");
    assert!(
        client.is_closed(),
        "the client can only learn by the end that the answer is incomplete"
    );
    assert_eq!(fixture.0.service().finished, [(3, false)]);
}

#[test]
fn kept_connections_serve_again_and_are_replaced_when_they_have_ended() {
    let mut fixture = Fixture::new();
    fixture.0.service().keep_connections = 1;
    fixture.0.net().server(server(1), Ok(()));
    let client = fixture.0.net().client();
    for _ in 0..2 {
        fixture.ask(&client, &get("/ask"));
        let upstream = fixture.0.net().connections[0].1.clone();
        upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        fixture.settle();
        assert_eq!(client.take(), "200 Length(1):x");
    }
    assert_eq!(fixture.0.net().connections.len(), 1);
    // It ends just when it is used again: the request is sent on a new one.
    client.send(get("/ask"));
    fixture.0.turn();
    fixture.0.net().connections[0].1.close();
    fixture.settle();
    assert_eq!(fixture.0.net().connections.len(), 2);
    assert_eq!(
        fixture.0.net().connections[1].1.take(),
        "GET /asked HTTP/1.1\r\n\r\n"
    );
    assert_eq!(fixture.0.net().connections[1].0, server(1));
}

#[test]
fn bodies_are_gathered_with_their_length_up_to_the_limit() {
    let mut fixture = Fixture::new();
    fixture.0.net().server(server(1), Ok(()));
    let client = fixture.0.net().client();
    let head = "POST /ask HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    fixture.ask(&client, &format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    assert_eq!(
        fixture.0.net().connections[0].1.take(),
        "GET /asked HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde"
    );
    let client = fixture.0.net().client();
    assert_eq!(
        fixture.ask(&client, &format!("{head}b\r\n01234567890\r\n")),
        "ClientBody { status: 413 };"
    );
    assert!(client.is_closed());
}

#[test]
fn clients_that_are_let_go_get_what_they_have_asked_for_and_nobody_else_is_let_in() {
    let mut fixture = Fixture::new();
    fixture.0.service().max_connections = Some(10);
    fixture.0.net().server(server(1), Ok(()));
    let [idle, fresh, asking, half, waiting] = [(); 5].map(|()| fixture.0.net().client());
    assert_eq!(fixture.ask(&idle, &get("/a")), "/a;");
    assert_eq!(fixture.ask(&asking, &get("/ask")), "");
    assert_eq!(fixture.ask(&half, "GET /half"), "");
    // What has come and was not looked at yet is no reason to be sent away.
    waiting.send(get("/w"));
    let last = fixture.0.net().client();
    last.send(get("/last"));
    fixture.0.set_listeners(Vec::new());
    fixture.0.close_clients();
    assert!(idle.is_closed() && fresh.is_closed());
    let late = fixture.0.net().client();
    assert_eq!(fixture.ask(&late, &get("/late")), "");
    assert_eq!(
        (waiting.take(), last.take()),
        ("/w;".into(), "/last;".into())
    );
    assert!(!asking.is_closed() && !half.is_closed());
    assert_eq!(fixture.ask(&half, GET), "/half;");
    fixture.0.net().connections[0]
        .1
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    fixture.settle();
    assert_eq!(asking.take(), "200 Length(1):x");
    assert!(asking.is_closed(), "although it would have been kept");
    for client in [asking, waiting, last] {
        client.close();
    }
    fixture.settle();
    assert_eq!(
        fixture.0.clients(),
        1,
        "only the one whose service keeps it"
    );
}

proptest! {
    #[test]
    fn no_bytes_in_any_pieces_break_the_loop(
        pieces in proptest::collection::vec("(GET /(a|ask|file)| HTTP/1.1|\r\n|Host: a|Content-Length: [0-9]{1,3}|.){0,12}", 0..6),
    ) {
        let mut fixture = Fixture::new();
        fixture.0.net().server(server(1), Ok(()));
        let client = fixture.0.net().client();
        for piece in pieces {
            fixture.ask(&client, &piece);
        }
        client.close();
        fixture.pass(100);
        let next = fixture.0.net().client();
        prop_assert_eq!(fixture.ask(&next, &get("/z")), "/z;");
    }
}
