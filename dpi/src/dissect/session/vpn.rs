//! Tunnels of single products: Cloudflare WARP, whose `WireGuard` carries a client's number in its
//! reserved bytes or has kinds of its own, and n2n (its header, version 2 and 3).

use crate::app::AppId;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const WARP: Dissector = Dissector {
    app: AppId::CLOUDFLARE_WARP,
    over: &[Transport::Udp],
    // As documented for WARP's firewall rules.
    ports: &[2408, 500, 1701, 4500],
    ports_only: true,
    first: First::OneOf(&[1, 2, 0xc1, 0xc2]),
    run: warp,
};

pub(super) const N2N: Dissector = Dissector {
    app: AppId::N2N,
    over: &[Transport::Udp],
    ports: &[7654],
    ports_only: false,
    first: First::OneOf(&[2, 3]),
    run: n2n,
};

const INITIATION_BYTES: usize = 148;
const RESPONSE_BYTES: usize = 92;

/// The response echoes the index of the initiation, of which the lowest byte counts attempts.
fn warp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([kind, number @ ..]), Some(sender), Some(receiver)) =
        (reader.array::<4>(), reader.u32_le(), reader.u32_le())
    else {
        return Outcome::NotMine;
    };
    match (kind, view.data.len()) {
        (0xc1, INITIATION_BYTES..) if view.from_client() && sender >> 8 != 0 => {
            notes.scratch.warp = sender;
            return Outcome::NeedMore;
        }
        (0xc2, RESPONSE_BYTES..)
            if receiver >> 8 == notes.scratch.warp >> 8 && receiver >> 8 != 0 => {}
        // A number in bytes that WireGuard has zero.
        (1, INITIATION_BYTES) | (2, RESPONSE_BYTES)
            if view.port_is(2408) && number != [0; 3] && sender.count_ones() > 2 => {}
        _ => return Outcome::NotMine,
    }
    Outcome::found(AppId::CLOUDFLARE_WARP)
}

/// Version, time to live, flags with the kind in the lowest five bits, and the community's name,
/// filled up with zeros.
fn n2n(view: &View<'_>, _notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([version, ttl @ 1..=8]), Some([0, flags])) = (reader.array(), reader.array()) else {
        return Outcome::NotMine;
    };
    let Some(community) = reader.take(if version == 2 { 16 } else { 20 }) else {
        return Outcome::NotMine;
    };
    let name = community.iter().take_while(|byte| byte.is_ascii_graphic()).count();
    let (name, fill) = community.split_at_checked(name).unwrap_or_default();
    let kind = flags & 0x1f;
    // A query among supernodes has the name of a community too; the last kinds are of version 3.
    let fits = (1..=12).contains(&kind)
        && ttl <= 8
        && !name.is_empty()
        && fill.len() >= 2
        && fill.iter().all(|byte| *byte == 0)
        && reader.left() >= 6;
    if fits { Outcome::found(AppId::N2N) } else { Outcome::NotMine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{Flow, check_never, check_prefixes, run};
    use crate::view::Direction::{ToClient, ToServer};

    const UDP: Transport = Transport::Udp;

    fn message(head: &[u8], length: usize) -> Vec<u8> {
        let mut message = head.to_vec();
        message.resize(length, 0x5b);
        message
    }

    #[test]
    fn warp_by_an_index_that_comes_back() {
        for (echo, expected) in
            [(0x83, Outcome::found(AppId::CLOUDFLARE_WARP)), (0x84, Outcome::NotMine)]
        {
            let mut flow = Flow::new(UDP, (4000, 2408));
            let initiation = message(&[0xc1, 0, 0, 0, 0, 0x90, 0x83, 1], 194);
            assert_eq!(flow.ask(&WARP, ToServer, &initiation), Outcome::NeedMore);
            let response = message(&[0xc2, 1, 2, 3, 9, 9, 9, 9, 0, 0x90, echo, 1], 778);
            assert_eq!(flow.ask(&WARP, ToClient, &response), expected);
        }
    }

    #[test]
    fn warp_by_the_number_in_reserved_bytes() {
        let initiation = message(&[1, 7, 8, 9], 148);
        let outcome = run(&WARP, ToServer, UDP, &initiation, (4000, 2408)).0;
        assert_eq!(outcome, Outcome::found(AppId::CLOUDFLARE_WARP));
        check_never(&WARP, ToServer, UDP, &initiation, (4000, 500));
        check_never(&WARP, ToServer, UDP, &message(&[1, 0, 0, 0], 148), (4000, 2408));
    }

    #[test]
    fn n2n_by_its_community() {
        let register = message(b"\x03\x02\0\x05example\0\0\0\0\0\0\0\0\0\0\0\0\0", 60);
        check_prefixes(&N2N, ToServer, UDP, &register, (4000, 7654));
        let old = message(b"\x02\x02\0\x01example\0\0\0\0\0\0\0\0\0", 60);
        check_prefixes(&N2N, ToServer, UDP, &old, (4000, 4001));
        for near in [
            message(b"\x03\x02\0\x05example\0\0\0\0\0\0\0\0\0\0\0\0\x01", 60),
            message(b"\x03\x02\0\x1fexample\0\0\0\0\0\0\0\0\0\0\0\0\0", 60),
            message(b"\x03\x40\0\x05example\0\0\0\0\0\0\0\0\0\0\0\0\0", 60),
        ] {
            check_never(&N2N, ToServer, UDP, &near, (4000, 7654));
        }
    }
}
