//! Every limit has its named outcome, and every reason is reached.

use super::build::*;
use super::*;

/// `count` tunnels in each other, around UDP.
fn nested(count: usize) -> Vec<u8> {
    let packet = (0..count).fold(ipv4(17, &udp()), |within, _| ipv4(4, &within));
    ethernet(0x0800, &packet)
}

fn extensions(count: usize) -> Vec<u8> {
    let mut body = [&[17, 0][..], &[0; 6], &udp()].concat();
    for _ in 1..count {
        body = [&[60, 0][..], &[0; 6], &body].concat();
    }
    ethernet(0x86dd, &ipv6(60, &body))
}

fn labels(count: usize) -> Vec<u8> {
    let mut body = [0, 0, 0x10, 64].repeat(count - 1);
    body.extend([0, 0, 0x11, 64]);
    ethernet(0x8847, &[body, ipv4(17, &udp())].concat())
}

fn tags(count: usize) -> Vec<u8> {
    let mut body = [0, 5, 0x81, 0].repeat(count - 1);
    body.extend([0, 5, 8, 0]);
    ethernet(0x8100, &[body, ipv4(17, &udp())].concat())
}

#[test]
fn what_reaches_a_limit_is_parsed_and_what_passes_it_is_dropped_by_name() {
    let port = |frame: &[u8]| parsed(LinkType::Ethernet, frame).map(|parsed| parsed.key.port_hi());
    assert_eq!(port(&nested(usize::from(MAX_TUNNELS))), Ok(53));
    assert_eq!(port(&nested(usize::from(MAX_TUNNELS) + 1)), Err(Reason::TunnelTooDeep));
    assert_eq!(port(&extensions(8)), Ok(53));
    assert_eq!(port(&extensions(9)), Err(Reason::Ipv6ExtensionsTooMany));
    assert_eq!(port(&labels(8)), Ok(53));
    assert_eq!(port(&labels(9)), Err(Reason::TagsTooMany));
    // Ethernet, the type after the last tag, and IPv4 take a layer each.
    assert_eq!(port(&tags(MAX_LAYERS - 3)), Ok(53));
    assert_eq!(port(&tags(MAX_LAYERS - 2)), Err(Reason::TagsTooMany));
}

/// A frame for each reason that parsing gives.
fn every_reason() -> Vec<(Reason, LinkType, Vec<u8>)> {
    let ethernet_of = |kind, body: &[u8]| (LinkType::Ethernet, ethernet(kind, body));
    let short = |packet: Vec<u8>, bytes: usize| packet[..bytes].to_vec();
    let with = |mut packet: Vec<u8>, at: usize, value: u8| {
        packet[at] = value;
        packet
    };
    let frames: Vec<(Reason, (LinkType, Vec<u8>))> = vec![
        (Reason::UnsupportedLink, (LinkType::Unsupported, plain())),
        (Reason::LinkTruncated, (LinkType::Ethernet, short(plain(), 13))),
        (Reason::TagsTooMany, (LinkType::Ethernet, labels(9))),
        (Reason::VlanTruncated, ethernet_of(0x8100, &[0, 5, 8])),
        (Reason::MplsTruncated, ethernet_of(0x8847, &[0, 0, 0x10, 64, 0])),
        (Reason::Arp, ethernet_of(0x0806, &[0; 28])),
        (Reason::Lldp, ethernet_of(0x88cc, &[0; 28])),
        (Reason::LlcControl, (LinkType::Ethernet, llc([0x42, 0x42, 3], &[0; 35]))),
        (Reason::PppControl, (LinkType::Ppp, vec![0xff, 3, 0xc0, 0x21, 1, 1, 0, 4])),
        (Reason::WifiNotData, (LinkType::Ieee80211, vec![0x80; 60])),
        (Reason::WifiProtected, (LinkType::Ieee80211, [&[8, 0x41][..], &[0; 60]].concat())),
        (Reason::NotIp, ethernet_of(0x88e5, &[0; 28])),
        (Reason::IpVersion, (LinkType::RawIp, vec![0x55; 40])),
        (Reason::Ipv4Truncated, ethernet_of(0x0800, &short(ipv4(17, &udp()), 19))),
        (Reason::Ipv4BadHeader, ethernet_of(0x0800, &with(ipv4(17, &udp()), 0, 0x44))),
        (Reason::Ipv4LengthBeyondFrame, ethernet_of(0x0800, &short(ipv4(17, &udp()), 40))),
        (Reason::Ipv6Truncated, ethernet_of(0x86dd, &short(inner(), 39))),
        (Reason::Ipv6LengthBeyondFrame, ethernet_of(0x86dd, &short(inner(), 60))),
        (Reason::Ipv6ExtensionsTooMany, (LinkType::Ethernet, extensions(9))),
        (Reason::TcpTruncated, ethernet_of(0x0800, &ipv4(6, &tcp()[..19]))),
        (Reason::TcpBadHeader, ethernet_of(0x0800, &ipv4(6, &with(tcp(), 12, 0x40)))),
        (Reason::UdpTruncated, ethernet_of(0x0800, &ipv4(17, &udp()[..7]))),
        (Reason::TunnelTooDeep, (LinkType::Ethernet, nested(5))),
    ];
    frames.into_iter().map(|(reason, (link, frame))| (reason, link, frame)).collect()
}

#[test]
fn every_reason_is_reached() {
    let mut reached: Vec<Reason> = every_reason()
        .into_iter()
        .map(|(reason, link, frame)| {
            assert_eq!(parsed(link, &frame).map(|_| ()), Err(reason));
            reason
        })
        .collect();
    // The tests of pieces reach it.
    reached.push(Reason::FragmentWithoutFirst);
    assert_eq!(reached, Reason::ALL);
}

#[test]
fn reasons_have_names_of_their_own_and_stand_in_the_order_of_their_numbers() {
    for (index, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(reason.name().chars().all(snake), "{}", reason.name());
        let same = Reason::ALL.iter().filter(|other| other.name() == reason.name());
        assert_eq!(same.count(), 1, "{}", reason.name());
        assert!(reason.help().ends_with('.'));
    }
    assert_eq!(Reason::COUNT, Reason::ALL.len());
}

#[test]
fn an_mpls_channel_and_unknown_gre_are_no_ip() {
    let channel = ethernet(0x8847, &[0, 0, 0x11, 64, 0x10, 0, 0, 0x21, 0, 0, 0, 0]);
    assert_eq!(parsed(LinkType::Ethernet, &channel).map(|_| ()), Err(Reason::NotIp));
    let routed = over_gre(&[0x40, 0, 0x08, 0, 0, 0, 0, 0], &ipv4(17, &udp()));
    assert_eq!(parsed(LinkType::Ethernet, &routed).unwrap().key.protocol(), 47);
}
