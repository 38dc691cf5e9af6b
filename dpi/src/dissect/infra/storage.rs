//! Storage over the network, repositories, backup, printing, and medical images.

use crate::app::AppId;
use crate::attr;
use crate::dissect::session::text;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, is_label, le16, le32, on, row, table,
};
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector = table(
    TCP,
    &FIRST,
    &[104, 564, 860, 1666, 2401, 3260, 3690, 4420, 7788, 9100, 10_000, 10_809, 11_112],
    |view, notes| by_prefix(&ROWS, &FIRST, view, notes),
);

pub(super) const PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAMS: Dissector = table(UDP, &DATAGRAM_FIRST, &[10_080], |view, notes| {
    by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
});

const ROWS: [Row; 22] = [
    row(AppId::NBD, b"NBDMAGIC"),
    check(AppId::ISCSI, b"\x43", iscsi),
    check(AppId::ISCSI, b"\x03", iscsi),
    // Initialise the connection, and the answer (NVMe over TCP section 3.6.2.2): 128 bytes.
    check(AppId::NVME_TCP, b"\0\0\x80\0\x80\0\0\0", |view, _| nvme(view)),
    check(AppId::NVME_TCP, b"\x01\0\x80\0\x80\0\0\0", |view, _| nvme(view)),
    // `Tversion` and its answer: a size, a kind, no tag, the largest message, the version.
    check(AppId::NINE_P, b"\x13\0\0\0", |view, _| nine_p(view)),
    check(AppId::NINE_P, b"\x15\0\0\0", |view, _| nine_p(view)),
    row(AppId::DRBD, b"\x83\x74\x02\x67"),
    row(AppId::DRBD, b"\x86\x20\xec\x20"),
    // The greeting and the answer to it: lists of numbers and words.
    row(AppId::SVN, b"( success ( 1 2 ( "),
    row(AppId::SVN, b"( success ( 2 2 ( "),
    check(AppId::SVN, b"( 2 ( ", svn),
    row(AppId::CVS, b"BEGIN AUTH REQUEST\n"),
    row(AppId::CVS, b"BEGIN VERIFICATION REQUEST\n"),
    row(AppId::CVS, b"BEGIN GSSAPI REQUEST\n"),
    row(AppId::PJL, b"\x1b%-12345X"),
    row(AppId::PJL, b"@PJL "),
    check(AppId::NDMP, b"\x80\0\0", ndmp),
    check(AppId::BACULA, b"\0\0\0", |view, _| {
        // A length, `Hello`, who is called, `calling`.
        let length = be32(view.data, 0)?;
        let text = view.data.get(4..)?;
        let begun = b"Hello ".starts_with(text) || text.starts_with(b"Hello ");
        if !begun || !(12..200).contains(&length) {
            return Some(false);
        }
        Some(alone(view, length + 4)? && text::contains(text, b" calling"))
    }),
    // PS3.8 section 9.3.2 and 9.3.3: version 1, and two titles of sixteen bytes.
    check(AppId::DICOM, b"\x01\0", dicom),
    check(AppId::DICOM, b"\x02\0", dicom),
    check(AppId::UNISON, b"Unison 2.", |view, _| Some(view.data.get(9)?.is_ascii_digit())),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const BOUND: &[PortRow] = &[
    on(AppId::PERFORCE, &[1666], perforce),
    on(AppId::LPD, &[515], lpd),
    // RFC 4171 section 5.1: version 1, a function, the length of what follows the header.
    on(AppId::ISNS, &[3205], |view, _| {
        let (version, function, length) =
            (be16(view.data, 0)?, be16(view.data, 2)?, be16(view.data, 4)?);
        let known = matches!(function & 0x7fff, 1..=0x10) && version == 1;
        Some(known && length % 4 == 0 && alone(view, length + 12)?)
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_ROWS: [Row; 1] = [check(AppId::AMANDA, b"Amanda ", |view, _| {
    Some(view.data.get(7)?.is_ascii_digit() && text::contains(view.data, b" HANDLE "))
})];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

/// Login (RFC 7143 section 11.12): no additional header, keys as text behind 48 bytes, of which
/// the initiator's name comes first.
fn iscsi(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    let [flags, newest, oldest, extra] = at(view.data, 1)?;
    let length = be32(view.data, 4)? & 0x00ff_ffff;
    if flags & 0x30 != 0 || newest > 1 || oldest > 1 || extra != 0 || length > 8192 {
        return Some(false);
    }
    let name = view.data.get(48..)?;
    let word = b"InitiatorName=";
    if name.len() < word.len() && word.starts_with(name) {
        return None;
    }
    let Some(name) = name.strip_prefix(word) else { return Some(false) };
    notes.meta.put(&attr::ISCSI_INITIATOR, text::until(name, 0).unwrap_or_default());
    Some(true)
}

/// Format 0, alignment, digests, then zeros to the end.
fn nvme(view: &View<'_>) -> Option<bool> {
    let [format, format_high, alignment, digests] = at(view.data, 8)?;
    let rest = view.data.get(16..128)?;
    Some(
        format == 0
            && format_high == 0
            && alignment <= 31
            && digests <= 3
            && rest.iter().all(|byte| *byte == 0),
    )
}

fn nine_p(view: &View<'_>) -> Option<bool> {
    let [kind, tag_low, tag_high] = at(view.data, 4)?;
    let named = matches!(kind, 100 | 101) && [tag_low, tag_high] == [0xff; 2];
    let version = view.data.get(13..19)?;
    Some(named && version == b"9P2000" && le16(view.data, 11)? + 13 == le32(view.data, 0)?)
}

/// `( 2 ( edit-pipeline … ) 23:svn://example.com/repos`.
fn svn(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    let capabilities = view.data.get(6..18)?;
    let known = [&b"edit-pipelin"[..], b"svndiff1 abs", b"absent-entri", b"depth log-re"];
    if !known.contains(&capabilities) {
        return Some(false);
    }
    let head = view.data.get(..text::LINE_BYTES).unwrap_or(view.data);
    if let Some(url) = head.windows(6).position(|window| window == b"svn://")
        && let Some(url) = head.get(url..)
    {
        notes.meta.put(&attr::SVN_URL, text::word(url).0);
    }
    Some(true)
}

/// A record mark, then a header of six words: number, time, request or reply, message, the
/// request's number, error.
fn ndmp(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (kind, message) = (be32(view.data, 12)?, be32(view.data, 16)?);
    // Opening a connection, closing it, that it is accepted, and asking for versions.
    let known = matches!(message, 0x500..=0x504 | 0x900..=0x903 | 0x100..=0x108);
    let length = usize::from(*view.data.get(3)?);
    Some(kind <= 1 && known && length >= 24 && be32(view.data, 24)? <= 0x1f)
}

fn dicom(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    if be16(view.data, 2)? != 0 || be32(view.data, 6)? != 0x0001_0000 {
        return Some(false);
    }
    let length = be16(view.data, 4)?;
    let titles = view.data.get(10..42)?;
    let fits = length >= 68 && is_label(titles);
    if fits && view.from_client() {
        let (called, calling) = titles.split_at(16);
        notes.meta.put(&attr::DICOM_CALLED, called.trim_ascii());
        notes.meta.put(&attr::DICOM_CALLING, calling.trim_ascii());
    }
    Some(fits)
}

/// The sum of the length's bytes, the length, then names with values.
fn perforce(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let [sum, a, b, c, d] = at(view.data, 0)?;
    let name = view.data.get(5..)?;
    let end = name.iter().take(24).position(|byte| *byte == 0);
    let named = end.and_then(|end| name.get(..end)).is_some_and(is_label);
    if sum != a ^ b ^ c ^ d || c != 0 || d != 0 || (a == 0 && b == 0) {
        return Some(false);
    }
    if end.is_none() && name.len() < 24 { None } else { Some(named) }
}

/// RFC 1179 section 5: a command of 1 to 5, a queue's name, a line feed.
fn lpd(view: &View<'_>, _: &mut Notes<'_>) -> Option<bool> {
    let (command, rest) = view.data.split_first()?;
    let end = rest.iter().take(256).position(|byte| *byte == b'\n');
    let queue = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    if !(1..=5).contains(command) || !(queue.is_empty() || is_label(queue)) {
        return Some(false);
    }
    if end.is_none() && rest.len() < 256 { None } else { Some(!queue.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::run;
    use crate::view::Direction::ToServer;
    use crate::view::Transport;

    #[test]
    fn blocks() {
        found(&STREAMS, AppId::NBD, b"NBDMAGICIHAVEOPT\0\x03", 4);
        let mut login = vec![0x43, 0x87, 0, 0, 0, 0, 0, 0x28];
        login.resize(48, 0);
        login.extend_from_slice(b"InitiatorName=iqn.2001-04.com.example:a\0");
        found(&STREAMS, AppId::ISCSI, &login, 50);
        let (_, meta) = run(&STREAMS, ToServer, Transport::Tcp, &login, (1, 2));
        let name = meta.get(&attr::ISCSI_INITIATOR);
        assert_eq!(name, Some(&b"iqn.2001-04.com.example:a"[..]));
        let mut initialise = vec![0, 0, 0x80, 0, 0x80];
        initialise.resize(128, 0);
        found(&STREAMS, AppId::NVME_TCP, &initialise, 90);
        found(&STREAMS, AppId::DRBD, b"\x83\x74\x02\x67\xff\xfe\0\x50", 3);
    }

    #[test]
    fn files_and_backup() {
        let version = b"\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\x009P2000.L";
        found(&STREAMS, AppId::NINE_P, version, 11);
        let mut open = b"\x80\0\0\x1c\0\0\0\x01\x60\0\0\0\0\0\0\0".to_vec();
        open.extend_from_slice(b"\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\x04");
        found(&STREAMS, AppId::NDMP, &open, 18);
        let hello = b"\0\0\0\x1bHello Director dir calling\n";
        found(&STREAMS, AppId::BACULA, hello, 22);
        let request = b"Amanda 2.6 REQ HANDLE 000-0001 SEQ 1\n";
        found(&DATAGRAMS, AppId::AMANDA, request, 16);
    }

    #[test]
    fn repositories() {
        let greeting = b"( success ( 2 2 ( ) ( edit-pipeline ) ) ) ";
        found(&STREAMS, AppId::SVN, greeting, 4);
        let client = b"( 2 ( edit-pipeline svndiff1 ) 23:svn://example.com/repos ) ";
        found(&STREAMS, AppId::SVN, client, 8);
        let (_, meta) = run(&STREAMS, ToServer, Transport::Tcp, client, (1, 2));
        assert_eq!(meta.get(&attr::SVN_URL), Some(&b"svn://example.com/repos"[..]));
        found(&STREAMS, AppId::CVS, b"BEGIN AUTH REQUEST\n/cvs\n", 7);
        let protocol = b"\x64\x64\0\0\0cmpfile\0\0\0\0\0\0";
        found_on(&PORTS, 1666, AppId::PERFORCE, protocol, 0);
    }

    #[test]
    fn printing_and_images() {
        found(&STREAMS, AppId::PJL, b"\x1b%-12345X@PJL JOB\r\n", 5);
        found_on(&PORTS, 515, AppId::LPD, b"\x02lp\n", 0);
        found_on(&PORTS, 3205, AppId::ISNS, b"\0\x01\0\x01\0\0\0\0\0\x01\0\0", 1);
        let mut associate = vec![1, 0, 0, 0, 0, 0xcd, 0, 1, 0, 0];
        associate.extend_from_slice(b"STORESCP        STORESCU        ");
        associate.resize(200, 0);
        found(&STREAMS, AppId::DICOM, &associate, 12);
        let (_, meta) = run(&STREAMS, ToServer, Transport::Tcp, &associate, (1, 2));
        assert_eq!(meta.get(&attr::DICOM_CALLING), Some(&b"STORESCU"[..]));
    }
}
