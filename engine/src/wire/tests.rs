//! What holds for every parser at once.

use super::*;

/// Ethernet, IPv4, UDP from 10.0.0.2:5000 to 10.0.0.1:53 with four bytes, padded to 60.
fn udp_frame() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    frame.extend([0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    frame.extend([0x13, 0x88, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
    frame.resize(60, 0xee);
    frame
}

#[test]
fn a_plain_udp_frame_gives_its_flow_and_its_payload_without_padding() {
    let frame = udp_frame();
    let mut parsed = Parsed::default();
    parse(LinkType::Ethernet, 0x2005, &frame, 60, &mut parsed).unwrap();
    assert_eq!(parsed.key.address_lo()[12..], [10, 0, 0, 1]);
    assert_eq!(parsed.key.address_hi()[10..], [0xff, 0xff, 10, 0, 0, 2]);
    assert_eq!((parsed.key.port_lo(), parsed.key.port_hi()), (53, 5000));
    assert_eq!((parsed.key.protocol(), parsed.key.vlan()), (17, 5));
    assert_eq!((parsed.key.tunnel(), parsed.key.is_ipv6()), (Tunnel::None, false));
    assert!(parsed.swapped);
    assert_eq!(parsed.payload(&frame), [1, 2, 3, 4]);
    let mut twin = Parsed::default();
    walk::walk(LinkType::Ethernet, 0x2005, &frame, 60, &mut twin).unwrap();
    assert_eq!(parsed, twin);
}
