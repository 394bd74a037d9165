//! `pods/NAME/log` over a WebSocket: the same text, in messages.
//!
//! Protocols are those of the API server's streams (`k8s.io/apimachinery/pkg/util/httpstream/wsstream`): bytes as they
//! are (`binary.k8s.io`, and without a protocol), or Base64 in texts (`base64.binary.k8s.io`). An empty message says
//! that the log is open. The client has nothing to say.

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use wasmpod_manifest::k8s::{ByteString, Pod};

use crate::server::body::Body;
use crate::server::limits::CLOSING_TIME;
use crate::server::log::{Printer, printer};
use crate::server::query::Query;
use crate::server::websocket::{self, Handshake, Socket};
use crate::server::{AfterUpgrade, Context};
use crate::{Status, channel};

const BINARY: &str = "binary.k8s.io";
const BASE64: &str = "base64.binary.k8s.io";

/// Answers the request, and leaves what comes after the upgrade in `after`.
pub(super) fn open(
    context: &Context,
    pod: &Pod,
    query: &Query,
    request: &mut Request<Incoming>,
    after: &AfterUpgrade,
) -> Result<Response<Body>, Status> {
    let printer = printer(context, pod, query)?;
    let handshake = Handshake::of(request, &[BINARY, BASE64])?;
    // The connection goes on, whether the log is followed or not.
    let permit = context.long_request()?;
    let is_base64 = handshake.protocol == Some(BASE64);
    let upgrade = hyper::upgrade::on(request);
    after.set(Box::pin(async move {
        if let Ok(upgraded) = upgrade.await {
            run(upgraded, printer, is_base64, permit).await;
        }
    }));
    Ok(handshake.response())
}

async fn run(
    upgraded: Upgraded,
    mut printer: Printer,
    is_base64: bool,
    _permit: OwnedSemaphorePermit,
) {
    let (mut sink, mut source) = websocket::socket(upgraded).await.split();
    let tell = async {
        send(&mut sink, is_base64, &[]).await?;
        while let Some(text) = printer.next().await {
            for part in text.chunks(channel::MAX_PAYLOAD_BYTES) {
                send(&mut sink, is_base64, part).await?;
            }
        }
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        sink.send(Message::Close(Some(goodbye))).await
    };
    // What the client sends is passed over; pings are answered by the socket itself.
    let gone = async { while let Some(Ok(_)) = source.next().await {} };
    let told = tokio::select! {
        told = tell => told,
        () = gone => return,
    };
    if told.is_ok() {
        // The client answers the close frame (RFC 6455 7.1.1), or has no time for that.
        let answered = async { while let Some(Ok(_)) = source.next().await {} };
        drop(timeout(CLOSING_TIME, answered).await);
    }
}

async fn send(
    sink: &mut SplitSink<Socket, Message>,
    is_base64: bool,
    bytes: &[u8],
) -> Result<(), Error> {
    let message = if is_base64 {
        // The JSON of Kubernetes' bytes is their Base64.
        let text = serde_json::to_value(ByteString(bytes.to_vec()));
        let Ok(Value::String(text)) = text else {
            return Ok(());
        };
        Message::Text(text.into())
    } else {
        Message::Binary(bytes.to_vec().into())
    };
    sink.send(message).await
}
