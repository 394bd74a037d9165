//! Two programs, as two containers of a pod or two processes: what needs that each has a life of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::sys::{Errno, IN, PATIENCE, Result, SO_REUSEADDR, Socket};
use crate::talk::{connected_to, heard, told};
use crate::transfer::pattern;
use crate::{case, tell};

/// Bytes of the large transfer.
const LARGE: usize = 16 * 1024 * 1024;
const ROUNDS: usize = 500;
const CONNECTIONS: usize = 200;

/// What each side does and sees, in the same order.
const CASES: [(&str, Side, Side); 6] = [
    ("echo", server_echoes, client_pings),
    ("large", server_reads_slowly, client_writes),
    ("many", server_accepts_many, client_opens_many),
    (
        "datagrams",
        server_answers_datagrams,
        client_sends_datagrams,
    ),
    ("busy-port", server_holds_its_port, client_wants_the_port),
    ("end", server_waits_for_the_end, client_ends),
];

type Side = fn(&Socket, SocketAddr) -> Result<String>;

/// Runs one side; whether each case held.
pub(crate) fn run(role: &str, address: &str) -> Vec<bool> {
    let Ok(at) = address.parse() else {
        eprintln!("net-oracle: no address: {address}");
        return vec![false];
    };
    let is_server = role == "server";
    let listener = if is_server { listen(at) } else { Socket::tcp() };
    let Ok(listener) = listener else {
        eprintln!("net-oracle: cannot listen at {at}");
        return vec![false];
    };
    let outcomes = CASES.iter().map(|(name, server, client)| {
        let side = if is_server { server } else { client };
        tell(
            &case(name, "all is well", || Ok(String::new())),
            side(&listener, at),
        )
    });
    outcomes.collect()
}

fn listen(at: SocketAddr) -> Result<Socket> {
    let listener = Socket::tcp()?;
    listener.set(SO_REUSEADDR, 1)?;
    listener.bind(at)?;
    listener.listen(128)?;
    Ok(listener)
}

/// Connects, also before the server listens.
fn reach(at: SocketAddr) -> Result<Socket> {
    let start = Instant::now();
    loop {
        match connected_to(at) {
            Err(Errno::CONN_REFUSED) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            outcome => return outcome,
        }
    }
}

fn well(holds: bool, otherwise: impl FnOnce() -> String) -> Result<String> {
    Ok(if holds {
        "all is well".to_owned()
    } else {
        otherwise()
    })
}

fn server_echoes(listener: &Socket, _: SocketAddr) -> Result<String> {
    let (socket, _) = listener.accept()?;
    let (mut buffer, mut total) = ([0; 64], 0);
    loop {
        match socket.receive(&mut buffer)? {
            0 => return well(total == 64 * ROUNDS, || format!("{total} bytes")),
            count => {
                socket.send_all(buffer.get(..count).unwrap_or_default())?;
                total += count;
            }
        }
    }
}

fn client_pings(_: &Socket, at: SocketAddr) -> Result<String> {
    let socket = reach(at)?;
    let (sent, mut answers) = (pattern(64), 0);
    for _ in 0..ROUNDS {
        socket.send_all(&sent)?;
        answers += usize::from(read_exactly(&socket, 64)? == sent);
    }
    well(answers == ROUNDS, || format!("{answers} answers"))
}

fn server_reads_slowly(listener: &Socket, _: SocketAddr) -> Result<String> {
    let (socket, _) = listener.accept()?;
    let expected = pattern(LARGE);
    let (mut read, mut buffer, mut pause) = (0, vec![0; 256 * 1024], 0);
    loop {
        let count = socket.receive(&mut buffer)?;
        if count == 0 {
            socket.send_all(b"done")?;
            return well(read == LARGE, || format!("{read} bytes"));
        }
        if buffer.get(..count) != expected.get(read..read + count) {
            return well(false, || format!("wrong after {read}"));
        }
        read += count;
        // Now and then the writer must wait.
        if read / (4 * 1024 * 1024) > pause {
            pause += 1;
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn client_writes(_: &Socket, at: SocketAddr) -> Result<String> {
    let socket = reach(at)?;
    socket.send_all(&pattern(LARGE))?;
    socket.shutdown(crate::sys::Half::Write)?;
    let answer = heard(&socket)?;
    well(answer == "done", || answer)
}

fn server_accepts_many(listener: &Socket, _: SocketAddr) -> Result<String> {
    let sockets = (0..CONNECTIONS).map(|_| listener.accept().map(|(socket, _)| socket));
    let sockets: Vec<_> = sockets.collect::<Result<_>>()?;
    for socket in &sockets {
        let heard = heard(socket)?;
        socket.send_all(heard.as_bytes())?;
    }
    let ends = sockets
        .iter()
        .filter(|socket| heard(socket).is_ok_and(|end| end == "EOF"));
    let ends = ends.count();
    well(ends == CONNECTIONS, || format!("{ends} ends"))
}

fn client_opens_many(_: &Socket, at: SocketAddr) -> Result<String> {
    let sockets: Vec<_> = (0..CONNECTIONS).map(|_| reach(at)).collect::<Result<_>>()?;
    let mut answers = 0;
    for (number, socket) in sockets.iter().enumerate() {
        socket.send_all(number.to_string().as_bytes())?;
        answers += usize::from(heard(socket)? == number.to_string());
    }
    well(answers == CONNECTIONS, || format!("{answers} answers"))
}

fn server_answers_datagrams(listener: &Socket, at: SocketAddr) -> Result<String> {
    let socket = Socket::udp()?;
    socket.bind(at)?;
    // The client sends when it is told that there is somebody to send to.
    let (control, _) = listener.accept()?;
    control.send_all(b"go")?;
    for _ in 0..ROUNDS {
        let mut buffer = [0; 64];
        let (count, from) = socket.receive_from(&mut buffer)?;
        socket.send_to(buffer.get(..count).unwrap_or_default(), from)?;
    }
    let end = heard(&control)?;
    well(end == "EOF", || end)
}

fn client_sends_datagrams(_: &Socket, at: SocketAddr) -> Result<String> {
    let control = reach(at)?;
    heard(&control)?;
    let socket = Socket::udp()?;
    socket.connect(at)?;
    let mut answers = 0;
    for number in 0..ROUNDS {
        socket.send(number.to_string().as_bytes())?;
        let answer = crate::talk::datagram(&socket)?;
        answers += usize::from(answer == format!("\"{number}\""));
    }
    well(answers == ROUNDS, || format!("{answers} answers"))
}

fn server_holds_its_port(listener: &Socket, _: SocketAddr) -> Result<String> {
    let (control, _) = listener.accept()?;
    let end = heard(&control)?;
    well(end == "EOF", || end)
}

fn client_wants_the_port(_: &Socket, at: SocketAddr) -> Result<String> {
    let control = reach(at)?;
    let outcome = told(Socket::tcp()?.bind(at));
    drop(control);
    well(outcome == "EADDRINUSE", || outcome)
}

/// The client ends its life without closing anything, with unread data: that is a reset.
fn server_waits_for_the_end(listener: &Socket, _: SocketAddr) -> Result<String> {
    let ((clean, _), (unclean, _)) = (listener.accept()?, listener.accept()?);
    unclean.send_all(b"unread")?;
    clean.send_all(b"go")?;
    let (clean, unclean) = (heard(&clean)?, heard(&unclean)?);
    // EIO is how WASI's C library tells of a reset.
    let is_reset = ["ECONNRESET", "EIO"].contains(&unclean.as_str());
    well(clean == "EOF" && is_reset, || {
        format!("{clean} and {unclean}")
    })
}

fn client_ends(_: &Socket, at: SocketAddr) -> Result<String> {
    let (clean, unclean) = (reach(at)?, reach(at)?);
    heard(&clean)?;
    unclean.wait(IN)?;
    // Never closed: the end of the program does it.
    std::mem::forget((clean, unclean));
    well(true, String::new)
}

fn read_exactly(socket: &Socket, len: usize) -> Result<Vec<u8>> {
    let (mut data, mut buffer) = (Vec::new(), vec![0; len]);
    while data.len() < len {
        let count = socket.receive(&mut buffer)?;
        if count == 0 {
            break;
        }
        data.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(data)
}
