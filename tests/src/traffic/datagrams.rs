//! More of what conversations say: QUIC, and what is heard in a local network.

use super::apps::Side::{Client, Server};
use super::apps::{Over, Side, Talk, hello, server_hello, text, udp};
use super::quic::{Keys, crypto};

/// A hello in one Initial packet, or with a post-quantum key share in two; then short headers.
pub(super) fn quic(number: usize) -> Talk {
    const NAMES: [(&str, &str); 3] = [
        ("QUIC", "quic.example.org"),
        ("QUIC.YouTube", "www.youtube.com"),
        ("QUIC.Spotify", "api.spotify.com"),
    ];
    /// The record's header, which QUIC does without.
    const RECORD: usize = 5;
    let (app, name) = NAMES[number / 2 % NAMES.len()];
    // The connection ids are nobody else's: peers are told apart by them.
    let own = |kind: u8| {
        let [a, b, c, d] = u32::try_from(number).unwrap_or(0).to_be_bytes();
        [kind, a, b, c, d, 1, 2, kind]
    };
    let (id, source, answering) = (own(0x5c), own(0x7d), own(0x9e));
    let (keys, answers) = (Keys::new(&id, "client in"), Keys::new(&id, "server in"));
    let hello = match number % 4 {
        0 | 1 => hello(name, 29, 32),
        _ => hello(name, 0x11ec, 1216),
    };
    let pieces = hello[RECORD..].chunks(1000).zip(0_u32..);
    let mut messages: Vec<(Side, Vec<u8>)> = pieces
        .map(|(piece, at)| {
            let offset = usize::try_from(at).unwrap_or(0) * 1000;
            (Client, keys.initial(&id, &source, at, &crypto(offset, piece)))
        })
        .collect();
    let answer = crypto(0, &server_hello()[RECORD..]);
    messages.push((Server, answers.initial(&source, &answering, 0, &answer)));
    for (side, length) in [(Client, 60), (Server, 300 + number * 41 % 800)] {
        let mut short = vec![0x4a];
        short.extend(if side == Client { answering } else { source });
        short.extend(std::iter::repeat_n(0xb7, length));
        messages.push((side, short));
    }
    udp(app, 443, messages)
}

/// RFC 3550, section 5.1: both sides speak, a fiftieth of a second at a time.
pub(super) fn rtp(number: usize) -> Talk {
    let source = 0x3a5c_7001_u32.wrapping_add(u32::try_from(number).unwrap_or(0));
    let message = |from: u32, sequence: u16| {
        let mut bytes = vec![0x80, 0];
        bytes.extend((1000 + sequence).to_be_bytes());
        bytes.extend((0x0051_a3f0 + u32::from(sequence) * 160).to_be_bytes());
        bytes.extend(from.to_be_bytes());
        bytes.extend([0xd5; 160]);
        bytes
    };
    let turn = |sequence| {
        [(Client, message(source, sequence)), (Server, message(source ^ 0x0f0f_0000, sequence))]
    };
    udp("RTP", 5004, (0..6).flat_map(turn).collect())
}

/// RFC 2131, section 2: a request, and its acknowledgement.
pub(super) fn dhcp(number: usize) -> Talk {
    let host = u32::try_from(number).unwrap_or(0).to_be_bytes();
    let message = |operation: u8, kind: u8| {
        let mut bytes = vec![operation, 1, 6, 0];
        bytes.extend(host);
        bytes.extend([0; 8]);
        bytes.extend(if operation == 2 { [10, host[1], host[2], host[3]] } else { [0; 4] });
        bytes.extend([0; 8]);
        bytes.extend([2, 0, host[0], host[1], host[2], host[3]]);
        bytes.resize(236, 0);
        bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
        bytes.extend(b"\x0c\x08lab-host\xff");
        bytes.resize(300, 0);
        bytes
    };
    udp("DHCP", 67, vec![(Client, message(1, 3)), (Server, message(2, 5))])
}

pub(super) fn ssdp(_: usize) -> Talk {
    let search = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\
                  MX: 1\r\nST: ssdp:all\r\n\r\n";
    let found = "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: http://192.0.2.9/d.xml\r\n\
                 SERVER: lab/1 UPnP/1.1\r\n\r\n";
    udp("SSDP", 1900, vec![text(Client, search), text(Server, found)])
}

/// RFC 6762, section 6.7: a question from a port of its own is answered to that port.
pub(super) fn mdns(_: usize) -> Talk {
    let question = b"\x05_http\x04_tcp\x05local\0\0\x0c\0\x01";
    let message = |flags: u8, answers: u8, rest: &[u8]| {
        [&[0, 0, flags, 0, 0, 1, 0, answers, 0, 0, 0, 0][..], question, rest].concat()
    };
    let answer = b"\xc0\x0c\0\x0c\0\x01\0\0\0\x0a\0\x06\x03lab\xc0\x0c";
    udp("mDNS", 5353, vec![(Client, message(0, 0, &[])), (Server, message(0x84, 1, answer))])
}

/// RFC 5424, section 6: messages to which nobody answers.
pub(super) fn syslog(number: usize) -> Talk {
    let line = |at| {
        let words = format!("<34>1 2023-11-14T22:13:20Z lab app {number} ID{at} - it happened");
        (Client, words.into_bytes())
    };
    udp("Syslog", 514, (0..3).map(line).collect())
}

/// Echo and its answer: RFC 792, and RFC 4443, section 4, in turn.
pub(super) fn icmp(number: usize) -> Talk {
    let v6 = number.is_multiple_of(4);
    let (app, protocol, kinds) = if v6 { ("ICMPv6", 58, [128, 129]) } else { ("ICMP", 1, [8, 0]) };
    let message = |kind: u8, sequence: u8| {
        let mut bytes = vec![kind, 0, 0, 0, 0x12, 0x34, 0, sequence];
        bytes.extend([0x61; 48]);
        bytes
    };
    let turn = |at| [(Client, message(kinds[0], at)), (Server, message(kinds[1], at))];
    let messages = (1..4).flat_map(turn).collect();
    Talk { app, port: 0, over: Over::Ip(protocol), messages }
}
