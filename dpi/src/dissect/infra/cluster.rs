//! What keeps the members of a cluster together.

use crate::app::AppId;
use crate::dissect::shape::{
    BOTH, PortRow, Row, TCP, UDP, all_ports, alone, at, be32, bound, by_port, by_prefix, check,
    count_ports, first_bytes, le32, on, row, table,
};
use crate::reader::Reader;
use crate::view::{Dissector, Transport, View};

pub(super) const STREAMS: Dissector =
    table(TCP, &FIRST, &[5701, 5702, 5703], |view, notes| by_prefix(&ROWS, &FIRST, view, notes));

pub(super) const DATAGRAMS: Dissector =
    table(UDP, &DATAGRAM_FIRST, &[694, 7946, 8301, 8302], |view, notes| {
        by_prefix(&DATAGRAM_ROWS, &DATAGRAM_FIRST, view, notes)
    });

pub(super) const PORTS: Dissector =
    bound(BOTH, &BOUND_PORTS, |view, notes| by_port(BOUND, view, notes));

const ROWS: [Row; 3] = [
    // Which protocol is meant, and its first frame: a whole message, whose kind is logging in.
    check(AppId::HAZELCAST, b"CP2", |view, _| {
        let [flags_low, flags] = at(view.data, 7)?;
        Some((6..4096).contains(&le32(view.data, 3)?) && flags_low == 0 && flags & 0xc0 == 0xc0)
    }),
    check(AppId::HAZELCAST, b"CB2", |view, _| {
        let [version, flags] = at(view.data, 7)?;
        Some(le32(view.data, 3)? >= 18 && version <= 1 && flags == 0xc0)
    }),
    check(AppId::HAZELCAST, b"HZC", |view, _| {
        Some([5701, 5702, 5703].iter().any(|&port| view.port_is(port)))
    }),
];

const FIRST: [u8; ROWS.len()] = first_bytes(&ROWS);

const DATAGRAM_ROWS: [Row; 15] = [
    // Memberlist: the kind of message, or one that wraps others.
    check(AppId::MEMBERLIST, b"\0", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x01", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x02", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x03", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x04", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x05", |view, _| memberlist(view.data, 0)),
    check(AppId::MEMBERLIST, b"\x0b", |view, _| memberlist(view.data, 0)),
    // Several at once: their number, their lengths.
    check(AppId::MEMBERLIST, b"\x07", |view, _| {
        memberlist(view.data, 2 + 2 * usize::from(*view.data.get(1)?))
    }),
    // Behind a checksum.
    check(AppId::MEMBERLIST, b"\x0c", |view, _| {
        let inside =
            if *view.data.get(5)? == 7 { 7 + 2 * usize::from(*view.data.get(6)?) } else { 5 };
        memberlist(view.data, inside)
    }),
    // Behind a label.
    check(AppId::MEMBERLIST, b"\xf4", |view, _| {
        memberlist(view.data, 2 + usize::from(*view.data.get(1)?))
    }),
    // Totem's mark in either byte order, version 3 or 4.
    check(AppId::COROSYNC, b"\x70\xc0", |view, _| totem(view)),
    check(AppId::COROSYNC, b"\xc0\x70", |view, _| totem(view)),
    row(AppId::LINUX_HA, b"###\nt="),
    row(AppId::LINUX_HA, b"###\n(1)"),
    row(AppId::LINUX_HA, b"###\nprotocol="),
];

const DATAGRAM_FIRST: [u8; DATAGRAM_ROWS.len()] = first_bytes(&DATAGRAM_ROWS);

const BOUND: &[PortRow] = &[
    // A length, then the version of Slurm's protocol, whose lower byte is zero.
    on(AppId::SLURM, &[6817, 6818, 6819], |view, _| {
        let [version, zero] = at(view.data, 4)?;
        let exact = alone(view, be32(view.data, 0)?.saturating_add(4))?;
        Some(
            view.transport == Transport::Tcp
                && exact
                && (0x1d..0x40).contains(&version)
                && zero == 0,
        )
    }),
    on(AppId::GEARMAN, &[4730], |view, _| {
        const WORDS: &[&[u8]] = &[b"status\n", b"workers\n", b"version\n"];
        Some(view.transport == Transport::Tcp && WORDS.contains(&view.data))
    }),
];

const BOUND_PORTS: [u16; count_ports(BOUND)] = all_ports(BOUND);

/// A map of `MessagePack` whose first key is one of the messages' members.
fn memberlist(data: &[u8], kind_at: usize) -> Option<bool> {
    const KEYS: &[&[u8]] =
        &[b"SeqNo", b"Incarnation", b"Node", b"Algo", b"Target", b"Nodes", b"Meta", b"Addr"];
    let mut reader = Reader::new(data.get(kind_at..)?);
    let (kind, map, key) = (reader.u8()?, reader.u8()?, reader.u8()?);
    if kind > 12 || !matches!(map, 0x81..=0x8f) {
        return Some(false);
    }
    let bytes = match key {
        0xa1..=0xbf => usize::from(key & 0x1f),
        // Older encoders write names as raw bytes.
        0xd9 | 0xc4 => usize::from(reader.u8()?),
        _ => return Some(false),
    };
    Some(KEYS.contains(&reader.take(bytes)?))
}

fn totem(view: &View<'_>) -> Option<bool> {
    let [version, kind] = at(view.data, 2)?;
    Some((2..=4).contains(&version) && kind <= 6 && (view.port_is(5405) || view.port_is(5404)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, found_on};
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::ToServer;
    use crate::view::Outcome;

    #[test]
    fn gossip() {
        let ping = b"\0\x82\xa5SeqNo\x01\xa4Node\xa1a";
        found(&DATAGRAMS, AppId::MEMBERLIST, ping, 4);
        let mut checked = vec![12, 1, 2, 3, 4];
        checked.extend_from_slice(ping);
        found(&DATAGRAMS, AppId::MEMBERLIST, &checked, 6);
        let mut compound = vec![7, 1, 0, 15];
        compound.extend_from_slice(ping);
        found(&DATAGRAMS, AppId::MEMBERLIST, &compound, 5);
        let near = b"\0\x82\xa5SeqNx\x01";
        check_never(&DATAGRAMS, ToServer, Transport::Udp, near, (7946, 7946));
    }

    #[test]
    fn members() {
        let totem = b"\x70\xc0\x03\x02\0\0\0\0\x01";
        let ports = (5404, 5405);
        let outcome = run(&DATAGRAMS, ToServer, Transport::Udp, totem, ports).0;
        assert_eq!(outcome, Outcome::found(AppId::COROSYNC));
        check_never(&DATAGRAMS, ToServer, Transport::Udp, totem, (1, 2));
        found(&DATAGRAMS, AppId::LINUX_HA, b"###\nt=status\nst=active\n", 4);
        found(&STREAMS, AppId::HAZELCAST, b"CP2\x42\0\0\0\0\xc0\0\x01\0\0", 8);
        found_on(&PORTS, 6817, AppId::SLURM, b"\0\0\0\x06\x27\0\0\0\0\x01", 4);
    }
}
