//! IKE versions 1 (RFC 2408 section 3.1) and 2 (RFC 7296 section 3.1), and ESP in UDP (RFC 3948)
//! on the port they share.

use crate::app::AppId;
use crate::reader::Reader;
use crate::scratch::CounterTrack;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const IKE: Dissector = Dissector {
    app: AppId::IKE,
    over: &[Transport::Udp],
    ports: &[500, 4500],
    ports_only: true,
    first: First::Any,
    run,
};

const HEADER_BYTES: usize = 28;
/// What tells IKE from ESP on port 4500 (RFC 3948 section 2.2).
const NO_ESP: [u8; 4] = [0; 4];

fn run(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    if is_ike(view.data) {
        return Outcome::found(AppId::IKE);
    }
    if !view.port_is(4500) {
        return Outcome::NotMine;
    }
    match view.data.split_first_chunk::<4>() {
        // A keep-alive (section 2.3): a byte that says nothing more.
        None if view.data == [0xff] => Outcome::NeedMore,
        Some((&NO_ESP, message)) if is_ike(message) => Outcome::found(AppId::IKE),
        None | Some((&NO_ESP, _)) => Outcome::NotMine,
        Some((index, rest)) => esp(notes, *index, rest),
    }
}

/// The header, with a length that is the datagram's.
fn is_ike(message: &[u8]) -> bool {
    let mut reader = Reader::new(message);
    let (Some(initiator), Some(_responder)) = (reader.u64(), reader.u64()) else { return false };
    let Some([next, version, exchange, flags]) = reader.array() else { return false };
    let (Some(_message_id), Some(length)) = (reader.u32(), reader.u32()) else { return false };
    let known = match version {
        // Exchanges of RFC 2408 section 3.1, RFC 2409 (32, 33); payloads up to the private range.
        0x10 => matches!(exchange, 1..=6 | 32..=35) && flags & 0xf8 == 0,
        // Exchanges of RFC 7296 section 3.1, RFC 5723, 6467, 9370; payloads from SA on.
        0x20..=0x2f => matches!(exchange, 34..=44) && flags & 0xc7 == 0 && (next == 0 || next > 32),
        _ => false,
    };
    known && initiator != 0 && length as usize == message.len() && message.len() > HEADER_BYTES
}

/// ESP in UDP: an index of 256 or more and a sequence number. Two packets of one direction's
/// index must agree before it is believed.
fn esp(notes: &mut Notes<'_>, index: [u8; 4], rest: &[u8]) -> Outcome {
    let sequence = Reader::new(rest).u32();
    let Some(sequence) = sequence.filter(|sequence| *sequence > 0 && rest.len() >= 20) else {
        return Outcome::NotMine;
    };
    if u32::from_be_bytes(index) < 256 {
        return Outcome::NotMine;
    }
    let before = &mut notes.scratch.esp;
    if before.index == index && sequence.wrapping_sub(before.counter).wrapping_sub(1) < 1024 {
        return Outcome::found(AppId::IPSEC_ESP);
    }
    *before = CounterTrack { index, counter: sequence };
    Outcome::NeedMore
}

#[cfg(test)]
mod tests {
    use super::super::sample::hex;
    use super::*;
    use crate::dissect::testing::{Flow, check_never, run};
    use crate::view::Direction::ToServer;

    const PORTS: (u16, u16) = (500, 500);
    const PORTS_NAT: (u16, u16) = (50_000, 4500);

    fn ike(version: u8, exchange: u8, next: u8) -> Vec<u8> {
        let mut bytes = hex("05ac0f4d122013f4 0000000000000000");
        bytes.extend([next, version, exchange, 8, 0, 0, 0, 0, 0, 0, 0, 40]);
        bytes.extend([7; 12]);
        if version == 0x10 {
            bytes[19] = 0;
        }
        bytes
    }

    #[test]
    fn both_versions_on_both_ports() {
        for bytes in [ike(0x20, 34, 33), ike(0x10, 2, 1), ike(0x10, 4, 1)] {
            let outcome = run(&IKE, ToServer, Transport::Udp, &bytes, PORTS).0;
            assert_eq!(outcome, Outcome::found(AppId::IKE));
            check_never(&IKE, ToServer, Transport::Udp, &bytes[..39], PORTS);
            let marked = [&NO_ESP[..], &bytes].concat();
            let outcome = run(&IKE, ToServer, Transport::Udp, &marked, PORTS_NAT).0;
            assert_eq!(outcome, Outcome::found(AppId::IKE));
        }
        for bytes in [ike(0x20, 2, 33), ike(0x10, 40, 1), ike(0x30, 34, 33), ike(0x20, 34, 5)] {
            check_never(&IKE, ToServer, Transport::Udp, &bytes, PORTS);
        }
    }

    #[test]
    fn esp_needs_two_packets_that_agree() {
        let esp = |index: u8, sequence: u8| {
            let mut bytes = vec![0xc0, 0, 0, index, 0, 0, 0, sequence];
            bytes.extend([9; 40]);
            bytes
        };
        let mut flow = Flow::new(Transport::Udp, PORTS_NAT);
        assert_eq!(flow.ask(&IKE, ToServer, &[0xff]), Outcome::NeedMore);
        assert_eq!(flow.ask(&IKE, ToServer, &esp(1, 1)), Outcome::NeedMore);
        assert_eq!(flow.ask(&IKE, ToServer, &esp(2, 2)), Outcome::NeedMore);
        assert_eq!(flow.ask(&IKE, ToServer, &esp(2, 2)), Outcome::NeedMore);
        assert_eq!(flow.ask(&IKE, ToServer, &esp(2, 3)), Outcome::found(AppId::IPSEC_ESP));
        check_never(&IKE, ToServer, Transport::Udp, &esp(1, 1), PORTS);
    }
}
