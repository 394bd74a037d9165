//! The name server of a pod, at [`crate::NAMESERVER`]: what it hears and what it says.
//!
//! A datagram is answered where it is sent, so nothing waits for it and no task is woken, unless the host's resolver has to
//! be asked; then the pod's task does that. A connection is a task of the pod, with questions and answers that have their length before them (RFC 1035 4.2.2, RFC 7766).

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::timeout;

use super::message::{Transport, answer};
use super::outside::{Learnt, answering};
use super::zone::{Data, Record, RecordType, Zone};
use crate::Errno;
use crate::limits::{DNS_IDLE, MAX_DNS_QUERY_BYTES};
use crate::pod::Pod;
use crate::service::pick_index;
use crate::tcp::TcpStream;

/// What becomes of a question.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The answer, if it gets one.
    Now(Option<Bytes>),
    /// The host's resolver has to be asked: [`answer_later`].
    Later,
}

/// A question by datagram that has to wait for the host's resolver.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) query: Bytes,
    /// The guest's socket.
    pub(crate) from: SocketAddr,
    /// The name server's address.
    pub(crate) to: SocketAddr,
}

/// The answer to a datagram, if it gets one.
pub(crate) fn answer_datagram(pod: &Pod, query: &[u8]) -> Answered {
    let learnt = Learnt::default();
    let answer = reply(pod, query, Transport::Udp, &learnt);
    if learnt.take_missing().is_some() {
        return Answered::Later;
    }
    learnt.tell(pod);
    Answered::Now(answer.map(Bytes::from))
}

/// Asks the host's resolver, and gives the answer to the socket that has asked, if it is still there.
pub(crate) async fn answer_later(pod: &Pod, question: Question) {
    let Question { query, from, to } = question;
    let answer = answering(pod, |learnt| reply(pod, &query, Transport::Udp, learnt)).await;
    if let Some((answer, receiver)) = answer.zip(pod.udp_socket_at(from)) {
        receiver.deliver(answer.into(), to, Some(from));
    }
}

/// Answers on a connection until the client has no more questions, is silent for too long, or asks none.
pub(crate) async fn converse(pod: &Pod, stream: &TcpStream) {
    let mut heard = BytesMut::new();
    while let Ok(Ok(())) = timeout(DNS_IDLE, hear(stream, &mut heard)).await {
        let Some(query) = take_message(&mut heard) else {
            return;
        };
        let answer = answering(pod, |learnt| reply(pod, &query, Transport::Tcp, learnt)).await;
        let Some(reply) = answer else {
            return;
        };
        let Ok(length) = u16::try_from(reply.len()) else {
            return;
        };
        let mut message = BytesMut::with_capacity(reply.len().saturating_add(2));
        message.put_u16(length);
        message.put_slice(&reply);
        // A client that does not read its answers is not waited for.
        let written = timeout(DNS_IDLE, stream.write_all(message.freeze())).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads until a whole message is there.
async fn hear(stream: &TcpStream, heard: &mut BytesMut) -> Result<(), Errno> {
    loop {
        if let Some(length) = message_length(heard) {
            if length > MAX_DNS_QUERY_BYTES {
                return Err(Errno::MsgSize);
            }
            if heard.len() >= length.saturating_add(2) {
                return Ok(());
            }
        }
        let part = stream.read(MAX_DNS_QUERY_BYTES).await?;
        if part.is_empty() {
            return Err(Errno::NotConn);
        }
        heard.extend_from_slice(&part);
    }
}

fn message_length(heard: &BytesMut) -> Option<usize> {
    let length = [*heard.first()?, *heard.get(1)?];
    Some(usize::from(u16::from_be_bytes(length)))
}

fn take_message(heard: &mut BytesMut) -> Option<BytesMut> {
    let length = message_length(heard)?;
    let mut message = (heard.len() >= length.saturating_add(2))
        .then(|| heard.split_to(length.saturating_add(2)))?;
    Some(message.split_off(2))
}

fn reply(pod: &Pod, query: &[u8], transport: Transport, learnt: &Learnt) -> Option<Vec<u8>> {
    let fabric = pod.fabric()?;
    answer(query, transport, |name, wanted: RecordType| {
        let services = fabric.services();
        let has_pod = |ip: Ipv4Addr, namespace: &str| fabric.has_pod(ip, namespace);
        let zone = Zone {
            services: &services,
            has_pod: &has_pod,
            outside: &|name| learnt.look(fabric.egress(), name),
            tells_cluster: pod.tells_cluster(),
        };
        let mut answer = zone.lookup(name, wanted);
        // As the resolver does: the first is not always the same. Aliases stay before what they lead to.
        let is_alias = |record: &Record| matches!(record.data, Data::Cname(_));
        let first = answer
            .records
            .iter()
            .take_while(|one| is_alias(one))
            .count();
        if let Some(rest) = answer.records.get_mut(first..)
            && let Some(start) = pick_index(rest.len(), fabric.random())
        {
            rest.rotate_left(start);
        }
        answer
    })
}
