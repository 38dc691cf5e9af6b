//! Tables of dissectors: rows of a prefix and a check, and rows bound to ports.
//!
//! A check answers *yes*, *no*, or nothing where the bytes ended too early. Over UDP the last is
//! *no*, since nothing can follow.

use crate::app::AppId;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(crate) const TCP: &[Transport] = &[Transport::Tcp];
pub(crate) const UDP: &[Transport] = &[Transport::Udp];
pub(crate) const BOTH: &[Transport] = &[Transport::Tcp, Transport::Udp];

type Run = fn(&View<'_>, &mut Notes<'_>) -> Outcome;

/// A table of beginnings; `ports` are hints.
pub(crate) const fn table(
    over: &'static [Transport],
    first: &'static [u8],
    ports: &'static [u16],
    run: Run,
) -> Dissector {
    let first = First::OneOf(first);
    Dissector { app: AppId::UNKNOWN, over, ports, ports_only: false, first, run }
}

/// A table of shapes, each on its own ports only.
pub(crate) const fn bound(
    over: &'static [Transport],
    ports: &'static [u16],
    run: Run,
) -> Dissector {
    Dissector { app: AppId::UNKNOWN, over, ports, ports_only: true, first: First::Any, run }
}

/// What must hold behind a prefix, or on a port.
pub(crate) type Check = fn(&View<'_>, &mut Notes<'_>) -> Option<bool>;

/// One beginning of a first message.
pub(crate) struct Row {
    pub(crate) app: AppId,
    pub(crate) prefix: &'static [u8],
    then: Check,
}

/// One protocol on its own ports.
pub(crate) struct PortRow {
    app: AppId,
    ports: &'static [u16],
    shape: Check,
}

/// A prefix that is proof enough: six bytes, or four that are no text.
pub(crate) const fn row(app: AppId, prefix: &'static [u8]) -> Row {
    Row { app, prefix, then: |_, _| Some(true) }
}

/// A prefix and what must hold behind it.
pub(crate) const fn check(app: AppId, prefix: &'static [u8], then: Check) -> Row {
    Row { app, prefix, then }
}

/// A shape that proves something on these ports only.
pub(crate) const fn on(app: AppId, ports: &'static [u16], shape: Check) -> PortRow {
    PortRow { app, ports, shape }
}

/// The rows' first bytes, for the filter; repeats do no harm.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
pub(crate) const fn first_bytes<const N: usize>(rows: &[Row; N]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = rows[index].prefix[0];
        index += 1;
    }
    bytes
}

/// How many ports the rows name.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
pub(crate) const fn count_ports(rows: &[PortRow]) -> usize {
    let (mut index, mut count) = (0, 0);
    while index < rows.len() {
        count += rows[index].ports.len();
        index += 1;
    }
    count
}

/// The rows' ports.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time; an error would not build")]
pub(crate) const fn all_ports<const N: usize>(rows: &[PortRow]) -> [u16; N] {
    let mut ports = [0; N];
    let (mut index, mut at, mut to) = (0, 0, 0);
    while index < rows.len() {
        while at < rows[index].ports.len() {
            ports[to] = rows[index].ports[at];
            (at, to) = (at + 1, to + 1);
        }
        (index, at) = (index + 1, 0);
    }
    assert!(to == N, "the count is that of the rows");
    ports
}

/// Asks the rows, whose first bytes are `first`, about a first message.
pub(crate) fn by_prefix(
    rows: &[Row],
    first: &[u8],
    view: &View<'_>,
    notes: &mut Notes<'_>,
) -> Outcome {
    let mut open = false;
    // Nearly every row ends here, at one byte.
    let byte = view.data.first().copied().unwrap_or_default();
    for row in memchr::memchr_iter(byte, first).filter_map(|at| rows.get(at)) {
        if view.data.starts_with(row.prefix) {
            match (row.then)(view, notes) {
                Some(true) => return Outcome::found(row.app),
                Some(false) => {}
                None => open = true,
            }
        } else {
            open |= row.prefix.starts_with(view.data);
        }
    }
    undecided(view, open)
}

/// Asks the rows of the flow's ports.
pub(crate) fn by_port(rows: &[PortRow], view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut open = false;
    for row in rows {
        if !row.ports.iter().any(|&port| view.port_is(port)) {
            continue;
        }
        match (row.shape)(view, notes) {
            Some(true) => return Outcome::found(row.app),
            Some(false) => {}
            None => open = true,
        }
    }
    undecided(view, open)
}

fn undecided(view: &View<'_>, open: bool) -> Outcome {
    if open && view.transport == Transport::Tcp { Outcome::NeedMore } else { Outcome::NotMine }
}

/// The bytes `at..at + N`.
pub(crate) fn at<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..)?.first_chunk().copied()
}

/// Two bytes at `at`, most significant first.
pub(crate) fn be16(data: &[u8], offset: usize) -> Option<usize> {
    at(data, offset).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

/// Four bytes at `at`, most significant first.
pub(crate) fn be32(data: &[u8], offset: usize) -> Option<usize> {
    at(data, offset).map(|bytes| size(u32::from_be_bytes(bytes)))
}

/// Two bytes at `at`, least significant first.
pub(crate) fn le16(data: &[u8], offset: usize) -> Option<usize> {
    at(data, offset).map(|bytes| usize::from(u16::from_le_bytes(bytes)))
}

/// Four bytes at `at`, least significant first.
pub(crate) fn le32(data: &[u8], offset: usize) -> Option<usize> {
    at(data, offset).map(|bytes| size(u32::from_le_bytes(bytes)))
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The longest first message that is waited for to its end.
const WHOLE_BYTES: usize = 4096;

/// Whether the first message, of `total` bytes as it says, is all there is: over TCP it may still
/// be on its way.
pub(crate) fn alone(view: &View<'_>, total: usize) -> Option<bool> {
    let there = view.data.len();
    let on_its_way = there < total && total <= WHOLE_BYTES && view.transport == Transport::Tcp;
    (!on_its_way).then_some(there == total)
}

/// The first line without its end, once it is there; `Some(Err(()))` where these bytes are no
/// line.
pub(crate) fn line(data: &[u8]) -> Option<Result<&[u8], ()>> {
    use crate::dissect::session::text;
    match text::line(data) {
        Some((line, _)) if text::is_text(line) => Some(Ok(line)),
        None if data.len() < text::LINE_BYTES && text::is_text(data) => None,
        _ => Some(Err(())),
    }
}

/// Judges the first line.
pub(crate) fn line_fits(data: &[u8], fits: impl FnOnce(&[u8]) -> bool) -> Option<bool> {
    line(data).map(|line| line.is_ok_and(fits))
}

/// Whether `bytes` are printable ASCII or spaces, and at least one.
pub(crate) fn is_label(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether `bytes` are a number as programs print it: sign, digits, a point.
pub(crate) fn is_decimal(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'-'))
}
