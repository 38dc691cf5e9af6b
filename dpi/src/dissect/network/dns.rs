//! DNS over UDP and TCP (RFC 1035; EDNS: RFC 6891), multicast DNS (RFC 6762) and link-local
//! multicast name resolution (RFC 4795): one message format on three ports.
//!
//! On its own port a message is believed when header and first question hold together. On other
//! ports every record has to parse and the last one has to end where the message ends: twelve
//! bytes of header alone would claim too much.

use super::dns_name::{self, Room};
use super::{BOTH, UDP, cut_short, mapped};
use crate::app::AppId;
use crate::attr;
use crate::meta::Meta;
use crate::reader::Reader;
use crate::risk::{dns as judge, names};
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

/// DNS, on port 53 and, strictly checked, on any other.
pub(super) const DNS: Dissector = Dissector {
    app: AppId::DNS,
    over: BOTH,
    ports: &[53],
    ports_only: false,
    first: First::Any,
    run: dns,
};

/// Multicast DNS.
pub(super) const MDNS: Dissector = Dissector {
    app: AppId::MDNS,
    over: UDP,
    ports: &[MDNS_PORT],
    ports_only: true,
    first: First::Any,
    run: mdns,
};

/// Link-local multicast name resolution.
pub(super) const LLMNR: Dissector = Dissector {
    app: AppId::LLMNR,
    over: BOTH,
    ports: &[LLMNR_PORT],
    ports_only: true,
    first: First::Any,
    run: llmnr,
};

const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;
const NETBIOS_PORT: u16 = 137;
const HEADER_BYTES: usize = 12;
/// Answer records read of one message.
const MAX_ANSWERS: u16 = 24;
/// Records walked of one message on a foreign port; one with more is not believed.
const MAX_RECORDS: u16 = 96;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_TXT: u16 = 16;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
const CLASS_INTERNET: u16 = 1;

fn dns(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let (message, whole) = match framed(view) {
        Ok(framed) => framed,
        Err(outcome) => return outcome,
    };
    let Some(header) = Header::read(message) else {
        return cut_short(view);
    };
    if !header.is_unicast() {
        return Outcome::NotMine;
    }
    let own_port = view.port_is(DNS_PORT);
    let mut room = Room::new();
    let question = Question::read(message, &header, &mut room);
    if !own_port && let Some(outcome) = refused(view, message, &header, whole, question.as_ref()) {
        return outcome;
    }
    let Some(question) = question else {
        // A response without its question (RFC 1035 allows it; some servers refuse so).
        let bare = own_port && header.is_response() && header.questions == 0;
        if bare && (message.len() == HEADER_BYTES || header.answers > 0) {
            notes.meta.put_number(&attr::DNS_RCODE, header.rcode());
            let offered = judge::Offer::Unknown;
            let risks = judge::judge_answer(header.rcode(), header.answers, None, offered);
            notes.meta.set_risks(risks);
            return Outcome::found(AppId::DNS);
        }
        return if message.len() < 512 { cut_short(view) } else { Outcome::NotMine };
    };
    if !question.is_plausible(own_port) {
        return Outcome::NotMine;
    }
    let offered = offered(notes.meta);
    let first_name = notes.meta.get(&attr::DNS_NAME);
    let (is_first, is_same) = (first_name.is_none(), first_name == Some(question.name));
    if !is_same {
        let known = notes.knowledge.judged().host(question.name);
        notes.meta.set_risks(names::judge_of(AppId::DNS, question.name, known.risks));
    }
    notes.meta.set_risks(judge::judge_question(question.kind, question.class));
    if is_first {
        question.note(notes);
    }
    let app = question.app();
    let now_us = low_us(view.now_ns);
    if !header.is_response() {
        edns(message, question.next, &header, notes);
        if notes.scratch.dns_asked_us == 0 {
            notes.scratch.dns_asked_us = now_us;
        }
        return Outcome::found_more(app);
    }
    notes.meta.put_number(&attr::DNS_RCODE, header.rcode());
    notes.meta.put_number(&attr::DNS_ANSWER_COUNT, u64::from(header.answers));
    if notes.scratch.dns_asked_us != 0 {
        let latency_us = now_us.wrapping_sub(notes.scratch.dns_asked_us);
        notes.meta.put_number(&attr::DNS_LATENCY, u64::from(latency_us));
    }
    let datagram = (view.transport == Transport::Udp).then_some(message.len());
    let risks = judge::judge_answer(header.rcode(), header.answers, datagram, offered);
    notes.meta.set_risks(risks);
    answers(message, question.next, &header, question.name, notes);
    // Resolvers send the A and the AAAA question from one port: as long as questions outnumber
    // answers, the next answer is worth waiting for.
    let answered = view.packets_before % 2 == 1;
    Outcome::Found { app, more: !answered && view.transport == Transport::Udp }
}

/// What to answer to a message on a port of no meaning, unless it is one from first to last byte.
fn refused(
    view: &View<'_>,
    message: &[u8],
    header: &Header,
    whole: bool,
    question: Option<&Question<'_>>,
) -> Option<Outcome> {
    let foreign = [MDNS_PORT, LLMNR_PORT, NETBIOS_PORT];
    if foreign.iter().any(|port| view.port_is(*port)) {
        return Some(Outcome::NotMine);
    }
    let certificate = question.is_some_and(|it| it.app() != AppId::DNS);
    match walk_all(message, header) {
        // Certificates are asked for with a padding that is no record.
        _ if certificate => None,
        Walk::Exact if whole => None,
        Walk::Exact | Walk::Short => Some(cut_short(view)),
        Walk::Wrong => Some(Outcome::NotMine),
    }
}

/// The low bits of a time, in microseconds; never 0, which stands for no time.
fn low_us(now_ns: u64) -> u32 {
    u32::try_from((now_ns / 1000) & u64::from(u32::MAX)).unwrap_or_default().max(1)
}

/// What a question before this message offered to take.
fn offered(meta: &Meta) -> judge::Offer {
    let size = meta.get(&attr::DNS_EDNS_SIZE).and_then(|size| size.try_into().ok());
    match (size, meta.get(&attr::DNS_NAME)) {
        (Some(size), _) => judge::Offer::Size(u64::from_le_bytes(size)),
        (None, Some(_)) => judge::Offer::Nothing,
        (None, None) => judge::Offer::Unknown,
    }
}

/// The message itself and whether all of it is there: over TCP a two-byte length stands before
/// it (RFC 1035 section 4.2.2).
fn framed<'a>(view: &View<'a>) -> Result<(&'a [u8], bool), Outcome> {
    if view.transport == Transport::Udp {
        return Ok((view.data, true));
    }
    let mut reader = Reader::new(view.data);
    let Some(length) = reader.u16() else {
        return Err(Outcome::NeedMore);
    };
    if usize::from(length) < HEADER_BYTES {
        return Err(Outcome::NotMine);
    }
    let message = reader.take_up_to(usize::from(length));
    Ok((message, message.len() == usize::from(length)))
}

fn mdns(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let message = view.data;
    let Some(header) = Header::read(message) else {
        return Outcome::NotMine;
    };
    // RFC 6762 section 18: opcode and response code are zero, and a message without records
    // says nothing.
    let says_something = header.questions > 0 || header.answers > 0 || header.authorities > 0;
    if header.opcode() != 0 || header.rcode() != 0 || !says_something {
        return Outcome::NotMine;
    }
    let mut room = Room::new();
    let Some((name, next)) = room.read(message, HEADER_BYTES) else {
        return Outcome::NotMine;
    };
    let mut reader = Reader::new(message.get(next..).unwrap_or_default());
    let (Some(kind), Some(class)) = (reader.u16(), reader.u16()) else {
        return Outcome::NotMine;
    };
    // The top bit asks for a unicast answer, or marks a unique record (sections 5.4 and 10.2).
    if !matches!(class & 0x7fff, CLASS_INTERNET | 255) {
        return Outcome::NotMine;
    }
    notes.meta.put(&attr::HOST_NAME, name);
    notes.meta.put(&attr::DNS_NAME, name);
    notes.meta.put_number(&attr::DNS_TYPE, u64::from(kind));
    if header.is_response() && header.questions == 0 {
        answers(message, HEADER_BYTES, &header, name, notes);
    }
    Outcome::found(AppId::MDNS)
}

fn llmnr(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let (message, _) = match framed(view) {
        Ok(framed) => framed,
        Err(outcome) => return outcome,
    };
    let Some(header) = Header::read(message) else {
        return cut_short(view);
    };
    // RFC 4795 section 2.1.1: one question, opcode zero, and nothing else in a query.
    let is_query = header.answers == 0 && header.authorities == 0;
    if header.opcode() != 0 || header.questions != 1 || !(header.is_response() || is_query) {
        return Outcome::NotMine;
    }
    let mut room = Room::new();
    let Some(question) = Question::read(message, &header, &mut room) else {
        return cut_short(view);
    };
    if !question.is_plausible(true) {
        return Outcome::NotMine;
    }
    question.note(notes);
    if !header.is_response() {
        return Outcome::found_more(AppId::LLMNR);
    }
    answers(message, question.next, &header, question.name, notes);
    Outcome::found(AppId::LLMNR)
}

/// RFC 1035 section 4.1.1.
struct Header {
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Header {
    fn read(message: &[u8]) -> Option<Header> {
        let mut reader = Reader::new(message);
        reader.skip(2)?;
        Some(Header {
            flags: reader.u16()?,
            questions: reader.u16()?,
            answers: reader.u16()?,
            authorities: reader.u16()?,
            additionals: reader.u16()?,
        })
    }

    fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    fn opcode(&self) -> u16 {
        (self.flags >> 11) & 0xf
    }

    fn rcode(&self) -> u64 {
        u64::from(self.flags & 0xf)
    }

    /// Whether a resolver or a server of unicast DNS would send this. Query, inverse query,
    /// status, notify, update; the bit between RA and AD is always zero.
    fn is_unicast(&self) -> bool {
        let known = matches!(self.opcode(), 0 | 1 | 2 | 4 | 5) && self.flags & 0x0040 == 0;
        let counts = if self.is_response() {
            self.questions <= 1
        } else if self.opcode() == 5 {
            self.questions == 1
        } else {
            self.questions == 1 && self.answers <= 1 && self.authorities <= 1 && self.rcode() == 0
        };
        known && counts && self.additionals <= 64
    }
}

/// The first question.
struct Question<'r> {
    /// In dotted form.
    name: &'r [u8],
    kind: u16,
    class: u16,
    /// Where the bytes after the question begin.
    next: usize,
}

impl<'r> Question<'r> {
    fn read(message: &[u8], header: &Header, room: &'r mut Room) -> Option<Question<'r>> {
        if header.questions == 0 {
            return None;
        }
        let (name, next) = room.read(message, HEADER_BYTES)?;
        let mut reader = Reader::new(message.get(next..)?);
        let (kind, class) = (reader.u16()?, reader.u16()?);
        Some(Question { name, kind, class, next: next + 4 })
    }

    /// Internet, chaos, Hesiod, none and any are the classes in use; the types are those that
    /// IANA has given out, and on the own port all others too.
    fn is_plausible(&self, own_port: bool) -> bool {
        let known = matches!(self.kind, 1..=69 | 99..=109 | 128 | 249..=262 | 32768 | 32769);
        let class = matches!(self.class, 1 | 3 | 4 | 254 | 255);
        if own_port { class || known } else { class && known }
    }

    /// DNSCrypt fetches its certificates under names of its own, as text records.
    fn app(&self) -> AppId {
        let name = self.name;
        if self.kind != TYPE_TXT || !name.starts_with(b"2.") {
            return AppId::DNS;
        }
        let is = |prefix: &[u8]| {
            name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        if is(b"2.dnscrypt-cert.") {
            AppId::DNSCRYPT
        } else if is(b"2.securedns.avast.com") {
            AppId::AVAST_SECURE_DNS
        } else {
            AppId::DNS
        }
    }

    fn note(&self, notes: &mut Notes<'_>) {
        notes.meta.put(&attr::HOST_NAME, self.name);
        notes.meta.put(&attr::DNS_NAME, self.name);
        notes.meta.put_number(&attr::DNS_TYPE, u64::from(self.kind));
    }
}

/// A resource record (RFC 1035 section 4.1.3) without its owner's name.
struct Record<'a> {
    kind: u16,
    class: u16,
    ttl_s: u32,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Record<'a>> {
        dns_name::skip(reader)?;
        let (kind, class, ttl_s) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let length = reader.u16()?;
        Some(Record { kind, class, ttl_s, data: reader.take(usize::from(length))? })
    }
}

/// Notes the addresses and aliases that answer `asked`, from the answer section at `offset`.
/// Those of the flow's first name become metadata; all of them are learned.
fn answers(message: &[u8], offset: usize, header: &Header, asked: &[u8], notes: &mut Notes<'_>) {
    let is_first = notes.meta.get(&attr::DNS_NAME) == Some(asked);
    // Asked once a message: the records of an answer share its name.
    let mut service = None;
    let mut has_ttl = false;
    let mut reader = Reader::new(message.get(offset..).unwrap_or_default());
    for _ in 0..header.answers.min(MAX_ANSWERS) {
        let Some(record) = Record::read(&mut reader) else {
            return;
        };
        notes.meta.set_risks(judge::judge_record(record.kind, record.data.len()));
        if record.class & 0x7fff != CLASS_INTERNET {
            continue;
        }
        if !std::mem::replace(&mut has_ttl, true) {
            notes.meta.put_number(&attr::DNS_TTL, u64::from(record.ttl_s));
        }
        let address = match (record.kind, record.data) {
            (TYPE_A, [a, b, c, d]) => mapped([*a, *b, *c, *d]),
            (TYPE_AAAA, data) => match data.try_into() {
                Ok(address) => address,
                Err(_) => continue,
            },
            (TYPE_CNAME, data) => {
                let start = message.len() - reader.left() - data.len();
                if is_first && let Some((alias, _)) = Room::new().read(message, start) {
                    notes.meta.put(&attr::DNS_CNAME, alias);
                }
                continue;
            }
            _ => continue,
        };
        if is_first {
            notes.meta.put(&attr::DNS_ANSWER, &address);
        }
        let service = service.get_or_insert_with(|| notes.knowledge.judged().host(asked).service);
        if let Some(app) = *service {
            notes.knowledge.learn_service(address, app, record.ttl_s);
        }
    }
}

/// Notes the datagram size a resolver offers: its OPT record is the only one behind the question
/// (RFC 6891 section 6.1.2).
fn edns(message: &[u8], offset: usize, header: &Header, notes: &mut Notes<'_>) {
    if header.answers > 0 || header.authorities > 0 || header.additionals == 0 {
        return;
    }
    let mut reader = Reader::new(message.get(offset..).unwrap_or_default());
    if let Some(Record { kind: TYPE_OPT, class, .. }) = Record::read(&mut reader) {
        notes.meta.put_number(&attr::DNS_EDNS_SIZE, u64::from(class));
    }
}

enum Walk {
    /// Every record parsed, and the last ended with the message.
    Exact,
    /// The bytes ended inside a record.
    Short,
    Wrong,
}

fn walk_all(message: &[u8], header: &Header) -> Walk {
    let records = [header.answers, header.authorities, header.additionals];
    let records = records.iter().fold(0u16, |sum, count| sum.saturating_add(*count));
    if records > MAX_RECORDS || header.questions == 0 {
        return Walk::Wrong;
    }
    let mut reader = Reader::new(message.get(HEADER_BYTES..).unwrap_or_default());
    let mut walk = || {
        for _ in 0..header.questions {
            dns_name::skip(&mut reader)?;
            reader.skip(4)?;
        }
        for _ in 0..records {
            Record::read(&mut reader)?;
        }
        Some(())
    };
    match (walk(), reader.left()) {
        (Some(()), 0) => Walk::Exact,
        (Some(()), _) => Walk::Wrong,
        (None, _) => Walk::Short,
    }
}
