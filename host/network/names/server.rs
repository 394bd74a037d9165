//! The name server of a pod, at [`crate::NAMESERVER`]: what it hears and what it says.
//!
//! A datagram is answered where it is sent, so nothing waits for it and no task is woken. A connection is a task of the
//! pod, with questions and answers that have their length before them (RFC 1035 4.2.2, RFC 7766).

use std::net::Ipv4Addr;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::timeout;

use super::message::{Transport, answer};
use super::zone::{Data, Record, RecordType, Zone};
use crate::Errno;
use crate::fabric::Fabric;
use crate::limits::{DNS_IDLE, MAX_DNS_QUERY_BYTES};
use crate::service::pick_index;
use crate::tcp::TcpStream;

/// The answer to a datagram, if it gets one.
pub(crate) fn answer_datagram(fabric: &Fabric, query: &[u8]) -> Option<Bytes> {
    reply(fabric, query, Transport::Udp).map(Bytes::from)
}

/// Answers on a connection until the client has no more questions, is silent for too long, or asks none.
pub(crate) async fn converse(fabric: &Fabric, stream: &TcpStream) {
    let mut heard = BytesMut::new();
    while let Ok(Ok(())) = timeout(DNS_IDLE, hear(stream, &mut heard)).await {
        let Some(query) = take_message(&mut heard) else {
            return;
        };
        let Some(reply) = reply(fabric, &query, Transport::Tcp) else {
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

fn reply(fabric: &Fabric, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
    answer(query, transport, |name, wanted: RecordType| {
        let services = fabric.services();
        let has_pod = |ip: Ipv4Addr, namespace: &str| fabric.has_pod(ip, namespace);
        let zone = Zone {
            services: &services,
            has_pod: &has_pod,
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
