//! Packets: what is read of them, what is answered at once, and how large an answer may be.

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};

/// The largest packet over UDP: what passes every network in one piece, whatever the client would take.
const LARGEST_UDP: usize = 1232;
/// The smallest size that a client may ask for, and what one takes that asks for none.
const SMALLEST_UDP: usize = 512;
/// A header.
const HEADER: usize = 12;

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one packet.
    Udp,
    /// In a stream, with its length in front.
    Tcp,
}

/// What a packet is.
#[derive(Debug)]
pub(crate) enum Received {
    /// A query with exactly one question.
    Query(Box<Message>),
    /// Something that is answered with an error at once.
    Wrong(Vec<u8>),
    /// An answer, or less than a header: not replied to, or two servers would talk for ever.
    Ignored,
}

/// Reads a packet.
pub(crate) fn read(packet: &[u8]) -> Received {
    let Some(head) = packet.first_chunk::<HEADER>() else {
        return Received::Ignored;
    };
    let [_, _, flags, _, counts @ ..] = head;
    if flags & 0x80 != 0 {
        return Received::Ignored;
    }
    if (flags >> 3) & 0x0f != 0 {
        return Received::Wrong(refusal(head, ResponseCode::NotImp));
    }
    // Counts are looked at before anything is made of the size that they announce.
    let [0, 1, 0, 0, 0, 0, 0, additionals, ..] = counts else {
        return Received::Wrong(refusal(head, ResponseCode::FormErr));
    };
    if *additionals > 4 {
        return Received::Wrong(refusal(head, ResponseCode::FormErr));
    }
    match Message::from_vec(packet) {
        Ok(message) if message.queries.len() == 1 => Received::Query(Box::new(message)),
        _ => Received::Wrong(refusal(head, ResponseCode::FormErr)),
    }
}

/// A header alone that refuses what came.
fn refusal(head: &[u8; HEADER], code: ResponseCode) -> Vec<u8> {
    let [high, low, flags, ..] = *head;
    let answered = 0x80 | (flags & 0x79);
    vec![high, low, answered, code.low(), 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A reply to `query` without records.
pub(crate) fn reply(query: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::new(query.id, MessageType::Response, OpCode::Query);
    reply.metadata.recursion_desired = query.recursion_desired;
    reply.metadata.checking_disabled = query.checking_disabled;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    reply.queries.clone_from(&query.queries);
    if let Some(asked) = &query.edns {
        let mut edns = hickory_proto::op::Edns::new();
        edns.set_max_payload(u16::try_from(LARGEST_UDP).unwrap_or(u16::MAX));
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        reply.edns = Some(edns);
    }
    reply
}

/// How large an answer to `query` may be.
pub(crate) fn limit(query: &Message, transport: Transport) -> usize {
    match (transport, &query.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, Some(edns)) => usize::from(edns.max_payload()).clamp(SMALLEST_UDP, LARGEST_UDP),
        (Transport::Udp, None) => SMALLEST_UDP,
    }
}

/// The bytes of an answer. What is too large loses first its additional records, which nobody needs, then answers, which
/// the client is told of. `None` if there is no way to write it.
pub fn encode(mut message: Message, query: &Message, transport: Transport) -> Option<Vec<u8>> {
    let limit = limit(query, transport);
    loop {
        let bytes = message.to_vec().ok()?;
        if bytes.len() <= limit {
            return Some(bytes);
        }
        if !message.additionals.is_empty() {
            message.additionals.clear();
        } else if !message.answers.is_empty() {
            let fitting = message.answers.len() * limit / bytes.len();
            message.answers.truncate(fitting.min(message.answers.len() - 1));
            message.metadata.truncation = true;
        } else if !message.authorities.is_empty() {
            message.authorities.clear();
        } else {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Edns, Query};
    use hickory_proto::rr::{Name, RecordType};
    use proptest::prelude::*;

    use super::*;
    use crate::records::of_address;

    fn query(payload: Option<u16>) -> Message {
        let mut query = Message::new(7, MessageType::Query, OpCode::Query);
        query.add_query(Query::query(
            Name::from_ascii("web.shop.").unwrap(),
            RecordType::A,
        ));
        query.edns = payload.map(|size| {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            edns
        });
        query
    }

    #[test]
    fn an_answer_is_as_large_as_the_client_takes_and_the_network_carries() {
        for (payload, transport, expect) in [
            (None, Transport::Udp, 512),
            (Some(100), Transport::Udp, 512),
            (Some(1000), Transport::Udp, 1000),
            (Some(65_000), Transport::Udp, 1232),
            (None, Transport::Tcp, 65_535),
        ] {
            assert_eq!(limit(&query(payload), transport), expect);
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let query = query(Some(600));
        let mut answer = reply(&query, ResponseCode::NoError);
        let name = Name::from_ascii("web.shop.").unwrap();
        answer.answers = (0..200u8)
            .map(|n| of_address(name.clone(), [10, 0, 0, n].into()))
            .collect();
        let whole = encode(answer.clone(), &query, Transport::Tcp).unwrap();
        assert_eq!(Message::from_vec(&whole).unwrap().answers.len(), 200);
        let cut = encode(answer, &query, Transport::Udp).unwrap();
        assert!(cut.len() <= 600);
        let cut = Message::from_vec(&cut).unwrap();
        assert!(cut.truncation && cut.answers.len() > 20 && cut.edns.is_some());
    }

    #[test]
    fn additional_records_go_first_and_silently() {
        let query = query(None);
        let mut answer = reply(&query, ResponseCode::NoError);
        let name = Name::from_ascii("web.shop.").unwrap();
        answer.answers = vec![of_address(name.clone(), [10, 0, 0, 1].into())];
        answer.additionals = (0..200u8)
            .map(|n| of_address(name.clone(), [10, 0, 0, n].into()))
            .collect();
        let cut = Message::from_vec(&encode(answer, &query, Transport::Udp).unwrap()).unwrap();
        assert!(!cut.truncation && cut.answers.len() == 1 && cut.additionals.is_empty());
    }

    #[test]
    fn what_is_no_query_is_refused_or_ignored() {
        let good = query(None).to_vec().unwrap();
        assert!(matches!(read(&good), Received::Query(_)));
        assert!(matches!(read(&good[..5]), Received::Ignored));
        let mut answer = good.clone();
        answer[2] |= 0x80;
        assert!(matches!(read(&answer), Received::Ignored));
        let code = |bytes: &[u8]| match read(bytes) {
            Received::Wrong(refusal) => refusal[3],
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&good[..good.len() - 2]), 1);
        let mut update = good.clone();
        update[2] |= 5 << 3;
        assert_eq!(code(&update), 4);
        let mut many = good;
        many[4] = 255;
        assert_eq!(code(&many), 1);
    }

    proptest! {
        #[test]
        fn any_packet_is_read(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
            read(&packet);
        }
    }
}
