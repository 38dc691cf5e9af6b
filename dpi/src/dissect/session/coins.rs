//! Bitcoin and its descendants (Bitcoin developer reference, "P2P network": magic, command, length,
//! sum), Ethereum (devp2p specification: `RLPx`'s handshake after EIP-8, discovery version 4), and
//! the Stratum mining protocol, which are JSON lines.

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const BITCOIN: Dissector = Dissector {
    app: AppId::BITCOIN,
    over: &[Transport::Tcp],
    ports: &[8333, 18333],
    ports_only: false,
    first: First::OneOf(&[0xf9, 0x0b, 0xfa, 0xfb, 0xc0, 0xbf, 0x24, 0x1c, 0x0a]),
    run: bitcoin,
};

pub(super) const RLPX: Dissector = Dissector {
    app: AppId::ETHEREUM,
    over: &[Transport::Tcp],
    ports: &[30303],
    ports_only: false,
    // The high byte of a length of 300 to 800.
    first: First::OneOf(&[1, 2, 3]),
    run: rlpx,
};

pub(super) const DISCOVERY: Dissector = Dissector {
    app: AppId::ETHEREUM,
    over: &[Transport::Udp],
    ports: &[30303, 30301],
    ports_only: false,
    // A hash comes first.
    first: First::Any,
    run: discovery,
};

pub(super) const STRATUM: Dissector = Dissector {
    app: AppId::STRATUM,
    over: &[Transport::Tcp],
    ports: &[3333, 4444],
    ports_only: false,
    first: First::OneOf(b"{"),
    run: stratum,
};

/// Main, test and regression networks of Bitcoin, Litecoin, Dogecoin, Dash, Zcash and signet.
const MAGICS: &[[u8; 4]] = &[
    [0xf9, 0xbe, 0xb4, 0xd9],
    [0x0b, 0x11, 0x09, 0x07],
    [0x1c, 0x16, 0x3f, 0x28],
    [0xfa, 0xbf, 0xb5, 0xda],
    [0x0a, 0x03, 0xcf, 0x40],
    [0xfb, 0xc0, 0xb6, 0xdb],
    [0xc0, 0xc0, 0xc0, 0xc0],
    [0xbf, 0x0c, 0x6b, 0xbd],
    [0x24, 0xe9, 0x27, 0x64],
];

fn bitcoin(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let Some(magic) = reader.array::<4>() else { return Outcome::NeedMore };
    if !MAGICS.contains(&magic) {
        return Outcome::NotMine;
    }
    let Some(command) = reader.array::<12>() else { return Outcome::NeedMore };
    // Lower-case letters and digits, filled up with zeros.
    let name = command.iter().take_while(|byte| **byte != 0).count();
    let (name, fill) = command.split_at_checked(name).unwrap_or((&command, &[]));
    let of_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() || !name.iter().all(of_name) || fill.iter().any(|byte| *byte != 0) {
        return Outcome::NotMine;
    }
    if name == b"version" {
        // Length and sum; then version, services, time, two addresses, a nonce: 80 bytes.
        let agent = reader.skip(8 + 80).and_then(|()| reader.u8());
        let agent = agent.and_then(|bytes| reader.take(usize::from(bytes)));
        notes.meta.put(&attr::BITCOIN_AGENT, agent.unwrap_or_default());
    }
    Outcome::found(AppId::BITCOIN)
}

/// The size of the rest, then an uncompressed point of the curve: the first flight is exactly
/// that long.
fn rlpx(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some(length), Some(point)) = (reader.u16(), reader.u8()) else { return Outcome::NeedMore };
    if point != 4 || !(180..=1024).contains(&length) {
        return Outcome::NotMine;
    }
    match view.data.len().checked_sub(2) {
        Some(left) if left == usize::from(length) => Outcome::found(AppId::ETHEREUM),
        Some(left) if left < usize::from(length) => Outcome::NeedMore,
        _ => Outcome::NotMine,
    }
}

/// Hash, signature (its last byte is 0 or 1), kind, and one RLP list to the end, to which newer
/// versions may add.
fn discovery(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let Some(head) = view.data.get(96..) else { return Outcome::NotMine };
    let mut reader = Reader::new(head);
    let (Some([0 | 1, 1..=6]), Some(list)) = (reader.array(), reader.u8()) else {
        return Outcome::NotMine;
    };
    let length = match list {
        0xc1..=0xf7 => Some(usize::from(list - 0xc0)),
        0xf8 => reader.u8().map(usize::from),
        0xf9 => reader.u16().map(usize::from),
        _ => None,
    };
    match length {
        Some(length) if length == reader.left() => Outcome::found(AppId::ETHEREUM),
        _ => Outcome::NotMine,
    }
}

/// A request in JSON whose method is the miner's.
fn stratum(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const METHODS: &[&[u8]] = &[
        b"\"mining.subscribe\"",
        b"\"mining.authorize\"",
        b"\"mining.configure\"",
        b"\"mining.notify\"",
        b"\"mining.set_difficulty\"",
        b"\"eth_submitLogin\"",
        b"\"eth_submitHashrate\"",
        b"\"eth_getWork\"",
        b"\"mining.hello\"",
    ];
    let Some((line, _)) = text::line(view.data) else { return text::open_line(view.data) };
    let miner = METHODS.iter().any(|method| text::contains(line, method));
    // Monero's pools log in, with an agent.
    let login = || text::contains(line, b"\"login\"") && text::contains(line, b"\"agent\"");
    if !miner && !login() {
        return Outcome::NotMine;
    }
    let agent = line.windows(9).position(|window| window == b"\"agent\":\"");
    if let Some(rest) = agent.and_then(|at| line.get(at + 9..)) {
        notes.meta.put(&attr::STRATUM_AGENT, text::until(rest, b'"').unwrap_or_default());
    } else if let Some(at) = line.windows(10).position(|window| window == b"\"params\":[")
        && let Some(rest) = line.get(at + 10..)
        && let Match::Yes(rest) = text::prefix(rest, b"\"")
        && text::contains(line, b"mining.subscribe")
    {
        notes.meta.put(&attr::STRATUM_AGENT, text::until(rest, b'"').unwrap_or_default());
    }
    Outcome::found(AppId::STRATUM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, check_prefixes, run};
    use crate::view::Direction::ToServer;

    #[test]
    fn bitcoin_names_the_agent() {
        let mut version = b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x65\0\0\0\x01\x02\x03\x04".to_vec();
        version.resize(24 + 80, 1);
        version.extend_from_slice(b"\x0f/Satoshi:0.7.2/");
        let (outcome, meta) = run(&BITCOIN, ToServer, Transport::Tcp, &version, (1, 8333));
        assert_eq!(outcome, Outcome::found(AppId::BITCOIN));
        assert_eq!(meta.get(&attr::BITCOIN_AGENT), Some(&b"/Satoshi:0.7.2/"[..]));
        check_prefixes(&BITCOIN, ToServer, Transport::Tcp, &version, (1, 8333));
        version[5] = b'!';
        check_never(&BITCOIN, ToServer, Transport::Tcp, &version, (1, 8333));
    }

    #[test]
    fn ethereum_over_both() {
        let mut hello = vec![1, 0x2c, 4];
        hello.resize(302, 0x55);
        check_prefixes(&RLPX, ToServer, Transport::Tcp, &hello, (1, 30303));
        hello.push(0);
        assert_eq!(run(&RLPX, ToServer, Transport::Tcp, &hello, (1, 2)).0, Outcome::NotMine);
        let mut ping = vec![0x77; 96];
        ping.extend_from_slice(&[1, 1, 0xc3, 4, 5, 6]);
        check_prefixes(&DISCOVERY, ToServer, Transport::Udp, &ping, (1, 2));
        ping.push(0);
        let longer = run(&DISCOVERY, ToServer, Transport::Udp, &ping, (1, 2)).0;
        assert_eq!(longer, Outcome::NotMine);
    }

    #[test]
    fn miners() {
        let login =
            b"{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"x\",\"agent\":\"rig/6\"}}\n";
        let (outcome, meta) = run(&STRATUM, ToServer, Transport::Tcp, login, (1, 2));
        assert_eq!(outcome, Outcome::found(AppId::STRATUM));
        assert_eq!(meta.get(&attr::STRATUM_AGENT), Some(&b"rig/6"[..]));
        check_prefixes(&STRATUM, ToServer, Transport::Tcp, login, (1, 2));
        let other = b"{\"id\":1,\"method\":\"list\"}\n";
        check_never(&STRATUM, ToServer, Transport::Tcp, other, (1, 2));
    }
}
