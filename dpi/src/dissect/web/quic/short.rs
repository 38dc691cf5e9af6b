//! QUIC joined late: short headers (RFC 9000 section 17.3.1) alone, of which only the fixed bit and
//! the connection id of the receiver can be read.
//!
//! Three packets of one direction that carry the same id, which is random, and differ in their ends,
//! which are sealed, on the port that is QUIC's over UDP.

use crate::app::AppId;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(in crate::dissect::web) const QUIC_SHORT: Dissector = Dissector {
    app: AppId::QUIC,
    over: &[Transport::Udp],
    ports: &[443],
    ports_only: true,
    first: First::Ranges(&[(0x40, 0x7f)]),
    run,
};

/// Bytes of the id that are compared. Ids for a receiver that wants one have that many or more.
const ID_BYTES: usize = 8;
/// The shortest packet that an answer to a reset cannot be taken for (RFC 9000 section 10.3).
const PACKET_LEAST: usize = 21;
const PACKETS: u8 = 3;

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let packet = view.data.get(1..).and_then(|data| data.split_first_chunk::<ID_BYTES>());
    let Some((id, _)) = packet.filter(|_| view.data.len() >= PACKET_LEAST) else {
        return Outcome::NeedMore;
    };
    let Some(end) = view.data.last_chunk::<2>() else { return Outcome::NeedMore };
    let text = id.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if text || id.iter().all(|byte| Some(byte) == id.first()) {
        return Outcome::NotMine;
    }
    // The room for a client's id, which a flow without a long header has none of.
    let [known, rest @ ..] = notes.scratch.hello.id.as_chunks_mut::<ID_BYTES>().0 else {
        return Outcome::NotMine;
    };
    let Some([seen, from, last @ .., _, _, _, _]) = rest.first_mut() else {
        return Outcome::NotMine;
    };
    let direction = u8::from(view.from_client());
    if *seen == 0 {
        (*known, *from, *last, *seen) = (*id, direction, *end, 1);
    } else if *from == direction {
        if known != id || last == end {
            *seen = 0;
            return Outcome::NeedMore;
        }
        (*last, *seen) = (*end, *seen + 1);
    }
    if *seen >= PACKETS { Outcome::found(AppId::QUIC) } else { Outcome::NeedMore }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::Flow;
    use crate::view::Direction::{ToClient, ToServer};

    fn packet(first: u8, id: &[u8], end: u8) -> Vec<u8> {
        [&[first], id, &[0x9d; 16], &[end, end ^ 0x5a]].concat()
    }

    #[test]
    fn three_packets_with_one_id() {
        let id = b"\x10\x72\x04\x02\x27\x2e\xd0\xe8";
        let mut flow = Flow::new(Transport::Udp, (5000, 443));
        assert_eq!(flow.ask(&QUIC_SHORT, ToServer, &packet(0x41, id, 1)), Outcome::NeedMore);
        assert_eq!(
            flow.ask(&QUIC_SHORT, ToClient, &packet(0x51, b"otherway", 1)),
            Outcome::NotMine
        );
        assert_eq!(flow.ask(&QUIC_SHORT, ToServer, &packet(0x43, id, 2)), Outcome::NeedMore);
        let quic = Outcome::found(AppId::QUIC);
        assert_eq!(flow.ask(&QUIC_SHORT, ToServer, &packet(0x5e, id, 3)), quic);
    }

    #[test]
    fn what_repeats_otherwise_is_not_it() {
        let ids: [&[u8]; 3] =
            [b"username", b"\0\0\0\0\0\0\0\0", b"\x10\x72\x04\x02\x27\x2e\xd0\xe8"];
        for (at, id) in ids.into_iter().enumerate() {
            let mut flow = Flow::new(Transport::Udp, (5000, 443));
            for end in 0..6 {
                // The same end over and over.
                let end = if at == 2 { 7 } else { end };
                let outcome = flow.ask(&QUIC_SHORT, ToServer, &packet(0x41, id, end));
                assert!(!matches!(outcome, Outcome::Found { .. }));
            }
        }
        let mut flow = Flow::new(Transport::Udp, (5000, 443));
        for end in 0..6 {
            let id = [0x10, 0x72, 4, 2, 0x27, 0x2e, 0xd0, end];
            let outcome = flow.ask(&QUIC_SHORT, ToServer, &packet(0x41, &id, end));
            assert_eq!(outcome, Outcome::NeedMore);
        }
    }
}
