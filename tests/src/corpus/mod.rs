//! The labelled corpus: where it lies, what it expects, and a plain walk over its captures.
//!
//! The walk reads files by itself, apart from the engine's sources, so that recognition can be
//! scored without them and so that the two can be held against each other. [`score`] joins its
//! flows with the corpus' rows, [`Report`] adds up what came of them.

mod capture;
mod course;
mod mapping;
mod report;
mod rows;
mod score;
mod show;

#[cfg(test)]
mod tests;

pub use capture::{Frame, frames};
pub use course::{Seen, courses};
pub use mapping::{Kind, Levels, Mapping, Rule, parts};
pub use report::{Difference, Effort, Level, NameRow, Report, Share, Totals};
pub use rows::{Ends, Row, address, protocol, rows};
pub use score::{
    Ours, Pair, Scored, Unread, check, limits, same_host, same_ja4_as_described, score,
};

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use weir_dpi::{Direction, Endpoint, Inspector, Segment, Slot, Step, TcpSegment, Verdict};
use weir_engine::wire::{self, FlowKey, Fragment, Parsed, TcpHead};

/// The corpus folder: `WEIR_CORPUS`, or beside the repository. None if there is no such folder.
pub fn root() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/ndpi");
    let path = std::env::var_os("WEIR_CORPUS").map_or(beside, PathBuf::from);
    path.join("expected.tsv").is_file().then_some(path)
}

/// A flow as the walk leaves it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Both ends.
    pub ends: Ends,
    /// The name it ended with.
    pub verdict: Verdict,
    /// What was found in it.
    pub meta: Vec<u8>,
    /// Packets of it that were inspected.
    pub inspected: u32,
    /// Packets of it.
    pub packets: u32,
    slot: Slot,
    ended: bool,
    syn_seen: bool,
    client_is_low: bool,
}

/// A capture taken apart: frames with what they hold, and the flow of each.
#[derive(Debug)]
pub struct Capture<'a> {
    packets: Vec<(Frame<'a>, Parsed, usize)>,
    flows: Vec<Flow>,
}

impl<'a> Capture<'a> {
    /// Takes the bytes of a capture file apart. One key is one flow over the whole capture.
    ///
    /// # Errors
    ///
    /// If the file is of no known format.
    pub fn new(file: &'a [u8]) -> anyhow::Result<Capture<'a>> {
        let mut capture = Capture { packets: Vec::new(), flows: Vec::new() };
        let mut index: HashMap<FlowKey, usize> = HashMap::new();
        for frame in frames(file)? {
            let mut parsed = Parsed::default();
            let rejected = wire::parse(frame.link, 0, frame.bytes, frame.wire_bytes, &mut parsed);
            if rejected.is_err() || parsed.fragment == Fragment::Later {
                continue;
            }
            let flows = &mut capture.flows;
            let at = *index.entry(parsed.key).or_insert_with(|| {
                flows.push(flow(&parsed));
                flows.len() - 1
            });
            capture.packets.push((frame, parsed, at));
        }
        Ok(capture)
    }

    /// Packets that belong to a flow.
    pub fn packets(&self) -> usize {
        self.packets.len()
    }

    /// Every flow through `inspector`, in the order of first packets.
    pub fn inspect(&self, inspector: &mut Inspector) -> Vec<Flow> {
        let mut flows = self.flows.clone();
        for flow in &mut flows {
            if let Some(verdict) = inspector.by_ip_protocol(flow.ends.protocol) {
                (flow.verdict, flow.ended) = (verdict, true);
            }
        }
        for (frame, parsed, at) in &self.packets {
            let Some(flow) = flows.get_mut(*at) else { continue };
            let Some(segment) = segment(flow, parsed, frame) else { continue };
            flow.inspected += u32::from(!segment.payload.is_empty());
            match inspector.inspect(&mut flow.slot, &segment) {
                Step::More => {}
                Step::Refined(verdict) => flow.verdict = verdict,
                Step::Ended(verdict) => {
                    flow.verdict = verdict;
                    flow.meta = inspector.meta(flow.slot).to_vec();
                    flow.meta.extend([3, 0, 8, 0]);
                    inspector.release(&mut flow.slot);
                    flow.ended = true;
                }
            }
        }
        for flow in flows.iter_mut().filter(|flow| !flow.ended) {
            let (client, server) = sides(flow);
            let protocol = flow.ends.protocol;
            flow.verdict = inspector.end(&mut flow.slot, protocol, client, server);
            flow.meta = inspector.meta(flow.slot).to_vec();
            flow.meta.extend([3, 0, 8, 0]);
            inspector.release(&mut flow.slot);
        }
        flows
    }

    /// Every segment, with its flow's slot, to `each`, until that answers that the flow's
    /// inspection is over; `end` is called for the flows of which it never said so.
    pub fn replay(
        &self,
        inspector: &mut Inspector,
        mut each: impl FnMut(&mut Inspector, &mut Slot, &Segment<'_>) -> bool,
        mut end: impl FnMut(&mut Inspector, &mut Slot, u8, Endpoint, Endpoint),
    ) {
        let mut flows = self.flows.clone();
        for (frame, parsed, at) in &self.packets {
            let Some(flow) = flows.get_mut(*at) else { continue };
            if let Some(segment) = segment(flow, parsed, frame) {
                flow.ended = each(inspector, &mut flow.slot, &segment);
            }
        }
        for flow in flows.iter_mut().filter(|flow| !flow.ended) {
            let (client, server) = sides(flow);
            end(inspector, &mut flow.slot, flow.ends.protocol, client, server);
        }
    }
}

/// A whole capture file through `inspector`.
///
/// # Errors
///
/// If the file cannot be read, or is of no known format.
pub fn walk(path: &Path, inspector: &mut Inspector) -> anyhow::Result<Vec<Flow>> {
    let file = std::fs::read(path)?;
    Ok(Capture::new(&file)?.inspect(inspector))
}

fn flow(parsed: &Parsed) -> Flow {
    let key = &parsed.key;
    let (low, high) = (key.address_lo(), key.address_hi());
    let (a, b) = ((low, key.port_lo()), (high, key.port_hi()));
    Flow {
        ends: Ends { low: a, high: b, protocol: key.protocol(), vlan: key.vlan() },
        verdict: Verdict::UNKNOWN,
        meta: Vec::new(),
        inspected: 0,
        packets: 0,
        slot: Slot::NONE,
        ended: false,
        syn_seen: false,
        client_is_low: !parsed.swapped,
    }
}

/// The packet as inspection is given it; none once the flow's has ended.
fn segment<'a>(flow: &mut Flow, parsed: &Parsed, frame: &Frame<'a>) -> Option<Segment<'a>> {
    flow.packets += 1;
    let flags = parsed.tcp.flags;
    let syn = flow.ends.protocol == 6 && flags & TcpHead::SYN != 0;
    if syn && !flow.syn_seen {
        // The sender of a SYN is the client, of a SYN-ACK the server.
        flow.syn_seen = true;
        flow.client_is_low = parsed.swapped == (flags & TcpHead::ACK != 0);
    }
    if flow.ended {
        return None;
    }
    let from_client = flow.client_is_low != parsed.swapped;
    let (client, server) = sides(flow);
    let tcp = TcpSegment {
        seq: parsed.tcp.sequence.wrapping_add(u32::from(syn)),
        syn_seen: flow.syn_seen,
        fin: flags & TcpHead::FIN != 0,
        rst: flags & TcpHead::RST != 0,
    };
    Some(Segment {
        payload: parsed.payload(frame.bytes),
        direction: if from_client { Direction::ToServer } else { Direction::ToClient },
        client,
        server,
        protocol: flow.ends.protocol,
        tcp: (flow.ends.protocol == 6).then_some(tcp),
        now_ns: frame.timestamp_ns,
        payload_missing: parsed.payload_wire_bytes > parsed.payload_bytes
            || parsed.fragment != Fragment::No,
    })
}

/// Client and server.
fn sides(flow: &Flow) -> (Endpoint, Endpoint) {
    let end = |(address, port)| Endpoint { address, port };
    let (low, high) = (end(flow.ends.low), end(flow.ends.high));
    if flow.client_is_low { (low, high) } else { (high, low) }
}

/// An address as people write it.
pub fn shown(address: [u8; 16]) -> String {
    let v6 = Ipv6Addr::from(address);
    v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string())
}
