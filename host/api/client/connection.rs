//! One connection to a server.

use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::ClientError;
use crate::Address;

/// A connection, with the task that moves its bytes. Dropping it ends both.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
    token: Option<String>,
}

impl Connection {
    pub(super) async fn open(address: &Address) -> Result<Self, ClientError> {
        let refused = |source| ClientError::Connect {
            address: address.clone(),
            source,
        };
        match address {
            Address::Unix(path) => Self::over(unix(path).await.map_err(refused)?, None).await,
            Address::Tcp { addr, token } => {
                let stream = TcpStream::connect(addr).await.map_err(refused)?;
                Self::over(stream, Some(token.clone())).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        token: Option<String>,
    ) -> Result<Self, ClientError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Connection)?;
        let task = tokio::spawn(async move {
            // What goes wrong is told to the request.
            drop(connection.with_upgrades().await);
        });
        Ok(Self {
            sender,
            task,
            token,
        })
    }

    pub(super) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if let Some(mut value) = token.and_then(|token| HeaderValue::try_from(token).ok()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        self.sender
            .send_request(request)
            .await
            .map_err(ClientError::Connection)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects to a socket, and makes sure that the user's own process listens there: the path may be one that another
/// user could have written to.
#[cfg(unix)]
async fn unix(path: &std::path::Path) -> io::Result<tokio::net::UnixStream> {
    let stream = tokio::net::UnixStream::connect(path).await?;
    let peer = stream.peer_cred()?.uid();
    if peer == rustix::process::geteuid().as_raw() {
        Ok(stream)
    } else {
        let message = format!("the server belongs to another user (uid {peer})");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

#[cfg(not(unix))]
async fn unix(_path: &std::path::Path) -> io::Result<TcpStream> {
    let message = "this system has no Unix sockets";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}
