//! A tunnel gives the flow within, and one that holds nothing gives the flow around it.

use super::build::*;
use super::*;

/// Frames with [`inner`] in each kind of tunnel.
pub(super) fn every_tunnel() -> Vec<(Tunnel, Vec<u8>)> {
    let inner = inner();
    let four = ipv4(17, &udp());
    let framed = ethernet(0x86dd, &inner);
    let wifi = |control: [u8; 2]| {
        [&control[..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd], &inner].concat()
    };
    let with = |head: &[u8], body: &[u8]| [head, body].concat();
    let gtp_bytes = |more: usize| u16::try_from(inner.len() + more).unwrap().to_be_bytes();
    let [gtp_a, gtp_b] = gtp_bytes(0);
    let [gtp_c, gtp_d] = gtp_bytes(8);
    let ppp = with(&[0, 0x57], &inner);
    let [ppp_a, ppp_b] = u16::try_from(ppp.len()).unwrap().to_be_bytes();
    vec![
        (Tunnel::Ip4In4, ethernet(0x0800, &ipv4(4, &four))),
        (Tunnel::Ip4In6, ethernet(0x86dd, &ipv6(4, &four))),
        (Tunnel::Ip6In4, ethernet(0x0800, &ipv4(41, &inner))),
        (Tunnel::Ip6In6, ethernet(0x86dd, &ipv6(41, &inner))),
        (Tunnel::Vxlan, over_udp(4789, &with(&[8, 0, 0, 0, 0, 0, 9, 0], &framed))),
        (Tunnel::Vxlan, over_udp(8472, &with(&[8, 0, 0, 0, 0, 0, 9, 0], &framed))),
        (Tunnel::Geneve, over_udp(6081, &with(&[0, 0, 0x65, 0x58, 0, 0, 9, 0], &framed))),
        (
            Tunnel::Geneve,
            over_udp(6081, &with(&[1, 0, 0x86, 0xdd, 0, 0, 9, 0, 1, 1, 1, 0], &inner)),
        ),
        (Tunnel::GtpU, over_udp(2152, &with(&[0x30, 0xff, gtp_a, gtp_b, 0, 0, 0, 1], &inner))),
        (
            Tunnel::GtpU,
            over_udp(
                2152,
                &with(&[0x34, 0xff, gtp_c, gtp_d, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 9, 9, 0], &inner),
            ),
        ),
        (Tunnel::L2tp, over_udp(1701, &with(&[0, 2, 0, 1, 0, 2], &ppp))),
        (
            Tunnel::L2tp,
            over_udp(
                1701,
                &with(&[0x4a, 2, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 9, 9, 0xff, 3], &ppp),
            ),
        ),
        (Tunnel::Tzsp, over_udp(37008, &with(&[1, 0, 0, 1, 10, 2, 7, 7, 0, 1], &framed))),
        (Tunnel::Tzsp, over_udp(37008, &with(&[1, 1, 0, 18, 1], &wifi([8, 1])))),
        (Tunnel::Capwap, over_udp(5247, &with(&[0, 0x10, 2, 0, 0, 0, 0, 0], &framed))),
        (Tunnel::Capwap, over_udp(5247, &with(&[0, 0x10, 3, 0, 0, 0, 0, 0], &wifi([8, 1])))),
        (Tunnel::Capwap, over_udp(5247, &with(&[0, 0x10, 3, 0, 0, 0, 0, 0], &wifi([1, 8])))),
        (Tunnel::Gre, over_gre(&[0, 0, 0x86, 0xdd], &inner)),
        (Tunnel::Gre, over_gre(&[0xb0, 0, 0x86, 0xdd, 1, 1, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3], &inner)),
        (Tunnel::Gre, over_gre(&[0, 0, 0x65, 0x58], &framed)),
        (Tunnel::Gre, over_gre(&[0, 0, 0x88, 0xbe], &framed)),
        (
            Tunnel::Gre,
            over_gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 0, 0, 0, 0, 0], &framed),
        ),
        (
            Tunnel::Gre,
            over_gre(
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &framed,
            ),
        ),
        (
            Tunnel::Gre,
            over_gre(&[0x30, 0x81, 0x88, 0x0b, ppp_a, ppp_b, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3], &ppp),
        ),
        (Tunnel::Gre, over_gre(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &inner)),
    ]
}

#[test]
fn every_tunnel_gives_the_flow_within() {
    let mut kinds: Vec<Tunnel> = vec![Tunnel::None];
    for (kind, frame) in every_tunnel() {
        let parsed = parsed(LinkType::Ethernet, &frame).unwrap();
        let key = parsed.key;
        assert_eq!(key.tunnel(), kind, "{kind:?} {frame:02x?}");
        let inner_is_v6 = !matches!(kind, Tunnel::Ip4In4 | Tunnel::Ip4In6);
        let port = if inner_is_v6 { 80 } else { 53 };
        assert_eq!((key.port_lo(), key.port_hi()), (6000, port), "{kind:?}");
        assert_eq!(key.is_ipv6(), inner_is_v6, "{kind:?}");
        assert_eq!(parsed.payload(&frame), PAYLOAD, "{kind:?}");
        kinds.push(kind);
    }
    for (number, kind) in Tunnel::ALL.iter().enumerate() {
        assert!(kinds.contains(kind), "{kind:?} is tried");
        assert_eq!(*kind as usize, number, "kinds stand in the order of their numbers");
        assert_eq!(kind.name().is_empty(), *kind == Tunnel::None);
    }
}

#[test]
fn a_tunnel_that_is_cut_anywhere_gives_the_flow_around_it() {
    for (kind, frame) in every_tunnel() {
        let at = 14 + if frame[12] == 0x08 { 20 } else { 40 };
        let (protocol, ports) = match frame[at - 20 + 9] {
            17 if frame[12] == 0x08 => (17, 8),
            47 if frame[12] == 0x08 => (47, 0),
            _ => continue,
        };
        for bytes in at + ports..frame.len() {
            let mut cut = frame[..bytes].to_vec();
            let total = u16::try_from(bytes - 14).unwrap().to_be_bytes();
            cut[16..18].copy_from_slice(&total);
            let Ok(parsed) = parsed(LinkType::Ethernet, &cut) else {
                panic!("{kind:?} of {bytes} bytes has a flow")
            };
            let around = parsed.key.tunnel() == Tunnel::None;
            assert!(around, "{kind:?} of {bytes} bytes");
            assert_eq!(parsed.key.protocol(), protocol);
            assert_eq!(parsed.key.address_lo()[12..], ONE);
        }
    }
}

#[test]
fn what_only_has_a_tunnels_port_is_a_plain_flow() {
    for port in [1701, 2152, 4789, 5247, 6081, 8472, 37008] {
        for body in [&[][..], &[0; 7], &[0; 64], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n"] {
            let parsed = parsed(LinkType::Ethernet, &over_udp(port, body)).unwrap();
            assert_eq!(parsed.key.tunnel(), Tunnel::None, "{port} {body:02x?}");
            assert_eq!(parsed.key.port_hi().min(parsed.key.port_lo()), port.min(40_000));
            assert_eq!(parsed.payload(&over_udp(port, body)), body);
        }
    }
    // Signalling of the same protocols: GTP echo, L2TP control, a keep-alive of CAPWAP, GRE's
    // acknowledgement alone, and ARP within VXLAN.
    let arp = ethernet(0x0806, &[0; 28]);
    let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0], &arp[..]].concat();
    let frames = [
        over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
        over_udp(1701, &[0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0]),
        over_udp(5247, &[&[0, 0x10, 2, 8, 0, 0, 0, 0], &plain()[..]].concat()),
        over_gre(&[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 3], &[]),
        over_udp(4789, &vxlan),
    ];
    for frame in frames {
        assert_eq!(parsed(LinkType::Ethernet, &frame).unwrap().key.tunnel(), Tunnel::None);
    }
}

#[test]
fn the_bits_of_tunnel_ports_let_no_other_port_through_and_miss_none() {
    let known = [1701, 2152, 4789, 5247, 6081, 8472, 37008];
    for port in 0..=u16::MAX {
        assert_eq!(transport::is_tunnel_port((port, 53)), known.contains(&port), "{port}");
        assert_eq!(transport::is_tunnel_port((53, port)), known.contains(&port), "{port}");
    }
}

#[test]
fn a_vlan_within_the_tunnel_is_the_innermost_and_one_around_it_counts_otherwise() {
    let tagged = ethernet(0x8100, &[&[0, 5, 0x86, 0xdd], &inner()[..]].concat());
    let tunnelled = |inner: &[u8]| over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0], inner].concat());
    let vlan =
        |frame: &[u8]| parsed_of(LinkType::Ethernet, 7, frame, frame.len()).unwrap().key.vlan();
    assert_eq!(vlan(&tunnelled(&tagged)), 5);
    assert_eq!(vlan(&tunnelled(&ethernet(0x86dd, &inner()))), 7);
}
