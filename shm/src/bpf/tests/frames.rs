//! Frames made by hand, and which of them each filter wants.

/// One frame, perhaps cut.
pub(super) struct Frame {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) wire_bytes: usize,
}

/// Filters, and the names of the frames that pass, in the order of [`all`].
pub(super) const FILTERS: &[(&str, &[&str])] = &[
    ("", ALL),
    ("ip", V4),
    ("ip6", &["udp6", "tcp6", "fragment6", "icmp6"]),
    ("arp", &["arp"]),
    ("tcp", &["syn", "data", "options", "cut ports", "cut flags", "tcp6"]),
    ("udp", &["dns", "first", "later", "udp6", "fragment6"]),
    ("icmp or icmp6", &["ping", "icmp6"]),
    ("udp port 53", &["dns", "first", "udp6"]),
    ("tcp dst port 443", &["syn", "data", "options", "cut flags", "tcp6"]),
    ("src port 443", &[]),
    ("portrange 50-60", &["dns", "first", "udp6"]),
    ("host 10.0.0.1 and not arp", V4_HOSTS),
    ("src host 10.0.0.2", &[]),
    (
        "dst net 10.0.0.0/24",
        &[
            "syn",
            "data",
            "options",
            "cut ports",
            "cut flags",
            "dns",
            "first",
            "later",
            "ping",
            "arp",
        ],
    ),
    ("ip6 host 2001:db8::2", &["udp6", "tcp6", "fragment6", "icmp6"]),
    ("ether broadcast", &["arp"]),
    (
        "ether host 02:00:00:00:00:02",
        &[
            "syn",
            "data",
            "options",
            "cut ports",
            "cut flags",
            "dns",
            "first",
            "later",
            "ping",
            "udp6",
            "tcp6",
            "fragment6",
            "icmp6",
            "tagged",
            "double",
            "cut header",
            "runt",
        ],
    ),
    ("vlan", &["tagged", "double"]),
    ("vlan 7 and tcp port 443", &["tagged"]),
    ("vlan 8", &["double"]),
    ("vlan and vlan 9 and udp", &["double"]),
    ("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", &["syn", "options"]),
    ("tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", &["data"]),
    ("ip[6:2] & 0x1fff != 0", &["later"]),
    ("ip[6] & 0x20 != 0 and udp", &["first"]),
    ("(ip[0] & 0xf) * 4 > 20", &["options"]),
    ("ip proto 17 and ip[8] % 3 = 1 and ip[2:2] / 7 ^ 5 != 0", &["dns", "first", "later"]),
    ("len > 100", &["data", "cut ports"]),
    (
        "greater 60 and less 80",
        &["options", "first", "udp6", "tcp6", "fragment6", "icmp6", "double"],
    ),
    ("tcp[13] << 2 & 8 != 0 or ip[1] = 4", &["syn", "options"]),
    ("ether proto 0x88b5", &["experiment"]),
    // A load beyond the frame rejects it, whatever comes after.
    ("ether[100] = 1 or ether[12:2] = 0x0806", &[]),
    ("not ip and not ip6 and not vlan", &["arp", "experiment"]),
];

const ALL: &[&str] = &[
    "syn",
    "data",
    "options",
    "cut ports",
    "cut flags",
    "dns",
    "first",
    "later",
    "ping",
    "udp6",
    "tcp6",
    "fragment6",
    "icmp6",
    "tagged",
    "double",
    "arp",
    "experiment",
    "cut header",
    "runt",
    "empty",
];
const V4: &[&str] = &[
    "syn",
    "data",
    "options",
    "cut ports",
    "cut flags",
    "dns",
    "first",
    "later",
    "ping",
    "cut header",
];
/// Those whose addresses were captured.
const V4_HOSTS: &[&str] =
    &["syn", "data", "options", "cut ports", "cut flags", "dns", "first", "later", "ping"];

/// Every frame.
pub(super) fn all() -> Vec<Frame> {
    let data = tcp(0x18, &[b"GET / HTTP/1.1\r\n".as_slice(), &[0; 60]].concat());
    let dns = udp(53, &[0; 12]);
    vec![
        whole("syn", ethernet(0x0800, &ipv4(6, 0x4000, &[], &tcp(0x02, &[])))),
        whole("data", ethernet(0x0800, &ipv4(6, 0x4000, &[], &data))),
        whole("options", ethernet(0x0800, &ipv4(6, 0, &[1; 8], &tcp(0x02, &[])))),
        cut("cut ports", ethernet(0x0800, &ipv4(6, 0, &[], &data)), 36),
        cut("cut flags", ethernet(0x0800, &ipv4(6, 0, &[], &tcp(0x02, &[]))), 46),
        whole("dns", ethernet(0x0800, &ipv4(17, 0, &[], &dns))),
        whole("first", ethernet(0x0800, &ipv4(17, 0x2000, &[], &udp(53, &[0; 24])))),
        whole("later", ethernet(0x0800, &ipv4(17, 3, &[], &dns))),
        whole("ping", ethernet(0x0800, &ipv4(1, 0, &[], &[8, 0, 0, 0, 0, 1, 0, 1]))),
        whole("udp6", ethernet(0x86dd, &ipv6(17, &udp(53, &[])))),
        whole("tcp6", ethernet(0x86dd, &ipv6(6, &tcp(0x10, &[])))),
        whole(
            "fragment6",
            ethernet(0x86dd, &ipv6(44, &[[17, 0, 0, 1, 0, 0, 0, 9], [0; 8]].concat())),
        ),
        whole("icmp6", ethernet(0x86dd, &ipv6(58, &[128, 0, 0, 0, 0, 1, 0, 1]))),
        whole("tagged", ethernet(0x8100, &tag(7, 0x0800, &ipv4(6, 0, &[], &tcp(0x10, &[]))))),
        whole(
            "double",
            ethernet(0x88a8, &tag(8, 0x8100, &tag(9, 0x0800, &ipv4(17, 0, &[], &dns)))),
        ),
        whole("arp", arp()),
        whole("experiment", [[0x02; 12].as_slice(), &[0x88, 0xb5], &[0; 4]].concat()),
        cut("cut header", ethernet(0x0800, &ipv4(6, 0, &[], &tcp(0x02, &[]))), 20),
        whole("runt", ethernet(0x0800, &[])[..13].to_vec()),
        whole("empty", Vec::new()),
    ]
}

/// The frames as a capture file; the seconds of a record are its frame's index.
pub(super) fn capture(frames: &[Frame]) -> Vec<u8> {
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let mut file = words(&[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 262_144, 1]);
    for (at, frame) in frames.iter().enumerate() {
        let size = |bytes: usize| u32::try_from(bytes).unwrap();
        file.extend(words(&[size(at), 0, size(frame.bytes.len()), size(frame.wire_bytes)]));
        file.extend(&frame.bytes);
    }
    file
}

fn whole(name: &'static str, bytes: Vec<u8>) -> Frame {
    Frame { name, wire_bytes: bytes.len(), bytes }
}

fn cut(name: &'static str, mut bytes: Vec<u8>, to: usize) -> Frame {
    let wire_bytes = bytes.len();
    bytes.truncate(to);
    Frame { name, bytes, wire_bytes }
}

fn ethernet(kind: u16, inside: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    [addresses.as_slice(), &kind.to_be_bytes(), inside].concat()
}

fn tag(vlan: u16, kind: u16, inside: &[u8]) -> Vec<u8> {
    [vlan.to_be_bytes().as_slice(), &kind.to_be_bytes(), inside].concat()
}

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
    frame
}

fn ipv4(protocol: u8, fragment: u16, options: &[u8], inside: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let total = u16::try_from(header + inside.len()).unwrap().to_be_bytes();
    let [offset_high, offset_low] = fragment.to_be_bytes();
    let first = 0x40 | u8::try_from(header / 4).unwrap();
    let mut packet = vec![first, 0, total[0], total[1], 0, 1, offset_high, offset_low];
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    [&packet, options, inside].concat()
}

fn ipv6(next: u8, inside: &[u8]) -> Vec<u8> {
    let bytes = u16::try_from(inside.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, bytes[0], bytes[1], next, 64];
    for host in [1, 2] {
        packet.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    }
    [&packet, inside].concat()
}

fn tcp(flags: u8, data: &[u8]) -> Vec<u8> {
    let [high, low] = 443u16.to_be_bytes();
    let header = [0xc0, 0x01, high, low, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0, 0, 0, 0];
    [header.as_slice(), data].concat()
}

fn udp(port: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let [bytes_high, bytes_low] = u16::try_from(8 + data.len()).unwrap().to_be_bytes();
    [[0xc0, 0x02, high, low, bytes_high, bytes_low, 0, 0].as_slice(), data].concat()
}
