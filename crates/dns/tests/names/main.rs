//! Queries and answers: as CoreDNS' own tests have them, and as upstream's end-to-end tests expect them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod cluster;
mod custom;
mod records;
mod serving;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, Record, RecordType};

/// A query.
fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::new(0, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    query.add_query(Query::query(name, kind));
    query
}

/// A reply as lines: the code, the answers, `;` before additional records, `SOA domain` for a negative answer.
fn lines(reply: &Message) -> Vec<String> {
    let line = |record: &Record| {
        format!(
            "{} {} {} {}",
            record.name,
            record.ttl,
            record.record_type(),
            record.data
        )
    };
    let mut lines = vec![format!("{:?}", reply.response_code)];
    lines.extend(reply.answers.iter().map(line));
    lines.extend(
        reply
            .additionals
            .iter()
            .map(|record| format!("; {}", line(record))),
    );
    let domain = |record: &Record| format!("{} {} {}", record.record_type(), record.name, record.ttl);
    lines.extend(reply.authorities.iter().map(domain));
    lines
}
