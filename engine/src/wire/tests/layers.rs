//! Every way to IP gives the same flow.

use super::build::*;
use super::*;

/// The flow of [`udp`] over [`ipv4`], with that VLAN.
fn is_the_flow(link: LinkType, frame: &[u8], vlan: u16) {
    let parsed = parsed(link, frame).unwrap_or_else(|why| panic!("{link:?}: {why:?}"));
    let key = parsed.key;
    assert_eq!((key.address_lo()[12..].to_vec(), key.port_lo()), (ONE.to_vec(), 6000), "{link:?}");
    assert_eq!((key.address_hi()[12..].to_vec(), key.port_hi()), (TWO.to_vec(), 53), "{link:?}");
    assert_eq!((key.protocol(), key.vlan(), key.is_ipv6()), (17, vlan, false), "{link:?}");
    assert_eq!((key.tunnel(), parsed.swapped), (Tunnel::None, false), "{link:?}");
    assert_eq!((parsed.sender_port(), parsed.receiver_port()), (6000, 53));
    assert_eq!(parsed.payload(frame), PAYLOAD, "{link:?}: padding is left out");
    assert_eq!(parsed.ttl, 64);
}

#[test]
fn every_link_type_leads_to_the_flow() {
    let ip = ipv4(17, &udp());
    let under = |head: &[u8]| [head, &ip].concat();
    let sll = |number: u16| [&[0; 14][..], &number.to_be_bytes(), &ip].concat();
    let sll2 = |number: u16| [&number.to_be_bytes()[..], &[0; 18], &ip].concat();
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let wifi =
        |control: [u8; 2], more: usize| [&control[..], &vec![0; 22 + more], &snap, &ip].concat();
    let frames: [(LinkType, Vec<u8>); 24] = [
        (LinkType::Ethernet, plain()),
        (LinkType::RawIp, ip.clone()),
        (LinkType::Null, under(&[2, 0, 0, 0])),
        (LinkType::Null, under(&[0, 0, 0, 2])),
        (LinkType::Loop, under(&[0, 0, 0, 2])),
        (LinkType::LinuxSll, sll(0x0800)),
        (LinkType::LinuxSll2, sll2(0x0800)),
        (LinkType::Ppp, under(&[0xff, 3, 0, 0x21])),
        (LinkType::Ppp, under(&[0, 0x21])),
        (LinkType::Ppp, under(&[0x21])),
        (LinkType::Ppp, under(&[0x0f, 0, 8, 0])),
        (LinkType::PppWithDirection, under(&[1, 0xff, 3, 0, 0x21])),
        (LinkType::PppHdlc, under(&[0xff, 3, 0, 0x21])),
        (LinkType::PppHdlc, under(&[0x8f, 0, 8, 0])),
        (LinkType::CHdlc, under(&[0x0f, 0, 8, 0])),
        (LinkType::Ppi, [&[0, 0, 12, 0, 1, 0, 0, 0, 5, 5, 5, 5][..], &plain()].concat()),
        (LinkType::Ieee80211, wifi([0x08, 0], 0)),
        (LinkType::Ieee80211, wifi([0x88, 0], 2)),
        (LinkType::Ieee80211, wifi([0x88, 0x83], 12)),
        (LinkType::Radiotap, [&[0, 0, 9, 0, 0, 0, 0, 0, 7][..], &wifi([8, 1], 0)].concat()),
        (LinkType::Mpls, under(&[0, 1, 0x11, 64])),
        (LinkType::Pppoe, under(&[0x11, 0, 0, 9, 0, 46, 0, 0x21])),
        (LinkType::Ethernet, llc([0xaa, 0xaa, 3], &under(&[0, 0, 0, 8, 0]))),
        (LinkType::Ethernet, llc([6, 6, 3], &ip)),
    ];
    for (link, mut frame) in frames {
        is_the_flow(link, &frame, 0);
        // Whatever the link pads with is not payload.
        frame.extend([0xee; 30]);
        is_the_flow(link, &frame, 0);
    }
}

#[test]
fn tags_labels_and_sessions_lead_to_the_flow_and_the_innermost_vlan_counts() {
    let ip = ipv4(17, &udp());
    let cases: [(u16, &[u8], u16); 10] = [
        (0x8100, &[0x20, 5, 8, 0], 5),
        (0x88a8, &[0, 5, 0x81, 0, 0x0f, 0xff, 8, 0], 0xfff),
        (0x9100, &[0, 5, 0x81, 0, 0, 0, 8, 0], 5),
        (0x8847, &[0, 0, 0x11, 64], 0),
        (0x8848, &[0, 0, 0x10, 64, 0, 0, 0x11, 64], 0),
        (0x8100, &[0, 9, 0x88, 0x47, 0, 0, 0x11, 64], 9),
        (0x8864, &[0x11, 0, 0, 9, 0, 46, 0, 0x21], 0),
        (0x8100, &[0, 9, 0x88, 0x64, 0x11, 0, 0, 9, 0, 46, 0, 0x21], 9),
        (0x880b, &[0, 0x21], 0),
        (0x9200, &[0, 7, 8, 0], 7),
    ];
    for (kind, head, vlan) in cases {
        is_the_flow(LinkType::Ethernet, &ethernet(kind, &[head, &ip].concat()), vlan);
    }
    // A pseudowire, with its control word and without.
    let labelled = |word: &[u8]| ethernet(0x8847, &[&[0, 0, 0x11, 64], word, &plain()].concat());
    is_the_flow(LinkType::Ethernet, &labelled(&[0, 0, 0, 0]), 0);
    is_the_flow(LinkType::Ethernet, &labelled(&[]), 0);
}

#[test]
fn a_tag_that_the_nic_took_off_counts_unless_there_is_one_within() {
    let vlan = |frame: &[u8]| {
        parsed_of(LinkType::Ethernet, 0x6123, frame, frame.len()).unwrap().key.vlan()
    };
    assert_eq!(vlan(&plain()), 0x123);
    let ip = ipv4(17, &udp());
    assert_eq!(vlan(&ethernet(0x8100, &[&[0, 5, 8, 0], &ip[..]].concat())), 5);
    assert_eq!(vlan(&ethernet(0x8100, &[&[0, 0, 8, 0], &ip[..]].concat())), 0x123);
}

#[test]
fn tcp_fields_and_ipv6_with_every_extension_are_read() {
    let hop_by_hop = |next: u8| [next, 0, 5, 2, 0, 0, 1, 0];
    let routing = |next: u8| [&[next, 1][..], &[0; 14]].concat();
    let authentication = |next: u8| [&[next, 4][..], &[0; 22]].concat();
    let destination = |next: u8| [&[next, 0][..], &[0; 6]].concat();
    let atomic = |next: u8| [next, 0, 0, 0, 0, 0, 0, 9];
    let body = [
        &hop_by_hop(43)[..],
        &routing(51),
        &authentication(60),
        &destination(44),
        &atomic(6),
        &tcp(),
    ]
    .concat();
    for frame in [ethernet(0x86dd, &inner()), ethernet(0x86dd, &ipv6(0, &body))] {
        let parsed = parsed(LinkType::Ethernet, &frame).unwrap();
        assert_eq!((parsed.key.address_lo(), parsed.key.address_hi()), (ONE_V6, TWO_V6));
        assert_eq!((parsed.key.port_lo(), parsed.key.port_hi()), (6000, 80));
        assert_eq!((parsed.key.protocol(), parsed.key.is_ipv6(), parsed.ttl), (6, true, 63));
        let head = TcpHead {
            sequence: 9,
            acknowledgement: 7,
            window: 0x201,
            flags: TcpHead::PSH | TcpHead::ACK,
            header_bytes: 24,
        };
        assert_eq!(parsed.tcp, head);
        assert_eq!(parsed.fragment, Fragment::No);
        assert_eq!(parsed.payload(&frame), PAYLOAD);
    }
}

#[test]
fn protocols_without_ports_have_a_flow_and_all_their_bytes() {
    for protocol in [0, 1, 2, 50, 51, 58, 89, 132, 255] {
        let frame = ethernet(0x0800, &ipv4(protocol, &[8, 0, 1, 2, 3]));
        let parsed = parsed(LinkType::Ethernet, &frame).unwrap();
        assert_eq!((parsed.key.port_lo(), parsed.key.port_hi()), (0, 0));
        assert_eq!(parsed.key.protocol(), protocol);
        assert_eq!(parsed.payload(&frame), [8, 0, 1, 2, 3]);
        assert_eq!(parsed.payload_at, parsed.l4_at);
    }
}

#[test]
fn a_capture_that_cuts_frames_still_tells_the_flow_and_what_the_wire_had() {
    for frame in [plain(), ethernet(0x0800, &ipv4(6, &tcp())), ethernet(0x86dd, &inner())] {
        let whole = parsed(LinkType::Ethernet, &frame).unwrap();
        for bytes in usize::from(whole.payload_at)..frame.len() {
            let cut = parsed_of(LinkType::Ethernet, 0, &frame[..bytes], frame.len()).unwrap();
            assert_eq!(cut.key, whole.key);
            assert_eq!(cut.payload_wire_bytes, whole.payload_wire_bytes);
            assert_eq!(cut.payload(&frame), &frame[usize::from(whole.payload_at)..bytes]);
            // The same bytes with nothing beyond them on the wire contradict themselves.
            assert!(parsed_of(LinkType::Ethernet, 0, &frame[..bytes], bytes).is_err());
        }
    }
}

#[test]
fn packets_that_the_nic_will_split_reach_to_the_end_of_the_frame() {
    let mut four = ethernet(0x0800, &ipv4(6, &tcp()));
    four[16..18].fill(0);
    let mut six = ethernet(0x86dd, &inner());
    six[18..20].fill(0);
    for frame in [four, six] {
        assert_eq!(parsed(LinkType::Ethernet, &frame).unwrap().payload(&frame), PAYLOAD);
    }
}

#[test]
fn a_udp_length_that_cannot_be_leaves_the_payload_to_ip() {
    for length in [0_u8, 7, 200] {
        let mut frame = plain();
        frame[39] = length;
        assert_eq!(parsed(LinkType::Ethernet, &frame).unwrap().payload(&frame), PAYLOAD);
    }
    let mut frame = plain();
    frame[39] = 12;
    assert_eq!(parsed(LinkType::Ethernet, &frame).unwrap().payload(&frame), &PAYLOAD[..4]);
}

#[test]
fn numbers_of_link_types_are_those_of_the_registry() {
    let known =
        [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 192, 204, 219, 228, 229, 276];
    for number in 0..400 {
        assert_eq!(LinkType::from_dlt(number).is_some(), known.contains(&number), "{number}");
    }
}
