//! How the flows of a capture went: packets and flags by direction, and the first payload, as the
//! judgement of risks wants them.

use super::{Ends, Frame, frames};
use std::collections::HashMap;
use weir_dpi::risk::flow::{Course, judge_flags};
use weir_dpi::{Endpoint, Risks, Verdict};
use weir_engine::wire::{self, Fragment, Parsed, TcpHead};

/// What was seen of a flow.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Its course; the name is not known here.
    pub course: Course,
    /// What its segments' flags showed.
    pub flags: Risks,
    /// The first payload.
    pub first: &'a [u8],
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    swapped: bool,
}

/// Every flow of a capture file.
///
/// # Errors
///
/// If the file is of no known format.
pub fn courses(file: &[u8]) -> anyhow::Result<HashMap<Ends, Seen<'_>>> {
    let mut flows = HashMap::new();
    for frame in frames(file)? {
        let mut parsed = Parsed::default();
        let rejected = wire::parse(frame.link, 0, frame.bytes, frame.wire_bytes, &mut parsed);
        if rejected.is_ok() && parsed.fragment != Fragment::Later {
            add(&mut flows, &frame, &parsed);
        }
    }
    Ok(flows)
}

fn add<'a>(flows: &mut HashMap<Ends, Seen<'a>>, frame: &Frame<'a>, parsed: &Parsed) {
    let key = &parsed.key;
    let (low, high) = ((key.address_lo(), key.port_lo()), (key.address_hi(), key.port_hi()));
    let ends = Ends { low, high, protocol: key.protocol(), vlan: key.vlan() };
    let is_tcp = ends.protocol == 6;
    let answers =
        is_tcp && parsed.tcp.flags & (TcpHead::SYN | TcpHead::ACK) == TcpHead::SYN | TcpHead::ACK;
    let seen = flows.entry(ends).or_insert_with(|| begun(ends, parsed.swapped != answers));
    let payload = parsed.payload(frame.bytes);
    let direction = usize::from(parsed.swapped != seen.swapped);
    seen.course.packets[direction] += 1;
    seen.course.payloads[direction] += u64::from(!payload.is_empty());
    if is_tcp {
        seen.course.flags[direction] |= parsed.tcp.flags;
        seen.flags = seen.flags.or(judge_flags(parsed.tcp.flags));
    }
    if seen.first.is_empty() {
        seen.first = payload;
    }
}

fn begun(ends: Ends, swapped: bool) -> Seen<'static> {
    let end = |(address, port)| Endpoint { address, port };
    let (client, server) =
        if swapped { (end(ends.high), end(ends.low)) } else { (end(ends.low), end(ends.high)) };
    let course = Course {
        is_tcp: ends.protocol == 6,
        packets: [0; 2],
        payloads: [0; 2],
        flags: [0; 2],
        server: server.address,
        verdict: Verdict::UNKNOWN,
    };
    Seen { course, flags: Risks::NONE, first: &[], client, server, swapped }
}
