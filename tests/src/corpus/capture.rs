//! A plain reader of capture files: the whole file in memory, a frame at a time. Ends quietly at
//! the first record that is cut off or makes no sense.

use anyhow::{Context, bail};
use weir_engine::wire::LinkType;

/// A captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// How its bytes begin.
    pub link: LinkType,
    /// Unix nanoseconds.
    pub timestamp_ns: u64,
    /// Bytes it had on the wire.
    pub wire_bytes: u32,
    /// The captured bytes.
    pub bytes: &'a [u8],
}

/// The frames of a pcap or pcapng file, in order. Frames of unknown link types are left out.
///
/// # Errors
///
/// If the file begins with neither format's magic.
pub fn frames(file: &[u8]) -> anyhow::Result<Vec<Frame<'_>>> {
    let magic = file.first_chunk::<4>().context("shorter than a magic number")?;
    Ok(match *magic {
        [0x0a, 0x0d, 0x0d, 0x0a] => next_generation(file),
        [0xd4, 0xc3, 0xb2, 0xa1] => classic(file, u32::from_le_bytes, 1000),
        [0x4d, 0x3c, 0xb2, 0xa1] => classic(file, u32::from_le_bytes, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => classic(file, u32::from_be_bytes, 1000),
        [0xa1, 0xb2, 0x3c, 0x4d] => classic(file, u32::from_be_bytes, 1),
        other => bail!("no capture format begins with {other:02x?}"),
    })
}

type Word = fn([u8; 4]) -> u32;

fn word(bytes: &[u8], at: usize, read: Word) -> Option<u32> {
    Some(read(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn classic(file: &[u8], read: Word, unit_ns: u64) -> Vec<Frame<'_>> {
    let Some(link) = word(file, 20, read).and_then(|dlt| LinkType::from_dlt(dlt & 0xffff)) else {
        return Vec::new();
    };
    let mut rest = file.get(24..).unwrap_or_default();
    std::iter::from_fn(|| {
        let captured = size(word(rest, 8, read)?);
        let seconds = u64::from(word(rest, 0, read)?);
        let fraction = u64::from(word(rest, 4, read)?);
        let wire_bytes = word(rest, 12, read)?;
        let bytes = rest.get(16..)?.get(..captured)?;
        rest = rest.get(16 + captured..)?;
        let timestamp_ns = seconds * 1_000_000_000 + fraction * unit_ns;
        Some(Frame { link, timestamp_ns, wire_bytes, bytes })
    })
    .collect()
}

/// Link type and nanoseconds a tick, of each interface of the section.
type Interfaces = Vec<(Option<LinkType>, f64)>;

fn next_generation(file: &[u8]) -> Vec<Frame<'_>> {
    let mut read: Word = u32::from_le_bytes;
    let mut interfaces = Interfaces::new();
    let mut found = Vec::new();
    let mut rest = file;
    while rest.len() >= 12 {
        let section = rest.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        if section {
            let little = rest.get(8..12) == Some(&[0x4d, 0x3c, 0x2b, 0x1a]);
            read = if little { u32::from_le_bytes } else { u32::from_be_bytes };
            interfaces.clear();
        }
        let Some(length) = word(rest, 4, read).map(size) else { break };
        let Some(body) = length.checked_sub(4).and_then(|end| rest.get(8..end)) else { break };
        match word(rest, 0, read) {
            Some(1) => interfaces.push(interface(body, read)),
            Some(6) => found.extend(enhanced(body, read, &interfaces)),
            Some(3) => found.extend(simple(body, read, &interfaces)),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

fn interface(body: &[u8], read: Word) -> (Option<LinkType>, f64) {
    let dlt = match body {
        // The link type is the block's first half word.
        [a, b, ..] if read([1, 0, 0, 0]) == 1 => u32::from(u16::from_le_bytes([*a, *b])),
        [a, b, ..] => u32::from(u16::from_be_bytes([*a, *b])),
        _ => 0,
    };
    let half = |bytes: [u8; 2]| {
        if read([1, 0, 0, 0]) == 1 { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    };
    let mut ns = 1000.0;
    let mut options = body.get(8..).unwrap_or_default();
    while let [a, b, c, d, tail @ ..] = options {
        let (code, length) = (half([*a, *b]), usize::from(half([*c, *d])));
        if let (9, Some(&resolution)) = (code, tail.first()) {
            let exponent = i32::from(resolution & 0x7f);
            let base: f64 = if resolution & 0x80 == 0 { 10.0 } else { 2.0 };
            ns = 1e9 / base.powi(exponent);
        }
        options = tail.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (LinkType::from_dlt(dlt), ns)
}

fn enhanced<'a>(body: &'a [u8], read: Word, interfaces: &Interfaces) -> Option<Frame<'a>> {
    let &(link, unit_ns) = interfaces.get(size(word(body, 0, read)?))?;
    let ticks = u64::from(word(body, 4, read)?) << 32 | u64::from(word(body, 8, read)?);
    let captured = size(word(body, 12, read)?);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds of this century are exact in a double"
    )]
    let timestamp_ns = (ticks as f64 * unit_ns) as u64;
    let wire_bytes = word(body, 16, read)?;
    Some(Frame { link: link?, timestamp_ns, wire_bytes, bytes: body.get(20..)?.get(..captured)? })
}

fn simple<'a>(body: &'a [u8], read: Word, interfaces: &Interfaces) -> Option<Frame<'a>> {
    let &(link, _) = interfaces.first()?;
    let wire_bytes = word(body, 0, read)?;
    let bytes = body.get(4..)?;
    let captured = size(wire_bytes).min(bytes.len());
    Some(Frame { link: link?, timestamp_ns: 0, wire_bytes, bytes: bytes.get(..captured)? })
}
