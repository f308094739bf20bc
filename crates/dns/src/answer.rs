//! What a query is answered with. Pure: a query and a view lead to a reply, or to what the host's resolver is asked.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{HINFO, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::custom::Lead;
use crate::name::{self, Asked};
use crate::packet::reply;
use crate::records::{self, Found, TTL};
use crate::settings::Settings;
use crate::view::{Source, View};

/// How many names may lead on from one another.
const LONGEST_CHAIN: usize = 10;

/// What becomes of a query.
#[derive(Debug)]
pub enum Decision {
    /// It is answered.
    Reply(Message),
    /// It goes on to the host's resolver as it came.
    Forward,
    /// Another name is asked of the host's resolver; what it says completes the reply.
    Ask(Box<Question>),
}

/// A name that is asked of the host's resolver for the sake of another.
#[derive(Debug)]
pub struct Question {
    reply: Message,
    target: Name,
    kind: RecordType,
    /// The name that the addresses are given out as; none where the client may see the target.
    shown_as: Option<Name>,
}

impl Question {
    /// The query to ask.
    pub fn query(&self, id: u16) -> Message {
        let mut query = Message::new(id, MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = true;
        query.add_query(Query::query(self.target.clone(), self.kind));
        query
    }

    /// The reply, with what the resolver said; `None` if it said nothing.
    pub fn complete(self, said: Option<&Message>) -> Message {
        let mut reply = self.reply;
        let Some(said) = said else {
            return failed(reply);
        };
        match said.response_code {
            ResponseCode::NoError => {}
            ResponseCode::NXDomain => reply.metadata.response_code = ResponseCode::NXDomain,
            _ => return failed(reply),
        }
        reply.metadata.truncation = said.truncation;
        match self.shown_as {
            None => reply.answers.extend(said.answers.iter().cloned()),
            Some(name) => {
                let addresses = said
                    .answers
                    .iter()
                    .filter(|record| record.record_type() == self.kind);
                reply.answers.extend(
                    addresses.map(|record| Record::from_rdata(name.clone(), record.ttl, record.data.clone())),
                );
            }
        }
        reply
    }
}

fn failed(mut reply: Message) -> Message {
    reply.answers.clear();
    reply.metadata.response_code = ResponseCode::ServFail;
    reply
}

/// Decides about a query. `now` is the serial of the zone, in seconds.
pub fn decide(source: &dyn Source, query: &Message, now: u32) -> Decision {
    let settings = source.settings();
    let refused = |code| Decision::Reply(reply(query, code));
    let Some(question) = query.queries.first() else {
        return refused(ResponseCode::FormErr);
    };
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return refused(ResponseCode::BADVERS);
    }
    let is_transfer = matches!(question.query_type, RecordType::AXFR | RecordType::IXFR);
    if question.query_class != DNSClass::IN || is_transfer {
        return refused(ResponseCode::Refused);
    }
    let Some(view) = source.view() else {
        return refused(ResponseCode::ServFail);
    };
    let asking = Asking {
        source,
        settings: &settings,
        view: view.as_ref(),
        query,
        name: &question.name,
        kind: question.query_type,
        now,
    };
    asking.decide()
}

/// One query.
struct Asking<'a> {
    source: &'a dyn Source,
    settings: &'a Settings,
    view: &'a dyn View,
    query: &'a Message,
    name: &'a Name,
    kind: RecordType,
    now: u32,
}

impl Asking<'_> {
    fn decide(&self) -> Decision {
        let domain = self.settings.domain_of(self.name).map(|domain| {
            // The case of the query stays.
            crate::settings::fully_qualified(self.name.trim_to(usize::from(domain.num_labels())))
        });
        let asked = domain.as_ref().map(|domain| name::read(self.name, domain));
        if let Some(lead) = self.lead(asked.as_ref()) {
            return self.led(lead);
        }
        if let (Some(domain), Some(asked)) = (domain, asked) {
            return self.in_cluster(&domain, &asked);
        }
        if let Some(address) = name::reversed(self.name) {
            let found = records::reverse(self.view, self.settings, self.name, address);
            if !found.is_empty() {
                let is_asked = self.kind == RecordType::PTR;
                let found = if is_asked { found } else { Vec::new() };
                return self.answered(&self.name.base_name(), found, Vec::new());
            }
        }
        if self.settings.hides(self.name) {
            return Decision::Reply(reply(self.query, ResponseCode::NXDomain));
        }
        if self.kind == RecordType::ANY {
            return Decision::Reply(self.minimal_any());
        }
        Decision::Forward
    }

    /// All records of a name at once are what attackers ask for (RFC 8482).
    fn minimal_any(&self) -> Message {
        let mut reply = reply(self.query, ResponseCode::NoError);
        let data = RData::HINFO(HINFO::new("RFC8482".to_owned(), String::new()));
        reply
            .answers
            .push(Record::from_rdata(self.name.clone(), TTL, data));
        reply
    }

    fn in_cluster(&self, domain: &Name, asked: &Asked) -> Decision {
        let is_domain = self.name.num_labels() == domain.num_labels();
        match (self.kind, asked) {
            (RecordType::SOA, _) if is_domain => {
                return self.answered(domain, vec![self.authority(domain)], Vec::new());
            }
            (RecordType::NS, _) if is_domain => {
                let (servers, addresses) = records::name_servers(self.view, self.settings, domain);
                return self.answered(domain, servers, addresses);
            }
            (RecordType::TXT, Asked::Version) => {
                return self.answered(domain, vec![records::version(self.name)], Vec::new());
            }
            _ => {}
        }
        match records::find(self.view, self.settings, asked) {
            Found::Nothing if self.settings.falls_back_to_host => self.of_host(domain, asked),
            Found::Nothing => self.no_such_name(domain),
            Found::Alias(target) => self.alias(domain, &target),
            Found::Backends(backends) => {
                let (mut answers, additionals) = records::records(self.name, domain, &backends, self.kind);
                self.turn(&mut answers);
                self.answered(domain, answers, additionals)
            }
        }
    }

    /// Another backend comes first each time, as clients take the first one.
    fn turn(&self, answers: &mut [Record]) {
        if answers.len() > 1 && self.kind != RecordType::SRV {
            let by = usize::from(self.query.id) % answers.len();
            answers.rotate_left(by);
        }
    }

    fn alias(&self, domain: &Name, target: &str) -> Decision {
        let Ok(target) = Name::from_ascii(target).map(crate::settings::fully_qualified) else {
            return self.answered(domain, Vec::new(), Vec::new());
        };
        match self.kind {
            RecordType::CNAME => self.answered(domain, vec![records::alias(self.name, &target)], Vec::new()),
            RecordType::A | RecordType::AAAA => self.chase(domain, target),
            _ => self.answered(domain, Vec::new(), Vec::new()),
        }
    }

    /// Follows a name to its addresses, within the cluster as far as it leads.
    fn chase(&self, domain: &Name, first: Name) -> Decision {
        let mut chain = vec![self.name.clone()];
        let mut answers = Vec::new();
        let mut target = first;
        while chain.len() <= LONGEST_CHAIN && !chain.contains(&target) {
            if let Some(last) = chain.last() {
                answers.push(records::alias(last, &target));
            }
            let Some(inside) = self.settings.domain_of(&target) else {
                if self.settings.hides(&target) {
                    break;
                }
                return self.ask(target, answers, None);
            };
            let asked = name::read(&target, inside);
            match records::find(self.view, self.settings, &asked) {
                Found::Nothing => break,
                Found::Backends(backends) => {
                    let (mut last, _) = records::records(&target, inside, &backends, self.kind);
                    if last.is_empty() {
                        break;
                    }
                    self.turn(&mut last);
                    answers.extend(last);
                    return self.answered(domain, answers, Vec::new());
                }
                Found::Alias(next) => {
                    let Ok(next) = Name::from_ascii(next).map(crate::settings::fully_qualified) else {
                        break;
                    };
                    chain.push(std::mem::replace(&mut target, next));
                }
            }
        }
        // It leads nowhere: there is such a name, but no address.
        self.answered(domain, Vec::new(), Vec::new())
    }

    fn ask(&self, target: Name, before: Vec<Record>, shown_as: Option<Name>) -> Decision {
        let mut reply = reply(self.query, ResponseCode::NoError);
        reply.metadata.authoritative = true;
        reply.answers = before;
        Decision::Ask(Box::new(Question {
            reply,
            target,
            kind: self.kind,
            shown_as,
        }))
    }

    /// What the cluster does not know is perhaps a name of the host cluster.
    fn of_host(&self, domain: &Name, asked: &Asked) -> Decision {
        if let Some(host) = self.source.host() {
            return self.elsewhere(host.as_ref(), domain, asked);
        }
        match &self.settings.host_domain {
            Some(host_domain) if host_domain != domain => {
                let own = usize::from(self.name.num_labels().saturating_sub(domain.num_labels()));
                let labels = name::labels(self.name, own).unwrap_or_default();
                match records::below(&labels, host_domain) {
                    Some(target) => self.ask(target, Vec::new(), Some(self.name.clone())),
                    None => self.no_such_name(domain),
                }
            }
            _ => Decision::Forward,
        }
    }

    /// The first rule that the name is one of. Our own name stays ours.
    fn lead(&self, asked: Option<&Asked>) -> Option<Lead> {
        if self.settings.rules.is_empty() {
            return None;
        }
        let text = self.name.to_ascii().to_ascii_lowercase();
        let text = text.trim_end_matches('.');
        self.settings.rules.iter().find_map(|rule| rule.lead(text, asked))
    }

    fn led(&self, lead: Lead) -> Decision {
        let domain = self.settings.primary();
        if !matches!(self.kind, RecordType::A | RecordType::AAAA) {
            return self.answered(&domain, Vec::new(), Vec::new());
        }
        match lead {
            Lead::Address(address) => {
                let is_asked = address.is_ipv4() == (self.kind == RecordType::A);
                let found = is_asked.then(|| records::of_address(self.name.clone(), address));
                self.answered(&domain, found.into_iter().collect(), Vec::new())
            }
            Lead::Name(target) => self.chase(&domain, target),
            Lead::Host(asked) => match (self.source.host(), &self.settings.host_domain) {
                (Some(host), _) => self.elsewhere(host.as_ref(), &domain, &asked),
                (None, Some(host_domain)) => match host_name(&asked, host_domain) {
                    Some(target) => self.ask(target, Vec::new(), Some(self.name.clone())),
                    None => self.no_such_name(&domain),
                },
                (None, None) => Decision::Reply(reply(self.query, ResponseCode::ServFail)),
            },
            Lead::Neighbour(host_namespace, name, asked) => {
                match self.source.neighbour(&host_namespace, &name) {
                    Some(neighbour) => self.elsewhere(neighbour.as_ref(), &domain, &asked),
                    None => Decision::Reply(reply(self.query, ResponseCode::ServFail)),
                }
            }
        }
    }

    /// The addresses of a name of another cluster, given out as ours.
    fn elsewhere(&self, view: &dyn View, domain: &Name, asked: &Asked) -> Decision {
        match records::find(view, self.settings, asked) {
            Found::Nothing => self.no_such_name(domain),
            Found::Alias(target) => match Name::from_ascii(target).map(crate::settings::fully_qualified) {
                Ok(target) => self.ask(target, Vec::new(), Some(self.name.clone())),
                Err(_) => self.answered(domain, Vec::new(), Vec::new()),
            },
            Found::Backends(backends) => {
                let kind = match self.kind {
                    RecordType::A | RecordType::AAAA => self.kind,
                    _ => return self.answered(domain, Vec::new(), Vec::new()),
                };
                let (mut answers, _) = records::records(self.name, domain, &backends, kind);
                self.turn(&mut answers);
                self.answered(domain, answers, Vec::new())
            }
        }
    }

    /// An answer of ours; without records it says how long that holds.
    fn answered(&self, domain: &Name, answers: Vec<Record>, additionals: Vec<Record>) -> Decision {
        let mut reply = reply(self.query, ResponseCode::NoError);
        reply.metadata.authoritative = true;
        if answers.is_empty() {
            reply.authorities.push(self.authority(domain));
        } else {
            reply.additionals = additionals;
        }
        reply.answers = answers;
        Decision::Reply(reply)
    }

    fn no_such_name(&self, domain: &Name) -> Decision {
        let mut reply = reply(self.query, ResponseCode::NXDomain);
        reply.metadata.authoritative = true;
        reply.authorities.push(self.authority(domain));
        Decision::Reply(reply)
    }

    /// The SOA record of a domain.
    fn authority(&self, domain: &Name) -> Record {
        let below = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            records::below(&labels, domain).unwrap_or_default()
        };
        let data = SOA::new(
            below(&["ns", "dns"]),
            below(&["hostmaster"]),
            self.now,
            7200,
            1800,
            86_400,
            TTL,
        );
        Record::from_rdata(domain.clone(), TTL, RData::SOA(data))
    }
}

fn host_name(asked: &Asked, domain: &Name) -> Option<Name> {
    let Asked::Service {
        namespace,
        name,
        part,
    } = asked
    else {
        return None;
    };
    let mut labels: Vec<String> = part.endpoint.iter().cloned().collect();
    labels.extend([name.clone(), namespace.clone(), "svc".to_owned()]);
    records::below(&labels, domain)
}

/// What the host's resolver answered, if it may be passed on: nothing in it may name the host cluster. The reply that
/// stands for it otherwise.
pub(crate) fn censored(settings: &Settings, query: &Message, said: &Message) -> Option<Message> {
    let names = |record: &Record| match &record.data {
        RData::CNAME(target) => settings.hides(target),
        RData::PTR(target) => settings.hides(target),
        RData::NS(target) => settings.hides(target),
        RData::SRV(target) => settings.hides(&target.target),
        RData::MX(target) => settings.hides(&target.exchange),
        _ => false,
    };
    let tells = said
        .all_sections()
        .any(|record| settings.hides(&record.name) || names(record));
    tells.then(|| reply(query, ResponseCode::NXDomain))
}
