//! RADIUS: RFC 2865 section 3 (packet), 5 (attributes); accounting RFC 2866; change of
//! authorisation RFC 5176.

use super::{UDP, mapped};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, View};

/// RADIUS.
pub(super) const RADIUS: Dissector = Dissector {
    app: AppId::RADIUS,
    over: UDP,
    ports: &[1812, 1813, 1645, 1646, 3799],
    ports_only: false,
    first: First::OneOf(&[1, 2, 3, 4, 5, 11, 12, 13, 40, 41, 42, 43, 44, 45]),
    run: radius,
};

const HEADER_BYTES: usize = 20;
/// RFC 2865 section 3.
const MAX_BYTES: usize = 4096;
/// Attributes of a packet that is believed away from the own ports.
const ATTRIBUTES_LEAST: usize = 3;

fn radius(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    parse(view, notes).unwrap_or(Outcome::NotMine)
}

fn parse(view: &View<'_>, notes: &mut Notes<'_>) -> Option<Outcome> {
    let mut reader = Reader::new(view.data);
    let code = reader.u8()?;
    reader.skip(1)?;
    let length = usize::from(reader.u16()?);
    let own_port = RADIUS.ports.iter().any(|port| view.port_is(*port));
    // Bytes behind the length are padding, which only the own ports are believed to have.
    let fits = length == view.data.len() || (own_port && length < view.data.len());
    if !fits || !(HEADER_BYTES..=MAX_BYTES).contains(&length) {
        return None;
    }
    reader.skip(16)?;
    let is_request = matches!(code, 1 | 4 | 12 | 40 | 43);
    if !is_request {
        notes.meta.put_number(&attr::RADIUS_REPLY, u64::from(code));
    }
    notes.meta.put_number(&attr::RADIUS_CODE, u64::from(code));
    let mut attributes = reader.sub(length - HEADER_BYTES)?;
    if attributes.left() == 0 && !own_port {
        return None;
    }
    // On the own ports an exact length is proof enough, whatever the attributes look like. Elsewhere
    // there must be several, each of the size that its kind has.
    let exact = own_port && length == view.data.len();
    let walked = walk(&mut attributes, notes);
    let proven =
        walked.is_some_and(|walk| own_port || (walk.sized && walk.count >= ATTRIBUTES_LEAST));
    if !proven && !exact {
        return None;
    }
    Some(Outcome::Found { app: AppId::RADIUS, more: is_request })
}

/// What a walk over attributes that fill the packet found.
struct Walk {
    count: usize,
    /// Each has the size that its kind has.
    sized: bool,
}

fn walk(attributes: &mut Reader<'_>, notes: &mut Notes<'_>) -> Option<Walk> {
    let mut walk = Walk { count: 0, sized: true };
    while attributes.left() > 0 {
        let kind = attributes.u8()?;
        let size = usize::from(attributes.u8()?).checked_sub(2)?;
        walk.count += 1;
        walk.sized &= has_size(kind, size);
        attribute(kind, attributes.take(size)?, notes);
    }
    Some(walk)
}

/// Whether an attribute of this kind may have a value of `size` bytes: integers and addresses have
/// four (RFC 2865 section 5), a vendor's has its number and something more, the authenticator sixteen
/// (RFC 3579 section 3.2), a password blocks of as many.
fn has_size(kind: u8, size: usize) -> bool {
    match kind {
        4..=10 | 12..=16 | 23 | 27..=29 | 37 | 38 | 40..=43 | 45..=49 | 51..=53 | 55 | 61 | 62 => {
            size == 4
        }
        2 => size >= 16 && size.is_multiple_of(16),
        3 => size == 17,
        26 => size > 4,
        80 => size == 16,
        _ => size > 0,
    }
}

fn attribute(kind: u8, value: &[u8], notes: &mut Notes<'_>) {
    match (kind, value) {
        (1, name) => notes.meta.put(&attr::RADIUS_USER, name),
        (4, [a, b, c, d]) => {
            notes.meta.put(&attr::RADIUS_NAS_ADDRESS, &mapped([*a, *b, *c, *d]));
        }
        (95, address) if address.len() == 16 => {
            notes.meta.put(&attr::RADIUS_NAS_ADDRESS, address);
        }
        (31, station) => notes.meta.put(&attr::RADIUS_STATION, station),
        (32, name) => notes.meta.put(&attr::RADIUS_NAS, name),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{check_never, run};
    use crate::view::Direction::ToServer;
    use crate::view::Transport::Udp;

    fn packet(code: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEADER_BYTES + attributes.len()).unwrap();
        [&[code, 9], &length.to_be_bytes()[..], &[0x5a; 16], attributes].concat()
    }

    const REQUEST: &[u8] = b"\x01\x05joe\x04\x06\xc0\0\x02\x07\x05\x06\0\0\0\x01";

    #[test]
    fn a_request_with_its_user() {
        for port in [1812, 20_000] {
            let (outcome, meta) = run(&RADIUS, ToServer, Udp, &packet(1, REQUEST), (5000, port));
            assert_eq!(outcome, Outcome::found_more(AppId::RADIUS));
            assert_eq!(meta.get(&attr::RADIUS_USER), Some(&b"joe"[..]));
        }
        // On its port the header alone will do, and so will odd attributes.
        for odd in [&b""[..], b"\x04\x05\xc0\0\x02", b"\x01\x07joe"] {
            let outcome = run(&RADIUS, ToServer, Udp, &packet(1, odd), (5000, 1812)).0;
            assert_eq!(outcome, Outcome::found_more(AppId::RADIUS));
        }
    }

    #[test]
    fn elsewhere_several_attributes_of_the_right_size_are_asked_for() {
        for odd in [
            &b""[..],
            b"\x01\x05joe",
            b"\x01\x05joe\x04\x05\xc0\0\x02\x05\x06\0\0\0\x01",
            b"\x01\x05joe\x04\x06\xc0\0\x02\x07\x50\x06\0\0\0\x01",
            b"\x01\x05joe\x04\x06\xc0\0\x02\x07\x05\x07\0\0\0\x01",
        ] {
            check_never(&RADIUS, ToServer, Udp, &packet(1, odd), (5000, 20_000));
        }
        let padded = [packet(1, REQUEST), vec![0]].concat();
        check_never(&RADIUS, ToServer, Udp, &padded[padded.len() - 1..], (5000, 20_000));
        let outcome = run(&RADIUS, ToServer, Udp, &padded, (5000, 20_000)).0;
        assert_eq!(outcome, Outcome::NotMine);
    }
}
