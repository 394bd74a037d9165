//! A pod's own task on the network: what comes to the pod and no guest has asked for.
//!
//! It waits for connections to the name server, for connections that were handed over, and for what guests want of the
//! world outside, and is asleep otherwise. What
//! it has begun ends with it, and it ends with its pod.

use std::future::poll_fn;

use tokio::task::JoinSet;

use crate::Errno;
use crate::egress::{DatagramsOut, carry_out};
use crate::limits::{
    MAX_DNS_CONNECTIONS, MAX_EGRESS_CONNECTIONS, MAX_EGRESS_QUEUED, MAX_PUBLISHED_CONNECTIONS,
};
use crate::names::{Question, answer_later, converse};
use crate::pod::PodNetwork;
use crate::publish::carry_handed;
use crate::tcp::{TcpOptions, TcpStream};

/// Serves until the pod's network is closed.
pub(crate) async fn serve(network: &PodNetwork) {
    let pod = network.pod();
    let mut carried = JoinSet::new();
    let mut talks = JoinSet::new();
    let mut departed = JoinSet::new();
    let mut questions = JoinSet::new();
    let mut datagrams = DatagramsOut::new(network.clone());
    while !pod.is_closed() {
        tokio::select! {
            handed = poll_fn(|cx| pod.handovers.poll_next(cx)),
                if carried.len() < MAX_PUBLISHED_CONNECTIONS =>
            {
                let event_loop = pod.event_loop(handed.port());
                let carrying = carry_handed(handed, network.clone());
                match event_loop {
                    Some(event_loop) => carried.spawn_on(carrying, &event_loop),
                    None => carried.spawn(carrying),
                };
            }
            () = poll_fn(|cx| pod.name_server.poll_acceptable(cx)),
                if talks.len() < MAX_DNS_CONNECTIONS =>
            {
                if let Ok(stream) = accept(network) {
                    talks.spawn(talk(network.clone(), stream));
                }
            }
            departure = poll_fn(|cx| pod.departures.poll_next(cx)),
                if departed.len() < MAX_EGRESS_CONNECTIONS =>
            {
                departed.spawn(carry_out(departure, network.clone()));
            }
            datagram = poll_fn(|cx| pod.datagrams_out.poll_next(cx)) => datagrams.send(datagram),
            question = poll_fn(|cx| pod.questions.poll_next(cx)),
                if questions.len() < MAX_EGRESS_QUEUED =>
            {
                questions.spawn(answer(network.clone(), question));
            }
            Some(_) = departed.join_next(), if !departed.is_empty() => {}
            Some(_) = questions.join_next(), if !questions.is_empty() => {}
            Some(_) = carried.join_next(), if !carried.is_empty() => {}
            Some(_) = talks.join_next(), if !talks.is_empty() => {}
        }
    }
}

fn accept(network: &PodNetwork) -> Result<TcpStream, Errno> {
    let end = network.pod().name_server.accept()?;
    let registration = network.host().register()?;
    TcpStream::new(end, registration, TcpOptions::default(), None)
}

async fn talk(network: PodNetwork, stream: TcpStream) {
    converse(network.pod(), &stream).await;
}

async fn answer(network: PodNetwork, question: Question) {
    answer_later(network.pod(), question).await;
}
