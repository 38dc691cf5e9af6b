//! Gnutella (protocol 0.6 and its UDP extensions), eDonkey with eMule's extensions and Kademlia,
//! and Soulseek, as their published protocol descriptions have them.

use std::cmp::Ordering;

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const GNUTELLA: Dissector = Dissector {
    app: AppId::GNUTELLA,
    over: &[Transport::Tcp],
    ports: &[6346, 6347],
    ports_only: false,
    first: First::OneOf(b"G"),
    run: gnutella,
};

pub(super) const GNUTELLA_UDP: Dissector = Dissector {
    app: AppId::GNUTELLA,
    over: &[Transport::Udp],
    ports: &[6346, 6347],
    ports_only: false,
    // The descriptor header begins with a random identifier.
    first: First::Any,
    run: gnutella_datagram,
};

pub(super) const EDONKEY: Dissector = Dissector {
    app: AppId::EDONKEY,
    over: &[Transport::Tcp],
    ports: &[4662, 4661],
    ports_only: false,
    first: First::OneOf(&[0xe3, 0xc5, 0xd4]),
    run: edonkey,
};

pub(super) const KADEMLIA: Dissector = Dissector {
    app: AppId::EDONKEY,
    over: &[Transport::Udp],
    ports: &[4665, 4672],
    ports_only: false,
    first: First::OneOf(&[0xe3, 0xe4]),
    run: kademlia,
};

pub(super) const SOULSEEK: Dissector = Dissector {
    app: AppId::SOULSEEK,
    over: &[Transport::Tcp],
    ports: &[2234, 2240, 2242, 2271, 2416],
    ports_only: true,
    first: First::Any,
    run: |view, _| match soulseek(view.data) {
        Some(true) => Outcome::found(AppId::SOULSEEK),
        Some(false) => Outcome::NotMine,
        None => Outcome::NeedMore,
    },
};

fn gnutella(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match text::any_keyword(view.data, &[b"GNUTELLA CONNECT/0.", b"GNUTELLA/0.", b"GIV "]) {
        Match::Yes(_) if view.data.starts_with(b"GIV ") => {
            // An index, a colon, the servent's identifier, a slash.
            return match text::line(view.data) {
                Some((line, _)) if line.len() > 37 && line.contains(&b'/') => {
                    Outcome::found(AppId::GNUTELLA)
                }
                Some(_) => Outcome::NotMine,
                None => text::open_line(view.data),
            };
        }
        Match::Yes(_) => {}
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    }
    let headers = text::line(view.data).map_or(&[][..], |(_, rest)| rest);
    if let Some(agent) = text::header(headers, b"User-Agent", None) {
        notes.meta.put(&attr::GNUTELLA_AGENT, agent);
    }
    Outcome::found(AppId::GNUTELLA)
}

/// `GND` with flags, sequence and counts; or a descriptor: identifier, kind, time to live, hops,
/// and the length of what is behind it.
fn gnutella_datagram(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let data = view.data;
    if let Some(rest) = data.strip_prefix(b"GND") {
        // Part numbers begin with one, and a part is not beyond their count.
        let fits =
            matches!(rest.get(3..5), Some([part @ 1..=255, parts]) if *parts == 0 || part <= parts);
        return if fits { Outcome::found(AppId::GNUTELLA) } else { Outcome::NotMine };
    }
    let mut reader = Reader::new(data);
    if reader.skip(16).is_none() {
        return Outcome::NotMine;
    }
    let (Some([kind, ttl, hops]), Some(length)) = (reader.array(), reader.u32_le()) else {
        return Outcome::NotMine;
    };
    // Ping, pong, bye, route table, vendor, push, query, hit.
    let known = matches!(kind, 0x00 | 0x01 | 0x02 | 0x30..=0x32 | 0x40 | 0x80 | 0x81);
    let whole = usize::try_from(length).is_ok_and(|length| length == reader.left());
    // A modern servent's identifier has all ones at 8 and a zero at the end.
    let modern = data.get(8) == Some(&0xff) && matches!(data.get(15), Some(0 | 1));
    if !known || !whole || !modern || ttl > 10 || hops > 10 || (kind != 0 && length == 0) {
        // Vendor messages name their vendor in four capital letters; those of the hash table
        // have their own kind before it.
        let at = if kind == 0x44 { 24 } else { 23 };
        let vendor =
            data.get(at..at + 4).is_some_and(|name| name.iter().all(u8::is_ascii_uppercase));
        let named =
            matches!(kind, 0x31 | 0x32 | 0x44) && whole && ttl <= 10 && hops <= 10 && vendor;
        return if named { Outcome::found(AppId::GNUTELLA) } else { Outcome::NotMine };
    }
    Outcome::found(AppId::GNUTELLA)
}

/// The protocol's byte, the length of what follows, an operation of the first messages.
fn edonkey(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(protocol), Some(length)) = (reader.u8(), reader.u32_le()) else {
        return Outcome::NeedMore;
    };
    if length == 0 || length > 0x0004_0000 {
        return Outcome::NotMine;
    }
    let Some(operation) = reader.u8() else { return Outcome::NeedMore };
    // Hello names the size of a hash behind it; its answer does not.
    let known = match (protocol, operation) {
        (0xe3, 0x01) => match reader.u8() {
            None => return Outcome::NeedMore,
            Some(hash_bytes) => hash_bytes == 16 || view.port_is(4661),
        },
        (0xe3, 0x14..=0x16 | 0x18..=0x1c | 0x32..=0x34 | 0x38 | 0x40 | 0x42 | 0x46..=0x5d)
        | (0xc5, 0x01 | 0x02 | 0x40 | 0x60 | 0x61 | 0x81..=0x9b) => true,
        _ => false,
    };
    if !known {
        return Outcome::NotMine;
    }
    let hello = (protocol, operation) == (0xe3, 0x01);
    let whole = usize::try_from(length).map_or(usize::MAX, |length| length + 5);
    match view.data.len().cmp(&whole) {
        _ if hello => Outcome::found(AppId::EDONKEY),
        Ordering::Equal => Outcome::found(AppId::EDONKEY),
        Ordering::Less if !view.last => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// Kademlia's second version, of which most messages have a length of their own; and, on the usual
/// ports, eDonkey's question for a server's state.
fn kademlia(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    const CONTACT_BYTES: usize = 25;
    let data = view.data;
    let usual = view.port_is(4665) || view.port_is(4672);
    let fits = match data {
        // A search for the contacts nearest to a target, and its answer: target, count, contacts.
        [0xe4, 0x21, 0x02 | 0x04 | 0x0b, ..] => data.len() == 35,
        [0xe4, 0x29, ..] => {
            let count = data.get(18).copied().map_or(0, usize::from);
            count > 0 && data.len() == 19 + CONTACT_BYTES * count
        }
        // Hello and its answer: identifier, port, version, tags.
        [0xe4, 0x11 | 0x19, ..] => {
            matches!(data.get(20..22), Some([1..=12, tags]) if *tags <= 8)
                && data.len() >= 22
                && (data.len() == 22) == (data.get(21) == Some(&0))
                && data.get(2..18).is_some_and(|id| id.iter().any(|byte| *byte != 0))
        }
        [0xe4, 0x01 | 0x60] => usual,
        [0xe3, 0x96, ..] => usual && data.len() == 6,
        _ => false,
    };
    if fits { Outcome::found(AppId::EDONKEY) } else { Outcome::NotMine }
}

/// Two peers meet: the length of the rest, code 1, the user's name, the kind of connection, a
/// token. Or the login at the server: code 1 in four bytes, name, password, version and the sum of
/// both in 32 digits (the protocol's public description).
fn soulseek(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    let length = usize::try_from(reader.u32_le()?).ok()?;
    if !(16..=512).contains(&length) || reader.left() > length {
        return Some(false);
    }
    if reader.left() < length {
        return None;
    }
    let rest = reader.rest();
    Some(is_peer_init(Reader::new(rest)).is_some() || is_login(Reader::new(rest)).is_some())
}

fn is_peer_init(mut reader: Reader<'_>) -> Option<()> {
    let name = (reader.u8()? == 1).then(|| soulseek_text(&mut reader))??;
    let kind = (!name.is_empty()).then(|| soulseek_text(&mut reader))??;
    (matches!(kind, b"P" | b"F" | b"D") && reader.left() == 4).then_some(())
}

fn is_login(mut reader: Reader<'_>) -> Option<()> {
    let name = (reader.u32_le()? == 1).then(|| soulseek_text(&mut reader))??;
    let _password = soulseek_text(&mut reader)?;
    let version = reader.u32_le()?;
    let sum = soulseek_text(&mut reader)?;
    let hexadecimal = sum.len() == 32 && sum.iter().all(u8::is_ascii_hexdigit);
    (!name.is_empty() && version < 1000 && hexadecimal).then_some(())
}

/// Length and text.
fn soulseek_text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(reader.u32_le()?).ok()?;
    let text = reader.take(length)?;
    (!text.iter().any(u8::is_ascii_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    #[test]
    fn gnutella_over_tcp_names_the_agent() {
        let hello = b"GNUTELLA CONNECT/0.6\r\nUser-Agent: gtk 1.1\r\n\r\n";
        let (outcome, meta) = run(&GNUTELLA, ToServer, Transport::Tcp, hello, (1, 2));
        assert_eq!(outcome, Outcome::found(AppId::GNUTELLA));
        assert_eq!(meta.get(&attr::GNUTELLA_AGENT), Some(&b"gtk 1.1"[..]));
        check_prefixes(&GNUTELLA, ToServer, Transport::Tcp, hello, (1, 2));
        check_never(&GNUTELLA, ToServer, Transport::Tcp, b"GET / HTTP/1.1\r\n", (1, 2));
    }

    #[test]
    fn gnutella_over_udp() {
        let udp = Transport::Udp;
        let part = b"GND\x10\x3e\xac\x01\x01\x54\x0bQKRP\x06RNA]\x2f\xe2\x35\x09\x70";
        assert_eq!(
            run(&GNUTELLA_UDP, ToServer, udp, part, (1, 2)).0,
            Outcome::found(AppId::GNUTELLA)
        );
        let mut ping = vec![9; 16];
        (ping[8], ping[15]) = (0xff, 0);
        ping.extend_from_slice(&[0, 1, 0, 2, 0, 0, 0, 1, 2]);
        check_prefixes(&GNUTELLA_UDP, ToServer, udp, &ping, (1, 2));
        ping[8] = 3;
        check_never(&GNUTELLA_UDP, ToServer, udp, &ping, (1, 2));
    }

    #[test]
    fn edonkey_hello() {
        let mut hello = vec![0xe3, 0x12, 0, 0, 0, 1, 16];
        hello.resize(23, 7);
        check_prefixes(&EDONKEY, ToServer, Transport::Tcp, &hello, (1, 2));
        hello[6] = 17;
        check_never(&EDONKEY, ToClient, Transport::Tcp, &hello, (1, 2));
    }

    #[test]
    fn kademlia_by_exact_lengths() {
        let udp = Transport::Udp;
        let mut search = vec![0xe4, 0x21, 0x0b];
        search.resize(35, 9);
        check_prefixes(&KADEMLIA, ToServer, udp, &search, (4000, 4001));
        search.push(9);
        assert_eq!(run(&KADEMLIA, ToServer, udp, &search, (1, 2)).0, Outcome::NotMine);
        let mut answer = vec![0xe4, 0x29];
        answer.resize(18, 9);
        answer.push(2);
        answer.resize(19 + 50, 7);
        check_prefixes(&KADEMLIA, ToServer, udp, &answer, (4000, 4001));
        let mut hello = vec![0xe4, 0x11];
        hello.resize(18, 9);
        hello.extend_from_slice(&[0x36, 0x12, 8, 0]);
        check_prefixes(&KADEMLIA, ToServer, udp, &hello, (4000, 4001));
        check_never(&KADEMLIA, ToServer, udp, b"\xe4\x60", (4000, 4001));
        assert_eq!(
            run(&KADEMLIA, ToServer, udp, b"\xe4\x60", (1, 4672)).0,
            Outcome::found(AppId::EDONKEY)
        );
    }

    #[test]
    fn soulseek_peers_and_logins() {
        let tcp = Transport::Tcp;
        let text =
            |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text].concat();
        let init = text(&[&b"\x01"[..], &text(b"somebody"), &text(b"P"), b"abcd"].concat());
        check_prefixes(&SOULSEEK, ToServer, tcp, &init, (4000, 2234));
        let parts = [&b"\x01\0\0\0"[..], &text(b"somebody"), &text(b"secret")].concat();
        let sum = text(b"0123456789abcdef0123456789abcdef");
        let login = text(&[&parts[..], b"\xa0\0\0\0", &sum, b"\x11\0\0\0"].concat());
        check_prefixes(&SOULSEEK, ToServer, tcp, &login, (4000, 2242));
        let near = text(&[&b"\x01"[..], &text(b"somebody"), &text(b"Q"), b"abcd"].concat());
        check_never(&SOULSEEK, ToServer, tcp, &near, (4000, 2234));
    }
}
