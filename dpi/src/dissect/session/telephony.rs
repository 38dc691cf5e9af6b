//! MGCP (RFC 3435) and H.323's call signalling (ITU-T H.225.0 and Q.931 over TPKT, RFC 1006).

use super::text::{self, Match};
use crate::app::AppId;
use crate::attr;
use crate::reader::Reader;
use crate::view::{Dissector, First, Notes, Outcome, Transport, View};

pub(super) const MGCP: Dissector = Dissector {
    app: AppId::MGCP,
    over: &[Transport::Udp],
    ports: &[2427, 2727],
    ports_only: false,
    first: First::OneOf(b"ACDEMNR"),
    run: mgcp,
};

pub(super) const H323: Dissector = Dissector {
    app: AppId::H323,
    over: &[Transport::Tcp],
    ports: &[1720],
    ports_only: false,
    first: First::OneOf(&[3]),
    run: h323,
};

/// A verb of four letters, a number, an endpoint, and the protocol's name (section 3.2.1).
fn mgcp(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    const VERBS: &[&[u8]] =
        &[b"EPCF ", b"CRCX ", b"MDCX ", b"DLCX ", b"RQNT ", b"NTFY ", b"AUEP ", b"AUCX ", b"RSIP "];
    let Match::Yes(rest) = text::any_keyword(view.data, VERBS) else { return Outcome::NotMine };
    let line = text::line(rest).map_or(rest, |(line, _)| line);
    let numbered = text::number(line).is_some_and(|(_, rest)| rest.starts_with(b" "));
    if numbered && text::contains(line, b" MGCP ") {
        let endpoint = text::word(text::word(line).1).0;
        let at = endpoint.iter().rposition(|byte| *byte == b'@');
        let host = at.and_then(|at| endpoint.get(at + 1..)).unwrap_or_default();
        notes.meta.put(&attr::HOST_NAME, host);
        Outcome::found(AppId::MGCP)
    } else {
        Outcome::NotMine
    }
}

/// TPKT, the discriminator 8, a call reference of two bytes, a message of set-up or clearing.
fn h323(view: &View<'_>, notes: &mut Notes<'_>) -> Outcome {
    let mut reader = Reader::new(view.data);
    let (Some([3, 0]), Some(length)) = (reader.array(), reader.u16()) else {
        let open = view.data.len() < 4 && view.data.get(1).is_none_or(|zero| *zero == 0);
        return if open { Outcome::NeedMore } else { Outcome::NotMine };
    };
    match reader.u8() {
        None => return Outcome::NeedMore,
        Some(8) => {}
        Some(_) => return Outcome::NotMine,
    }
    match reader.u8() {
        None => return Outcome::NeedMore,
        Some(2) => {}
        Some(_) => return Outcome::NotMine,
    }
    let (Some(_reference), Some(message)) = (reader.u16(), reader.u8()) else {
        return Outcome::NeedMore;
    };
    let known = matches!(message, 0x01..=0x03 | 0x05 | 0x07 | 0x0d | 0x5a | 0x62 | 0x6e | 0x7d);
    if !known || length < 9 {
        return Outcome::NotMine;
    }
    learn_ends(view, notes);
    Outcome::found_more(AppId::H323)
}

/// Ends that the sender offers for control and media stand in the messages as its own address and
/// a port, whatever the element (ITU-T H.225.0, `TransportAddress`; octets are aligned).
fn learn_ends(view: &View<'_>, notes: &mut Notes<'_>) {
    const LEAST_PORT: u16 = 1024;
    let sender = if view.from_client() { view.client } else { view.server };
    let Some(own) = sender.address.last_chunk::<4>() else { return };
    for window in text::tail(view.data).windows(6) {
        if window.starts_with(own)
            && let Some(port) = window.last_chunk().map(|port| u16::from_be_bytes(*port))
            && port >= LEAST_PORT
            && port != sender.port
        {
            notes.knowledge.learn_peer(sender.address, port, AppId::H323);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::{CLIENT, Flow, SERVER, check_never, check_prefixes};
    use crate::view::Direction::{ToClient, ToServer};
    use crate::view::Endpoint;

    #[test]
    fn gateways() {
        let udp = Transport::Udp;
        let request = b"RQNT 1 *@gateway44.myplace.com MGCP 0.1\r\nR: l/hd(n)\r\n";
        check_prefixes(&MGCP, ToServer, udp, request, (2427, 2427));
        check_never(&MGCP, ToServer, udp, b"NTFY x *@a MGCP 1.0\r\n", (2427, 2427));
        check_never(&MGCP, ToServer, udp, b"NOTIFY * HTTP/1.1\r\n", (2427, 2427));
    }

    #[test]
    fn call_signalling() {
        let setup = b"\x03\0\0\x40\x08\x02\x12\x34\x05\x04";
        check_prefixes(&H323, ToServer, Transport::Tcp, setup, (1, 1720));
        let connect = b"\x03\0\0\x14\x08\x02\x92\x34\x07\x7e\0\0\xc0\0\x02\x02\x2a\xf8\x01\0";
        let mut flow = Flow::new(Transport::Tcp, (40_000, 1720));
        assert_eq!(flow.ask(&H323, ToClient, connect), Outcome::found_more(AppId::H323));
        let end = |address, port| Endpoint { address, port };
        let control = flow.knowledge.peer(end(CLIENT, 40_001), end(SERVER, 11_000));
        assert_eq!(control, Some(AppId::H323));
        // A connection request of RDP.
        let rdp = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0";
        check_never(&H323, ToServer, Transport::Tcp, rdp, (1, 1720));
    }
}
