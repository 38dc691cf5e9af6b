//! A capture file as a plan: all its frames in memory, with their times, and where in each the
//! fields are that make it another flow's.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use weir_engine::capture::file::FileSource;
use weir_engine::capture::{Batch, Received, Source};
use weir_engine::wire::{Fragment, LinkType, Parsed, Tunnel, parse};

use super::build::ETHERNET;
use super::patch::Patch;
use super::{MAX_FRAME_BYTES, Order, Plan, Store};
use crate::exit::{Code, failure};

/// How to read a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Time goes so many times as fast.
    pub(crate) speed: f64,
    /// Each round's flows are to be others.
    pub(crate) new_flows: bool,
    /// Frames longer than so many bytes are left out.
    pub(crate) longest: Option<u32>,
}

/// What is to be said of a file.
#[derive(Clone, Default, Debug)]
pub(crate) struct CaptureNotes {
    /// Frames of which the capture has the beginning only; they are sent in full length, with zeros.
    pub(crate) cut: u64,
    /// Frames left out because they are too long.
    pub(crate) too_long: u64,
    /// Frames left out because they are shorter than an Ethernet header.
    pub(crate) too_short: u64,
    /// Frames that stay as they are in every round: they are of no flow.
    pub(crate) unchanged: u64,
    /// Why reading stopped before the end.
    pub(crate) trouble: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, holds no frames, or frames that are no Ethernet.
pub(crate) fn read(path: &Path, reading: Reading) -> anyhow::Result<(Plan, CaptureNotes)> {
    let mut source = FileSource::open(path)?;
    let mut reader = Reader { reading, ..Reader::default() };
    let mut batch = Batch::default();
    while source.receive(&mut batch) == Received::Frames {
        for frame in batch.as_slice() {
            if frame.link != LinkType::Ethernet {
                bail!(failure(
                    Code::Failed,
                    format!(
                        "{}: its frames are {:?}, and only Ethernet can be sent; convert it, for \
                         example with `tcprewrite --dlt=enet`",
                        path.display(),
                        frame.link
                    )
                ));
            }
            reader
                .add(source.bytes(frame), frame.wire_bytes, frame.timestamp_ns)
                .with_context(|| path.display().to_string())?;
        }
        source.release(&batch);
        batch.clear();
    }
    reader.notes.trouble = source.trouble();
    let Some(plan) = reader.plan() else {
        let why = source.trouble().map_or_else(String::new, |why| format!(": {why}"));
        bail!("{} holds no frame that can be sent{why}", path.display());
    };
    Ok((plan, reader.notes))
}

#[derive(Debug)]
struct Reader {
    reading: Reading,
    store: Store,
    notes: CaptureNotes,
    clients: Clients,
    first_ns: Option<u64>,
    newest_ns: u64,
    frame: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader {
            reading: Reading { speed: 1.0, new_flows: false, longest: None },
            store: Store::default(),
            notes: CaptureNotes::default(),
            clients: Clients::default(),
            first_ns: None,
            newest_ns: 0,
            frame: Vec::new(),
        }
    }
}

impl Reader {
    fn add(&mut self, bytes: &[u8], wire_bytes: u32, time_ns: u64) -> anyhow::Result<()> {
        if bytes.len() < ETHERNET {
            self.notes.too_short += 1;
            return Ok(());
        }
        let whole = usize::try_from(wire_bytes).unwrap_or(usize::MAX).max(bytes.len());
        let limit = self.reading.longest.map_or(MAX_FRAME_BYTES, |longest| {
            usize::try_from(longest).unwrap_or(usize::MAX).min(MAX_FRAME_BYTES)
        });
        if whole > limit {
            self.notes.too_long += 1;
            return Ok(());
        }
        self.notes.cut += u64::from(whole > bytes.len());
        self.frame.clear();
        self.frame.extend_from_slice(bytes);
        self.frame.resize(whole, 0);
        let mut patch = Patch::default();
        if self.reading.new_flows {
            patch = self.clients.patch(&mut self.frame).unwrap_or_default();
            self.notes.unchanged += u64::from(patch == Patch::default());
        }
        // Frames whose time goes back come right after those before them.
        let since = time_ns.saturating_sub(*self.first_ns.get_or_insert(time_ns));
        self.newest_ns = self.newest_ns.max(since);
        let due_ns = scaled(self.newest_ns, self.reading.speed);
        if !self.store.add(&self.frame, patch, due_ns) {
            bail!("more than 4 GiB of frames; cut the capture in parts, for example with editcap");
        }
        Ok(())
    }

    fn plan(&mut self) -> Option<Plan> {
        let store = std::mem::take(&mut self.store);
        let frames = u64::try_from(store.templates().len()).ok().filter(|frames| *frames > 0)?;
        // The next round begins as long after the last frame as frames are apart on average.
        let gap_ns = (self.newest_ns / frames.saturating_sub(1).max(1)).max(1);
        let period_ns = scaled(self.newest_ns + gap_ns, self.reading.speed);
        let order = Order::Loop { period_ns, new_flows: self.reading.new_flows };
        Some(Plan { store, order })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "saturates; to a few hundred nanoseconds in a capture of a year"
)]
fn scaled(time_ns: u64, speed: f64) -> u64 {
    if (speed - 1.0).abs() < f64::EPSILON { time_ns } else { (time_ns as f64 / speed) as u64 }
}

type Address = [u8; 16];

/// Which of two hosts is the client: the same for all their frames, so that both directions, and
/// pieces without ports, stay together.
#[derive(Default, Debug)]
struct Clients(HashMap<(Address, Address), Address>);

/// One frame's addresses and what is needed to choose between them.
struct Ends {
    from: Address,
    to: Address,
    /// Where the low four bytes of both are.
    at: [u16; 2],
    ports: Option<(u16, u16)>,
    port_at: u16,
    answers: bool,
    patch: Patch,
}

impl Clients {
    /// Where a frame's fields are; none if it is of no flow. The outer UDP checksum of a tunnel is
    /// taken out of the frame (a zero: "none"), as what it covers changes.
    fn patch(&mut self, frame: &mut [u8]) -> Option<Patch> {
        let mut parsed = Parsed::default();
        let bytes = u32::try_from(frame.len()).ok()?;
        parse(LinkType::Ethernet, 0, frame, bytes, &mut parsed).ok()?;
        let ends = ends(frame, &parsed)?;
        let pair = (ends.from.min(ends.to), ends.from.max(ends.to));
        let client = *self.0.entry(pair).or_insert_with(|| ends.client());
        let bits = changeable_bits(&client)?;
        let by_client = client == ends.from;
        if parsed.key.tunnel() != Tunnel::None && parsed.fragment == Fragment::No {
            clear_outer_sum(frame);
        }
        let port_at = match (ends.ports, by_client) {
            (None, _) => 0,
            (Some(_), true) => ends.port_at,
            (Some(_), false) => ends.port_at + 2,
        };
        let address_at = ends.at[usize::from(!by_client)];
        Some(Patch { address_at, port_at, address_bits: bits, ..ends.patch })
    }
}

impl Ends {
    fn client(&self) -> Address {
        const SERVICES: u16 = 1024;
        let to_client = match self.ports {
            Some((from, to)) => self.answers || (from < SERVICES && to >= SERVICES),
            None => false,
        };
        let (likely, other) = if to_client { (self.to, self.from) } else { (self.from, self.to) };
        if changeable_bits(&likely).is_some() { likely } else { other }
    }
}

/// How many low bits of an address may change so that it stays what it is: private, or not. None
/// for addresses of groups and of this host, which no client has.
fn changeable_bits(address: &Address) -> Option<u8> {
    let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, ..] = *address else {
        return (address[0] != 0xff && *address != [0; 16]).then_some(24);
    };
    match (a, b) {
        (0 | 127 | 224..=255, _) => None,
        (192, 168) | (169, 254) => Some(16),
        (172, 16..=31) => Some(20),
        (100, 64..=127) => Some(22),
        _ => Some(24),
    }
}

fn ends(frame: &[u8], parsed: &Parsed) -> Option<Ends> {
    let outer = parsed.fragment != Fragment::No;
    let ip = usize::from(if outer { parsed.datagram_at } else { parsed.ip_at });
    let at = |offset: usize| u16::try_from(ip + offset).unwrap_or(0);
    let header = frame.get(ip..)?;
    let later = parsed.fragment == Fragment::Later;
    let (from, to, address_at, protocol, l4, ip_sum_at) = if header.first()? >> 4 == 4 {
        let header = header.first_chunk::<20>()?;
        let mapped = |from: usize| {
            let mut address = [0; 16];
            address[10..12].copy_from_slice(&[0xff; 2]);
            address[12..].copy_from_slice(&header[from..from + 4]);
            address
        };
        let l4 = ip + usize::from(header[0] & 15) * 4;
        (mapped(12), mapped(16), [at(12), at(16)], header[9], l4, at(10))
    } else {
        let header = header.first_chunk::<40>()?;
        let address = |from: usize| header[from..from + 16].try_into().unwrap_or([0; 16]);
        // Behind extension headers; those of an outer header are not looked for.
        let (protocol, l4) = if parsed.ip_at == at(0) {
            (parsed.key.protocol(), usize::from(parsed.l4_at))
        } else {
            (0, 0)
        };
        (address(8), address(24), [at(20), at(36)], protocol, l4, 0)
    };
    let l4_at = |offset: usize| u16::try_from(l4 + offset).unwrap_or(0);
    let mut patch = Patch { ip_sum_at, ..Patch::default() };
    let mut ports = None;
    if !later {
        match protocol {
            6 => patch.l4_sum_at = l4_at(16),
            17 => (patch.l4_sum_at, patch.zero_is_none) = (l4_at(6), true),
            58 => patch.l4_sum_at = l4_at(2),
            _ => {}
        }
        if let (6 | 17, Some([a, b, c, d])) = (protocol, frame.get(l4..l4 + 4)) {
            ports = Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
        }
    }
    // SYN and ACK.
    let answers = protocol == 6 && !later && frame.get(l4 + 13).is_some_and(|f| f & 0x12 == 0x12);
    Some(Ends { from, to, at: address_at, ports, port_at: l4_at(0), answers, patch })
}

/// Takes the checksum out of the outermost UDP header.
fn clear_outer_sum(frame: &mut [u8]) {
    const TAGS: [[u8; 2]; 3] = [[0x81, 0], [0x88, 0xa8], [0x91, 0]];
    let mut at = ETHERNET - 2;
    while frame.get(at..at + 2).is_some_and(|kind| TAGS.iter().any(|tag| tag == kind)) {
        at += 4;
    }
    let udp = match frame.get(at..at + 2) {
        Some([0x08, 0]) => {
            let head = frame.get(at + 2).map_or(0, |first| usize::from(first & 15) * 4);
            (frame.get(at + 11) == Some(&17)).then_some(at + 2 + head)
        }
        Some([0x86, 0xdd]) => (frame.get(at + 8) == Some(&17)).then_some(at + 42),
        _ => None,
    };
    if let Some(sum) = udp.and_then(|udp| frame.get_mut(udp + 6..udp + 8)) {
        sum.fill(0);
    }
}
