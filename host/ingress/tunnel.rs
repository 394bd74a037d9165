//! A connection after both sides have agreed to speak something else (RFC 9110 7.8): bytes, both ways, until one side ends
//! both or is silent for too long, or the way is not allowed any more.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use wasmpod_network::TcpStream;

use crate::guard::IdleLimit;
use crate::limits::TUNNEL_IDLE_TIMEOUT;
use crate::proxy::Way;

/// Carries what client and pod say. `stream` is the pod's connection, to reset it.
pub(crate) async fn carry(
    client: OnUpgrade,
    pod: OnUpgrade,
    stream: TcpStream,
    way: Way,
    idle: IdleLimit,
) {
    let carrying = async {
        // An error means that one of them has gone before.
        let (client, pod) = tokio::try_join!(client, pod)?;
        idle.set(TUNNEL_IDLE_TIMEOUT);
        let (mut client, mut pod) = (TokioIo::new(client), TokioIo::new(pod));
        // How it ends is for both sides to tell each other.
        let _ = copy_bidirectional(&mut client, &mut pod).await;
        Ok::<(), hyper::Error>(())
    };
    tokio::select! {
        _ = carrying => {}
        () = way.lost() => stream.abort(),
    }
}
