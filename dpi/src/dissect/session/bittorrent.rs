//! BitTorrent: the peers' handshake (BEP 3), the distributed hash table (BEP 5), uTP (BEP 29),
//! local service discovery (BEP 14) and UDP trackers (BEP 15).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::scratch::UtpTrack;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const TCP: Dissector = Dissector {
    app: AppId::BITTORRENT,
    over: &[Transport::Tcp],
    ports: &[6881, 6882, 6883, 6889, 51413],
    ports_only: false,
    first: First::OneOf(&[19]),
    run: peer,
};

pub(super) const UDP: Dissector = Dissector {
    app: AppId::BITTORRENT,
    over: &[Transport::Udp],
    ports: &[6771, 6881, 6882, 6889, 51413],
    ports_only: false,
    // uTP's types 0 to 4 with version 1; a tracker's magic; `d` and `B`.
    first: First::OneOf(&[0x00, 0x01, 0x11, 0x21, 0x31, 0x41, b'd', b'B']),
    run: datagram,
};

const HASH_BYTES: usize = 20;
/// Peers taken from one datagram.
const PEERS: usize = 64;
/// The largest receive window taken for one.
const WINDOW_BYTES: u32 = 1 << 27;
/// How far apart two packets' sequence numbers may be.
const NEAR: u16 = 256;

/// The protocol's name, eight reserved bytes, the torrent's hash, the peer's id.
fn peer(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let rest = match text::keyword(view.data, b"\x13BitTorrent protocol") {
        Match::Yes(rest) => rest,
        Match::Partly => return Outcome::NeedMore,
        Match::No => return Outcome::NotMine,
    };
    let mut reader = Reader::new(rest);
    let hash = reader.skip(8).and_then(|()| reader.take(HASH_BYTES));
    let id = reader.take(8);
    match (hash, id) {
        (Some(hash), Some(id)) => {
            notes.meta.put(&attr::BITTORRENT_INFO_HASH, hash);
            put_client(notes, id);
            Outcome::found(AppId::BITTORRENT)
        }
        // A tracker checks the name alone; the hash follows within the same segment.
        _ if view.last => Outcome::found(AppId::BITTORRENT),
        _ => Outcome::NeedMore,
    }
}

/// `-UT3530-`: dash, client, version, dash (BEP 20).
fn put_client(notes: &mut Notes<'_>, id: &[u8]) {
    if let [b'-', name @ .., b'-'] = id
        && name.iter().all(u8::is_ascii_graphic)
    {
        notes.meta.put(&attr::BITTORRENT_CLIENT, name);
    }
}

fn datagram(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    match view.data.first() {
        Some(b'd') => table(view.data, notes),
        Some(b'B') => discovery(view, notes),
        Some(0) => tracker(view, notes),
        _ if is_tracker(notes) => tracker(view, notes),
        _ => utp(view, notes),
    }
}

/// A bencoded query, answer or error: keys are sorted, so few beginnings are possible.
fn table(data: &[u8], notes: &mut Notes<'_>) -> Outcome {
    const BEGINNINGS: &[&[u8]] = &[
        b"d1:ad2:id20:",
        b"d1:rd2:id20:",
        b"d2:ip4:",
        b"d2:ip6:",
        b"d2:ip18:",
        b"d1:eli20",
        b"d1:ad3:bei",
        b"d1:rd2:ip",
    ];
    let Match::Yes(rest) = text::any_keyword(data, BEGINNINGS) else { return Outcome::NotMine };
    if data.starts_with(b"d2:ip") {
        let body = rest.get(..24).unwrap_or(rest);
        let follows =
            body.windows(6).any(|window| matches!(window, b"1:rd2:" | b"1:ad2:" | b"1:eli2"));
        if !follows {
            return Outcome::NotMine;
        }
    }
    // `get_peers` and `announce_peer` name the torrent behind the asker's id.
    let hash = rest.get(HASH_BYTES..).and_then(|rest| rest.strip_prefix(b"9:info_hash20:"));
    if let Some(hash) = hash.and_then(|hash| hash.get(..HASH_BYTES)) {
        notes.meta.put(&attr::BITTORRENT_INFO_HASH, hash);
    }
    learn_nodes(rest, notes);
    Outcome::found(AppId::BITTORRENT)
}

/// Peers for a torrent, six bytes each in a list, and nodes, twenty bytes of number and six of
/// address, in one string (BEP 5, "Contact encoding").
fn learn_nodes(data: &[u8], notes: &mut Notes<'_>) {
    let behind = |mark: &[u8]| {
        let at = data.windows(mark.len()).position(|window| window == mark)?;
        data.get(at + mark.len()..)
    };
    if let Some((bytes, rest)) = behind(b"5:nodes").and_then(text::number)
        && let Some(contacts) = rest.strip_prefix(b":")
        && let Some(contacts) = usize::try_from(bytes).ok().and_then(|bytes| contacts.get(..bytes))
    {
        for node in contacts.chunks_exact(HASH_BYTES + 6).take(PEERS) {
            learn_peers(node.get(HASH_BYTES..).unwrap_or_default(), notes);
        }
    }
    if let Some(mut list) = behind(b"6:valuesl") {
        for _ in 0..PEERS {
            let Some(peer) = list.strip_prefix(b"6:").and_then(|list| list.get(..6)) else { break };
            learn_peers(peer, notes);
            list = list.get(8..).unwrap_or_default();
        }
    }
}

/// Addresses of four bytes with ports of two, one behind the other. Ports of services are passed
/// over: who names them may want to mislead.
fn learn_peers(compact: &[u8], notes: &mut Notes<'_>) {
    for peer in compact.chunks_exact(6).take(PEERS) {
        if let Some((&[a, b, c, d], port)) = peer.split_first_chunk()
            && let Some(port) = port.first_chunk().map(|port| u16::from_be_bytes(*port))
            && port >= 1024
        {
            let address = std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets();
            notes.knowledge.learn_peer(address, port, AppId::BITTORRENT);
        }
    }
}

/// Whoever searches on the local network says where it listens.
fn discovery(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let Match::Yes(headers) = text::keyword(view.data, b"BT-SEARCH * HTTP/1.1\r\n") else {
        return Outcome::NotMine;
    };
    if let Some(hash) = text::header(headers, b"Infohash", None)
        && let Some(hash) = hash.first_chunk::<40>().and_then(unhex)
    {
        notes.meta.put(&attr::BITTORRENT_INFO_HASH, &hash);
    }
    let port =
        text::header(headers, b"Port", None).and_then(|value| text::number(value.trim_ascii()));
    if let Some(port) = port.and_then(|(port, _)| u16::try_from(port).ok()) {
        let sender = if view.from_client() { view.client } else { view.server };
        notes.knowledge.learn_peer(sender.address, port, AppId::BITTORRENT);
    }
    Outcome::found(AppId::BITTORRENT)
}

fn unhex(text: &[u8; 40]) -> Option<[u8; HASH_BYTES]> {
    let mut bytes = [0; HASH_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair.first_chunk::<2>()?.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(bytes)
}

/// Whether the flow is known for a tracker's.
fn is_tracker(notes: &Notes<'_>) -> bool {
    notes.meta.get(&attr::BITTORRENT_TRACKER).is_some()
}

/// A connection request: the protocol's number, action 0, a transaction (BEP 15). The tracker's
/// answers are read on, since an announcement is answered with peers.
fn tracker(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const MAGIC: u64 = 0x0417_2710_1980;
    const ANNOUNCE: u32 = 1;
    let data = view.data;
    let mut reader = Reader::new(data);
    let (Some(first), Some(action)) = (reader.u64(), reader.u32()) else { return Outcome::NotMine };
    let begun = is_tracker(notes);
    if first == MAGIC && action == 0 && data.len() == 16 {
        notes.meta.put_number(&attr::BITTORRENT_TRACKER, 1);
        return Outcome::found_more(AppId::BITTORRENT);
    }
    if begun && !view.from_client() {
        // Action and transaction; then twelve bytes on the torrent, and the peers.
        if first >> 32 != u64::from(ANNOUNCE) {
            return Outcome::found_more(AppId::BITTORRENT);
        }
        learn_peers(data.get(20..).unwrap_or_default(), notes);
        return Outcome::found(AppId::BITTORRENT);
    }
    // A later announcement, whose connection number is the tracker's: its length is exact, and
    // its event is one of four.
    let event = data.get(80..84);
    let known = matches!(event, Some([0, 0, 0, 0..=3])) && (begun || data.len() == 98);
    if action == ANNOUNCE && known && data.get(36) == Some(&b'-') && data.get(43) == Some(&b'-') {
        notes.meta.put(&attr::BITTORRENT_INFO_HASH, data.get(16..36).unwrap_or_default());
        put_client(notes, data.get(36..44).unwrap_or_default());
        notes.meta.put_number(&attr::BITTORRENT_TRACKER, 1);
        return Outcome::found_more(AppId::BITTORRENT);
    }
    if begun { Outcome::found_more(AppId::BITTORRENT) } else { Outcome::NotMine }
}

/// uTP: twenty bytes and extensions. A SYN has three fields of zero; any other packet takes a
/// second one that agrees with it.
fn utp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([kind, extension]), Some(connection)) = (reader.array(), reader.u16()) else {
        return Outcome::NotMine;
    };
    let (Some(time), Some(difference), Some(window)) = (reader.u32(), reader.u32(), reader.u32())
    else {
        return Outcome::NotMine;
    };
    let (Some(sequence), Some(acknowledged)) = (reader.u16(), reader.u16()) else {
        return Outcome::NotMine;
    };
    let window_fits = (256..=WINDOW_BYTES).contains(&window);
    if extensions(&mut reader, extension).is_none() || connection == 0 || !window_fits {
        return Outcome::NotMine;
    }
    let kind = kind >> 4;
    // State, fin, reset and syn carry no data.
    if kind != 0 && reader.left() > 0 {
        return Outcome::NotMine;
    }
    if kind == 4 && difference == 0 && acknowledged == 0 {
        return Outcome::found(AppId::BITTORRENT);
    }
    let before = notes.scratch.utp;
    let from_client = view.from_client();
    notes.scratch.utp = UtpTrack { time, connection, sequence, acknowledged, from_client };
    let near = |value: u16, before: u16| value.wrapping_sub(before).wrapping_add(NEAR) < 2 * NEAR;
    let agrees = if before.connection == 0 || kind == 4 {
        false
    } else if before.from_client == from_client {
        // Microseconds: within a minute of each other.
        before.connection == connection
            && (1..60_000_000).contains(&time.wrapping_sub(before.time))
            && near(sequence, before.sequence)
            && near(acknowledged, before.acknowledged)
    } else {
        before.connection.abs_diff(connection) == 1 && near(acknowledged, before.sequence)
    };
    if agrees { Outcome::found(AppId::BITTORRENT) } else { Outcome::NeedMore }
}

/// A chain of extensions: next kind, length, bytes; selective acknowledgement is 1.
fn extensions(reader: &mut Reader<'_>, first: u8) -> Option<()> {
    let mut kind = first;
    for _ in 0..4 {
        if kind == 0 {
            return Some(());
        }
        if kind > 3 {
            return None;
        }
        kind = reader.u8()?;
        let bytes = reader.u8()?;
        reader.skip(usize::from(bytes))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const FOUND: Outcome = Outcome::found(AppId::BITTORRENT);

    #[test]
    fn the_handshake_names_torrent_and_client() {
        let mut handshake = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05".to_vec();
        handshake.extend_from_slice(&[0xab; 20]);
        handshake.extend_from_slice(b"-UT3530-abcdefghijkl");
        let (outcome, meta) = run(&TCP, ToServer, Transport::Tcp, &handshake, (5000, 6881));
        assert_eq!(outcome, FOUND);
        assert_eq!(meta.get(&attr::BITTORRENT_INFO_HASH), Some(&[0xab; 20][..]));
        assert_eq!(meta.get(&attr::BITTORRENT_CLIENT), Some(&b"UT3530"[..]));
        check_prefixes(&TCP, ToServer, Transport::Tcp, &handshake, (5000, 6881));
        check_never(&TCP, ToServer, Transport::Tcp, b"\x13BitTorrent Protokol", (5000, 6881));
    }

    #[test]
    fn table_queries_and_answers() {
        let query = b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaa9:info_hash20:bbbbbbbbbbbbbbbbbbbbe1:q9:\
            get_peers1:t2:aa1:y1:qe";
        let (outcome, meta) = run(&UDP, ToServer, Transport::Udp, query, (5000, 6881));
        assert_eq!(outcome, FOUND);
        assert_eq!(meta.get(&attr::BITTORRENT_INFO_HASH), Some(&[b'b'; 20][..]));
        check_prefixes(&UDP, ToServer, Transport::Udp, query, (5000, 6881));
        let answer = b"d2:ip6:]/\xe1\xf8\xb651:rd2:id20:";
        check_prefixes(&UDP, ToClient, Transport::Udp, answer, (5000, 6881));
        check_never(&UDP, ToClient, Transport::Udp, b"d3:abci1ee", (5000, 6881));
        check_never(&UDP, ToClient, Transport::Udp, b"d2:ip6:abcdef1:zzzzzzzzz", (5000, 6881));
    }

    #[test]
    fn discovery_names_the_torrent() {
        let search = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 61197\r\n\
            Infohash: 0102030405060708090a0b0c0d0e0f1011121314\r\n\r\n";
        let (outcome, meta) = run(&UDP, ToServer, Transport::Udp, search, (6771, 6771));
        assert_eq!(outcome, FOUND);
        let hash = meta.get(&attr::BITTORRENT_INFO_HASH).expect("a hash");
        assert_eq!((hash.len(), hash[0], hash[19]), (20, 1, 0x14));
    }

    #[test]
    fn trackers_are_told_by_their_number() {
        let connect = b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0abcd";
        let mut flow = Flow::new(Transport::Udp, (5000, 1337));
        let more = Outcome::found_more(AppId::BITTORRENT);
        assert_eq!(flow.ask(&UDP, ToServer, connect), more);
        check_prefixes(&UDP, ToServer, Transport::Udp, connect, (5000, 1337));
        let ours = b"\0\0\0\0abcdconnects";
        assert_eq!(flow.ask_past_filter(&UDP, ToClient, ours), more);
        let mut announce = b"connects\0\0\0\x01abce".to_vec();
        announce.extend_from_slice(&[0xab; 20]);
        announce.extend_from_slice(b"-UT3530-abcdefghijkl");
        announce.resize(98, 0);
        assert_eq!(flow.ask_past_filter(&UDP, ToServer, &announce), more);
        assert_eq!(flow.meta.get(&attr::BITTORRENT_INFO_HASH), Some(&[0xab; 20][..]));
        let mut peers = b"\0\0\0\x01abce\0\0\x07\x08\0\0\0\0\0\0\0\x02".to_vec();
        peers.extend_from_slice(&[198, 51, 100, 7, 0x1a, 0xe1, 198, 51, 100, 8, 0x1a, 0xe2]);
        assert_eq!(flow.ask_past_filter(&UDP, ToClient, &peers), FOUND);
        for (last, port) in [(7, 6881), (8, 6882)] {
            assert_eq!(peer_at(&flow, last, port), Some(AppId::BITTORRENT));
        }
        assert_eq!(peer_at(&flow, 8, 6881), None);
    }

    fn peer_at(flow: &Flow, last: u8, port: u16) -> Option<AppId> {
        let address = std::net::Ipv4Addr::new(198, 51, 100, last).to_ipv6_mapped().octets();
        let end = |address, port| crate::view::Endpoint { address, port };
        flow.knowledge.peer(end([9; 16], 9), end(address, port))
    }

    #[test]
    fn answers_of_the_table_name_peers() {
        let mut answer = b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes26:bbbbbbbbbbbbbbbbbbbb".to_vec();
        answer.extend_from_slice(&[198, 51, 100, 1, 0x1a, 0xe1]);
        answer.extend_from_slice(b"5:token1:x6:valuesl6:");
        answer.extend_from_slice(&[198, 51, 100, 2, 0x1a, 0xe2]);
        answer.extend_from_slice(b"6:");
        answer.extend_from_slice(&[198, 51, 100, 3, 0x1a, 0xe3]);
        answer.extend_from_slice(b"ee1:t2:aa1:y1:re");
        let mut flow = Flow::new(Transport::Udp, (5000, 6881));
        assert_eq!(flow.ask(&UDP, ToClient, &answer), FOUND);
        for (last, port) in [(1, 6881), (2, 6882), (3, 6883)] {
            assert_eq!(peer_at(&flow, last, port), Some(AppId::BITTORRENT), "{last}");
        }
    }

    fn packet(kind: u8, connection: u16, time: u32) -> Vec<u8> {
        let mut packet = vec![(kind << 4) | 1, 0];
        packet.extend_from_slice(&connection.to_be_bytes());
        packet.extend_from_slice(&time.to_be_bytes());
        packet.extend_from_slice(&[0x2b, 0xaf, 0, 1, 0, 0x10, 0, 0, 0x12, 0x34, 0x12, 0x30]);
        packet
    }

    #[test]
    fn utp_takes_two_packets_or_a_syn() {
        let mut syn = packet(4, 700, 5);
        syn[8..12].fill(0);
        syn[18..20].fill(0);
        assert_eq!(run(&UDP, ToServer, Transport::Udp, &syn, (5000, 6000)).0, FOUND);
        for (direction, connection, time, expected) in [
            (ToServer, 700, 900, FOUND),
            (ToServer, 701, 900, Outcome::NeedMore),
            (ToServer, 700, 4, Outcome::NeedMore),
            (ToClient, 701, 4, FOUND),
            (ToClient, 705, 4, Outcome::NeedMore),
        ] {
            let mut flow = Flow::new(Transport::Udp, (5000, 6000));
            assert_eq!(flow.ask(&UDP, ToServer, &packet(0, 700, 5)), Outcome::NeedMore);
            assert_eq!(flow.ask(&UDP, direction, &packet(2, connection, time)), expected);
        }
    }
}
