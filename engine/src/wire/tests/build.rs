//! Frames for the tests, put together from the inside out.

/// The payload of [`udp`] and [`tcp`].
pub(super) const PAYLOAD: &[u8] = b"what the two say";

pub(super) const ONE: [u8; 4] = [10, 0, 0, 1];
pub(super) const TWO: [u8; 4] = [10, 0, 0, 2];
pub(super) const ONE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(super) const TWO_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn be(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

pub(super) fn udp_of(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let (from, to) = (ports.0.to_be_bytes(), ports.1.to_be_bytes());
    [&from[..], &to, &be(8 + payload.len()), &[0, 0], payload].concat()
}

/// Port 6000 to 53.
pub(super) fn udp() -> Vec<u8> {
    udp_of((6000, 53), PAYLOAD)
}

/// Port 6000 to 80, with four bytes of options.
pub(super) fn tcp() -> Vec<u8> {
    let head = [0x17, 0x70, 0, 80, 0, 0, 0, 9, 0, 0, 0, 7, 0x60, 0x18, 2, 1, 0, 0, 0, 0];
    [&head[..], &[1, 1, 1, 1], PAYLOAD].concat()
}

/// IPv4 with the two bytes of flags and offset, from [`ONE`] to [`TWO`].
pub(super) fn ipv4_piece(protocol: u8, id: u16, place: u16, body: &[u8]) -> Vec<u8> {
    let mut head = vec![0x45, 0];
    head.extend(be(20 + body.len()));
    head.extend(id.to_be_bytes());
    head.extend(place.to_be_bytes());
    head.extend([64, protocol, 0, 0]);
    [&head[..], &ONE, &TWO, body].concat()
}

pub(super) fn ipv4(protocol: u8, body: &[u8]) -> Vec<u8> {
    ipv4_piece(protocol, 1, 0x4000, body)
}

pub(super) fn ipv6(next: u8, body: &[u8]) -> Vec<u8> {
    let mut head = vec![0x60, 0, 0, 0];
    head.extend(be(body.len()));
    head.extend([next, 63]);
    [&head[..], &ONE_V6, &TWO_V6, body].concat()
}

/// IPv6 with a fragment header.
pub(super) fn ipv6_piece(next: u8, id: u32, place: u16, body: &[u8]) -> Vec<u8> {
    let head = [&[next, 0][..], &place.to_be_bytes(), &id.to_be_bytes(), body].concat();
    ipv6(44, &head)
}

pub(super) fn ethernet(kind: u16, body: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind.to_be_bytes(), body].concat()
}

/// 802.3 with a length, LLC and what follows, padded.
pub(super) fn llc(head: [u8; 3], body: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(u16::try_from(3 + body.len()).unwrap(), &[&head, body].concat());
    frame.extend([0xee; 20]);
    frame
}

/// UDP over IPv4 over Ethernet: the frame of most tests.
pub(super) fn plain() -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp()))
}

/// A frame whose UDP payload is `body`, to that port.
pub(super) fn over_udp(port: u16, body: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp_of((40_000, port), body)))
}

/// A frame whose IPv4 payload is GRE.
pub(super) fn over_gre(head: &[u8], body: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(47, &[head, body].concat()))
}

/// The packet inside tunnels: TCP over IPv6, so that it is not taken for what is around it.
pub(super) fn inner() -> Vec<u8> {
    ipv6(6, &tcp())
}
