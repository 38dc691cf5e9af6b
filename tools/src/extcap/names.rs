//! Names of hosts: those that DNS answers tell (RFC 1035, section 4), and what is a name at all.
//!
//! The parser takes frames from the wire: every length is checked, every loop bounded, and what is
//! odd is no answer.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses remembered; then it begins anew.
const ADDRESSES: usize = 1 << 16;
/// Records of an answer looked at.
const RECORDS: u16 = 64;
/// Labels of a name, and jumps in it.
const LABELS: usize = 64;
const NAME_BYTES: usize = 253;

/// Addresses whose name was said already.
#[derive(Debug, Default)]
pub(super) struct Names {
    said: HashSet<IpAddr>,
}

impl Names {
    /// Whether `address` is met for the first time.
    pub(super) fn is_new(&mut self, address: IpAddr) -> bool {
        if self.said.len() >= ADDRESSES {
            self.said.clear();
        }
        self.said.insert(address)
    }
}

/// `text` as the name of a host: without a port and a last dot, and no address.
pub(super) fn host_name(text: &str) -> Option<&str> {
    let (name, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let name = if port.bytes().all(|b| b.is_ascii_digit()) { name } else { text };
    let name = name.strip_suffix('.').unwrap_or(name);
    let usable = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_name = (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(usable)
        && name.parse::<IpAddr>().is_err();
    is_name.then_some(name)
}

/// The name that was asked for and the addresses answered, of a frame with a DNS answer over UDP.
pub(super) fn answer(frame: &[u8], link_type: u32) -> Option<(String, Vec<IpAddr>)> {
    let message = udp_from_port(frame, link_type, 53)?;
    let flags = u16_at(message, 2)?;
    // An answer, to a question, without error.
    if flags & 0x8000 == 0 || flags & 0x7800 != 0 || flags & 0x000f != 0 || u16_at(message, 4)? != 1
    {
        return None;
    }
    let (name, mut at) = name_at(message, 12)?;
    let name = host_name(&name)?.to_owned();
    at += 4;
    let mut addresses = Vec::new();
    for _ in 0..u16_at(message, 6)?.min(RECORDS) {
        at = name_end(message, at)?;
        let (kind, class) = (u16_at(message, at)?, u16_at(message, at + 2)?);
        let bytes = usize::from(u16_at(message, at + 8)?);
        let data = message.get(at + 10..at + 10 + bytes)?;
        at += 10 + bytes;
        match (class, kind, data) {
            (1, 1, &[a, b, c, d]) => addresses.push(Ipv4Addr::new(a, b, c, d).into()),
            (1, 28, data) => {
                if let Ok(octets) = <[u8; 16]>::try_from(data) {
                    addresses.push(Ipv6Addr::from(octets).into());
                }
            }
            _ => {}
        }
    }
    (!addresses.is_empty()).then_some((name, addresses))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_be_bytes)
}

/// The name at `at`, with dots, and where what comes after it begins.
fn name_at(message: &[u8], at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let (mut here, mut end) = (at, None);
    for _ in 0..LABELS {
        let length = usize::from(*message.get(here)?);
        match length {
            0 => return Some((name, end.unwrap_or(here + 1))),
            1..64 => {
                let label = message.get(here + 1..here + 1 + length)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(std::str::from_utf8(label).ok()?);
                here += 1 + length;
            }
            // Elsewhere in the message: before here, as RFC 1035 has it.
            0xc0.. => {
                let there = usize::from(u16_at(message, here)? & 0x3fff);
                end = end.or(Some(here + 2));
                if there >= here {
                    return None;
                }
                here = there;
            }
            _ => return None,
        }
        if name.len() > NAME_BYTES {
            return None;
        }
    }
    None
}

/// Where what comes after the name at `at` begins.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..LABELS {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
    None
}

/// What a whole UDP datagram holds that came from this port, outside of tunnels.
fn udp_from_port(frame: &[u8], link_type: u32, port: u16) -> Option<&[u8]> {
    let packet = match link_type {
        1 => {
            let mut at = 12;
            while matches!(u16_at(frame, at)?, 0x8100 | 0x88a8 | 0x9100) && at < 24 {
                at += 4;
            }
            frame.get(at + 2..)?
        }
        101 => frame,
        113 => frame.get(16..)?,
        276 => frame.get(20..)?,
        _ => return None,
    };
    let udp = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            // Neither more pieces to come nor a later piece.
            let is_whole = matches!(u16_at(packet, 6)?, 0 | 0x4000 | 0x8000);
            let is_udp = is_whole && *packet.get(9)? == 17;
            if is_udp && header >= 20 { packet.get(header..)? } else { return None }
        }
        6 if *packet.get(6)? == 17 => packet.get(40..)?,
        _ => return None,
    };
    let bytes = usize::from(u16_at(udp, 4)?);
    if u16_at(udp, 0)? == port { udp.get(8..bytes.min(udp.len())) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] =
        b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x06\x03cdn\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x05\0\x04\xc0\0\x02\x07\
        \xc0\x2d\0\x1c\0\x01\0\0\0\x05\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";

    fn frame(tags: &[u8], message: &[u8]) -> Vec<u8> {
        let udp_bytes = u16::try_from(message.len() + 8).unwrap().to_be_bytes();
        let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 9, 9, 9, 9, 10, 0, 0, 1];
        ip.extend([0, 53, 0x9c, 0x40, udp_bytes[0], udp_bytes[1], 0, 0]);
        ip.extend(message);
        [&[2; 12][..], tags, &[8, 0], &ip].concat()
    }

    #[test]
    fn addresses_are_of_the_name_that_was_asked_for() {
        let (name, addresses) = answer(&frame(&[], MESSAGE), 1).unwrap();
        assert_eq!(name, "www.example.org");
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.7", "2001:db8::1"]);
        let tagged = frame(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2], MESSAGE);
        assert_eq!(answer(&tagged, 1).unwrap().0, name);
        assert_eq!(answer(&frame(&[], MESSAGE)[14..], 101).unwrap().0, name);
    }

    #[test]
    fn what_is_no_answer_names_nobody() {
        let with = |at: usize, value: u8| {
            let mut message = MESSAGE.to_vec();
            message[at] = value;
            answer(&frame(&[], &message), 1)
        };
        assert!(with(2, 0x01).is_none(), "a question");
        assert!(with(3, 0x83).is_none(), "no such name");
        // A name that jumps to itself.
        assert!(with(12, 0xc0).is_none());
        assert!(answer(&frame(&[], &MESSAGE[..40]), 1).is_none());
        assert!(answer(&[], 1).is_none());
    }

    #[test]
    fn names_of_hosts() {
        assert_eq!(host_name("www.example.org:8080"), Some("www.example.org"));
        assert_eq!(host_name("www.example.org."), Some("www.example.org"));
        for odd in ["", "192.0.2.1", "[2001:db8::1]:80", "2001:db8::1", "a b", "a\u{1b}[2J"] {
            assert_eq!(host_name(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_name_is_said_once() {
        let mut names = Names::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(names.is_new(address));
        assert!(!names.is_new(address));
    }

    proptest! {
        #[test]
        fn any_message_is_survived(
            message in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..90,
            value: u8,
        ) {
            let _ = answer(&message, 1);
            let _ = answer(&frame(&[], &message), 1);
            let mut bent = MESSAGE.to_vec();
            if let Some(byte) = bent.get_mut(at) {
                *byte = value;
            }
            let _ = answer(&frame(&[], &bent), 1);
        }
    }
}
