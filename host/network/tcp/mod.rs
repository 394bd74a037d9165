//! TCP as a program sees it, without segments: what RFC 9293 and `tcp(7)` promise at the socket interface.
//!
//! There is no latency and no loss, so everything that the wire would delay happens at once: a connect is established or
//! refused when it is made, a reset has arrived before the call that provoked it returns.
//!
//! ```text
//!  TcpSocket:  unbound ──bind──► bound ──listen──► listening ──accept──► (a new, connected socket)
//!                 └─────connect────┴──► connecting ──► connected ──► closed when all handles are gone
//!                                            └─refused─► closed
//! ```
//!
//! `pipe` is one direction, `connection` the pair of them with its closing rules, `listener` the queues of a listening port,
//! `socket` the state machine above, `stream` the handles of a connection, `io` the same for tokio's traits,
//! `unanswered` a connect that gets no answer.

mod budget;
mod connection;
mod io;
mod listener;
pub(crate) mod options;
mod pipe;
mod socket;
mod stream;
mod unanswered;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub(crate) use budget::BufferBudget;
pub(crate) use listener::{Attempted, Connecting, Listener, Origin};
pub use options::TcpOptions;
pub(crate) use socket::TcpShared;
pub use socket::TcpSocket;
pub(crate) use stream::StreamShared;
pub use stream::{ReadHalf, Shutdown, TcpStream, WriteHalf};
