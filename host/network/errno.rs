//! Result codes that a guest sees, with POSIX names.
//!
//! The glue under `wasi:sockets` turns these into its `error-code`, the glue under WASI 0.1 uses [`Errno::wasi`].
//! This module does not decide when a code is given; each verb documents its own.
//! Standard: POSIX.1-2024 `errno.h`; numbers of WASI 0.1 (`wasi_snapshot_preview1`, type `errno`).

/// Why a socket verb was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Errno {
    /// A network policy does not allow it.
    #[error("EACCES")]
    Acces,
    /// Nothing can be done at present; the matching `poll_*` tells when.
    #[error("EAGAIN")]
    Again,
    /// Another socket of the pod has this address, or no ephemeral port is free.
    #[error("EADDRINUSE")]
    AddrInUse,
    /// The address is not one of the pod's.
    #[error("EADDRNOTAVAIL")]
    AddrNotAvail,
    /// The address is of another family than the socket.
    #[error("EAFNOSUPPORT")]
    AfNoSupport,
    /// A connection is already being made on this socket.
    #[error("EALREADY")]
    Already,
    /// The socket was closed, for example because its container has ended.
    #[error("EBADF")]
    BadF,
    /// Nobody listens at the address.
    #[error("ECONNREFUSED")]
    ConnRefused,
    /// The peer reset the connection.
    #[error("ECONNRESET")]
    ConnReset,
    /// A destination is needed and none is set.
    #[error("EDESTADDRREQ")]
    DestAddrReq,
    /// The address is of the pods' or the services' network, and nobody has it.
    #[error("EHOSTUNREACH")]
    HostUnreach,
    /// An argument or the socket's state does not allow this.
    #[error("EINVAL")]
    Inval,
    /// The socket is connected already.
    #[error("EISCONN")]
    IsConn,
    /// The container has as many sockets as it may have.
    #[error("EMFILE")]
    MFile,
    /// The datagram is larger than UDP can carry.
    #[error("EMSGSIZE")]
    MsgSize,
    /// The pod's network has been closed.
    #[error("ENETDOWN")]
    NetDown,
    /// The address is outside of the pods' network and there is no route to it.
    #[error("ENETUNREACH")]
    NetUnreach,
    /// The socket is not connected.
    #[error("ENOTCONN")]
    NotConn,
    /// The verb does not apply to a socket of this kind or state.
    #[error("EOPNOTSUPP")]
    OpNotSupp,
    /// The connection can no longer be written to.
    #[error("EPIPE")]
    Pipe,
    /// Nobody has answered: what a network policy does not allow is dropped.
    #[error("ETIMEDOUT")]
    TimedOut,
}

impl Errno {
    /// The number of this code in WASI 0.1.
    #[must_use]
    pub const fn wasi(self) -> u16 {
        match self {
            Self::Acces => 2,
            Self::AddrInUse => 3,
            Self::AddrNotAvail => 4,
            Self::AfNoSupport => 5,
            Self::Again => 6,
            Self::Already => 7,
            Self::BadF => 8,
            Self::ConnRefused => 14,
            Self::ConnReset => 15,
            Self::DestAddrReq => 17,
            Self::HostUnreach => 23,
            Self::Inval => 28,
            Self::IsConn => 30,
            Self::MFile => 33,
            Self::MsgSize => 35,
            Self::NetDown => 38,
            Self::NetUnreach => 40,
            Self::NotConn => 53,
            Self::OpNotSupp => 58,
            Self::Pipe => 64,
            Self::TimedOut => 73,
        }
    }
}
