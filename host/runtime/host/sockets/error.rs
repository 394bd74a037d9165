//! From the network's errno to WASI's `error-code`, with the pairs that `wasi:sockets` names for each verb.

use wasmpod_network::{Errno, ResolveError, SocketState};
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi_io::streams::StreamError;

/// The code for an errno that means the same in every verb. `EINVAL` is about an argument here; verbs where it can be
/// about the socket's state use [`in_state`] first.
pub(super) const fn code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::Again => ErrorCode::WouldBlock,
        Errno::Acces => ErrorCode::AccessDenied,
        Errno::AddrInUse => ErrorCode::AddressInUse,
        Errno::AddrNotAvail => ErrorCode::AddressNotBindable,
        Errno::AfNoSupport | Errno::Inval => ErrorCode::InvalidArgument,
        Errno::Already => ErrorCode::ConcurrencyConflict,
        Errno::ConnRefused => ErrorCode::ConnectionRefused,
        Errno::ConnReset | Errno::Pipe => ErrorCode::ConnectionReset,
        Errno::MFile => ErrorCode::NewSocketLimit,
        Errno::MsgSize => ErrorCode::DatagramTooLarge,
        Errno::HostUnreach | Errno::NetDown | Errno::NetUnreach => ErrorCode::RemoteUnreachable,
        Errno::TimedOut => ErrorCode::Timeout,
        Errno::BadF | Errno::DestAddrReq | Errno::IsConn | Errno::NotConn | Errno::OpNotSupp => {
            ErrorCode::InvalidState
        }
        _ => ErrorCode::Unknown,
    }
}

/// The code for a verb that is allowed only in the states for which `allowed` is true: POSIX says `EINVAL` for a wrong
/// state and for a wrong argument, WASI tells them apart.
pub(super) fn in_state(
    state: SocketState,
    allowed: impl Fn(SocketState) -> bool,
    errno: Errno,
) -> ErrorCode {
    if errno == Errno::Inval && !allowed(state) {
        ErrorCode::InvalidState
    } else {
        code(errno)
    }
}

/// The code for a datagram that was not sent: here a wrong or missing destination is an argument.
pub(super) const fn code_of_send(errno: Errno) -> ErrorCode {
    match errno {
        Errno::IsConn | Errno::DestAddrReq => ErrorCode::InvalidArgument,
        other => code(other),
    }
}

/// The code for a name without address.
pub(super) const fn code_of_lookup(error: &ResolveError) -> ErrorCode {
    match error {
        ResolveError::Invalid { .. } => ErrorCode::InvalidArgument,
        ResolveError::Unresolvable { .. } => ErrorCode::NameUnresolvable,
        ResolveError::Temporary { .. } => ErrorCode::TemporaryResolverFailure,
    }
}

/// How a stream of a connection fails. An end that was closed, by either side or with its container, is `closed`; a
/// reset is a failed operation once, and `closed` from then on.
pub(super) fn of_stream(errno: Errno) -> StreamError {
    match errno {
        Errno::Pipe | Errno::BadF | Errno::NotConn => StreamError::Closed,
        other => StreamError::LastOperationFailed(code(other).into()),
    }
}
