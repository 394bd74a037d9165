//! A connection as tokio's `AsyncRead` and `AsyncWrite`, for libraries that want these (an HTTP client of a probe).
//!
//! Here bytes are copied; the runtime's glue and publishing use [`TcpStream`]'s own methods, which do not.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::{Shutdown, TcpStream};
use crate::Errno;

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_read_ready(cx));
        match self.try_read(buf.remaining()) {
            Ok(data) => {
                buf.put_slice(&data);
                Poll::Ready(Ok(()))
            }
            Err(Errno::Again) => again(cx),
            Err(errno) => Poll::Ready(Err(errno.into())),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    /// As one write, so that what a library has to say at once, such as the last flight of TLS with its alert, is not cut.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_ready(cx));
        let wanted = bufs
            .iter()
            .fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        let mut room = match self.write_capacity() {
            Ok(0) if wanted > 0 => return again(cx),
            Ok(room) => room.min(wanted),
            Err(errno) => return Poll::Ready(Err(errno.into())),
        };
        let mut data = BytesMut::with_capacity(room);
        for buf in bufs {
            let taken = buf.get(..room.min(buf.len())).unwrap_or_default();
            data.extend_from_slice(taken);
            room = room.saturating_sub(taken.len());
        }
        match self.try_write(&mut data.freeze()) {
            Err(Errno::Again) => again(cx),
            outcome => Poll::Ready(outcome.map_err(io::Error::from)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(Shutdown::Send).map_err(io::Error::from))
    }
}

/// Another task was faster on a handle of the same end: ask again.
fn again<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        use io::ErrorKind;
        let kind = match errno {
            Errno::Again => ErrorKind::WouldBlock,
            Errno::AddrInUse => ErrorKind::AddrInUse,
            Errno::AddrNotAvail => ErrorKind::AddrNotAvailable,
            Errno::ConnRefused => ErrorKind::ConnectionRefused,
            Errno::ConnReset => ErrorKind::ConnectionReset,
            Errno::Acces => ErrorKind::PermissionDenied,
            Errno::TimedOut => ErrorKind::TimedOut,
            Errno::HostUnreach => ErrorKind::HostUnreachable,
            Errno::NetDown => ErrorKind::NetworkDown,
            Errno::NetUnreach => ErrorKind::NetworkUnreachable,
            Errno::NotConn | Errno::BadF => ErrorKind::NotConnected,
            Errno::Pipe => ErrorKind::BrokenPipe,
            Errno::AfNoSupport | Errno::OpNotSupp => ErrorKind::Unsupported,
            Errno::DestAddrReq | Errno::Inval | Errno::MsgSize => ErrorKind::InvalidInput,
            Errno::Already | Errno::IsConn | Errno::MFile => ErrorKind::Other,
        };
        Self::new(kind, errno)
    }
}
