//! The wire format of DNS around the zone: a question's bytes to an answer's bytes.
//!
//! Standard: RFC 1035 4, RFC 6891 for the size that the asker can take, RFC 2308 for the SOA record of an answer without
//! records. The bytes are the library `simple-dns`'s affair. Not offered: zone transfers, updates, DNSSEC, recursion to
//! servers outside, because nothing outside can be reached; the flag RA is set nevertheless, as some libraries take an
//! answer without it for one of a server that is none of theirs.

use simple_dns::rdata::{A, AAAA, CNAME, OPT, PTR, RData, SOA, SRV};
use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};

use super::zone::{Answer, Data, Record, RecordType, ZONE};
use crate::limits::{
    DNS_TTL_SECONDS, MAX_DNS_QUERY_BYTES, MAX_DNS_TCP_BYTES, MAX_DNS_UDP_BYTES, MIN_DNS_UDP_BYTES,
};

/// The bytes of a header, RFC 1035 4.1.1.
const HEADER_BYTES: usize = 12;

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// Answers a question; nothing for what is none, so that no two servers talk to each other for ever.
pub(super) fn answer(
    query: &[u8],
    transport: Transport,
    lookup: impl FnOnce(&str, RecordType) -> Answer,
) -> Option<Vec<u8>> {
    let is_response = query.get(2).is_none_or(|flags| flags & 0x80 != 0);
    if query.len() < HEADER_BYTES || query.len() > MAX_DNS_QUERY_BYTES || is_response {
        return None;
    }
    let Ok(query) = Packet::parse(query) else {
        let id = u16::from_be_bytes([*query.first()?, *query.get(1)?]);
        let mut refusal = Packet::new_reply(id);
        *refusal.rcode_mut() = RCODE::FormatError;
        return refusal.build_bytes_vec().ok();
    };
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *reply.opcode_mut() = query.opcode();
    let mut most = match transport {
        Transport::Udp => MIN_DNS_UDP_BYTES,
        Transport::Tcp => MAX_DNS_TCP_BYTES,
    };
    if let Some(options) = query.opt() {
        if transport == Transport::Udp {
            most = usize::from(options.udp_packet_size).clamp(MIN_DNS_UDP_BYTES, MAX_DNS_UDP_BYTES);
        }
        *reply.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: u16::try_from(MAX_DNS_UDP_BYTES).unwrap_or(u16::MAX),
            version: 0,
        });
    }
    let name; // Lives as long as the reply, whose records borrow it.
    let answer;
    *reply.rcode_mut() = if query.opcode() != OPCODE::StandardQuery {
        RCODE::NotImplemented
    } else if query.opt().is_some_and(|options| options.version != 0) {
        RCODE::BADVERS
    } else if let [question] = query.questions.as_slice() {
        reply.questions.push(question.clone());
        if matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY) {
            name = text(&question.qname);
            answer = match &name {
                Some(name) => lookup(name, record_type(question)),
                None => Answer {
                    is_unknown: true,
                    ..Answer::default()
                },
            };
            fill(&mut reply, question, &answer)
        } else {
            RCODE::Refused
        }
    } else {
        RCODE::FormatError
    };
    fit(reply, most)
}

/// Puts the zone's records into a reply.
fn fill<'a>(reply: &mut Packet<'a>, question: &Question<'a>, answer: &'a Answer) -> RCODE {
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let asked = text(&question.qname);
    let records = |records: &'a [Record]| {
        let asked = asked.as_deref();
        let own = |record: &'a Record| {
            // The first name as it was asked, in its own letters (RFC 4343 4.1).
            let name = if Some(record.name.as_str()) == asked {
                question.qname.clone()
            } else {
                Name::new(&record.name).ok()?
            };
            let data = data(&record.data)?;
            Some(ResourceRecord::new(name, CLASS::IN, DNS_TTL_SECONDS, data))
        };
        records.iter().filter_map(own).collect::<Vec<_>>()
    };
    reply.answers = records(&answer.records);
    reply.additional_records = records(&answer.additional);
    let has_data = answer
        .records
        .iter()
        .any(|record| !matches!(record.data, Data::Cname(_)));
    if !has_data {
        reply.name_servers.extend(authority());
    }
    if answer.is_unknown {
        RCODE::NameError
    } else {
        RCODE::NoError
    }
}

/// The bytes of a reply of at most `most` bytes: what does not fit is left out, which the flag TC tells.
fn fit(mut reply: Packet<'_>, most: usize) -> Option<Vec<u8>> {
    let bytes = reply.build_bytes_vec_compressed().ok()?;
    if bytes.len() <= most {
        return Some(bytes);
    }
    // Additional records are a courtesy: without them nothing is missing (RFC 2181 9).
    reply.additional_records.clear();
    let mut bytes = reply.build_bytes_vec_compressed().ok()?;
    if bytes.len() > most {
        reply.set_flags(PacketFlag::TRUNCATION);
    }
    while bytes.len() > most && !reply.answers.is_empty() {
        // Halving costs a few rounds, where one by one would be a quadratic answer to a small question.
        let keep = reply.answers.len() / 2;
        reply.answers.truncate(keep);
        bytes = reply.build_bytes_vec_compressed().ok()?;
    }
    Some(bytes)
}

/// A name in lower case, without its last dot; nothing when it is no text.
fn text(name: &Name<'_>) -> Option<String> {
    let mut text = String::new();
    for label in name.as_bytes() {
        if !text.is_empty() {
            text.push('.');
        }
        let label = std::str::from_utf8(label).ok()?;
        // A dot within a label would make two of it.
        if label.contains('.') {
            return None;
        }
        text.push_str(&label.to_ascii_lowercase());
    }
    Some(text)
}

const fn record_type(question: &Question<'_>) -> RecordType {
    match question.qtype {
        QTYPE::TYPE(TYPE::A) => RecordType::A,
        QTYPE::TYPE(TYPE::AAAA) => RecordType::Aaaa,
        QTYPE::TYPE(TYPE::CNAME) => RecordType::Cname,
        QTYPE::TYPE(TYPE::SRV) => RecordType::Srv,
        QTYPE::TYPE(TYPE::PTR) => RecordType::Ptr,
        QTYPE::ANY => RecordType::Any,
        _ => RecordType::Other,
    }
}

fn data(data: &Data) -> Option<RData<'_>> {
    Some(match data {
        Data::A(ip) => RData::A(A {
            address: u32::from(*ip),
        }),
        Data::Aaaa(ip) => RData::AAAA(AAAA {
            address: u128::from(*ip),
        }),
        Data::Cname(name) => RData::CNAME(CNAME(Name::new(name).ok()?)),
        Data::Ptr(name) => RData::PTR(PTR(Name::new(name).ok()?)),
        Data::Srv {
            port,
            weight,
            target,
        } => RData::SRV(SRV {
            priority: 0,
            weight: *weight,
            port: *port,
            target: Name::new(target).ok()?,
        }),
    })
}

/// Who says that there is nothing, and for how long that may be kept.
fn authority() -> Option<ResourceRecord<'static>> {
    const HOUR: i32 = 3600;
    let soa = SOA {
        mname: Name::new("ns.dns.cluster.local").ok()?,
        rname: Name::new("hostmaster.cluster.local").ok()?,
        serial: 1,
        refresh: 2 * HOUR,
        retry: HOUR / 2,
        expire: 24 * HOUR,
        minimum: DNS_TTL_SECONDS,
    };
    let zone = Name::new(ZONE).ok()?;
    Some(ResourceRecord::new(
        zone,
        CLASS::IN,
        DNS_TTL_SECONDS,
        RData::SOA(soa),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: TYPE) -> Packet<'_> {
        let mut packet = Packet::new_query(7);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(
            Name::new(name).unwrap(),
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        packet
    }

    fn addresses(name: &str, count: u8) -> Answer {
        let record = |last| Record {
            name: name.to_owned(),
            data: Data::A([10, 244, 0, last].into()),
        };
        Answer {
            records: (0..count).map(record).collect(),
            ..Answer::default()
        }
    }

    fn ask(query: &Packet<'_>, transport: Transport, answer: Answer) -> Vec<u8> {
        let query = query.build_bytes_vec().unwrap();
        super::answer(&query, transport, |_, _| answer).unwrap()
    }

    #[test]
    fn an_answer_repeats_the_question_in_its_own_letters() {
        let query = query("Web.Default.svc.cluster.local", TYPE::A);
        let lookup = |name: &str, wanted| {
            assert_eq!(
                (name, wanted),
                ("web.default.svc.cluster.local", RecordType::A)
            );
            addresses(name, 2)
        };
        let bytes = answer(&query.build_bytes_vec().unwrap(), Transport::Udp, lookup).unwrap();
        let reply = Packet::parse(&bytes).unwrap();
        assert_eq!((reply.id(), reply.rcode()), (7, RCODE::NoError));
        for flag in [
            PacketFlag::RESPONSE,
            PacketFlag::AUTHORITATIVE_ANSWER,
            PacketFlag::RECURSION_DESIRED,
            PacketFlag::RECURSION_AVAILABLE,
        ] {
            assert!(reply.has_flags(flag), "{flag:?}");
        }
        assert_eq!(reply.questions.len(), 1);
        let names: Vec<_> = reply
            .answers
            .iter()
            .map(|one| one.name.to_string())
            .collect();
        assert_eq!(names, ["Web.Default.svc.cluster.local"; 2]);
        assert!(reply.answers.iter().all(|one| one.ttl == DNS_TTL_SECONDS));
        assert!(reply.name_servers.is_empty() && reply.opt().is_none());
    }

    #[test]
    fn what_is_not_there_is_an_error_or_an_empty_answer_with_the_zones_authority() {
        for (answer, code) in [
            (Answer::default(), RCODE::NoError),
            (
                Answer {
                    is_unknown: true,
                    ..Answer::default()
                },
                RCODE::NameError,
            ),
        ] {
            let bytes = ask(
                &query("x.cluster.local", TYPE::AAAA),
                Transport::Udp,
                answer,
            );
            let reply = Packet::parse(&bytes).unwrap();
            assert_eq!(reply.rcode(), code);
            assert!(reply.answers.is_empty());
            assert!(matches!(reply.name_servers[0].rdata, RData::SOA(_)));
        }
    }

    #[test]
    fn an_answer_is_cut_to_what_the_asker_can_take() {
        let name = "db.default.svc.cluster.local";
        let with_room = |bytes| {
            let mut query = query(name, TYPE::A);
            *query.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: bytes,
                version: 0,
            });
            query
        };
        for (query, transport, is_cut, most) in [
            (query(name, TYPE::A), Transport::Udp, true, 512),
            (with_room(100), Transport::Udp, true, 512),
            (with_room(1232), Transport::Udp, true, 1232),
            (with_room(4096), Transport::Udp, false, 4096),
            (with_room(65535), Transport::Udp, false, 4096),
            (query(name, TYPE::A), Transport::Tcp, false, 65535),
        ] {
            let bytes = ask(&query, transport, addresses(name, 200));
            let reply = Packet::parse(&bytes).unwrap();
            assert_eq!(reply.has_flags(PacketFlag::TRUNCATION), is_cut);
            assert_eq!(reply.answers.len() < 200, is_cut);
            assert!(bytes.len() <= most && !reply.answers.is_empty());
            assert_eq!(reply.opt().is_some(), query.opt().is_some());
        }
    }

    #[test]
    fn what_is_no_proper_question_is_refused_or_ignored() {
        let name = "web.default.svc.cluster.local";
        let unasked = |_: &str, _| panic!("it is no question");
        let code = |bytes: &[u8]| {
            let reply = answer(bytes, Transport::Udp, unasked)?;
            Some(Packet::parse(&reply).unwrap().rcode())
        };
        let bytes = |change: fn(&mut Packet<'_>)| {
            let mut packet = query(name, TYPE::A);
            change(&mut packet);
            packet.build_bytes_vec().unwrap()
        };
        for (query, expected) in [
            (Vec::new(), None),
            (vec![0; 11], None),
            (vec![0; MAX_DNS_QUERY_BYTES + 1], None),
            (bytes(|packet| packet.set_flags(PacketFlag::RESPONSE)), None),
            (
                bytes(|packet| *packet.opcode_mut() = OPCODE::Notify),
                Some(RCODE::NotImplemented),
            ),
            (
                bytes(|packet| packet.questions.clear()),
                Some(RCODE::FormatError),
            ),
            (
                bytes(|packet| packet.questions.push(packet.questions[0].clone())),
                Some(RCODE::FormatError),
            ),
            (
                bytes(|packet| packet.questions[0].qclass = QCLASS::CLASS(CLASS::CH)),
                Some(RCODE::Refused),
            ),
            // One question is promised, and the bytes end.
            (
                [&[0, 7, 1, 0, 0, 1][..], &[0; 6]].concat(),
                Some(RCODE::FormatError),
            ),
        ] {
            assert_eq!(code(&query), expected, "{query:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_or_ignored(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
            count in 0_u8..4,
        ) {
            // Most random bytes are no question: these get a header that makes one.
            let mut question = vec![0, 1, 1, 0, 0, count, 0, 0, 0, 0, 0, 0];
            question.extend_from_slice(&bytes);
            for query in [bytes, question] {
                let reply = answer(&query, Transport::Udp, |name, _| addresses(name, 1));
                proptest::prop_assert!(reply.is_none_or(|reply| reply.len() <= MAX_DNS_UDP_BYTES));
            }
        }
    }
}
