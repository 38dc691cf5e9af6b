//! Remote desks, shells and consoles, and the small old services that answer with a line.

use crate::app::AppId;
use crate::attr;
use crate::dissect::session::text;
use crate::dissect::shape::{
    PortRow, Row, TCP, UDP, all_ports, alone, at, be16, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, is_label, le32, line_fits, on, row, table,
};
use crate::reader::Reader;
use crate::view::{Dissector, Notes, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[902, 5900, 5930], |view, notes| by_prefix(&ROWS, &FIRST, view, notes));

pub(super) const STREAM_PORTS: Dissector =
    bound(TCP, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

pub(super) const DATAGRAM_PORTS: Dissector =
    bound(UDP, &DATAGRAM_BOUND_PORTS, |view, notes| by_port(DATAGRAM_BOUND, view, notes));

const ROWS: [Row; 2] = [
    // A version of 1 or 2, then the length of the message for linking.
    check(AppId::SPICE, b"REDQ", |view, _| {
        Some(matches!(le32(view.data, 4)?, 1 | 2) && (18..4096).contains(&le32(view.data, 12)?))
    }),
    row(AppId::VMWARE_AUTH, b"220 VMware Authentication Daemon"),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const BOUND: &[PortRow] = &[
    on(AppId::RUSTDESK, &[21_115, 21_116, 21_117, 21_118], |view, _| {
        // In a stream a length comes first: a byte of which two bits tell its own length.
        let head = *view.data.first()?;
        let body = view.data.get(1 + usize::from(head & 3)..)?;
        rendezvous(body)
    }),
    on(AppId::DAMEWARE, &[6129, 6132], |view, _| {
        Some(matches!(at(view.data, 0)?, [0x30, 0x11, 0, 0]))
    }),
    // User here, user there, terminal and speed, each ended by a zero (RFC 1282).
    on(AppId::RLOGIN, &[513], |view, _| {
        let rest = view.data.strip_prefix(&[0]);
        let Some(rest) = rest else { return Some(false) };
        let mut fields = rest.split(|byte| *byte == 0);
        let (here, there, terminal) = (fields.next()?, fields.next()?, fields.next()?);
        fields.next()?;
        Some(is_label(here) && is_label(there) && terminal.contains(&b'/'))
    }),
    // A user or nothing, perhaps `/W` before it (RFC 1288 section 2.3).
    on(AppId::FINGER, &[79], |view, notes| {
        let fits = line_fits(view.data, is_finger_line)?;
        if fits && view.from_client() {
            let line = text::line(view.data).map_or(&[][..], |(line, _)| line);
            notes.meta.put(&attr::FINGER_USER, line.strip_prefix(b"/W ").unwrap_or(line));
        }
        Some(fits)
    }),
    // Two ports, and in the answer what belongs to them (RFC 1413 section 5).
    on(AppId::IDENT, &[113], |view, _| line_fits(view.data, is_port_pair)),
    on(AppId::GOPHER, &[70], gopher),
    // Smart install: version 1, format 1, a message, its length (TCP, either way).
    on(AppId::SMART_INSTALL, &[4786], |view, _| {
        let words = (be32(view.data, 0)?, be32(view.data, 4)?, be32(view.data, 8)?);
        Some(matches!(words, (1 | 2, 1, 1..=12)) && be32(view.data, 12)? < 65_536)
    }),
    // A dictionary's greeting (RFC 2229 section 3.1): code, text, capabilities, message number.
    on(AppId::DICT, &[2628], |view, _| {
        line_fits(view.data, |line| {
            let greets = line.starts_with(b"220 ") && line.ends_with(b">");
            greets || line.starts_with(b"CLIENT ") || line.starts_with(b"DEFINE ")
        })
    }),
    // The time of day in a line (RFC 867), which only the server sends.
    on(AppId::DAYTIME, &[13], |view, _| {
        line_fits(view.data, |line| {
            let digits = line.iter().filter(|byte| byte.is_ascii_digit()).count();
            is_label(line) && digits >= 6 && line.contains(&b':') && !view.from_client()
        })
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

const DATAGRAM_BOUND: &[PortRow] = &[
    on(AppId::RUSTDESK, &[21_116], |view, _| rendezvous(view.data)),
    // Asking for hosts, their states, and the answer with a name.
    on(AppId::PCANYWHERE, &[22, 5632], |view, _| {
        Some(match view.data {
            b"NQ" | b"ST" => true,
            [b'N', b'R', name @ ..] => name.len() >= 8 && is_label(name.get(..8)?),
            _ => false,
        })
    }),
    // Apple's remote management: asking for what is there, and the answer of 1006 bytes.
    on(AppId::APPLE_REMOTE_DESKTOP, &[3283], |view, _| {
        let asks = matches!(view.data, [0, 0x14, 0, 0 | 1, 3]);
        let answers =
            view.data.len() == 1006 && be16(view.data, 0)? == 1 && be16(view.data, 2)? == 0x03ea;
        Some(asks || answers)
    }),
    // Digi's discovery: a magic, a command, the length of what follows.
    on(AppId::ADDP, &[2362], |view, _| {
        let magic = view.data.get(..4)?;
        let exact = alone(view, be16(view.data, 6)? + 8)?;
        Some(matches!(magic, b"DIGI" | b"DVKT" | b"DGDP") && exact)
    }),
    // MikroTik's neighbours: a header, then items; the address of six bytes comes first. Asking
    // is four zeros.
    on(AppId::MNDP, &[5678], |view, _| {
        Some(view.data == [0; 4] || at(view.data, 4)? == [0, 1, 0, 6])
    }),
];

const DATAGRAM_BOUND_PORTS: [u16; count_ports(DATAGRAM_BOUND)] = all_ports(DATAGRAM_BOUND);

/// One member of the rendezvous message: to be known by a number of nine digits or so, the answer,
/// asking for a hole to be punched, a key, a relay.
fn rendezvous(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let (member, length) = (reader.u8()?, usize::from(reader.u8()?));
    let exact = reader.left() == length || length >= 0x80;
    if member == 0x3a {
        return Some(matches!(reader.rest(), [] | [0x10, 1]) && exact);
    }
    if !matches!(member, 0x32 | 0x42 | 0x7a | 0x92) || !exact {
        return Some(false);
    }
    if matches!(member, 0x92) || length >= 0x80 {
        reader.skip(1)?;
    }
    let (id, digits) = (reader.u8()?, usize::from(reader.u8()?));
    let digits = reader.take(digits)?;
    let is_id = (6..=16).contains(&digits.len())
        && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    Some(id == 0x0a && is_id)
}

/// Nothing, or a user, perhaps at a host; before it, perhaps, a wish for much.
fn is_finger_line(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"/W").unwrap_or(line).trim_ascii();
    let of_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+')
    };
    line.len() <= 128 && line.iter().all(of_name) && !line.starts_with(b"SSH-")
}

/// `6193, 23`, perhaps with `: USERID : UNIX : joe`.
fn is_port_pair(line: &[u8]) -> bool {
    let Some((here, rest)) = text::number(line.trim_ascii_start()) else { return false };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b",") else { return false };
    let Some((there, rest)) = text::number(rest.trim_ascii_start()) else { return false };
    let rest = rest.trim_ascii();
    let known =
        rest.is_empty() || text::contains(rest, b"USERID") || text::contains(rest, b"ERROR");
    here <= 65_535 && there <= 65_535 && known
}

/// A selector in a line, perhaps with a search behind a tab (RFC 1436 section 2); or a menu, whose
/// lines have a kind and three tabs.
fn gopher(view: &View<'_>, notes: &mut Notes<'_>) -> Option<bool> {
    let fits = line_fits(view.data, |line| {
        let tabs = line.split(|byte| *byte == b'\t').count() - 1;
        let of_selector = match line {
            [] | [b'/', ..] | [b'0'..=b'9' | b'g' | b'h' | b'I', b'/', ..] => true,
            _ => line.starts_with(b"URL:"),
        };
        if view.from_client() { tabs <= 2 && of_selector } else { tabs >= 3 }
    })?;
    if fits && view.from_client() {
        let line = text::line(view.data).map_or(&[][..], |(line, _)| line);
        notes.meta.put(&attr::GOPHER_SELECTOR, text::until(line, b'\t').unwrap_or(line));
    }
    Some(fits)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::{Outcome, Transport};

    #[test]
    fn desks() {
        let link = b"REDQ\x02\0\0\0\x02\0\0\0\x2a\0\0\0\x01";
        found(&STREAMS, AppId::SPICE, link, 4);
        let vmware = b"220 VMware Authentication Daemon Version 1.10: SSL Required\r\n";
        found(&STREAMS, AppId::VMWARE_AUTH, vmware, 6);
        found_on(&STREAM_PORTS, 6129, AppId::DAMEWARE, b"\x30\x11\0\0\0\0\0\0", 1);
        let register = b"\x32\x0d\x0a\x09123456789\x10\x05";
        found_on(&DATAGRAM_PORTS, 21_116, AppId::RUSTDESK, register, 2);
        found_on(&DATAGRAM_PORTS, 5632, AppId::PCANYWHERE, b"NQ", 1);
        found_on(&DATAGRAM_PORTS, 3283, AppId::APPLE_REMOTE_DESKTOP, b"\0\x14\0\x01\x03", 4);
        found_on(&STREAM_PORTS, 513, AppId::RLOGIN, b"\0joe\0joe\0xterm/9600\0", 0);
        found_on(&DATAGRAM_PORTS, 2362, AppId::ADDP, b"DIGI\0\x01\0\x02\xff\xff", 7);
    }

    #[test]
    fn lines() {
        found_on(&STREAM_PORTS, 113, AppId::IDENT, b"6193, 23\r\n", 4);
        let answer = b"6193, 23 : USERID : UNIX : joe\r\n";
        found_on(&STREAM_PORTS, 113, AppId::IDENT, answer, 14);
        let (outcome, meta) = run(&STREAM_PORTS, ToServer, Transport::Tcp, b"joe\r\n", (1, 79));
        assert_eq!(outcome, Outcome::found(AppId::FINGER));
        assert_eq!(meta.get(&attr::FINGER_USER), Some(&b"joe"[..]));
        let (outcome, meta) = run(&STREAM_PORTS, ToServer, Transport::Tcp, b"/news\r\n", (1, 70));
        assert_eq!(outcome, Outcome::found(AppId::GOPHER));
        assert_eq!(meta.get(&attr::GOPHER_SELECTOR), Some(&b"/news"[..]));
        let menu = b"0About\t/about\tgopher.example.com\t70\r\n";
        assert_eq!(
            run(&STREAM_PORTS, ToClient, Transport::Tcp, menu, (1, 70)).0,
            Outcome::found(AppId::GOPHER)
        );
        check_never(&STREAM_PORTS, ToClient, Transport::Tcp, b"hello\r\n", (1, 70));
        for port in [70, 79] {
            for other in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-OpenSSH_9.6\r\n"] {
                check_never(&STREAM_PORTS, ToServer, Transport::Tcp, other, (1, port));
            }
        }
    }
}
